/* Listeners, and active opens: which addresses, which ports, which initial numbers. */
#include "tcp_kit.h"

/* ---- listeners ---- */

/* MUST-41, MUST-43: for all addresses, or one; a second for the same fails, and disturbs nobody. */
static void listeners(void **state)
{
    struct addr second = addr_v4(0x0a000106), foreign = addr_v4(0x0a000107);
    int any, one, two;

    (void)state;
    defaults();
    rig.cfg.local[1] = second;
    rig.cfg.locals = 2;
    begin();
    any = stack_listen(rig.st, NULL, 80, 1, NULL);
    one = stack_listen(rig.st, &rig.cfg.local[0], 80, 1, NULL);
    two = stack_listen(rig.st, &second, 80, 1, NULL);
    assert_true(any >= 0 && one >= 0 && two >= 0 && any != one && one != two && any != two);
    assert_int_equal(stack_listen(rig.st, NULL, 80, 1, NULL), -EADDRINUSE);
    assert_int_equal(stack_listen(rig.st, &second, 80, 1, NULL), -EADDRINUSE);
    assert_int_equal(stack_listen(rig.st, &foreign, 80, 1, NULL), -EINVAL);
    assert_int_equal(stack_listen(rig.st, NULL, 0, 1, NULL), -EINVAL);
    assert_int_equal(stack_listen(rig.st, NULL, 81, 0, NULL), -EINVAL);
    assert_int_equal(stack_unlisten(rig.st, two), 0);
    assert_int_equal(stack_unlisten(rig.st, two), -EBADF);
    assert_int_equal(stack_unlisten(rig.st, -1), -EBADF);
    assert_int_equal(stack_unlisten(rig.st, STACK_LISTENERS_MAX), -EBADF);
    for (uint16_t i = 2; i < STACK_LISTENERS_MAX; i++)
        assert_true(stack_listen(rig.st, NULL, (uint16_t)(100 + i), 1, NULL) >= 0);
    assert_int_equal(stack_listen(rig.st, NULL, 99, 1, NULL), -ENFILE);
    end();
}

/* MUST-43: the listener of one address comes before that of all. */
static void the_more_exact_listener(void **state)
{
    struct stack_event e;
    int exact, any;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct addr local = LOCAL_ADDR;

        defaults();
        begin();
        if (i)
            assert_true(stack_listen(rig.st, &local, LOCAL_PORT, 1, &exact) >= 0);
        assert_true(stack_listen(rig.st, NULL, LOCAL_PORT, 1, &any) >= 0);
        if (!i)
            assert_true(stack_listen(rig.st, &local, LOCAL_PORT, 1, &exact) >= 0);
        inject(SYN, 0, 0, FULL_WND, 0);
        expect_syn_ack();
        inject(ACK, 1, 1, FULL_WND, 0);
        assert_true(stack_event(rig.st, &e));
        assert_ptr_equal(e.user, &exact);
        end();
    }
}

/* Closing a listener resets what was never told, and leaves the others alone. */
static void unlisten(void **state)
{
    struct flow told;

    (void)state;
    defaults();
    begin();
    app_listen(8);
    open_passive();
    told = flow;
    flow.remote_port++;
    inject(SYN, 0, 0, FULL_WND, 0); /* an embryo */
    expect_syn_ack();
    assert_int_equal(stack_unlisten(rig.st, rig.listener), 0);
    expect(RST | ACK, 1, 1, 0);
    expect_state(TCP_CLOSED);
    flow.remote_port++;
    inject_drop(REASON_TCP_NO_CONNECTION, SYN, 0, 0, FULL_WND, 0);
    flow.iss = 0;
    expect(RST | ACK, 0, 1, 0);
    flow = told;
    expect_state(TCP_ESTABLISHED);
    app_listen(1); /* the port is free for another */
    flow.remote_port += 5;
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    inject(ACK, 1, 1, FULL_WND, 10); /* open, but not told */
    assert_int_equal(stack_unlisten(rig.st, rig.listener), 0);
    assert_true(rig_take_tcp());
    assert_true(rig.seg.flags & RST);
    expect_no_event();
    assert_int_equal(stack_totals(rig.st)->conns, 1);
    end();
}

/* ---- active opens: addresses and ports (MUST-44 to MUST-46) ---- */

/* MUST-46. RFC 1122 3.2.1.3-f. */
static void what_cannot_be_opened(void **state)
{
    static const uint32_t never[] = {0,          0x7f000001, 0xe0000001, 0xffffffff,
                                     0xf0000001, 0x0a0001ff, 0x0a000100, 0x0a000105};
    struct addr foreign = addr_v4(0x0a000106);
    struct stack_open how = {.remote_port = 80};
    struct conn_id id;

    (void)state;
    defaults();
    begin();
    for (unsigned i = 0; i < 8; i++) {
        how.remote = addr_v4(never[i]);
        assert_int_equal(stack_open(rig.st, &how, &id), -EINVAL);
    }
    how.remote = REMOTE_ADDR;
    how.remote_port = 0;
    assert_int_equal(stack_open(rig.st, &how, &id), -EINVAL);
    how.remote_port = 80;
    how.local = &foreign;
    assert_int_equal(stack_open(rig.st, &how, &id), -EADDRNOTAVAIL);
    how.local = NULL;
    how.local_port = 1234;
    assert_int_equal(stack_open(rig.st, &how, &id), 0);
    assert_int_equal(stack_open(rig.st, &how, &id), -EADDRINUSE);
    how.remote_port = 81;
    assert_int_equal(stack_open(rig.st, &how, &id), 0); /* another connection of the same port */
    assert_int_equal(stack_totals(rig.st)->opened, 2);
    end();
}

