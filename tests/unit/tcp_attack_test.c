/*
 * What outsiders try: RFC 5961's blind resets, SYNs and data, LAND, impossible flags, ICMP errors
 * with forged quotes (RFC 5927). An honest connection must not notice.
 */
#include "tcp_kit.h"

/* A connection with 100 bytes received and 1000 bytes in flight: everything has a size. */
static void begin_busy(void)
{
    defaults();
    rig.cfg.tcp.rcv_buf = 10000;
    begin();
    open_passive_with(&mss_only, 5000, 5000);
    inject(ACK, 1, 1, 5000, 100);
    app_read(100);
    app_send(1000);
    expect(ACK, 1, 101, 1000);
    assert_int_equal(tcb_rcv_wnd(tcb()), 9900); /* the edge stays at 10001 */
}

/* The connection is as it was, and goes on. */
static void rig_unharmed(void)
{
    rig_expect_nothing();
    rig_no_event();
    rig_state(TCP_ESTABLISHED);
    rig_same("SND.UNA", tcb()->snd_una - flow.iss, 1);
    rig_same("SND.WND", tcb()->snd_wnd, 5000);
    rig_same("RCV.NXT", tcb()->rcv_nxt - flow.irs, 101);
    rig_inject(ACK, 101, 1001, 5000, 50, NULL);
    rig_event(EV_READABLE);
    rig_read(50);
    rig_read_says(-EAGAIN);
}

#define unharmed() AT(rig_unharmed())

static void rig_challenged(void)
{
    rig_expect(ACK, 1001, 101, 0);
    rig_reason("the reason", rig.why, REASON_SEND_ACK_CHALLENGE);
    rig_expect_nothing();
}

#define expect_challenge() AT(rig_challenged())

/* ---- RFC 5961 section 3: RST ---- */

/* U-5, U-6, U-7. */
static void blind_reset(void **state)
{
    static const uint32_t inside[] = {102, 5000, 10000}, outside[] = {100, 10001, 0x80000065};

    (void)state;
    for (unsigned ack = 0; ack < 2; ack++) {
        begin_busy();
        drain();
        for (unsigned i = 0; i < 3; i++) {
            inject_drop(REASON_TCP_RST_CHALLENGED, RST | (ack ? ACK : 0), inside[i], 1, 0, 0);
            expect_challenge();
            inject_drop(REASON_TCP_SEQUENCE, RST | (ack ? ACK : 0), outside[i], 1, 0, 0);
            expect_nothing();
        }
        unharmed();
        inject(RST, 151, 0, 0, 0); /* the answer that an honest end gives to a challenge */
        expect_closed(REASON_END_RESET);
        expect_nothing();
        end();
    }
}

/* ---- RFC 5961 section 4: SYN ---- */

/* U-8, U-9. */
static void blind_syn(void **state)
{
    static const uint32_t seqs[] = {0, 1, 100, 101, 102, 5000, 10000, 10001, 0x80000065};

    (void)state;
    begin_busy();
    drain();
    for (unsigned i = 0; i < 9; i++) {
        inject_drop(REASON_TCP_SYN_CHALLENGED, SYN, seqs[i], 0, 0, 0);
        expect_challenge();
        inject_drop(REASON_TCP_SYN_CHALLENGED, SYN | ACK, seqs[i], 1, 0, 0);
        expect_challenge();
    }
    unharmed();
    end();
}

/* The remote node restarted and opens anew: challenge, its RST, then its SYN opens (figure 9). */
static void a_half_open_connection_heals(void **state)
{
    (void)state;
    begin_busy();
    drain();
    inject_drop(REASON_TCP_SYN_CHALLENGED, SYN, 70000, 0, 0, 0);
    expect_challenge();
    inject(RST, 101, 0, 0, 0); /* <SEQ=SEG.ACK> of the challenge */
    expect_closed(REASON_END_RESET);
    flow.irs += 70000;
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    end();
}

/* ---- RFC 5961 section 5: data and ACK ---- */

