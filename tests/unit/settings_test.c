/* Per-connection settings: where they come from, that they are copies, and what cannot be set. */
#include "tests/unit/tcp_kit.h"

/* A connection begins with the node's settings, and one's change is nobody else's. */
static void each_connection_has_its_own(void **state)
{
    struct tcp_settings s, other;
    struct flow first;

    (void)state;
    defaults();
    rig.cfg.tcp.conn.r1 = 5;
    begin();
    open_passive();
    assert_int_equal(stack_settings(rig.st, flow.id, &s), 0);
    assert_int_equal(s.r1, 5);
    s.r1 = 7;
    assert_int_equal(stack_set(rig.st, flow.id, &s), 0);
    s.r1 = 9; /* a copy was taken */
    first = flow;
    flow = (struct flow){.local_port = LOCAL_PORT, .remote_port = REMOTE_PORT + 1, .irs = 77};
    open_passive();
    assert_int_equal(stack_settings(rig.st, flow.id, &other), 0);
    assert_int_equal(other.r1, 5);
    assert_int_equal(stack_settings(rig.st, first.id, &s), 0);
    assert_int_equal(s.r1, 7);
    end();
}

/* What an open or a listener says holds from the first segment on. */
static void they_come_with_the_open_or_the_listener(void **state)
{
    struct stack_open how = {.remote = REMOTE_ADDR, .remote_port = REMOTE_PORT};
    struct tcp_settings s, got;

    (void)state;
    defaults();
    begin();
    s = rig.cfg.tcp.conn;
    s.r1 = 11;
    how.settings = &s;
    assert_int_equal(stack_open(rig.st, &how, &flow.id), 0);
    assert_int_equal(stack_settings(rig.st, flow.id, &got), 0);
    assert_int_equal(got.r1, 11);
    app_abort();
    drain();
    app_listen(4);
    s.r1 = 13;
    assert_int_equal(stack_listener_set(rig.st, rig.listener, &s), 0);
    open_passive();
    assert_int_equal(stack_settings(rig.st, flow.id, &got), 0);
    assert_int_equal(got.r1, 13);
    end();
}

static void what_is_out_of_range_is_refused(void **state)
{
    struct stack_open how = {.remote = REMOTE_ADDR, .remote_port = REMOTE_PORT};
    struct tcp_settings good, bad[8];

    (void)state;
    defaults();
    begin();
    open_passive();
    good = rig.cfg.tcp.conn;
    for (unsigned i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].dscp = 64;
    bad[1].r1 = 0;
    bad[2].keepalive_max = 1;
    bad[3].r2_ns = 0;
    bad[4].r2_syn_ns = -1;
    bad[5].keepalive_ns = 0;
    bad[6].keepalive_interval_ns = 0;
    bad[7].linger_ns = -1;
    for (unsigned i = 0; i < 8; i++) {
        struct conn_id id;

        how.settings = &bad[i];
        assert_int_equal(stack_set(rig.st, flow.id, &bad[i]), -EINVAL);
        assert_int_equal(stack_listener_set(rig.st, rig.listener, &bad[i]), -EINVAL);
        assert_int_equal(stack_open(rig.st, &how, &id), -EINVAL);
    }
    assert_int_equal(stack_set(rig.st, flow.id, &good), 0);
    assert_int_equal(stack_listener_set(rig.st, rig.listener + 1, &good), -EBADF);
    assert_int_equal(stack_listener_set(rig.st, -1, &good), -EBADF);
    flow.id.generation++;
    assert_int_equal(stack_set(rig.st, flow.id, &good), -EBADF);
    assert_int_equal(stack_settings(rig.st, flow.id, &good), -EBADF);
    end();
}

/* MUST-17: switching Nagle off sends what it held back, for this connection alone. */
static void nagle_is_each_connections_own(void **state)
{
    struct tcp_settings s;

    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
    app_send(10);
    expect_nothing();
    assert_int_equal(stack_settings(rig.st, flow.id, &s), 0);
    s.nagle = false;
    assert_int_equal(stack_set(rig.st, flow.id, &s), 0);
    expect(ACK, 11, 1, 10);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_connection_has_its_own),
        cmocka_unit_test(they_come_with_the_open_or_the_listener),
        cmocka_unit_test(what_is_out_of_range_is_refused),
        cmocka_unit_test(nagle_is_each_connections_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
