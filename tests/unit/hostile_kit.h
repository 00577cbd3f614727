/*
 * Strikes at a node, and what must be true after each of them.
 *
 * begin_hostile() makes a node with an honest connection that is as easy to hurt as can be: bytes
 * wait to be read, bytes wait behind a gap, bytes are in flight. A test then strikes, as a stranger
 * or with that connection's own addresses, ports and numbers:
 *
 *     strike(&p, REASON_IP_CHECKSUM);         dropped, for this reason, which was counted once
 *     expect_nothing();                       what the node answers, the test takes itself
 *     still_well();
 *
 * still_well() is the promise: the node answers a ping, completes a handshake with somebody new,
 * has lost no byte of the honest connection in either direction, and holds no memory that it did
 * not hold before. Afterwards there is something to hurt again.
 */
#ifndef TESTS_UNIT_HOSTILE_KIT_H
#define TESTS_UNIT_HOSTILE_KIT_H

#include "tcp_kit.h"

#include "packet_kit.h"

enum {
    CALLER_PORT = 50000, /* where the honest callers' ports begin */
    IN_ORDER = 100,      /* bytes that arrived in order; half of them were read */
    GAP = 100,           /* bytes that are missing behind them */
    BEHIND_GAP = 50,     /* bytes that arrived behind the gap */
    IN_FLIGHT = 500,     /* bytes that were sent and not acknowledged */
};

static struct hostile {
    struct flow honest;
    uint32_t rcv, snd;    /* of the honest connection: the next byte to be told, each way */
    uint16_t callers;     /* how many handshakes were completed */
    uint32_t cells;       /* memory in use while nothing but the honest connection is there */
    uint32_t small, bufs; /* bufs of the two pools */
} hostile;

static inline void hostile_memory(uint32_t *ret_cells, uint32_t *ret_small, uint32_t *ret_bufs)
{
    *ret_cells = rig.st->cells.in_use;
    *ret_small = rig.small.in_use;
    *ret_bufs = rig.device.in_use;
}

/* Something to hurt: half read, half in order, in flight. */
static inline void hostile_arm(void)
{
    struct flow other = flow;

    flow = hostile.honest;
    rig_inject(ACK, hostile.rcv, hostile.snd, FULL_WND, IN_ORDER, NULL);
    rig_event(EV_READABLE);
    rig_read(IN_ORDER / 2);
    rig_inject(ACK, hostile.rcv + IN_ORDER + GAP, hostile.snd, FULL_WND, BEHIND_GAP, NULL);
    rig_expect(ACK, hostile.snd, hostile.rcv + IN_ORDER, 0);
    rig_send(IN_FLIGHT);
    rig_expect(ACK, hostile.snd, hostile.rcv + IN_ORDER, IN_FLIGHT);
    rig_expect_nothing();
    rig_no_event();
    hostile.honest = flow;
    flow = other;
    hostile_memory(&hostile.cells, &hostile.small, &hostile.bufs);
}

/* All of it was delivered, each way, once and in order. */
static inline void hostile_delivered(void)
{
    struct flow other = flow;
    uint32_t end = hostile.rcv + IN_ORDER + GAP + BEHIND_GAP;

    flow = hostile.honest;
    rig_state(TCP_ESTABLISHED);
    rig_same("RCV.NXT", tcb()->rcv_nxt - flow.irs, hostile.rcv + IN_ORDER);
    rig_same("SND.UNA", tcb()->snd_una - flow.iss, hostile.snd);
    rig_same("SND.NXT", tcb()->snd_nxt - flow.iss, hostile.snd + IN_FLIGHT);
    rig_same("SND.WND", tcb()->snd_wnd, FULL_WND);
    rig_inject(ACK, hostile.rcv + IN_ORDER, hostile.snd + IN_FLIGHT, FULL_WND, GAP, NULL);
    rig_event(EV_READABLE);
    rig_read(IN_ORDER / 2 + GAP + BEHIND_GAP);
    rig_read_says(-EAGAIN);
    rig_expect(ACK, hostile.snd + IN_FLIGHT, end, 0);
    rig_expect_nothing();
    rig_no_event();
    hostile.rcv = end;
    hostile.snd += IN_FLIGHT;
    hostile.honest = flow;
    flow = other;
}

/* A node as rig.cfg says, after defaults(), whose listener the honest connection came through. */
static inline void hostile_start(void)
{
    begin();
    rig_open_passive(&mss_only, FULL_WND, FULL_WND);
    hostile = (struct hostile){.honest = flow, .rcv = 1, .snd = 1};
    hostile_arm();
}

static inline void begin_hostile(void)
{
    defaults();
    hostile_start();
}

/* ---- what must be true ---- */

/* An ICMP message from the remote node; `data` as in kit_icmp. */
static inline struct kit_packet icmp_to_node(uint8_t type, uint8_t code, uint32_t rest,
                                             const void *data, uint32_t len)
{
    struct kit_packet p = kit_icmp(type, code, rest, data, len);

    put32(p.b + 12, KIT_HOST);
    put32(p.b + 16, KIT_PEER);
    kit_ip4_fix(&p);
    return p;
}

