/* The stack as its users see it: handles, events, many connections, limits of sending, the doors.
 */
#include "tcp_kit.h"

/* ---- making one ---- */

static void refuses(const struct stack_config *cfg, size_t less)
{
    size_t size = stack_bytes(cfg);
    void *mem = aligned_alloc(64, (size + 63) / 64 * 64);

    assert_non_null(mem);
    memset(mem, 0, size);
    assert_null(stack_create(cfg, mem, size - less));
    free(mem);
}

static void impossible_configurations(void **state)
{
    struct stack_config good, bad;

    (void)state;
    defaults();
    begin(); /* for its pools */
    good = rig.cfg;
    refuses(&good, 1);
    bad = good;
    bad.locals = 0;
    refuses(&bad, 0);
    bad.locals = STACK_LOCALS_MAX + 1;
    refuses(&bad, 0);
    bad = good;
    bad.mtu = 67;
    refuses(&bad, 0);
    bad.mtu = 65536;
    refuses(&bad, 0);
    bad = good;
    bad.max_conns = 0;
    refuses(&bad, 0);
    bad = good;
    bad.small = NULL;
    refuses(&bad, 0);
    end();
}

static void the_largest_and_smallest_mtu(void **state)
{
    static const uint32_t mtus[] = {68, 65535};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        defaults();
        rig.cfg.mtu = mtus[i];
        begin();
        open_passive();
        end();
    }
}

/* ---- handles ---- */

/* Every call with a dead handle says -EBADF and does nothing, also when its slot lives again. */
static void rig_dead(struct conn_id id)
{
    struct stack_conn_status status;
    struct slice s = {NULL, (const uint8_t *)"x", 1};

    rig_same("send", stack_send(rig.st, id, s), -EBADF);
    rig_same("send_copy", stack_send_copy(rig.st, id, "x", 1), -EBADF);
    rig_same("send_space", stack_send_space(rig.st, id), 0);
    rig_same("receive", stack_receive(rig.st, id, 1, &s), -EBADF);
    rig_same("close", stack_close(rig.st, id), -EBADF);
    rig_same("release", stack_release(rig.st, id), -EBADF);
    rig_same("abort", stack_abort(rig.st, id), -EBADF);
    rig_same("set_user", stack_set_user(rig.st, id, NULL), -EBADF);
    rig_same("status", stack_status(rig.st, id, &status), -EBADF);
}

#define expect_dead(id) AT(rig_dead(id))

static void stale_handles(void **state)
{
    struct conn_id first;

    (void)state;
    defaults();
    rig.cfg.max_conns = 1;
    begin();
    expect_dead(((struct conn_id){0, 0}));
    expect_dead(((struct conn_id){0, 1}));
    expect_dead(((struct conn_id){7, 1}));
    expect_dead(((struct conn_id){UINT32_MAX, 0}));
    open_passive();
    first = flow.id;
    inject(RST, 1, 0, 0, 0);
    expect_closed(REASON_END_RESET);
    drain(); /* the handle dies with the next door */
    expect_dead(first);
    flow.remote_port++;
    open_passive();
    assert_int_equal(flow.id.slot, first.slot);
    assert_int_not_equal(flow.id.generation, first.generation);
    expect_dead(first);
    app_send(1); /* and the new one is unharmed */
    end();
}

/* Until the next door the status of a connection whose end was told can be asked. */
static void the_last_status(void **state)
{
    struct stack_conn_status status;

    (void)state;
    defaults();
    begin();
    open_passive();
    inject(ACK, 1, 1, FULL_WND, 100);
    drain();
    app_read(100);
    inject(RST, 101, 0, 0, 0);
    expect_closed(REASON_END_RESET);
    assert_int_equal(stack_status(rig.st, flow.id, &status), 0);
    assert_int_equal(status.bytes_received, 100);
    assert_int_equal(status.state, TCP_CLOSED);
    expect_no_event();
    expect_dead(flow.id);
    end();
}

/* A released handle is dead at once, and so is one whose connection is in TIME-WAIT. */
static void handles_that_die_early(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    app_release();
    expect_dead(flow.id);
    end();
    defaults();
    begin();
    open_passive();
    go(TCP_TIME_WAIT);
    expect_closed(REASON_END_ORDERLY);
    expect_no_event();
    expect_dead(flow.id);
    expect_state(TCP_TIME_WAIT);
    end();
}

/* ---- events ---- */

