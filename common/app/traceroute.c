#include "app/traceroute.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wire/icmp.h"

/* ---- What answers mean ---- */

/* The mark behind a probe of IPv4 that could not be delivered; "" where it just has arrived. */
static const char *mark4(uint8_t code, char out[TRACEROUTE_MARK])
{
    switch (code) {
    case ICMP_UNREACH_NET:
        return "!N";
    case ICMP_UNREACH_HOST:
        return "!H";
    case ICMP_UNREACH_PROTOCOL:
        return "!P";
    case ICMP_UNREACH_PORT:
        return "";
    case ICMP_UNREACH_NEEDFRAG:
        return "!F";
    case ICMP_UNREACH_SRCROUTE:
        return "!S";
    case ICMP_UNREACH_NET_PROHIBITED:
    case ICMP_UNREACH_HOST_PROHIBITED:
    case ICMP_UNREACH_PROHIBITED:
        return "!X";
    default: /* a byte off the wire, not an enum */
        snprintf(out, TRACEROUTE_MARK, "!<%u>", (unsigned)code);
        return out;
    }
}

static const char *mark6(uint8_t code, char out[TRACEROUTE_MARK])
{
    switch (code) {
    case ICMP6_UNREACH_ROUTE:
        return "!N";
    case ICMP6_UNREACH_PROHIBITED:
        return "!X";
    case ICMP6_UNREACH_SCOPE:
        return "!S";
    case ICMP6_UNREACH_ADDRESS:
        return "!H";
    case ICMP6_UNREACH_PORT:
        return "";
    default: /* a byte off the wire, not an enum */
        snprintf(out, TRACEROUTE_MARK, "!<%u>", (unsigned)code);
        return out;
    }
}

/* Does the way end with this error? Then *ret_mark is what stands behind the probe. */
static bool is_final(const struct udp_error *e, const char **ret_mark, char out[TRACEROUTE_MARK])
{
    bool v4 = addr_is_v4(&e->from);

    *ret_mark = "";
    if (e->type == (v4 ? (int)ICMP_TIME_EXCEEDED : (int)ICMP6_TIME_EXCEEDED))
        return false;
    if (e->type == (v4 ? (int)ICMP_UNREACHABLE : (int)ICMP6_UNREACHABLE))
        *ret_mark = v4 ? mark4(e->code, out) : mark6(e->code, out);
    else if (!v4 && e->type == ICMP6_TOO_BIG)
        *ret_mark = "!F";
    else
        *ret_mark = "!P";
    return true;
}

/* ---- In ---- */

/* The probe with this port or sequence number that still waits, or NULL. */
static struct traceroute_probe *probe_of(struct traceroute *t, uint16_t number)
{
    unsigned i = (uint16_t)(number - (t->how.icmp ? 1 : t->how.port));

    return i < t->sent && !t->probe[i].done ? &t->probe[i] : NULL;
}

static void answered(struct traceroute *t, struct traceroute_probe *p, const struct addr *from,
                     int64_t now)
{
    unsigned behind = ((unsigned)(p - t->probe) / t->how.queries + 1) * t->how.queries;

    p->done = p->answered = true;
    p->rtt = now - p->sent_at;
    p->from = *from;
    if (p->final && behind < t->total)
        t->total = behind; /* nothing needs to go further */
}

static void take_error(struct traceroute *t, const struct udp_error *e, int64_t now)
{
    struct traceroute_probe *p = probe_of(t, e->remote_port);
    char room[TRACEROUTE_MARK];
    const char *mark;

    if (!p || !addr_eq(&e->remote, &t->how.remote))
        return;
    p->final = is_final(e, &mark, room);
    snprintf(p->mark, sizeof(p->mark), "%s", mark);
    if (p->final && addr_eq(&e->from, &t->how.remote))
        t->reached = true;
    answered(t, p, &e->from, now);
}

/* An echo reply; or a datagram, where somebody was at the port after all. */
static void take_answer(struct traceroute *t, const struct stack_datagram *d, int64_t now)
{
    struct traceroute_probe *p = probe_of(t, d->port);

    if (!p || !addr_eq(&d->addr, &t->how.remote))
        return;
    p->final = t->reached = true;
    answered(t, p, &d->addr, now);
}

static void read_all(struct traceroute *t, struct stack *st, int64_t now)
{
    struct stack_datagram d;
    struct udp_error e;

    while (stack_udp_receive(st, t->udp, &d) == 0) {
        take_answer(t, &d, now);
        buf_unref(d.data.buf);
    }
    while (stack_udp_error(st, t->udp, &e) == 0)
        take_error(t, &e, now);
}

/* They have left in this order, so those whose time is over come first. */
static void expire(struct traceroute *t, int64_t now)
{
    for (unsigned i = t->shown; i < t->sent && now >= t->probe[i].sent_at + t->how.wait; i++)
        t->probe[i].done = true;
}

