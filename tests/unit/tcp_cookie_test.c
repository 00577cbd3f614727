/* SYN cookies (RFC 4987 section 3.6): what they keep, what completes them, and what does not. */
#include "tcp/cookie.h"
#include "tcp_kit.h"

enum {
    ERA = 64, /* seconds */
};

static const struct tcp_options no_options = {0};

/* A listener that answers each SYN with a cookie. */
static void begin_pressed(void)
{
    defaults();
    rig.cfg.tcp.syn_queue = 0;
    begin();
    app_listen(8);
}

/* A cookie for this flow. */
static void rig_take_cookie(const struct tcp_options *opt)
{
    rig_reason("the SYN's verdict", rig_inject(SYN, 0, 0, FULL_WND, 0, opt), REASON_NONE);
    rig_expect_syn(SYN | ACK);
    rig_reason("the reason", rig.why, REASON_SEND_SYN_ACK_COOKIE);
}

#define take_cookie() AT(rig_take_cookie(&mss_only))

/* ---- what a cookie is ---- */

/* RFC 4987 3.6: the SYN-ACK is as any other, and nothing is kept; the ACK makes the connection. */
static void a_handshake(void **state)
{
    struct tcp_hdr plain;

    (void)state;
    defaults();
    begin();
    app_listen(8);
    inject_opt(SYN, 0, 0, FULL_WND, .has_mss = true, .mss = MSS);
    expect_syn_ack();
    plain = rig.seg;
    end();
    begin_pressed();
    take_cookie();
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    assert_int_not_equal(plain.seq, rig.seg.seq);
    plain.seq = rig.seg.seq;
    assert_memory_equal(&plain, &rig.seg, sizeof(plain));
    expect_nothing();
    expect_no_event();
    assert_int_equal(inject(ACK, 1, 1, FULL_WND, 0), REASON_NONE);
    expect_event(EV_ACCEPTED);
    expect_state(TCP_ESTABLISHED);
    expect_nothing();
    counted(COOKIE_ACCEPTED, 1);
    assert_int_equal(stack_totals(rig.st)->accepted, 1);
    end();
}

/* Afterwards it is a connection like any other: data both ways, a loss repaired, an orderly end. */
static void a_life_after_it(void **state)
{
    (void)state;
    begin_pressed();
    take_cookie();
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    app_send(2 * MSS);
    expect(ACK, 1, 1, MSS);
    expect(ACK, 1 + MSS, 1, MSS);
    advance(SEC);
    expect(ACK, 1, 1, MSS);
    expect_why(REASON_SEND_RTO);
    inject(ACK, 1, 1 + 2 * MSS, FULL_WND, 0);
    inject(ACK, 1, 1 + 2 * MSS, FULL_WND, 700);
    expect_event(EV_READABLE);
    app_read(700);
    inject(FIN | ACK, 701, 1 + 2 * MSS, FULL_WND, 0);
    expect(ACK, 1 + 2 * MSS, 702, 0);
    expect_event(EV_PEER_CLOSED);
    app_close();
    expect(FIN | ACK, 1 + 2 * MSS, 702, 0);
    inject(ACK, 702, 2 + 2 * MSS, FULL_WND, 0);
    expect_closed(REASON_END_ORDERLY);
    end();
}

/* The MSS is kept in three bits, rounded down, never below what the floor of our own is. */
static void the_mss(void **state)
{
    static const struct {
        uint16_t said, kept;
    } cases[] = {
        {0, 48},      {47, 48},     {255, 48},    {256, 256},   {535, 256},
        {536, 536},   {1219, 536},  {1220, 1220}, {1379, 1220}, {1380, 1380},
        {1439, 1380}, {1440, 1440}, {1459, 1440}, {1460, 1460}, {65535, 1460},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_pressed();
        AT(rig_take_cookie(&(struct tcp_options){.has_mss = true, .mss = cases[i].said}));
        inject(ACK, 1, 1, FULL_WND, 0);
        expect_event(EV_ACCEPTED);
        assert_int_equal(tcb()->snd_mss, cases[i].kept);
        end();
    }
    begin_pressed();
    AT(rig_take_cookie(&no_options)); /* MUST-15 */
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    assert_int_equal(tcb()->snd_mss, 536);
    end();
}