/* MAY-12, U-10: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT; else an ACK, and nothing is taken. */
static void blind_data(void **state)
{
    static const uint32_t wrong[] = {(uint32_t)-5000, 1002, 2000, 0x80000001};

    (void)state;
    begin_busy();
    drain();
    for (unsigned i = 0; i < 4; i++) {
        assert_int_not_equal(inject(ACK, 101, wrong[i], 9, 10), REASON_NONE);
        expect_challenge();
        assert_int_not_equal(inject(ACK, 101, wrong[i], 9, 0), REASON_NONE);
        expect_challenge();
        assert_int_not_equal(inject(FIN | ACK, 101, wrong[i], 9, 0), REASON_NONE);
        expect_challenge();
    }
    unharmed();
    end();
}

static void the_oldest_ack_that_is_taken(void **state)
{
    (void)state;
    begin_busy();
    drain();
    assert_int_equal(inject(ACK, 101, (uint32_t)(1 - 5000), 5000, 10), REASON_NONE);
    expect_event(EV_READABLE);
    app_read(10);
    assert_int_equal(tcb()->snd_una, flow.iss + 1);
    end();
}

/*
 * RFC 5961 section 7: a hundred challenges in a second, for each connection by itself. A limit for
 * all together is felt by other connections, and so tells strangers what their guesses hit.
 */
static void challenges_are_limited(void **state)
{
    struct flow first;
    unsigned n = 0;

    (void)state;
    begin_busy();
    drain();
    advance(2 * SEC);
    drain();
    for (unsigned i = 0; i < 1000; i++) {
        inject(RST, 200, 0, 0, 0);
        n += rig_take_tcp();
    }
    assert_int_equal(n, 100);
    first = flow;
    flow.remote_port++;
    open_passive(); /* another connection is asked all the same */
    inject(RST, 2, 0, 0, 0);
    expect(ACK, 1, 1, 0);
    expect_why(REASON_SEND_ACK_CHALLENGE);
    flow = first;
    advance(SEC - 1);
    drain();
    inject(RST, 200, 0, 0, 0);
    expect_nothing();
    advance(1);
    drain();
    inject(RST, 200, 0, 0, 0);
    assert_true(rig_take_tcp());
    expect_why(REASON_SEND_ACK_CHALLENGE);
    expect_state(TCP_ESTABLISHED);
    end();
}

/* Two ends that both think the other one wrong would answer each other's ACKs for ever. */
static void an_ack_war_ends(void **state)
{
    unsigned n = 0;

    (void)state;
    begin_busy();
    drain();
    for (unsigned i = 0; i < 1000; i++) {
        inject(ACK, 50000, 1, 5000, 0);
        n += rig_take_tcp();
    }
    assert_true(n <= 100);
    end();
}

/* Optimistic ACK: for what was never sent. ACK division: cwnd grows by bytes, not by ACKs. */
static void cheating_receivers(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(30 * MSS);
    drain();
    inject_drop(REASON_TCP_ACK_FUTURE, ACK, 1, 2 + 10 * MSS, FULL_WND, 0);
    drain();
    assert_int_equal(tcb()->cc.cwnd, 10 * MSS);
    for (uint32_t i = 1; i <= MSS; i += 10)
        inject(ACK, 1, 1 + i, FULL_WND, 0);
    assert_true(tcb()->cc.cwnd <= 11 * MSS);
    end();
}

/* ---- flags and addresses that cannot be ---- */

static void impossible_flags(void **state)
{
    static const uint8_t flags[] = {
        0, SYN | FIN, SYN | RST, SYN | FIN | ACK, SYN | RST | ACK, 0x3f, SYN | FIN | RST};

    (void)state;
    begin_busy();
    drain();
    for (unsigned i = 0; i < 7; i++) {
        inject_drop(REASON_TCP_FLAGS, flags[i], 101, 1, 0, 0);
        inject_drop(REASON_TCP_FLAGS, flags[i], 101, 1, 0, 10);
        flow.remote_port++; /* a stranger: nothing answers either */
        inject_drop(REASON_TCP_FLAGS, flags[i], 101, 1, 0, 0);
        flow.remote_port--;
    }
    expect_nothing();
    unharmed();
    end();
}

