/*
 * The receive window (RFC 9293 sections 3.8.6 and 3.8.6.2.2).
 *
 * The right edge rcv_adv is a promise and never moves to the left (SHLD-14). It moves to the right
 * only by a full segment or half the buffer, so that a slow reader does not draw tiny segments
 * (MUST-39). Because the header's field counts in units of 2^scale, the edge is rounded up to what
 * the field can say. Each rounding gives away up to a unit; a remote end that sends single bytes to
 * an application that does not read would get them for ever. So rounding may add an eighth to the
 * buffer and no more; from there on the field is rounded down, by which the window that is offered,
 * though not the edge that is honoured, shrinks by less than a unit (RFC 7323 section 2.4).
 *
 * The buffer begins with rcv_buf bytes and doubles, up to rcv_buf_max, whenever the application has
 * read a whole one within FAST round trips. Then the window may be what holds the remote end back:
 * one window for each round trip is all that it may send. An application that is itself the slower
 * of the two reads less than that, as soon as the buffer is FAST times what it reads in a round
 * trip; so who reads nothing keeps no more than rcv_buf waiting, and what all together keep, the
 * budget bounds (budget.c). The round trip is that of our own segments, of the handshake at least.
 * Nothing shrinks again: that would be a promise taken back.
 */
#include "base/bytes.h"
#include "base/seq.h"
#include "base/time.h"
#include "tcp/tcp.h"

enum {
    WINDOW_FIELD_MAX = 65535,
    FAST = 4,           /* round trips; the only one that was measured may have been a short one */
    ROUND_TRIP_MIN = 1, /* ms: no clock of these rounds is finer */
    ROUND_TRIP_GUESS = 50, /* ms, where none was measured */
};

uint32_t tcp_window_buffer(const struct tcp *t, const struct tcb *c)
{
    const struct tcp_config *cfg = &t->cfg;

    if (c->rcv_grown == 0)
        return cfg->rcv_buf;
    return (uint32_t)time_min((int64_t)cfg->rcv_buf << c->rcv_grown, cfg->rcv_buf_max);
}

/* The next round ends when the application has read a buffer from here on. */
static void begin_round(const struct tcp *t, struct tcb *c, uint32_t read, uint32_t ms)
{
    c->rcv_round = read + tcp_window_buffer(t, c);
    c->rcv_round_ms = (uint16_t)ms;
}

void tcp_window_grow(const struct tcp *t, struct tcb *c, int64_t now)
{
    uint32_t read = c->rcv_nxt - c->rcv_q.bytes, ms, trip = ROUND_TRIP_GUESS;

    if (seq_lt(read, c->rcv_round))
        return;
    ms = tcb_ms(now);
    if (c->rtt.srtt)
        trip = max32(ROUND_TRIP_MIN, (uint32_t)time_min(c->rtt.srtt / MSEC, UINT16_MAX));
    if ((uint16_t)(ms - c->rcv_round_ms) <= FAST * trip &&
        tcp_window_buffer(t, c) < t->cfg.rcv_buf_max)
        c->rcv_grown++;
    begin_round(t, c, read, ms);
}

uint8_t tcp_window_scale(uint32_t rcv_buf)
{
    uint8_t scale = 0;

    while (scale < TCP_WSCALE_MAX && rcv_buf >> scale > WINDOW_FIELD_MAX)
        scale++;
    return scale;
}

/* How far the edge could move to the right, given what waits to be read. */
static uint32_t gain(const struct tcp *t, const struct tcb *c)
{
    uint32_t most = tcp_budget_queue(t, tcp_window_buffer(t, c));
    uint32_t free = most - min32(most, c->rcv_q.bytes);
    uint32_t offer = min32(free, (uint32_t)WINDOW_FIELD_MAX << c->rcv_wscale);
    uint32_t offered = tcb_rcv_wnd(c);

    return offer > offered ? offer - offered : 0;
}

/*
 * Can the edge move by so much at all? Mostly the whole buffer is offered already, and nobody has
 * to ask what of it there is.
 */
static bool may_gain(const struct tcb *c, uint32_t buffer, uint32_t least)
{
    return buffer >= c->rcv_q.bytes + tcb_rcv_wnd(c) + least;
}

/* May the window become so large by rounding? */
static bool may_round_up(const struct tcb *c, uint32_t buffer, uint32_t wnd)
{
    return wnd + c->rcv_q.bytes <= buffer + buffer / 8;
}

void tcp_window_init(struct tcp *t, struct tcb *c)
{
    /* A SYN's window is not scaled (RFC 7323 section 2.2), so this is the first promise. */
    c->rcv_adv = c->rcv_nxt + min32(t->cfg.rcv_buf, WINDOW_FIELD_MAX);
    begin_round(t, c, c->rcv_nxt, c->received_ms);
}

/* The field, and the edge moved where it is worth it; both may stay where they are for ever
 * (MAY-8). */
uint16_t tcp_window_offer(const struct tcp *t, struct tcb *c, bool syn)
{
    uint32_t buffer = tcp_window_buffer(t, c), worth = min32(buffer / 2, c->rcv_mss), wnd, field;
    uint8_t scale = syn ? 0 : c->rcv_wscale;

    if (!syn && may_gain(c, buffer, worth)) {
        uint32_t moved = gain(t, c);

        c->rcv_adv += moved >= worth ? moved : 0;
    }
    wnd = tcb_rcv_wnd(c);
    field = min32((wnd + (1u << scale) - 1) >> scale, WINDOW_FIELD_MAX);
    if (field << scale > wnd) {
        if (may_round_up(c, buffer, field << scale))
            c->rcv_adv = c->rcv_nxt + (field << scale);
        else
            field--;
    }
    return (uint16_t)field;
}

bool tcp_window_update_due(const struct tcp *t, const struct tcb *c)
{
    uint32_t buffer = tcp_window_buffer(t, c), worth = min32(buffer / 2, 2u * c->rcv_mss);

    return may_gain(c, buffer, worth) && gain(t, c) >= worth;
}
