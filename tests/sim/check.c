#include "tests/sim/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "stack/internal.h"
#include "tests/sim/rand.h"

/* A delayed acknowledgment is delayed by less (RFC 9293 MUST-40). */
static const int64_t ack_delay_max = 500 * MSEC;

void check_init(struct check *c)
{
    memset(c, 0, sizeof(*c));
    for (unsigned i = 0; i < CHECK_CONNS; i++)
        c->flow[i][0].owing_since = c->flow[i][1].owing_since = TIME_NEVER;
}

void check_fail(struct check *c, const char *format, ...)
{
    va_list args;

    if (c->failed)
        return;
    c->failed = true;
    for (const char *p = format; *p; p++)
        c->how = dice_mix(c->how ^ (uint8_t)*p) + 1;
    va_start(args, format);
    vsnprintf(c->why, sizeof(c->why), format, args);
    va_end(args);
}

void check_time(struct check *c, int64_t now)
{
    c->now = now;
    for (unsigned i = 0; i < CHECK_CONNS; i++)
        for (unsigned e = 0; e < 2; e++)
            if (now - c->flow[i][e].owing_since > ack_delay_max &&
                c->flow[i][e].owing_since != TIME_NEVER)
                check_fail(c, "connection %u: bytes not acknowledged for half a second", i);
}

bool check_find_flows(struct check *c, uint16_t sport, uint16_t dport, struct flow **ret_own,
                      struct flow **ret_back)
{
    bool opener = sport < CHECK_PORT_OTHER;
    unsigned i = (unsigned)(opener ? sport : dport) - CHECK_PORT;
    unsigned other = (unsigned)(opener ? dport : sport) - CHECK_PORT_OTHER;

    if (i >= CHECK_CONNS || (other != i && other != 0))
        return false;
    *ret_own = &c->flow[i][opener ? 0 : 1];
    *ret_back = &c->flow[i][opener ? 1 : 0];
    return true;
}

/* ---- Streams: byte number i is byte i % 8 of a mixed word, so that none need be stored ---- */

static uint8_t stream_byte(uint64_t key, uint64_t i)
{
    return (uint8_t)(dice_mix(key + i / 8 * 2 + 1) >> (i % 8 * 8));
}

void stream_fill(uint64_t key, uint64_t off, uint8_t *out, uint32_t len)
{
    uint32_t i = 0;

    for (; i < len && (off + i) % 8; i++)
        out[i] = stream_byte(key, off + i);
    for (; i + 8 <= len; i += 8) {
        uint64_t w = dice_mix(key + (off + i) / 8 * 2 + 1);
        for (unsigned k = 0; k < 8; k++)
            out[i + k] = (uint8_t)(w >> (k * 8));
    }
    for (; i < len; i++)
        out[i] = stream_byte(key, off + i);
}

bool stream_matches(uint64_t key, uint64_t off, const uint8_t *b, uint32_t len)
{
    uint8_t want[512];

    for (uint32_t i = 0; i < len; i += sizeof(want)) {
        uint32_t n = min32(len - i, sizeof(want));
        stream_fill(key, off + i, want, n);
        if (memcmp(want, b + i, n) != 0)
            return false;
    }
    return true;
}

/* ---- States ---- */

#define TO(s) (1U << TCP_##s)

/* RFC 9293 figure 5, with the aborts and the deletion of the TCB that its text adds. */
static const unsigned legal[] = {
    [TCP_CLOSED] = TO(LISTEN) | TO(SYN_SENT) | TO(SYN_RECEIVED),
    [TCP_LISTEN] = TO(SYN_SENT) | TO(SYN_RECEIVED) | TO(CLOSED),
    [TCP_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED) | TO(CLOSED),
    [TCP_SYN_RECEIVED] =
        TO(ESTABLISHED) | TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(LISTEN) | TO(CLOSED),
    [TCP_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(CLOSED),
    [TCP_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT) | TO(CLOSED),
    [TCP_FIN_WAIT_2] = TO(TIME_WAIT) | TO(CLOSED),
    [TCP_CLOSE_WAIT] = TO(LAST_ACK) | TO(CLOSED),
    [TCP_CLOSING] = TO(TIME_WAIT) | TO(CLOSED),
    [TCP_LAST_ACK] = TO(CLOSED),
    [TCP_TIME_WAIT] = TO(CLOSED),
};

/*
 * A round trip begins with something that was not sent again (RFC 6298 section 3, Karn; MUST-18).
 * With timestamps the echo tells which sending is answered.
 */
static void check_round_trip(struct check *c, const struct stack_note *n)
{
    const struct arrival *a = &c->arrival;
    bool found = false, good = false;

    if (!a->known || a->ts_ok || a->tcp.opt.has_timestamp)
        return;
    for (unsigned i = 0; i < CHECK_SENT && i < a->back->sends; i++)
        if (a->back->sent[i].at == n->at - n->value) {
            found = true;
            good = good || !a->back->sent[i].again;
        }
    if (found && !good)
        check_fail(c, "port %u: a round trip of what was sent twice", a->tcp.dport);
}

/* TIME-WAIT lasts two MSL (MUST-13). */
static void check_time_wait(struct check *c, unsigned node, const struct stack_note *n)
{
    if (n->conn < CHECK_SLOTS &&
        n->at - c->since[node][n->conn] < 2 * c->stack[node]->cfg.tcp.msl_ns)
        check_fail(c, "node %u: TIME-WAIT lasted %lld ms", node,
                   (long long)((n->at - c->since[node][n->conn]) / MSEC));
}

void check_note(struct check *c, unsigned node, const struct stack_note *n)
{
    enum tcp_state *now;

    if (n->reason == REASON_RTT_SAMPLE)
        check_round_trip(c, n);
    if (n->reason == REASON_TIME_WAIT_EXPIRED)
        check_time_wait(c, node, n);
    check_loss_note(c, node, n);
    if (n->reason != REASON_STATE)
        return;
    if (n->conn >= CHECK_SLOTS) {
        check_fail(c, "a note about slot %u", n->conn);
        return;
    }
    now = &c->state[node][n->conn];
    if (!(legal[n->from] & 1U << n->to))
        check_fail(c, "slot %u went from %s to %s", n->conn, tcp_state_name(n->from),
                   tcp_state_name(n->to));
    /* A slot that is free may start from CLOSED or, behind a listener, from LISTEN. */
    if (n->from != *now && !(*now == TCP_CLOSED && n->from == TCP_LISTEN))
        check_fail(c, "slot %u was in %s, and leaves %s", n->conn, tcp_state_name(*now),
                   tcp_state_name(n->from));
    *now = n->to;
    c->since[node][n->conn] = n->at;
}