/* Without ACK nothing but SYN and RST means anything on a connection (3.10.7.4, fifth). */
static void no_ack_bit(void **state)
{
    static const uint8_t flags[] = {FIN, PSH, FIN | PSH, TCP_URG, FIN | PSH | TCP_URG};

    (void)state;
    begin_busy();
    drain();
    for (unsigned i = 0; i < 5; i++) {
        inject_drop(REASON_TCP_NO_ACK, flags[i], 101, 0, 0, 10);
        expect_nothing();
    }
    unharmed();
    end();
}

/* A listener takes SYNs; ACKs get a reset, all else is ignored (3.10.7.2). */
static void segments_for_a_listener(void **state)
{
    static const uint8_t ignored[] = {FIN, PSH, FIN | PSH | TCP_URG, RST, RST | ACK};

    (void)state;
    defaults();
    begin();
    app_listen(8);
    flow.iss = 5000;
    for (unsigned i = 0; i < 5; i++) {
        inject_drop(REASON_TCP_LISTEN_OTHER, ignored[i], 1, 1, FULL_WND, 10);
        expect_nothing();
    }
    inject_drop(REASON_TCP_LISTEN_ACK, ACK, 1, 1, FULL_WND, 0);
    expect(RST, 1, 0, 0);
    inject_drop(REASON_TCP_LISTEN_ACK, ACK | PSH, 1, 77, FULL_WND, 10);
    expect(RST, 77, 0, 0);
    inject_drop(REASON_TCP_LISTEN_ACK, SYN | ACK, 1, 77, FULL_WND, 0);
    expect(RST, 77, 0, 0);
    inject_drop(REASON_TCP_LISTEN_ACK, FIN | ACK, 1, 77, FULL_WND, 0);
    expect(RST, 77, 0, 0);
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    end();
}

/* CLOSED (3.10.7.1): <SEQ=SEG.ACK><RST>, or <SEQ=0><ACK=SEG.SEQ+SEG.LEN><RST,ACK>; never for RST.
 */
static void segments_for_nobody(void **state)
{
    (void)state;
    defaults();
    begin();
    flow.iss = 5000;
    inject_drop(REASON_TCP_NO_CONNECTION, ACK, 1, 77, FULL_WND, 10);
    expect(RST, 77, 0, 0);
    inject_drop(REASON_TCP_NO_CONNECTION, SYN, 0, 0, FULL_WND, 0);
    flow.iss = 0;
    expect(RST | ACK, 0, 1, 0);
    inject_drop(REASON_TCP_NO_CONNECTION, SYN, 0, 0, FULL_WND, 10);
    expect(RST | ACK, 0, 11, 0);
    inject_drop(REASON_TCP_NO_CONNECTION, FIN, 1, 0, FULL_WND, 10);
    expect(RST | ACK, 0, 12, 0);
    inject_drop(REASON_TCP_NO_CONNECTION, PSH, 1, 0, FULL_WND, 0);
    expect(RST | ACK, 0, 1, 0);
    inject_drop(REASON_TCP_RST_NO_CONNECTION, RST, 1, 0, 0, 0);
    inject_drop(REASON_TCP_RST_NO_CONNECTION, RST | ACK, 1, 1, 0, 0);
    expect_nothing();
    end();
}