/* Without timestamps there is nowhere to keep a scale: none is agreed on, and windows are plain. */
static void no_scale_without_timestamps(void **state)
{
    (void)state;
    begin_pressed();
    AT(rig_take_cookie(&(struct tcp_options){.has_wscale = true, .wscale = 7, .sack_ok = true}));
    assert_false(rig.seg.opt.has_wscale);
    assert_false(rig.seg.opt.sack_ok);
    inject(ACK, 1, 1, 1000, 0);
    expect_event(EV_ACCEPTED);
    assert_int_equal(tcb()->snd_wnd, 1000);
    end();
}

/* The lowest six bits of our timestamp say what was agreed on; it is never ahead of the clock. */
static void what_a_timestamp_keeps(void **state)
{
    static const uint32_t clocks[] = {0, 1, 63, 64, 1000000, 0x7fffffff, 0x80000000, 0xffffffff};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned bits = 0; bits < 64; bits++) {
            bool scale = (bits & 15) < 15, sack = bits & 16, ecn = bits & 32;
            struct tcp_hdr syn = {.seq = 5,
                                  .opt = {.has_wscale = scale,
                                          .wscale = scale ? (uint8_t)(bits & 15) : 0}};
            struct tcp_hdr answer = {
                .flags = (uint8_t)(SYN | ACK | (ecn ? TCP_ECE : 0)),
                .opt = {.has_wscale = scale,
                        .sack_ok = sack,
                        .has_timestamp = true,
                        .ts_val = clocks[i]},
            };
            struct tcp_hdr ack = {.seq = 6, .flags = ACK}, again;
            struct tcp_memo kept = tcp_memo_keep(&syn, &answer), recalled;

            assert_true(clocks[i] - answer.opt.ts_val < 64);
            ack.opt = (struct tcp_options){.has_timestamp = true,
                                           .ts_val = 77,
                                           .ts_ecr = answer.opt.ts_val};
            recalled = tcp_memo_recall(&ack, kept.mss);
            assert_memory_equal(&kept, &recalled, sizeof(kept));
            tcp_memo_syn(recalled, &ack, &again);
            assert_int_equal(again.seq, 5);
            assert_int_equal(again.flags, ecn ? SYN | TCP_ECE | TCP_CWR : SYN);
            assert_int_equal(again.opt.has_wscale, scale);
            assert_int_equal(again.opt.wscale, syn.opt.wscale);
            assert_int_equal(again.opt.sack_ok, sack);
            assert_true(again.opt.has_timestamp);
            assert_int_equal(again.opt.ts_val, 77);
            ack.opt.has_timestamp = false; /* an answer without them is not the same */
            recalled = tcp_memo_recall(&ack, kept.mss);
            assert_memory_not_equal(&kept, &recalled, sizeof(kept));
        }
    }
}

/*
 * RFC 4987 3.6, RFC 7323: with timestamps the scale is kept, the windows of the connection are
 * scaled, its clock does not run backwards, and what it echoes is what came last.
 */
static void options_by_timestamp(void **state)
{
    uint32_t stamp;

    (void)state;
    for (uint8_t scale = 0; scale <= TCP_WSCALE_MAX; scale++) {
        defaults();
        rig.cfg.tcp.timestamps = rig.cfg.tcp.sack = true;
        rig.cfg.tcp.syn_queue = 0;
        begin();
        app_listen(8);
        advance(scale * 7 * MSEC);
        AT(rig_take_cookie(&(struct tcp_options){.has_mss = true,
                                                 .mss = MSS,
                                                 .has_wscale = true,
                                                 .wscale = scale,
                                                 .sack_ok = true,
                                                 .has_timestamp = true,
                                                 .ts_val = 500}));
        assert_true(rig.seg.opt.has_timestamp && rig.seg.opt.has_wscale);
        assert_int_equal(rig.seg.opt.ts_ecr, 500);
        stamp = rig.seg.opt.ts_val;
        AT(rig_inject(
            ACK, 1, 1, 1000, 10,
            &(struct tcp_options){.has_timestamp = true, .ts_val = 501, .ts_ecr = stamp}));
        expect_event(EV_ACCEPTED);
        expect_event(EV_READABLE);
        assert_int_equal(tcb()->snd_wnd, 1000u << scale);
        app_read(10);
        app_send(100);
        expect(ACK, 1, 11, 100);
        assert_true(rig.seg.opt.has_timestamp);
        assert_int_equal(rig.seg.opt.ts_ecr, 501);
        assert_true((int32_t)(rig.seg.opt.ts_val - stamp) >= 0);
        assert_true(rig.seg.opt.ts_val - stamp < 64);
        assert_int_equal(tcb()->rcv_wscale, tcp_window_scale(rig.cfg.tcp.rcv_buf));
        end();
    }
}

