/*
 * The receive window (RFC 9293 sections 3.8.6 and 3.8.6.2.2).
 *
 * The right edge rcv_adv is a promise and never moves to the left (SHLD-14). It moves to the right
 * only by a full segment or half the buffer, so that a slow reader does not draw tiny segments
 * (MUST-39).
 *
 * The header's field counts in units of 2^scale, so the edge is rounded up to what the field can
 * say. Each segment of an odd length might round it up once more, and a remote end that sends byte
 * by byte would never find the window closed; so nothing is rounded up beyond the buffer and one
 * unit. There the field is rounded down, and what was promised before is still taken (RFC 7323
 * section 2.4).
 */
#include "base/bytes.h"
#include "tcp/tcp.h"

enum {
    WINDOW_FIELD_MAX = 65535,
};

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
    uint32_t free = t->cfg.rcv_buf - min32(t->cfg.rcv_buf, c->rcv_q.bytes);
    uint32_t offer = min32(free, (uint32_t)WINDOW_FIELD_MAX << c->rcv_wscale);
    uint32_t offered = tcb_rcv_wnd(c);

    return offer > offered ? offer - offered : 0;
}

void tcp_window_init(struct tcp *t, struct tcb *c)
{
    /* A SYN's window is not scaled (RFC 7323 section 2.2), so this is the first promise. */
    c->rcv_adv = c->rcv_nxt + min32(t->cfg.rcv_buf, WINDOW_FIELD_MAX);
}

uint16_t tcp_window_offer(const struct tcp *t, struct tcb *c, bool syn)
{
    uint8_t scale = syn ? 0 : c->rcv_wscale;
    uint32_t moved = gain(t, c), unit = 1u << scale, wnd, field;

    if (moved >= min32(t->cfg.rcv_buf / 2, c->rcv_mss) && !syn)
        c->rcv_adv += moved;
    wnd = tcb_rcv_wnd(c);
    field = min32((wnd + unit - 1) >> scale, WINDOW_FIELD_MAX);
    if (syn || field << scale <= wnd)
        return (uint16_t)field;
    if (c->rcv_q.bytes + (field << scale) >= t->cfg.rcv_buf + unit)
        return (uint16_t)(wnd >> scale);
    c->rcv_adv = c->rcv_nxt + (field << scale);
    return (uint16_t)field;
}

bool tcp_window_update_due(const struct tcp *t, const struct tcb *c)
{
    return gain(t, c) >= min32(t->cfg.rcv_buf / 2, 2u * c->rcv_mss);
}
