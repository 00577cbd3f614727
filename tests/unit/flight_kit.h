/*
 * tcp_kit.h for tests of what happens to a flight: full segments, numbered from 0, and what the
 * remote node says of them.
 *
 *     configure();                    Reno, without RACK, PRR and HyStart++
 *     begin_with(&with_sack);         the handshake takes 100 ms, so RTO is 300 ms
 *     app_send(40 * MSS);
 *     expect_segments(0, 10);         ten leave
 *     ack_segments(1);                the first has arrived
 *     sack_segments(1, 2, 4);         ... and the third and fourth, behind a gap
 *     heard(1, SEGS(5, 6), SEGS(2, 4));  ... the sixth, too
 *     again(1, SACK);                 the second leaves again, by REASON_SEND_SACK
 */
#ifndef TESTS_UNIT_FLIGHT_KIT_H
#define TESTS_UNIT_FLIGHT_KIT_H

#include "tcp_kit.h"

static const struct tcp_options with_sack = {.has_mss = true, .mss = MSS, .sack_ok = true};

/* What there is to see is seen alone. */
static inline void configure(void)
{
    defaults();
    rig.cfg.tcp.cc = &cc_reno;
    rig.cfg.tcp.rack = rig.cfg.tcp.tlp = rig.cfg.tcp.prr = rig.cfg.tcp.hystart = false;
    rig.cfg.tcp.conn.soft_errors = false;
}

/* A handshake that takes 100 ms, without losses: srtt is that, and rttvar half of it. */
static inline void begin_with(const struct tcp_options *opt)
{
    rig.cfg.tcp.sack = opt->sack_ok;
    rig.cfg.tcp.timestamps = opt->has_timestamp;
    begin();
    app_listen(1);
    rig_inject(SYN, 0, 0, FULL_WND, 0, opt);
    rig_expect_syn(SYN | ACK);
    advance(100 * MSEC);
    if (opt->has_timestamp)
        inject_opt(ACK, 1, 1, FULL_WND, .has_timestamp = true, .ts_val = 101,
                   .ts_ecr = rig.seg.opt.ts_val);
    else
        inject(ACK, 1, 1, FULL_WND, 0);
    rig_event(EV_ACCEPTED);
}

/* Data segments first .. last - 1 leave now, each full. */
static inline void rig_expect_segments(uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last; i++)
        rig_expect(ACK, 1 + i * MSS, 1, MSS);
}

#define expect_segments(a, b) AT(rig_expect_segments(a, b))
#define ack_segments(n)       inject(ACK, 1, 1 + (n)*MSS, FULL_WND, 0)
/* segments [a, b) are reported in the block behind the acknowledgment of n segments */
#define sack_segments(n, a, b)                                                                     \
    inject_opt(ACK, 1, 1 + (n)*MSS, FULL_WND, .sack_n = 1,                                         \
               .sack = {{flow.iss + 1 + (a)*MSS, flow.iss + 1 + (b)*MSS}})

static inline void ten_of(uint32_t segments)
{
    begin_with(&with_sack);
    app_send(segments * MSS);
    expect_segments(0, 10);
    expect_nothing();
}

/* Ten segments fly, and `more` wait for cwnd. */
static inline void ten_in_flight(uint32_t more)
{
    configure();
    ten_of(10 + more);
}

/* Ten fly, and RACK watches them. */
static inline void ten_with_rack(void)
{
    configure();
    rig.cfg.tcp.rack = true;
    ten_of(10);
}

/* This segment leaves once more, for this reason. */
static inline void expect_again(uint32_t segment, enum reason why)
{
    expect_segments(segment, segment + 1);
    expect_why(why);
}

#define again(segment, reason) AT(expect_again(segment, REASON_SEND_##reason))

/* ---- blocks of any kind ---- */

enum {
    SAID_MAX = 4, /* blocks */
};

/* A block, in bytes from the first one that is in flight. */
struct said {
    uint32_t start, end;
};

#define SEGS(a, b)                                                                                 \
    {                                                                                              \
        (a) * MSS, (b)*MSS                                                                         \
    }

/* An acknowledgment of `acked` segments with these blocks. */
static inline void hear(uint32_t acked, const struct said *said, size_t n)
{
    struct tcp_options opt = {.sack_n = (uint8_t)n};

    assert_true(n <= SAID_MAX);
    for (size_t i = 0; i < n; i++)
        opt.sack[i] =
            (struct tcp_sack_block){flow.iss + 1 + said[i].start, flow.iss + 1 + said[i].end};
    rig_inject(ACK, 1, 1 + acked * MSS, FULL_WND, 0, &opt);
}

#define heard(acked, ...)                                                                          \
    AT(hear(acked, (const struct said[]){__VA_ARGS__},                                             \
            sizeof((const struct said[]){__VA_ARGS__}) / sizeof(struct said)))

#endif
