#include "app/ping.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* ---- Figures ---- */

/* By Newton's rule; the core has no library for it. */
static double root(double square)
{
    double r = square > 1 ? square : 1;

    for (unsigned i = 0; i < 200 && r * r > square * (1 + 1e-12); i++)
        r = (r + square / r) / 2;
    return square > 0 ? r : 0;
}

unsigned ping_loss(const struct ping *p)
{
    return p->sent ? (unsigned)((uint64_t)(p->sent - p->received) * 100 / p->sent) : 0;
}

int64_t ping_average(const struct ping *p)
{
    return p->received ? (int64_t)(p->sum / p->received) : 0;
}

int64_t ping_deviation(const struct ping *p)
{
    double mean;

    if (p->received == 0)
        return 0;
    mean = p->sum / p->received;
    return (int64_t)root(p->square / p->received - mean * mean);
}

static double ms(int64_t ns)
{
    return (double)ns / (double)MSEC;
}

static void add_sample(struct ping *p, int64_t rtt)
{
    p->min = p->received == 1 ? rtt : time_min(p->min, rtt);
    p->max = time_max(p->max, rtt);
    p->sum += (double)rtt;
    p->square += (double)rtt * (double)rtt;
}

/* ---- Lines ---- */

static void say_begin(struct ping *p, const struct addr *from)
{
    char remote[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];

    lines_add(&p->lines, "PING %s from %s: %" PRIu32 " data bytes\n",
              addr_format(&p->how.remote, remote), addr_format(from, local), p->how.size);
}

static void say_end(struct ping *p, int64_t now)
{
    char remote[ADDR_TEXT_MAX];

    lines_add(&p->lines, "\n--- %s ping statistics ---\n", addr_format(&p->how.remote, remote));
    lines_add(&p->lines, "%" PRIu32 " packets transmitted, %" PRIu32 " received", p->sent,
              p->received);
    if (p->duplicates)
        lines_add(&p->lines, ", +%" PRIu32 " duplicates", p->duplicates);
    if (p->wrong)
        lines_add(&p->lines, ", +%" PRIu32 " with wrong data", p->wrong);
    if (p->errors)
        lines_add(&p->lines, ", +%" PRIu32 " errors", p->errors);
    lines_add(&p->lines, ", %u%% packet loss, time %" PRId64 "ms\n", ping_loss(p),
              p->sent ? (now - p->began_at) / MSEC : 0);
    if (p->received)
        lines_add(&p->lines, "rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", ms(p->min),
                  ms(ping_average(p)), ms(p->max), ms(ping_deviation(p)));
}

/* ---- In ---- */

/* Which request this sequence number is of, counted from 1; 0: none of those whose time is known.
 */
static uint32_t request_of(const struct ping *p, uint16_t seq)
{
    uint32_t back = (uint16_t)(p->sent - seq);

    return back < p->sent && back < PING_WINDOW ? p->sent - back : 0;
}

static bool is_right(const struct ping *p, const struct slice *data)
{
    return data->len == p->how.size && memcmp(data->base, p->data, data->len) == 0;
}

static void take_reply(struct ping *p, const struct stack_datagram *d, int64_t now)
{
    uint32_t request = request_of(p, d->port), at = request % PING_WINDOW;
    bool right = is_right(p, &d->data), again;
    char from[ADDR_TEXT_MAX];
    int64_t rtt;

    if (!request)
        return; /* never asked for, or ages ago */
    rtt = now - p->sent_at[at];
    again = p->answered[at];
    if (again) {
        p->duplicates++;
    } else {
        p->answered[at] = true;
        p->received++;
        p->gone++;
        add_sample(p, rtt);
    }
    p->wrong += !right;
    if (p->how.quiet)
        return;
    lines_add(&p->lines,
              "%" PRIu32 " bytes from %s: icmp_seq=%" PRIu32 " ttl=%u time=%.3f ms%s%s\n",
              d->data.len + 8, addr_format(&d->addr, from), request, (unsigned)d->ttl, ms(rtt),
              again ? " (DUP!)" : "", right ? "" : " (wrong data)");
}