/* RFC 2018, RFC 3168, RFC 4987 3.6: SACK and ECN are agreed on if the SYN asked for them. */
static void sack_and_ecn(void **state)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;

    (void)state;
    for (unsigned asked = 0; asked < 4; asked++) {
        bool sack = asked & 1, ecn = asked & 2;
        struct tcp_hdr syn = {
            .sport = REMOTE_PORT,
            .dport = LOCAL_PORT,
            .seq = REMOTE_ISS,
            .wnd = FULL_WND,
            .flags = (uint8_t)(SYN | (ecn ? TCP_ECE | TCP_CWR : 0)),
            .opt =
                {.has_mss = true, .mss = MSS, .sack_ok = sack, .has_timestamp = true, .ts_val = 9},
        };

        defaults();
        rig.cfg.tcp.timestamps = rig.cfg.tcp.sack = rig.cfg.tcp.ecn = true;
        rig.cfg.tcp.syn_queue = 0;
        begin();
        app_listen(8);
        assert_int_equal(rig_segment(&remote, &local, &syn, NULL, 0), REASON_NONE);
        AT(rig_expect_syn((uint8_t)(SYN | ACK | (ecn ? TCP_ECE : 0))));
        assert_int_equal(rig.seg.opt.sack_ok, sack);
        AT(rig_inject(ACK, 1, 1, FULL_WND, 0,
                      &(struct tcp_options){.has_timestamp = true,
                                            .ts_val = 10,
                                            .ts_ecr = rig.seg.opt.ts_val}));
        expect_event(EV_ACCEPTED);
        assert_int_equal(tcb()->sack_ok, sack);
        assert_int_equal(tcb()->ecn_ok, ecn);
        assert_int_equal(tcb()->ts_ok, true);
        end();
    }
}

/* What the listener's connections begin with holds for the answer, too. */
static void the_listeners_settings(void **state)
{
    struct tcp_settings settings;

    (void)state;
    begin_pressed();
    settings = rig.cfg.tcp.conn;
    settings.dscp = 46;
    settings.ttl = 9;
    assert_int_equal(stack_listener_set(rig.st, rig.listener, &settings), 0);
    take_cookie();
    assert_int_equal(rig.ip.tos, 46 << 2);
    assert_int_equal(rig.ip.ttl, 9);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    assert_int_equal(tcb()->set->dscp, 46);
    end();
}

/* ---- what completes the handshake ---- */

/* ACK, ACK+PSH, ACK+data, ACK+FIN: each is the connection's first segment, and nothing of it lost.
 */
static void what_completes(void **state)
{
    static const struct {
        uint8_t flags;
        uint32_t len;
    } cases[] = {
        {ACK, 0}, {ACK | PSH, 0}, {ACK, 100}, {ACK | PSH, 100}, {ACK | FIN, 0}, {ACK | FIN, 100},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t len = cases[i].len;
        bool fin = cases[i].flags & FIN;

        begin_pressed();
        take_cookie();
        assert_int_equal(inject(cases[i].flags, 1, 1, FULL_WND, len), REASON_NONE);
        expect_event(EV_ACCEPTED);
        expect_state(fin ? TCP_CLOSE_WAIT : TCP_ESTABLISHED);
        if (len)
            expect_event(EV_READABLE);
        app_read(len);
        app_read_says(fin ? 0 : -EAGAIN);
        if (len || fin) {
            advance(40 * MSEC);
            expect(ACK, 1, 1 + len + fin, 0);
        }
        expect_nothing();
        end();
    }
}

