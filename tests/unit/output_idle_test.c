/*
 * Whom to ask for a segment: a connection of which it can be seen that it has nothing to send is
 * not asked, and that must make no difference to it.
 */
#include "tcp_kit.h"

/* Both ways from what is in the connection now: whoever is idle is as if it had been asked. */
static void assert_idle(bool want)
{
    struct conn *c = &rig.st->conns[flow.id.slot];
    struct flight *f = c->tcb.flight, asked_flight, flight = {0};
    struct tcb asked, before = c->tcb;
    struct tcp_hdr hdr;
    struct pkt p;

    if (f)
        flight = *f;
    assert_int_equal(tcp_output_is_idle(&rig.st->tcp, &c->tcb), want);
    asked = c->tcb;
    if (f)
        asked_flight = *f;
    c->tcb = before;
    if (f)
        *f = flight;
    if (!want) {
        assert_memory_equal(&asked, &before, sizeof(asked));
        return;
    }
    pkt_begin(&p, 0);
    assert_false(tcp_output(&rig.st->tcp, &c->tcb, rig.now, &hdr, &p));
    assert_memory_equal(&asked, &c->tcb, sizeof(asked));
    if (f)
        assert_memory_equal(&asked_flight, f, sizeof(asked_flight));
}

static void nothing_is_left_to_send(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    assert_idle(true); /* nothing was sent so far */
    app_send(100);
    assert_idle(false);
    expect(ACK, 1, 1, 100);
    assert_idle(true);
    inject(ACK, 1, 101, FULL_WND, 0);
    assert_idle(true); /* an acknowledgment has come */
    end();
}

static void something_is_owed(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    inject(ACK, 1, 1, FULL_WND, 100);
    assert_idle(true); /* the acknowledgment may wait */
    app_read(100);
    inject(ACK, 101, 1, FULL_WND, 1400);
    inject(ACK, 1501, 1, FULL_WND, 1400);
    inject(ACK, 2901, 1, FULL_WND, 1400);
    assert_idle(false); /* ... and now not */
    expect(ACK, 1, 4301, 0);
    inject(ACK, 5000, 1, FULL_WND, 10);
    assert_idle(false); /* a duplicate for what lies behind a gap */
    expect(ACK, 1, 4301, 0);
    inject(ACK, 1, 5000, FULL_WND, 0);
    assert_idle(false); /* a challenge */
    expect(ACK, 1, 4301, 0);
    assert_idle(true);
    stack_close(rig.st, flow.id);
    assert_idle(false); /* the FIN */
    expect(FIN | ACK, 1, 4301, 0);
    end();
}

static void a_window_is_closed(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    inject(ACK, 1, 1, 0, 0);
    assert_idle(true);
    app_send(1);
    assert_idle(false); /* the persist timer is to be armed */
    expect_nothing();
    end();
}

/* What leaves without a question ends at a full segment, and at the window's edge. */
static void one_segment_takes_all(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(MSS);
    expect(ACK, 1, 1, MSS);
    inject(ACK, 1, 1 + MSS, FULL_WND, 0);
    app_send(MSS + 1);
    expect(ACK, 1 + MSS, 1, MSS);
    expect_nothing(); /* Nagle's algorithm has the rest */
    inject(ACK, 1, 1 + 2 * MSS, FULL_WND, 0);
    expect(ACK, 1 + 2 * MSS, 1, 1);
    inject(ACK, 1, 2 + 2 * MSS, 1000, 0);
    app_send(1000);
    expect(ACK, 2 + 2 * MSS, 1, 1000);
    inject(ACK, 1, 1002 + 2 * MSS, 1000, 0);
    app_send(1001);
    expect_nothing(); /* the window is too small for a segment, and for half of the largest */
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_to_send),
        cmocka_unit_test(something_is_owed),
        cmocka_unit_test(a_window_is_closed),
        cmocka_unit_test(one_segment_takes_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
