/*
 * What happens when there is not enough: places in the table, buffers. Those who take all they can
 * must not keep the next connection from its share.
 */
#include <errno.h>

#include "tcp_kit.h"

enum {
    TAKEN_MAX = DEVICE_BUFS + SMALL_BUFS,
};

static struct buf *taken[TAKEN_MAX];
static unsigned n_taken;

/* Take bufs out of the pool until only `left` are free. */
static void take_all_but(struct buf_pool *pool, uint32_t left)
{
    while (pool->count - pool->in_use > left) {
        assert_true(n_taken < TAKEN_MAX);
        taken[n_taken++] = buf_get(pool);
    }
}

static void give_back(void)
{
    while (n_taken > 0)
        buf_unref(taken[--n_taken]);
}

/* A full table: the oldest that nobody owns and that only waits in TIME-WAIT makes room. */
static void time_wait_makes_room(void **state)
{
    (void)state;
    defaults();
    rig.cfg.max_conns = 2;
    rig.cfg.tcp.syn_cookies = false;
    begin();
    app_listen(8);
    open_passive();
    go(TCP_TIME_WAIT);
    drain(); /* the application is told of the end, and owns it no more */
    expect_state(TCP_TIME_WAIT);
    flow.remote_port++;
    open_passive();
    flow.remote_port++;
    open_passive();
    counted(TIME_WAIT_RECYCLED, 1);
    counted(TCP_TABLE_FULL, 0);
    assert_int_equal(stack_totals(rig.st)->conns, 2);
    flow.remote_port++;
    inject_drop(REASON_TCP_TABLE_FULL, SYN, 0, 0, FULL_WND, 0); /* both are in use */
    end();
}

/* One whose end was not told yet is still somebody's. */
static void time_wait_that_is_owned_stays(void **state)
{
    (void)state;
    defaults();
    rig.cfg.max_conns = 1;
    rig.cfg.tcp.syn_cookies = false;
    begin();
    app_listen(8);
    open_passive();
    go(TCP_TIME_WAIT);
    flow.remote_port++;
    inject_drop(REASON_TCP_TABLE_FULL, SYN, 0, 0, FULL_WND, 0);
    flow.remote_port--;
    expect_closed(REASON_END_ORDERLY);
    end();
}

/* An active open makes room in the same way. */
static void an_open_makes_room(void **state)
{
    (void)state;
    defaults();
    rig.cfg.max_conns = 1;
    begin();
    app_listen(8);
    open_passive();
    go(TCP_TIME_WAIT);
    drain();
    flow.remote_port++;
    app_open();
    counted(TIME_WAIT_RECYCLED, 1);
    expect_syn();
    end();
}

/* Bytes beyond the share of what is free are dropped, though the window promised them. */
static void a_queue_gets_its_share(void **state)
{
    uint32_t seq = 1;

    (void)state;
    defaults();
    rig.cfg.large = &rig.device;
    begin();
    app_listen(8);
    open_passive();
    take_all_but(&rig.device, 8);
    take_all_but(&rig.small, 8); /* 8 bufs of each are free: their eighth is under the floor */
    for (; seq + 1000 <= 4096; seq += 1000)
        assert_int_equal(inject(ACK, seq, 1, FULL_WND, 1000), REASON_NONE);
    inject_drop(REASON_NO_BUFFER, ACK, seq, 1, FULL_WND, 1000);
    assert_true(stack_send_space(rig.st, flow.id) <= 4096);
    app_read(seq - 1); /* what was read makes room again, for it or for others */
    assert_int_equal(inject(ACK, seq, 1, FULL_WND, 1000), REASON_NONE);
    drain();
    give_back();
    assert_int_equal(inject(ACK, seq + 1000, 1, FULL_WND, 1000), REASON_NONE);
    app_read(2000);
    end();
}

/* With enough of everything no share is felt. */
static void enough_is_no_limit(void **state)
{
    (void)state;
    defaults();
    rig.cfg.large = &rig.device;
    rig.cfg.tcp.snd_buf = rig.cfg.tcp.rcv_buf = 10000;
    begin();
    app_listen(8);
    open_passive();
    assert_int_equal(stack_send_space(rig.st, flow.id), 10000);
    assert_int_equal(tcb_rcv_wnd(tcb()), 10000);
    end();
}

/* What comes out of order has one half of the buffers, and leaves the other to what is in order. */
static void out_of_order_leaves_one_half(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(8);
    open_passive();
    take_all_but(&rig.small, rig.small.count / 2 + 1);
    assert_int_equal(inject(ACK, 3, 1, FULL_WND, 1), REASON_NONE);
    assert_int_equal(inject(ACK, 5, 1, FULL_WND, 1), REASON_NONE);
    inject_drop(REASON_TCP_REASSEMBLY, ACK, 7, 1, FULL_WND, 1);
    assert_int_equal(inject(ACK, 1, 1, FULL_WND, 1), REASON_NONE);
    app_read(1);
    give_back();
    end();
}

/* A window that stays closed keeps a connection for ever, but not one that nobody owns. */
static void nobody_holds_a_released_one(void **state)
{
    uint32_t answered = 0;

    (void)state;
    defaults();
    begin();
    app_listen(8);
    open_passive();
    app_send(2 * MSS);
    while (rig_take_tcp())
        continue;
    inject(ACK, 1, 1 + 2 * MSS, 0, 0);
    app_send(1000);
    app_release();
    while (tcb() && answered < 1000) {
        advance(10 * SEC);
        while (rig_take_tcp())
            continue;
        if (tcb())
            inject(ACK, 1, 1 + 2 * MSS, 0, 0); /* still alive, still closed */
        answered++;
    }
    assert_in_range(answered, 30, 50); /* R2 is 300 s, looked at when a probe is due */
    end();
}

/* Who found no cell is told when an eighth is free, not for each: everyone would wake for it. */
static void the_starved_wait_for_an_eighth(void **state)
{
    static const uint8_t b[1] = {0};
    struct slice s = {NULL, b, 1};
    struct flow greedy;

    (void)state;
    defaults();
    rig.cfg.max_chunks = 64;
    rig.cfg.tcp.conn.nagle = false;
    begin();
    open_passive();
    greedy = flow;
    flow.remote_port++;
    open_passive();
    for (unsigned i = 0; i < 48; i++) /* a quarter is kept for what arrives */
        assert_int_equal(stack_send(rig.st, greedy.id, s), 0);
    assert_int_equal(stack_send(rig.st, flow.id, s), -ENOBUFS);
    drain();
    flow = greedy;
    inject(ACK, 1, 1 + 7, FULL_WND, 0);
    assert_int_equal(rig.st->cells.in_use, 41);
    stack_tick(rig.st, rig.now);
    expect_no_event();
    assert_true(stack_deadline(rig.st) > rig.now);
    inject(ACK, 1, 1 + 8, FULL_WND, 0);
    assert_true(stack_deadline(rig.st) <= rig.now);
    stack_tick(rig.st, rig.now);
    flow.remote_port++;
    flow.id = (struct conn_id){1, 1};
    expect_event(EV_WRITABLE);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_wait_makes_room),
        cmocka_unit_test(time_wait_that_is_owned_stays),
        cmocka_unit_test(an_open_makes_room),
        cmocka_unit_test(a_queue_gets_its_share),
        cmocka_unit_test(enough_is_no_limit),
        cmocka_unit_test(out_of_order_leaves_one_half),
        cmocka_unit_test(nobody_holds_a_released_one),
        cmocka_unit_test(the_starved_wait_for_an_eighth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