/* SYN+ACK and whatever has RST or lacks ACK complete nothing, with the right numbers even. */
static void what_does_not_complete(void **state)
{
    (void)state;
    begin_pressed();
    take_cookie();
    inject_drop(REASON_TCP_LISTEN_ACK, SYN | ACK, 1, 1, FULL_WND, 0);
    expect(RST, 1, 0, 0);
    inject_drop(REASON_TCP_LISTEN_OTHER, RST | ACK, 1, 1, FULL_WND, 0);
    inject_drop(REASON_TCP_LISTEN_OTHER, RST, 1, 1, FULL_WND, 0);
    inject_drop(REASON_TCP_LISTEN_OTHER, PSH, 1, 1, FULL_WND, 10);
    expect_nothing();
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
    end();
}

/* Any bit wrong, other numbers, another port, another address: nothing, not even an answer. */
static void forged(void **state)
{
    struct addr local = LOCAL_ADDR, other = addr_v4(0x0a000008);
    struct tcp_hdr hdr;

    (void)state;
    begin_pressed();
    take_cookie();
    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t ack = (flow.iss + 1) ^ UINT32_C(1) << bit;

        inject_drop(REASON_TCP_COOKIE, ACK, 1, ack - flow.iss, FULL_WND, 0);
        expect_nothing();
        inject_drop(REASON_TCP_COOKIE, ACK, 1 ^ UINT32_C(1) << bit, 1, FULL_WND, 0);
        expect_nothing();
        if (bit < 16) {
            flow.remote_port ^= (uint16_t)(1 << bit);
            inject_drop(REASON_TCP_COOKIE, ACK, 1, 1, FULL_WND, 0);
            expect_nothing();
            flow.remote_port ^= (uint16_t)(1 << bit);
        }
    }
    hdr = (struct tcp_hdr){.sport = flow.remote_port,
                           .dport = flow.local_port,
                           .seq = flow.irs + 1,
                           .ack = flow.iss + 1,
                           .flags = ACK};
    assert_int_equal(rig_segment(&other, &local, &hdr, NULL, 0), REASON_TCP_COOKIE);
    expect_nothing();
    hdr.opt = (struct tcp_options){.has_timestamp = true, .ts_ecr = MEMO_NO_WSCALE};
    other = REMOTE_ADDR; /* an echo of what was never sent */
    assert_int_equal(rig_segment(&other, &local, &hdr, NULL, 0), REASON_TCP_COOKIE);
    expect_nothing();
    counted(COOKIE_ACCEPTED, 0);
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    end();
}

/* Guessing: a hundred thousand random acknowledgments make no connection. */
static void guessed(void **state)
{
    uint32_t x = 1;

    (void)state;
    begin_pressed();
    take_cookie();
    for (unsigned i = 0; i < 100000; i++) {
        x = x * 1664525 + 1013904223;
        inject(ACK, 1, x ^ x >> 15, FULL_WND, 0);
        if (i % 256 == 0)
            drain();
    }
    drain();
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    counted(TCP_COOKIE, 100000);
    end();
}

/*
 * An honest client's first segment, which has the cookie, may be lost: what follows is not refused
 * as forged, or the client would give up. It is ignored, and comes again behind the first.
 */
static void the_first_segment_is_lost(void **state)
{
    (void)state;
    begin_pressed();
    take_cookie();
    inject_drop(REASON_TCP_COOKIE, ACK, 101, 1, FULL_WND, 100);
    inject_drop(REASON_TCP_COOKIE, ACK, 201, 1, FULL_WND, 0);
    inject_drop(REASON_TCP_COOKIE, ACK | FIN, 201, 1, FULL_WND, 0);
    expect_nothing();
    inject(ACK, 1, 1, FULL_WND, 100);
    expect_event(EV_ACCEPTED);
    inject(ACK, 101, 1, FULL_WND, 100);
    app_read(200);
    end();
}

/* ---- how long a cookie is good ---- */