static inline void hostile_ping(void)
{
    struct kit_packet p = icmp_to_node(ICMP_ECHO, 0, 0x12340001, "are you there?", 14);
    struct icmp_hdr icmp;

    rig_reason("a ping's verdict", rig_input(p.b, p.len), REASON_NONE);
    if (!rig_take())
        fail_msg("%s: a ping is not answered", rig_where());
    rig_reason("the answer to a ping", rig.why, REASON_SEND_ECHO_REPLY);
    rig_reason("the answer", icmp_parse(rig.data, rig.len, &icmp), REASON_NONE);
    rig_same("its type", icmp.type, ICMP_ECHO_REPLY);
    rig_same("its identifier and number", icmp.rest, 0x12340001);
    rig_same("its length", rig.len, 8 + 14);
    assert_memory_equal(rig.data + 8, "are you there?", 14);
}

/* Somebody new calls, says ten bytes, is told ten, and hangs up. */
static inline void hostile_handshake(void)
{
    struct flow other = flow;

    flow = (struct flow){.local_port = LOCAL_PORT,
                         .remote_port = (uint16_t)(CALLER_PORT + hostile.callers++ % 15000),
                         .irs = 77000 + hostile.callers};
    rig_reason("a SYN's verdict", rig_inject(SYN, 0, 0, FULL_WND, 0, &mss_only), REASON_NONE);
    rig_expect_syn(SYN | ACK);
    rig_reason("the ACK's", rig_inject(ACK, 1, 1, FULL_WND, 10, NULL), REASON_NONE);
    rig_event(EV_ACCEPTED);
    rig_event(EV_READABLE);
    rig_read(10);
    rig_send(10);
    rig_expect(ACK, 1, 11, 10);
    rig_inject(RST, 11, 0, 0, 0, NULL);
    rig_closed(REASON_END_RESET);
    flow = other;
}

static inline void rig_still_well(void)
{
    uint32_t cells, small, bufs;

    rig_expect_nothing();
    rig_no_event();
    hostile_memory(&cells, &small, &bufs);
    rig_same("cells in use", cells, hostile.cells);
    rig_same("small bufs in use", small, hostile.small);
    rig_same("the device's bufs in use", bufs, hostile.bufs);
    hostile_ping();
    hostile_handshake();
    rig_expect_nothing();
    rig_same("connections", stack_totals(rig.st)->conns, 1);
    hostile_delivered();
    hostile_arm();
}

#define still_well() AT(rig_still_well())

/* ---- strikes ---- */

/* How many packets were dropped, by all counters together. */
static inline uint64_t hostile_drops(void)
{
    uint64_t n = 0;

    for (unsigned r = 0; r < REASON_COUNT; r++)
        if (reason_text((enum reason)r)->kind == REASON_KIND_DROP)
            n += stack_count(rig.st, (enum reason)r);
    return n;
}

/* One packet, and its verdict; a drop is counted once, under its reason and under no other. */
static inline enum reason hostile_input(const struct kit_packet *p)
{
    uint64_t all = hostile_drops(), of_it[REASON_COUNT];
    enum reason why;

    for (unsigned r = 0; r < REASON_COUNT; r++)
        of_it[r] = stack_count(rig.st, (enum reason)r);
    why = rig_input(p->b, p->len);
    rig_same("drops counted", (long long)(hostile_drops() - all), why != REASON_NONE);
    if (why) {
        rig_same("a drop's reason is of that kind", reason_text(why)->kind, REASON_KIND_DROP);
        rig_same("its own counter", (long long)(stack_count(rig.st, why) - of_it[why]), 1);
    }
    return why;
}

static inline void rig_strike(const struct kit_packet *p, enum reason why)
{
    rig_reason("the verdict", hostile_input(p), why);
}

#define strike(p, why) AT(rig_strike(p, why))

/* Take whatever the node has to say, at most `most` packets; returns how many they were. */
static inline unsigned hostile_answers(unsigned most)
{
    unsigned n = 0;

    while (rig_take())
        n++;
    if (n > most)
        fail_msg("%s: %u packets were sent, %u may be", rig_where(), n, most);
    return n;
}

/*
 * A segment that would end the honest connection if it were taken: a reset with the right
 * addresses, ports and number, with `opt_len` bytes of options and `data` bytes of text.
 */
static inline struct kit_packet deadly(const char *opt, uint32_t opt_len, uint32_t data)
{
    return kit_tcp((struct kit_tcp){.sport = hostile.honest.remote_port,
                                    .dport = hostile.honest.local_port,
                                    .flags = RST,
                                    .seq = hostile.honest.irs + hostile.rcv + IN_ORDER,
                                    .opt = opt,
                                    .opt_len = opt_len,
                                    .data = data});
}

#endif