static void take_error(struct ping *p, const struct udp_error *e)
{
    uint32_t request = request_of(p, e->remote_port), at = request % PING_WINDOW;
    char from[ADDR_TEXT_MAX];

    if (!request || p->answered[at])
        return;
    p->answered[at] = true; /* with an error */
    p->errors++;
    p->gone++;
    if (p->how.quiet)
        return;
    lines_add(&p->lines, "From %s icmp_seq=%" PRIu32 ": %s", addr_format(&e->from, from), request,
              reason_text((enum reason)e->why)->sentence);
    if (e->mtu)
        lines_add(&p->lines, " (mtu %" PRIu32 ")", e->mtu);
    lines_add(&p->lines, "\n");
}

/* What a connected socket returns of errors is told by stack_udp_error, too, with more detail. */
static void read_all(struct ping *p, struct stack *st, int64_t now)
{
    struct stack_datagram d;
    struct udp_error e;
    int r;

    while ((r = stack_udp_receive(st, p->udp, &d)) != -EAGAIN && r != -EBADF) {
        if (r)
            continue;
        take_reply(p, &d, now);
        buf_unref(d.data.buf);
    }
    while (stack_udp_error(st, p->udp, &e) == 0)
        take_error(p, &e);
}

/* ---- Out ---- */

/*
 * The next request leaves, or is too long to. False if it has to wait. What is said of earlier ones
 * has been read before, so that no call returns it.
 */
static bool beat(struct ping *p, struct stack *st, int64_t now)
{
    uint32_t request = p->sent + 1, at = request % PING_WINDOW;
    struct stack_datagram d = {
        .port = (uint16_t)request,
        .addr = p->how.remote,
        .data = {NULL, p->data, p->how.size},
    };
    int r = stack_udp_send(st, p->udp, &d);

    if (r == -ENOBUFS)
        return false;
    p->sent = request;
    p->sent_at[at] = p->last_at = now;
    p->answered[at] = r < 0;
    if (r < 0) {
        p->errors++;
        p->gone++;
        if (!p->how.quiet)
            lines_add(&p->lines,
                      "icmp_seq=%" PRIu32 ": not sent: longer than the path takes in one "
                      "piece, which is %d bytes\n",
                      request, stack_udp_room(st, p->udp, &p->how.remote));
    }
    if (request == 1)
        p->began_at = now;
    p->next_at += p->how.interval;
    if (p->next_at <= now) /* the machine slept: a new beat, and no burst */
        p->next_at = now + p->how.interval;
    return true;
}

static bool all_sent(const struct ping *p)
{
    return p->how.count && p->sent == p->how.count;
}

/* When nothing more is expected of what was sent. */
static int64_t patience(const struct ping *p)
{
    int64_t wait = p->how.wait;

    if (!wait && p->received)
        wait = time_max(2 * p->max, p->how.interval);
    return time_after(p->last_at, wait ? wait : PING_PATIENCE);
}

int64_t ping_turn(struct ping *p, struct stack *st, int64_t now)
{
    if (p->done)
        return TIME_NEVER;
    if (!p->begun) {
        p->begun = true;
        p->next_at = now;
        say_begin(p, stack_udp_source(st, p->udp, &p->how.remote));
    }
    read_all(p, st, now);
    if (!p->stopped && !all_sent(p) && now >= p->next_at && lines_room(&p->lines) &&
        !beat(p, st, now))
        return now;
    if (p->stopped || (all_sent(p) && (p->gone >= p->sent || now >= patience(p)))) {
        p->done = true;
        say_end(p, now);
        stack_udp_close(st, p->udp);
        return now;
    }
    return all_sent(p) ? patience(p) : p->next_at;
}

void ping_stop(struct ping *p)
{
    p->stopped = true;
}

int ping_start(struct ping *p, struct stack *st, const struct ping_how *how)
{
    struct stack_udp open = {.echo = true, .remote = &how->remote, .user = &p->lines.app};
    int r;

    memset(p, 0, offsetof(struct ping, data));
    p->how = *how;
    lines_init(&p->lines);
    for (uint32_t i = 0; i < PING_DATA; i++)
        p->data[i] = (uint8_t)i;
    p->udp = stack_udp_open(st, &open);
    if (p->udp < 0)
        return p->udp;
    r = stack_udp_set(st, p->udp, &how->settings);
    if (r < 0)
        stack_udp_close(st, p->udp);
    return r;
}