/* ---- Lines ---- */

static void say_begin(struct traceroute *t)
{
    char remote[ADDR_TEXT_MAX];

    lines_add(&t->lines, "traceroute to %s by %s, %u hops max, %" PRIu32 " data bytes\n",
              addr_format(&t->how.remote, remote), t->how.icmp ? "ICMP" : "UDP",
              (unsigned)t->how.max, t->how.size);
}

/* Who answered the last of this hop's probes before number `i`; NULL: nobody yet. */
static const struct addr *answered_before(const struct traceroute *t, unsigned i)
{
    unsigned begin = i - i % t->how.queries;

    while (i > begin)
        if (t->probe[--i].answered)
            return &t->probe[i].from;
    return NULL;
}

/* One probe in its hop's line. */
static void show(struct traceroute *t, unsigned i)
{
    const struct traceroute_probe *p = &t->probe[i];
    const struct addr *before = answered_before(t, i);
    char from[ADDR_TEXT_MAX];

    if (i % t->how.queries == 0)
        lines_add(&t->lines, "%2u ", t->how.first + i / t->how.queries);
    if (p->answered && (!before || !addr_eq(before, &p->from)))
        lines_add(&t->lines, " %s", addr_format(&p->from, from));
    if (p->answered)
        lines_add(&t->lines, "  %.3f ms%s%s", (double)p->rtt / (double)MSEC, *p->mark ? " " : "",
                  p->mark);
    else
        lines_add(&t->lines, " *");
    if (i % t->how.queries == t->how.queries - 1U)
        lines_add(&t->lines, "\n");
}

/* ---- Out ---- */

/* False if it has to wait. */
static bool send_probe(struct traceroute *t, struct stack *st, int64_t now)
{
    struct traceroute_probe *p = &t->probe[t->sent];
    struct udp_settings set = t->how.settings;
    struct stack_datagram d = {
        .addr = t->how.remote,
        .port = (uint16_t)(t->sent + (t->how.icmp ? 1 : t->how.port)),
        .data = {NULL, t->data, t->how.size},
    };

    set.ttl = (uint8_t)(t->how.first + t->sent / t->how.queries);
    (void)stack_udp_set(st, t->udp, &set); /* as traceroute_start has done */
    if (d.port == 0)
        d.port = 1; /* nobody gives so high a port in earnest */
    if (stack_udp_send(st, t->udp, &d) == -ENOBUFS)
        return false;
    p->sent_at = now;
    t->sent++;
    return true;
}

int64_t traceroute_turn(struct traceroute *t, struct stack *st, int64_t now)
{
    if (t->done)
        return TIME_NEVER;
    if (!t->begun)
        say_begin(t);
    t->begun = true;
    read_all(t, st, now);
    expire(t, now);
    while (t->shown < t->total && t->shown < t->sent && t->probe[t->shown].done)
        show(t, t->shown++);
    if (!t->stopped && t->sent < t->total && t->sent - t->shown < TRACEROUTE_AHEAD) {
        (void)send_probe(t, st, now); /* one in a turn: each has a time of its own */
        return now;
    }
    if (t->stopped || t->shown >= t->total) {
        t->done = true;
        if (t->shown % t->how.queries)
            lines_add(&t->lines, "\n");
        stack_udp_close(st, t->udp);
        return now;
    }
    return t->probe[t->shown].sent_at + t->how.wait;
}

void traceroute_stop(struct traceroute *t)
{
    t->stopped = true;
}

/* Could probes leave at all? 0, -EINVAL, -EADDRNOTAVAIL, -EMSGSIZE. */
static int possible(const struct traceroute *t, struct stack *st)
{
    int room = stack_udp_room(st, t->udp, &t->how.remote);

    if (room < 0)
        return room;
    if (!stack_udp_source(st, t->udp, &t->how.remote))
        return -EADDRNOTAVAIL;
    return t->how.settings.df && t->how.size > (uint32_t)room ? -EMSGSIZE : 0;
}

int traceroute_start(struct traceroute *t, struct stack *st, const struct traceroute_how *how)
{
    struct stack_udp open = {.echo = how->icmp, .user = &t->lines.app};
    int r;

    memset(t, 0, sizeof(*t));
    t->how = *how;
    t->total = (how->max - how->first + 1U) * how->queries;
    lines_init(&t->lines);
    t->udp = stack_udp_open(st, &open);
    if (t->udp < 0)
        return t->udp;
    r = stack_udp_set(st, t->udp, &how->settings);
    if (r == 0)
        r = possible(t, st);
    if (r < 0)
        stack_udp_close(st, t->udp);
    return r < 0 ? r : 0;
}