static void events_coalesce(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    for (uint32_t i = 0; i < 10; i++)
        inject(ACK, 1 + i * 100, 1, FULL_WND, 100);
    expect_event(EV_READABLE);
    expect_no_event();
    inject(ACK, 1001, 1, FULL_WND, 100); /* what is new after it was told is told again */
    expect_event(EV_READABLE);
    expect_no_event();
    app_read(1100);
    end();
}

/* All that can have happened before anybody asked, in an order that makes sense. */
static void events_come_in_order(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject(ACK, 1, 1, FULL_WND, 10);
    inject(FIN | ACK, 11, 1, FULL_WND, 0);
    inject(RST, 12, 0, 0, 0);
    expect_event(EV_ACCEPTED);
    expect_event(EV_READABLE);
    expect_event(EV_PEER_CLOSED);
    expect_closed(REASON_END_RESET);
    expect_no_event();
    end();
}

/* A user pointer comes with each event: the listener's, then the connection's own. */
static void user_pointers(void **state)
{
    struct stack_event e;
    int a, b, c;

    (void)state;
    defaults();
    begin();
    rig.listener = stack_listen(rig.st, NULL, LOCAL_PORT, 4, &a);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject(ACK, 1, 1, FULL_WND, 10);
    assert_true(stack_event(rig.st, &e));
    assert_int_equal(e.kind, EV_ACCEPTED);
    assert_ptr_equal(e.user, &a);
    assert_int_equal(stack_set_user(rig.st, e.conn, &b), 0);
    assert_true(stack_event(rig.st, &e));
    assert_int_equal(e.kind, EV_READABLE);
    assert_ptr_equal(e.user, &b);
    assert_int_equal(stack_udp_bind(rig.st, 9, &c), 0);
    end();
}

/* A user call that leaves an event must not be slept on. */
static void the_deadline_knows_of_events(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    assert_true(stack_deadline(rig.st) > rig.now);
    app_abort();
    assert_true(stack_deadline(rig.st) <= rig.now);
    expect_closed(REASON_END_ABORTED);
    drain();
    assert_int_equal(stack_deadline(rig.st), TIME_NEVER);
    end();
}

/* ---- a thousand connections ---- */

static struct flow many[1000];

static void a_thousand_connections(void **state)
{
    (void)state;
    defaults();
    rig.cfg.max_conns = 1000;
    begin();
    app_listen(1);
    for (uint32_t i = 0; i < 1000; i++) {
        flow = (struct flow){.local_port = LOCAL_PORT,
                             .remote_port = (uint16_t)(10000 + i),
                             .irs = i * 77777777};
        open_passive();
        many[i] = flow;
    }
    for (uint32_t i = 0; i < 1000; i++) {
        flow = many[i * 7 % 1000];
        inject(ACK, 1, 1, FULL_WND, 100);
        expect_event(EV_READABLE);
        app_read(100);
        app_send(100);
        expect(ACK, 1, 101, 100);
        many[i * 7 % 1000] = flow;
    }
    for (uint32_t i = 0; i < 1000; i++) {
        flow = many[i * 3 % 1000];
        inject(FIN | ACK, 101, 101, FULL_WND, 0);
        expect_event(EV_PEER_CLOSED);
        expect(ACK, 101, 102, 0);
        app_close();
        expect(FIN | ACK, 101, 102, 0);
        inject(ACK, 102, 102, FULL_WND, 0);
        expect_closed(REASON_END_ORDERLY);
    }
    drain();
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    assert_int_equal(stack_totals(rig.st)->conns_peak, 1000);
    assert_int_equal(stack_totals(rig.st)->accepted, 1000);
    end();
}

/* Output is fair: each connection sends one packet in its turn. */
static void output_takes_turns(void **state)
{
    static struct pkt p;
    struct conn_id id[2];
    uint16_t port[6];

    (void)state;
    defaults();
    begin();
    for (unsigned i = 0; i < 2; i++) {
        flow.remote_port = (uint16_t)(REMOTE_PORT + i);
        open_passive();
        id[i] = flow.id;
    }
    for (unsigned i = 0; i < 2; i++) {
        flow.id = id[i];
        app_send(3 * MSS);
    }
    for (unsigned i = 0; i < 6; i++) {
        assert_true(stack_output(rig.st, rig.now, &p));
        assert_true(p.conn > 0);
        port[i] = get16(p.part[0].base + 22);
    }
    for (unsigned i = 1; i < 6; i++)
        assert_int_not_equal(port[i], port[i - 1]);
    end();
}