/* LAND: a SYN from ourselves to ourselves. And MUST-57, MUST-63: from or to no single host. */
static void impossible_addresses(void **state)
{
    static const struct {
        uint32_t src, dst;
        enum reason why;
    } cases[] = {
        {0x0a000105, 0x0a000105, REASON_IP_LAND},
        {0xffffffff, 0x0a000105, REASON_IP_SOURCE},
        {0xe0000001, 0x0a000105, REASON_IP_SOURCE},
        {0x0a0001ff, 0x0a000105, REASON_IP_SOURCE},
        {0x00000000, 0x0a000105, REASON_IP_SOURCE},
        {0x7f000001, 0x0a000105, REASON_IP_SOURCE},
        {0xf0000001, 0x0a000105, REASON_IP_SOURCE},
        {0x0a000007, 0xffffffff, REASON_IP_BROADCAST},
        {0x0a000007, 0xe0000001, REASON_IP_BROADCAST},
        {0x0a000007, 0x0a0001ff, REASON_IP_BROADCAST},
        {0x0a000007, 0x0a000106, REASON_IP_NOT_OURS},
    };

    (void)state;
    defaults();
    begin();
    app_listen(16);
    for (unsigned i = 0; i < 11; i++) {
        struct addr src = addr_v4(cases[i].src), dst = addr_v4(cases[i].dst);
        struct tcp_hdr hdr = {.sport = LOCAL_PORT, .dport = LOCAL_PORT, .flags = SYN};

        rig.line = (int)i;
        rig_reason("the verdict", rig_segment(&src, &dst, &hdr, NULL, 0), cases[i].why);
        rig_expect_nothing();
    }
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    end();
}

/* A flood of SYNs fills the SYN queue and no more; what is accepted lives on. */
static void a_syn_flood(void **state)
{
    struct flow honest;
    struct addr local = LOCAL_ADDR;

    (void)state;
    defaults();
    rig.cfg.tcp.syn_queue = 8;
    begin();
    app_listen(8);
    open_passive();
    honest = flow;
    for (uint32_t i = 0; i < 10000; i++) {
        struct addr src = addr_v4(0x0b000001 + i);
        struct tcp_hdr hdr = {.sport = 1024, .dport = LOCAL_PORT, .seq = i, .flags = SYN};

        rig_segment(&src, &local, &hdr, NULL, 0);
        if (i % 64 == 0)
            drain();
    }
    drain();
    assert_int_equal(stack_totals(rig.st)->conns, 9);
    counted(EMBRYO_EVICTED, 0);
    counted(SEND_SYN_ACK, 1 + 8);
    counted(SEND_SYN_ACK_COOKIE, 10000 - 8);
    flow = honest;
    inject(ACK, 1, 1, FULL_WND, 10);
    app_read(10);
    advance(200 * SEC); /* the embryos have given up */
    drain();
    assert_int_equal(stack_totals(rig.st)->conns, 1);
    flow.remote_port++;
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    end();
}

/* ---- ICMP errors (3.9.2.2, RFC 5927) ---- */

/* An error whose quote is a segment of ours at `seq`, sent by `from`. */
static enum reason icmp_error(uint8_t type, uint8_t code, uint32_t seq, uint16_t remote_port,
                              uint32_t dst)
{
    uint8_t b[56] = {0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 1, 5};
    struct ip_hdr quoted = {.src = LOCAL_ADDR,
                            .dst = addr_v4(dst),
                            .version = 4,
                            .ttl = 63,
                            .proto = IP_PROTO_TCP,
                            .df = true};

    put16(b + 10, checksum_finish(checksum_add(0, b, 20)));
    b[20] = type;
    b[21] = code;
    ip_build(b + 28, &quoted, 20);
    put16(b + 48, flow.local_port);
    put16(b + 50, remote_port);
    put32(b + 52, flow.iss + seq);
    put16(b + 22, checksum_finish(checksum_add(0, b + 20, 36)));
    return rig_input(b, sizeof(b));
}

enum {
    REMOTE_V4 = 0x0a000007,
};

/* While opening, a hard error about our SYN ends it, whatever soft ones came before. */
static void icmp_ends_an_opening(void **state)
{
    static const uint8_t soft[] = {ICMP_UNREACH_NET, ICMP_UNREACH_HOST, ICMP_UNREACH_SRCROUTE};

    (void)state;
    for (uint8_t code = ICMP_UNREACH_PROTOCOL; code <= ICMP_UNREACH_PORT; code++) {
        defaults();
        begin();
        app_open();
        expect_syn();
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(icmp_error(ICMP_UNREACHABLE, soft[i], 0, flow.remote_port, REMOTE_V4),
                             0);
        expect_event(EV_ERROR);
        expect_no_event();
        expect_state(TCP_SYN_SENT);
        assert_int_equal(icmp_error(ICMP_UNREACHABLE, code, 0, flow.remote_port, REMOTE_V4), 0);
        expect_event(EV_ERROR);
        expect_closed(REASON_END_UNREACHABLE);
        expect_nothing();
        end();
    }
}

