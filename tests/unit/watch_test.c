/* An observer that looks at connections: when it is called, and what timers it is told of. */
#include "tcp_kit.h"

static struct {
    unsigned calls;
    uint32_t slot;
    enum tcp_state state; /* when it looked last */
    bool found;           /* the connection was there */
} seen;

static void look(void *arg, uint32_t slot)
{
    struct stack_conn_status s;

    assert_ptr_equal(arg, &seen);
    seen.calls++;
    seen.slot = slot;
    seen.found = stack_slot_status(rig.st, slot, &s);
    seen.state = seen.found ? s.state : TCP_LISTEN;
}

static void begin_watched(void)
{
    defaults();
    begin();
    memset(&seen, 0, sizeof(seen));
    stack_watch(rig.st, look, &seen);
}

/* It was called since this was asked last. */
static bool looked(void)
{
    bool any = seen.calls > 0;

    seen.calls = 0;
    return any;
}

/* The timer of this name: when it expires, TIME_NEVER while it does not run. */
static int64_t timer(const char *name)
{
    struct stack_timer t[STACK_TIMERS_MAX];
    unsigned n = stack_timers(rig.st, seen.slot, t);

    for (unsigned i = 0; i < n; i++) {
        assert_true(t[i].name[0] && t[i].wait[0] && t[i].source[0]);
        if (strcmp(t[i].name, name) == 0)
            return t[i].at;
    }
    return -1;
}

static void it_looks_after_whatever_touches_a_connection(void **state)
{
    (void)state;
    begin_watched();
    open_passive();
    assert_true(looked());
    assert_int_equal(seen.state, TCP_ESTABLISHED);
    inject(ACK, 1, 1, FULL_WND, 100);
    assert_true(looked());
    app_read(100);
    assert_true(looked());
    advance(40 * MSEC); /* the delayed acknowledgment is due ... */
    assert_true(looked());
    expect(ACK, 1, 101, 0); /* ... and leaves */
    assert_true(looked());
    stack_abort(rig.st, flow.id);
    assert_true(looked());
    assert_true(seen.found);
    assert_int_equal(seen.state, TCP_CLOSED);
    drain();
    end();
}

/* The last look is at a connection that is CLOSED and still there. */
static void it_looks_before_a_connection_leaves_the_table(void **state)
{
    struct stack_conn_status s;

    (void)state;
    begin_watched();
    open_passive();
    stack_release(rig.st, flow.id);
    drain();
    looked();
    inject(RST, 1, 2, 0, 0);
    assert_true(looked());
    assert_true(seen.found);
    assert_int_equal(seen.state, TCP_CLOSED);
    assert_false(stack_slot_status(rig.st, seen.slot, &s));
    assert_int_equal(timer("RTX"), -1);
    end();
}

static void nobody_is_called_when_nobody_listens(void **state)
{
    (void)state;
    begin_watched();
    stack_watch(rig.st, NULL, NULL);
    open_passive();
    assert_false(looked());
    end();
}

static void timers_are_told_with_their_instants(void **state)
{
    struct stack_conn_status s;

    (void)state;
    begin_watched();
    open_passive();
    assert_int_equal(timer("RTX"), TIME_NEVER);
    assert_int_equal(timer("LINGER"), TIME_NEVER);
    app_send(10);
    expect(ACK, 1, 1, 10);
    assert_int_equal(stack_status(rig.st, flow.id, &s), 0);
    assert_int_equal(timer("RTX"), rig.now + s.rto);
    assert_int_equal(timer("DELACK"), TIME_NEVER);
    inject(ACK, 1, 11, FULL_WND, 10);
    assert_int_equal(timer("RTX"), TIME_NEVER);
    assert_int_equal(timer("DELACK"), rig.now + rig.cfg.tcp.delack_ns);
    assert_true(timer("IDLE") != TIME_NEVER && timer("IDLE") > rig.now);
    app_read(10);
    assert_int_equal(timer("KEEP-ALIVE"), TIME_NEVER);
    assert_int_equal(timer("no such"), -1);
    end();
}

/* What an application calls is counted and noted, with the bytes that were taken. */
static void calls_are_noted(void **state)
{
    (void)state;
    begin_watched();
    open_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
    inject(ACK, 1, 11, FULL_WND, 7);
    app_read(7);
    assert_int_equal(stack_count(rig.st, REASON_USER_SEND), 1);
    assert_true(stack_count(rig.st, REASON_USER_RECEIVE) >= 1);
    assert_int_equal(stack_count(rig.st, REASON_USER_CLOSE), 0);
    stack_close(rig.st, flow.id);
    assert_int_equal(stack_count(rig.st, REASON_USER_CLOSE), 1);
    stack_abort(rig.st, flow.id);
    assert_int_equal(stack_count(rig.st, REASON_USER_ABORT), 1);
    assert_int_equal(stack_count(rig.st, REASON_END_ABORTED), 1);
    drain();
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_looks_after_whatever_touches_a_connection),
        cmocka_unit_test(it_looks_before_a_connection_leaves_the_table),
        cmocka_unit_test(nobody_is_called_when_nobody_listens),
        cmocka_unit_test(timers_are_told_with_their_instants),
        cmocka_unit_test(calls_are_noted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