/* stack_next_conn names every connection once. */
static void walking_all_connections(void **state)
{
    struct stack_conn_status status;
    uint32_t cursor = 0, n = 0;

    (void)state;
    defaults();
    begin();
    for (unsigned i = 0; i < 5; i++) {
        flow.remote_port = (uint16_t)(REMOTE_PORT + i);
        open_passive();
    }
    inject(RST, 1, 0, 0, 0);
    drain();
    while (stack_next_conn(rig.st, &cursor, &status)) {
        assert_int_equal(status.state, TCP_ESTABLISHED);
        assert_int_equal(status.remote_port, REMOTE_PORT + n);
        assert_int_equal(status.age, rig.now - status.opened_at);
        n++;
    }
    assert_int_equal(n, 4);
    end();
}

/* ---- limits of sending ---- */

/* -EAGAIN when the queue is full; EV_WRITABLE once when there is room. */
static void a_full_send_queue(void **state)
{
    static uint8_t b[5000];
    struct slice s = {NULL, b, 1};

    (void)state;
    defaults();
    rig.cfg.tcp.snd_buf = 4000;
    begin();
    open_passive();
    assert_int_equal(stack_send_space(rig.st, flow.id), 4000);
    assert_int_equal(stack_send_copy(rig.st, flow.id, b, 5000), 4000); /* what fits */
    assert_int_equal(stack_send_space(rig.st, flow.id), 0);
    assert_int_equal(stack_send_copy(rig.st, flow.id, b, 1), -EAGAIN);
    assert_int_equal(stack_send(rig.st, flow.id, s), -EAGAIN);
    expect_no_event();
    while (rig_take_tcp())
        continue;
    inject(ACK, 1, 1 + MSS, FULL_WND, 0);
    inject(ACK, 1, 1 + 2 * MSS, FULL_WND, 0);
    expect_event(EV_WRITABLE);
    expect_no_event();
    assert_int_equal(stack_send_space(rig.st, flow.id), 2 * MSS);
    inject(ACK, 1, 4001, FULL_WND, 0); /* nobody asked: nobody is told */
    expect_no_event();
    s.len = 5000;
    assert_int_equal(stack_send(rig.st, flow.id, s), 0); /* a slice is taken whole */
    assert_int_equal(stack_send_space(rig.st, flow.id), 0);
    end();
}

static void empty_sends(void **state)
{
    struct buf *b;

    (void)state;
    defaults();
    begin();
    open_passive();
    b = buf_get(&rig.device);
    assert_int_equal(stack_send(rig.st, flow.id, (struct slice){b, b->data, 0}), 0);
    assert_int_equal(rig.device.in_use, 0);
    assert_int_equal(stack_send_copy(rig.st, flow.id, "", 0), 0);
    expect_nothing();
    end();
}

/*
 * The budget of cells is used up: -ENOBUFS, and EV_WRITABLE when it is not, without other help.
 * Sends leave a quarter to what arrives in order, or all would wait for each other's
 * acknowledgments.
 */
static void the_budget_of_cells(void **state)
{
    static const uint8_t b[1] = {0};
    struct slice s = {NULL, b, 1};
    struct conn_id greedy;

    (void)state;
    defaults();
    rig.cfg.max_chunks = 64;
    begin();
    open_passive();
    greedy = flow.id;
    flow.remote_port++;
    open_passive();
    for (unsigned i = 0; i < 48; i++)
        assert_int_equal(stack_send(rig.st, greedy, s), 0);
    assert_int_equal(stack_send(rig.st, flow.id, s), -ENOBUFS);
    assert_int_equal(stack_send_copy(rig.st, flow.id, b, 1), -ENOBUFS);
    assert_int_equal(rig.small.in_use, 0);
    for (uint32_t i = 0; i < 16; i++)
        inject(ACK, 1 + i * 1000, 1, FULL_WND, 1000);
    inject_drop(REASON_NO_BUFFER, ACK, 16001, 1, FULL_WND, 1000);
    inject_drop(REASON_TCP_REASSEMBLY, ACK, 20000, 1, FULL_WND, 1000);
    drain();
    assert_int_equal(stack_send(rig.st, flow.id, s), -ENOBUFS);
    assert_int_equal(stack_abort(rig.st, greedy), 0);
    expect_closed(REASON_END_ABORTED);
    assert_true(stack_deadline(rig.st) <= rig.now); /* somebody is to be told now */
    stack_tick(rig.st, rig.now);
    expect_event(EV_WRITABLE);
    expect_no_event();
    assert_int_equal(stack_send(rig.st, flow.id, s), 0);
    end();
}