/* In its era and the next: from 64 to 128 seconds, to the nanosecond. */
static void a_lifetime(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        /* made in the first instant of an era, or in its last */
        int64_t made = first ? ERA * SEC : 2 * ERA * SEC - 1, last = 3 * ERA * SEC - 1;

        for (unsigned late = 0; late < 2; late++) {
            begin_pressed();
            advance(made - rig.now);
            take_cookie();
            advance(last - rig.now + late);
            if (late) {
                inject_drop(REASON_TCP_LISTEN_ACK, ACK, 1, 1, FULL_WND, 0);
                expect(RST, 1, 0, 0);
                inject_drop(REASON_TCP_LISTEN_ACK, ACK, 1, 1, FULL_WND, 10); /* no longer silent */
                expect(RST, 1, 0, 0);
            } else {
                inject(ACK, 1, 1, FULL_WND, 0);
                expect_event(EV_ACCEPTED);
            }
            end();
        }
    }
}

/* Others that were sent meanwhile do not keep an old one good, nor does its era's bit come again.
 */
static void an_old_one_stays_bad(void **state)
{
    struct flow old;

    (void)state;
    begin_pressed();
    take_cookie();
    old = flow;
    for (unsigned i = 0; i < 6; i++) {
        advance(ERA * SEC);
        flow.remote_port++;
        take_cookie();
        flow.remote_port--;
        flow = old;
        if (i == 0)
            continue;
        inject_drop(REASON_TCP_COOKIE, ACK, 1, 1, FULL_WND, 0);
        expect_nothing();
    }
    end();
}

/* A listener that never was under pressure believes no cookie, however good it looks. */
static void only_under_pressure(void **state)
{
    struct flow good;

    (void)state;
    begin_pressed();
    take_cookie();
    good = flow;
    end();
    defaults();
    begin();
    app_listen(8);
    flow = good;
    inject_drop(REASON_TCP_LISTEN_ACK, ACK, 1, 1, FULL_WND, 0);
    expect(RST, 1, 0, 0);
    inject(SYN, 0, 0, FULL_WND, 0); /* nor does one of its half-open connections */
    expect_syn_ack();
    flow.iss = good.iss;
    inject_drop(REASON_TCP_SYN_RECEIVED_ACK, ACK, 1, 1, FULL_WND, 0);
    expect(RST, 1, 0, 0);
    end();
}

/* The third key of the secret, and no other, guards cookies (MUST-9). */
static void the_key(void **state)
{
    uint32_t iss[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        defaults();
        rig.cfg.tcp.syn_queue = 0;
        if (i)
            rig.cfg.secret[16 * (i - 1) + 3] ^= 1;
        begin();
        app_listen(8);
        take_cookie();
        iss[i] = flow.iss;
        end();
    }
    assert_int_equal(iss[0], iss[1]);
    assert_int_equal(iss[0], iss[2]);
    assert_int_not_equal(iss[0] >> 4, iss[3] >> 4);
}

/* Numbers look like any others: over 4,096 ports, each of the hash's bits is set about half the
 * time. */
static void numbers_are_spread(void **state)
{
    unsigned set[32] = {0};

    (void)state;
    begin_pressed();
    for (unsigned i = 0; i < 4096; i++, flow.remote_port++) {
        take_cookie();
        for (unsigned bit = 0; bit < 32; bit++)
            set[bit] += flow.iss >> bit & 1;
    }
    for (unsigned bit = 4; bit < 32; bit++)
        assert_in_range(set[bit], 1856, 2240); /* six standard deviations of 32 */
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake),
        cmocka_unit_test(a_life_after_it),
        cmocka_unit_test(the_mss),
        cmocka_unit_test(no_scale_without_timestamps),
        cmocka_unit_test(what_a_timestamp_keeps),
        cmocka_unit_test(options_by_timestamp),
        cmocka_unit_test(sack_and_ecn),
        cmocka_unit_test(the_listeners_settings),
        cmocka_unit_test(what_completes),
        cmocka_unit_test(what_does_not_complete),
        cmocka_unit_test(forged),
        cmocka_unit_test(guessed),
        cmocka_unit_test(the_first_segment_is_lost),
        cmocka_unit_test(a_lifetime),
        cmocka_unit_test(an_old_one_stays_bad),
        cmocka_unit_test(only_under_pressure),
        cmocka_unit_test(the_key),
        cmocka_unit_test(numbers_are_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