/*
 * RFC 6056: ports from 49152 on, not one after the other, never twice; when they are nearly used
 * up, all from 1024 on are, to the last one.
 */
static void ports_are_chosen(void **state)
{
    static uint8_t seen[65536];
    struct stack_open how = {.remote = REMOTE_ADDR, .remote_port = 80};
    uint32_t n = 0, in_row = 0, last = 0;
    struct conn_id id;
    struct stack_conn_status status;
    int r;

    (void)state;
    defaults();
    rig.cfg.max_conns = 65536;
    begin();
    while ((r = stack_open(rig.st, &how, &id)) == 0) {
        assert_int_equal(stack_status(rig.st, id, &status), 0);
        assert_true(status.local_port >= (n < 8000 ? 49152 : 1024));
        assert_false(seen[status.local_port]);
        seen[status.local_port] = 1;
        in_row += n < 8000 && status.local_port == last + 1;
        last = status.local_port;
        n++;
    }
    assert_int_equal(r, -EADDRINUSE);
    assert_int_equal(n, STACK_PORTS);
    assert_int_equal(n, 65536 - 1024);
    assert_true(in_row < 4000);
    how.remote_port = 81;
    assert_int_equal(stack_open(rig.st, &how, &id), 0);
    end();
}

/* MUST-8, RFC 6528: initial numbers differ between connections and move with the clock. */
static void initial_numbers(void **state)
{
    uint32_t iss[2];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        defaults();
        begin();
        advance(i * SEC);
        app_open();
        expect_syn();
        iss[i] = flow.iss;
        flow.local_port++;
        app_open();
        expect_syn();
        assert_int_not_equal((flow.iss - iss[i]) >> 20, 0);
        end();
    }
    assert_int_equal(iss[1] - iss[0], 250000); /* 4 us each */
    defaults();
    memset(rig.cfg.secret, 8, sizeof(rig.cfg.secret));
    begin();
    app_open();
    expect_syn();
    assert_int_not_equal(flow.iss, iss[0]);
    end();
}

/* What is open lets those who open go first, and these keep their order. */
static void a_syn_goes_first(void **state)
{
    struct flow old;

    (void)state;
    defaults();
    begin();
    open_passive();
    old = flow;
    app_send(10);
    app_close();
    for (uint16_t i = 0; i < 2; i++) {
        flow.local_port = (uint16_t)(9001 + i);
        app_open();
    }
    for (uint16_t i = 0; i < 2; i++) {
        flow.local_port = (uint16_t)(9001 + i);
        expect_syn();
    }
    flow = old;
    expect(FIN | ACK, 1, 1, 10);
    expect_nothing();
    end();
}

enum {
    FLOWS = 16,
};

/* Where sixteen connections stand in the table, and the first's initial number. */
struct places {
    uint32_t bucket[FLOWS], iss;
};

/* Open them under the rig's secret, with byte `at` of it changed. */
static void places_with(unsigned at, struct places *ret)
{
    defaults();
    rig.cfg.secret[at] ^= 0x55;
    begin();
    for (unsigned i = 0; i < FLOWS; i++, flow.local_port++) {
        app_open();
        expect_syn();
        if (i == 0)
            ret->iss = flow.iss;
    }
    for (uint32_t i = 0; i <= rig.st->bucket_mask; i++)
        for (uint32_t c = rig.st->buckets[i]; c; c = flow_at(rig.st, c)->hash_next)
            ret->bucket[(c & rig.st->link_mask) - 1] = i;
    end();
}

/*
 * The secret is two keys: nobody can aim at one bucket, and what everyone may see of the one key,
 * an initial number, says nothing about the other.
 */
static void each_key_has_its_purpose(void **state)
{
    struct places first, other;
    unsigned same = 0;

    (void)state;
    places_with(0, &first);
    places_with(1, &other);
    for (unsigned i = 0; i < FLOWS; i++)
        same += first.bucket[i] == other.bucket[i];
    assert_true(same < FLOWS / 2);
    assert_int_equal(first.iss, other.iss);
    places_with(16, &first);
    places_with(17, &other);
    assert_memory_equal(first.bucket, other.bucket, sizeof(first.bucket));
    assert_int_not_equal(first.iss, other.iss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listeners),        cmocka_unit_test(the_more_exact_listener),
        cmocka_unit_test(unlisten),         cmocka_unit_test(what_cannot_be_opened),
        cmocka_unit_test(ports_are_chosen), cmocka_unit_test(initial_numbers),
        cmocka_unit_test(a_syn_goes_first), cmocka_unit_test(each_key_has_its_purpose),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