/* The bufs for copies are used up: the same, and no spinning while they are. */
static void the_budget_of_small_bufs(void **state)
{
    static struct buf *taken[SMALL_BUFS];
    unsigned n = 0;

    (void)state;
    defaults();
    begin();
    open_passive();
    while (n < SMALL_BUFS)
        taken[n++] = buf_get(&rig.small);
    assert_int_equal(stack_send_copy(rig.st, flow.id, "x", 1), -ENOBUFS);
    stack_tick(rig.st, rig.now);
    expect_no_event();
    assert_true(stack_deadline(rig.st) > rig.now);
    while (n > SMALL_BUFS / 4)
        buf_unref(taken[--n]);
    stack_tick(rig.st, rig.now);
    expect_event(EV_WRITABLE);
    assert_int_equal(stack_send_copy(rig.st, flow.id, "x", 1), 1);
    while (n)
        buf_unref(taken[--n]);
    end();
}

/* ---- time at the doors ---- */

/* Time only goes forward, whatever a door is told. */
static void time_does_not_go_back(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    stack_tick(rig.st, rig.now - SEC / 2);
    expect_nothing();
    rig.now += SEC;
    stack_tick(rig.st, rig.now);
    expect(SYN, 0, 0, 0);
    expect_nothing();
    stack_tick(rig.st, 0);
    flow.local_port++;
    app_open(); /* user calls act at the latest instant that a door was told */
    assert_int_equal(tcb()->opened_at, rig.now);
    end();
}

/* Time-outs run late are run once, not as often as they would have come. */
static void a_late_tick(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    rig.now += 20 * SEC;
    stack_tick(rig.st, rig.now);
    expect(SYN, 0, 0, 0);
    expect_nothing();
    assert_true(stack_deadline(rig.st) > rig.now);
    end();
}

/* An observer is told of drops and of every change of state, in order. */
struct seen {
    enum tcp_state path[16];
    unsigned states, drops;
};

static void note(void *arg, const struct stack_note *n)
{
    struct seen *seen = arg;

    if (n->reason == REASON_STATE) {
        assert_true(seen->states < 16);
        assert_true(seen->states == 0 || n->from == seen->path[seen->states - 1]);
        seen->path[seen->states++] = n->to;
    }
    seen->drops += reason_text(n->reason)->kind == REASON_KIND_DROP;
}

static void an_observer(void **state)
{
    static const enum tcp_state path[] = {TCP_SYN_RECEIVED, TCP_ESTABLISHED, TCP_FIN_WAIT_1,
                                          TCP_FIN_WAIT_2,   TCP_TIME_WAIT,   TCP_CLOSED};
    struct seen seen = {.states = 0};

    (void)state;
    defaults();
    begin();
    stack_observe(rig.st, note, &seen);
    open_passive();
    inject_drop(REASON_TCP_SEQUENCE, ACK, (uint32_t)-5, 1, FULL_WND, 0);
    expect(ACK, 1, 1, 0);
    go(TCP_TIME_WAIT);
    drain();
    advance(60 * SEC);
    assert_int_equal(seen.states, 6);
    assert_memory_equal(seen.path, path, sizeof(path));
    assert_int_equal(seen.drops, 1);
    stack_observe(rig.st, NULL, NULL);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(impossible_configurations),
        cmocka_unit_test(the_largest_and_smallest_mtu),
        cmocka_unit_test(stale_handles),
        cmocka_unit_test(the_last_status),
        cmocka_unit_test(handles_that_die_early),
        cmocka_unit_test(events_coalesce),
        cmocka_unit_test(events_come_in_order),
        cmocka_unit_test(user_pointers),
        cmocka_unit_test(the_deadline_knows_of_events),
        cmocka_unit_test(a_thousand_connections),
        cmocka_unit_test(output_takes_turns),
        cmocka_unit_test(walking_all_connections),
        cmocka_unit_test(a_full_send_queue),
        cmocka_unit_test(empty_sends),
        cmocka_unit_test(the_budget_of_cells),
        cmocka_unit_test(the_budget_of_small_bufs),
        cmocka_unit_test(time_does_not_go_back),
        cmocka_unit_test(a_late_tick),
        cmocka_unit_test(an_observer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
