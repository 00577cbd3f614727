/*
 * Hints in front of the table of connections: they are guesses, so whatever they say, each segment
 * reaches the connection that it is for, and what is for none does not.
 */
#include "tcp_kit.h"

enum {
    PLACES = 300, /* connections: of so many, some share a hint */
};

static struct flow flows[PLACES];

static void open_many(void)
{
    defaults();
    rig.cfg.max_conns = PLACES;
    begin();
}

/* One byte comes for the flow, and the application gets it. */
static void one_byte(struct flow *f)
{
    flow = *f;
    AT(rig_reason("the verdict", rig_inject(ACK, 1 + flow.read, 1, FULL_WND, 1, NULL),
                  REASON_NONE));
    app_read(1);
    *f = flow;
}

static void each_gets_its_own(void **state)
{
    (void)state;
    open_many();
    for (unsigned i = 0; i < PLACES; i++) {
        open_passive();
        flows[i] = flow;
        flow.remote_port++;
    }
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < PLACES; i++)
            one_byte(&flows[i * 37 % PLACES]);
    end();
}

/* The hint leads to a connection that has ended, and then to another one in its slot. */
static void what_has_gone_is_not_found(void **state)
{
    struct flow gone, other;

    (void)state;
    open_many();
    open_passive();
    inject(ACK, 1, 1, FULL_WND, 10);
    expect_event(EV_READABLE);
    app_read(10);
    gone = flow;
    inject(RST | ACK, 11, 1, FULL_WND, 0);
    expect_event(EV_CLOSED);
    inject_drop(REASON_TCP_LISTEN_ACK, ACK, 11, 1, FULL_WND, 1);
    expect(RST, 1, 0, 0);
    flow.remote_port++;
    flow.read = 0;
    open_passive();
    other = flow;
    assert_int_equal(other.id.slot, gone.id.slot);
    flow = gone;
    inject_drop(REASON_TCP_LISTEN_ACK, ACK, 11, 1, FULL_WND, 1);
    expect(RST, 1, 0, 0);
    one_byte(&other);
    end();
}

/* From or to another address, with the ports of a connection that hints know. */
static enum reason astray(struct addr src, struct addr dst)
{
    struct tcp_hdr hdr = {.sport = flow.remote_port,
                          .dport = flow.local_port,
                          .seq = flow.irs + 1,
                          .ack = flow.iss + 1,
                          .wnd = FULL_WND,
                          .flags = ACK};
    const uint8_t byte = 0;

    return rig_segment(&src, &dst, &hdr, &byte, 1);
}

static void addresses_are_still_looked_at(void **state)
{
    struct addr local = addr_v4(0x0a000105), remote = addr_v4(0x0a000007);

    (void)state;
    defaults();
    begin();
    open_passive();
    for (unsigned i = 0; i < 2; i++) {
        rig_reason("from us", astray(local, local), REASON_IP_LAND);
        rig_reason("from many", astray(addr_v4(0xe0000001), local), REASON_IP_SOURCE);
        rig_reason("from itself", astray(addr_v4(0x7f000001), local), REASON_IP_SOURCE);
        rig_reason("to another", astray(remote, addr_v4(0x0a000106)), REASON_IP_NOT_OURS);
        rig_reason("to all", astray(remote, addr_v4(0x0a0001ff)), REASON_IP_BROADCAST);
        rig_reason("from a neighbour", astray(addr_v4(0x0a000008), local), REASON_TCP_LISTEN_ACK);
        expect(RST, 1, 0, 0);
        /* ends that come to the same hint */
        rig_reason("the way back", astray(local, remote), REASON_IP_LAND);
        rig_reason("two bits aside", astray(addr_v4(0x0a000005), addr_v4(0x0a000107)),
                   REASON_IP_NOT_OURS);
        expect_nothing();
        one_byte(&flow); /* from now on there is a hint */
        advance(SEC);
        expect(ACK, 1, 1 + flow.read, 0);
    }
    end();
}

/* A segment too short to have ports, and one whose header is broken, are told as ever. */
static void broken_segments_have_their_reasons(void **state)
{
    uint8_t b[64] = {0x45, 0, 0, 23, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 7, 10, 0, 1, 5};

    (void)state;
    defaults();
    begin();
    open_passive();
    one_byte(&flow);
    put16(b + 10, checksum_residue(0, b, 20));
    rig_reason("three bytes", rig_input(b, 23), REASON_TCP_SHORT);
    put16(b + 2, 40);
    put16(b + 10, 0);
    put16(b + 10, checksum_residue(0, b, 20));
    put16(b + 20, flow.remote_port);
    put16(b + 22, flow.local_port);
    b[32] = 0x50;
    b[33] = ACK;
    rig_reason("a wrong sum", rig_input(b, 40), REASON_TCP_CHECKSUM);
    app_close();
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_its_own),
        cmocka_unit_test(what_has_gone_is_not_found),
        cmocka_unit_test(addresses_are_still_looked_at),
        cmocka_unit_test(broken_segments_have_their_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