/* MUST-56, RFC 5927 5.2: an open connection survives them all. */
static void icmp_does_not_end_a_connection(void **state)
{
    (void)state;
    begin_busy();
    drain();
    for (uint8_t code = 0; code < 16; code++)
        icmp_error(ICMP_UNREACHABLE, code, 1, flow.remote_port, REMOTE_V4);
    icmp_error(ICMP_TIME_EXCEEDED, 0, 1, flow.remote_port, REMOTE_V4);
    icmp_error(ICMP_PARAM_PROBLEM, 0, 1, flow.remote_port, REMOTE_V4);
    counted(ICMP_SOFT_NET, 1);
    counted(ICMP_SOFT_HOST, 1);
    counted(ICMP_SOFT_SOURCE_ROUTE, 1);
    counted(ICMP_SOFT_PROHIBITED, 3);
    counted(ICMP_SOFT_OTHER, 7);
    counted(ICMP_SOFT_TTL, 1);
    counted(ICMP_SOFT_PARAMETER, 1);
    counted(ICMP_HARD_PROTOCOL, 1);
    counted(ICMP_HARD_PORT, 1);
    counted(ICMP_HARD_FRAGMENT, 1);
    /* MUST-55 */
    assert_int_equal(icmp_error(ICMP_SOURCE_QUENCH, 0, 1, flow.remote_port, REMOTE_V4),
                     REASON_ICMP_SOURCE_QUENCH);
    expect_event(EV_ERROR);
    unharmed();
    end();
}

/* Forged quotes: numbers that are not in flight, another port, another address. */
static void icmp_with_wrong_quotes(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    assert_int_equal(icmp_error(ICMP_UNREACHABLE, 3, 1, flow.remote_port, REMOTE_V4),
                     REASON_ICMP_SEQUENCE);
    assert_int_equal(icmp_error(ICMP_UNREACHABLE, 3, (uint32_t)-1, flow.remote_port, REMOTE_V4),
                     REASON_ICMP_SEQUENCE);
    assert_int_equal(icmp_error(ICMP_UNREACHABLE, 3, 0, (uint16_t)(flow.remote_port + 1),
                                REMOTE_V4),
                     REASON_ICMP_QUOTE);
    assert_int_equal(icmp_error(ICMP_UNREACHABLE, 3, 0, flow.remote_port, REMOTE_V4 + 1),
                     REASON_ICMP_QUOTE);
    expect_no_event();
    expect_nothing();
    expect_state(TCP_SYN_SENT);
    end();
}

/* In SYN-RECEIVED after a passive open the listener is not told. */
static void icmp_ends_an_embryo(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    assert_int_equal(icmp_error(ICMP_UNREACHABLE, 3, 0, flow.remote_port, REMOTE_V4), 0);
    expect_state(TCP_CLOSED);
    expect_no_event();
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blind_reset),
        cmocka_unit_test(blind_syn),
        cmocka_unit_test(a_half_open_connection_heals),
        cmocka_unit_test(blind_data),
        cmocka_unit_test(the_oldest_ack_that_is_taken),
        cmocka_unit_test(challenges_are_limited),
        cmocka_unit_test(an_ack_war_ends),
        cmocka_unit_test(cheating_receivers),
        cmocka_unit_test(impossible_flags),
        cmocka_unit_test(no_ack_bit),
        cmocka_unit_test(segments_for_a_listener),
        cmocka_unit_test(segments_for_nobody),
        cmocka_unit_test(impossible_addresses),
        cmocka_unit_test(a_syn_flood),
        cmocka_unit_test(icmp_ends_an_opening),
        cmocka_unit_test(icmp_does_not_end_a_connection),
        cmocka_unit_test(icmp_with_wrong_quotes),
        cmocka_unit_test(icmp_ends_an_embryo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
