#include "run/trace.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run/memory.h"

enum {
    TID_NODE_BITS = 10, /* of a track's number that say whose it is */
};

/*
 * Tracks are found by their numbers alone, whatever process they are in, so those of nodes that may
 * be joined must differ. Their upper bits follow from the node's address; they differ for any two
 * addresses of one /22, and for most others.
 */
static uint32_t first_tid(const struct addr *local)
{
    uint32_t a = addr_v4_value(local);

    a ^= a >> TID_NODE_BITS ^ a >> 2 * TID_NODE_BITS;
    return a << (32 - TID_NODE_BITS) | TRACE_TRACKS;
}

/* ---- events of a track ---- */

/* Begin an event on a track of `c`. The first that a track gets is its name. */
static void begin(struct trace *t, struct trace_conn *c, unsigned track, const char *track_name,
                  enum trace_phase phase, const char *name, int64_t at)
{
    uint16_t bit = (uint16_t)(1U << track);
    char text[TRACE_LABEL + 32];

    if (!(c->named & bit)) {
        snprintf(text, sizeof(text), "%s %s", c->label, track_name);
        trace_event(t->file, TRACE_NAME, "thread_name", t->pid, c->tid + track, at);
        trace_arg_text(t->file, "name", text);
        trace_event(t->file, TRACE_NAME, "thread_sort_index", t->pid, c->tid + track, at);
        trace_arg_number(t->file, "sort_index", c->tid + track);
        c->named |= bit;
        t->naming |= bit;
    }
    trace_event(t->file, phase, name, t->pid, c->tid + track, at);
}

/* Put what was begun; if there is no room for it, the names are not in the file either. */
static bool put(struct trace *t, struct trace_conn *c, enum trace_need need, int64_t now)
{
    bool done = trace_put(t->file, need, t->pid, now);

    if (!done)
        c->named &= (uint16_t)~t->naming;
    t->naming = 0;
    return done;
}

static bool is_kind(enum reason why, const char *prefix)
{
    return strncmp(reason_text(why)->name, prefix, strlen(prefix)) == 0;
}

/* Something happened to a connection, whose numbers were these just before. */
static void instant(struct trace *t, struct trace_conn *c, enum reason why, int64_t value,
                    const struct stack_conn_status *s, int64_t now)
{
    begin(t, c, TRACE_TRACK_STATE, "state", TRACE_INSTANT, reason_text(why)->name, now);
    trace_reason_args(t->file, why);
    if (value)
        trace_arg_number(t->file, "value", value);
    if (is_kind(why, "recovery.") || is_kind(why, "timer.")) {
        trace_arg_number(t->file, "cwnd", s->cwnd);
        trace_arg_number(t->file, "ssthresh", s->ssthresh);
        trace_arg_number(t->file, "in_flight", s->unacked);
    }
    put(t, c, TRACE_LOSABLE, now);
}

/* ---- states ---- */

/* The slice of one state ends, and that of the next begins; CLOSED has none. */
static void show_state(struct trace *t, struct trace_conn *c, enum tcp_state to, int64_t now)
{
    if (c->state_open ? to == c->state : to == TCP_CLOSED)
        return;
    if (c->state_open)
        begin(t, c, TRACE_TRACK_STATE, "state", TRACE_END, tcp_state_name((enum tcp_state)c->state),
              now);
    if (to != TCP_CLOSED)
        begin(t, c, TRACE_TRACK_STATE, "state", TRACE_BEGIN, tcp_state_name(to), now);
    if (!put(t, c, TRACE_NEEDED, now))
        return;
    c->state_open = to != TCP_CLOSED;
    c->state = (uint8_t)to;
}

/* ---- timers ---- */

static bool timer_end(struct trace *t, struct trace_conn *c, unsigned i, const char *name,
                      bool expired, int64_t now)
{
    struct trace_timer *shown = &c->timer[i];

    begin(t, c, TRACE_TRACK_TIMER + i, name, TRACE_END, name, now);
    trace_arg_text(t->file, "end", expired ? "expired" : "cleared");
    if (expired && c->expired)
        trace_reason_args(t->file, c->expired);
    trace_arg_number(t->file, "moved", shown->moved);
    if (!put(t, c, TRACE_NEEDED, now))
        return false;
    shown->open = false;
    return true;
}

static void timer_begin(struct trace *t, struct trace_conn *c, unsigned i,
                        const struct stack_timer *timer, int64_t now)
{
    begin(t, c, TRACE_TRACK_TIMER + i, timer->name, TRACE_BEGIN, timer->name, now);
    trace_arg_text(t->file, "waits_for", timer->wait);
    trace_arg_text(t->file, "source", timer->source);
    trace_arg_ms(t->file, "due_in_ms", timer->at - now);
    c->timer[i].open = put(t, c, TRACE_NEEDED, now);
    c->timer[i].moved = 0;
}

/*
 * A slice lasts from armed to expired or cleared. One that is put off goes on, or there would be a
 * slice for each acknowledgment; but one that expired and was armed anew at once is two. Not each
 * that expires is noted: one that is over its time and was not ended by a segment has expired, too.
 */
static void show_timer(struct trace *t, struct trace_conn *c, unsigned i,
                       const struct stack_timer *timer, int64_t now)
{
    struct trace_timer *shown = &c->timer[i];
    bool runs = timer->at != TIME_NEVER;
    bool noted = c->expired != REASON_NONE && shown->at <= c->expired_at;
    bool expired = noted || (shown->at <= now && !t->in.pending);

    if (shown->open && (!runs || (expired && timer->at != shown->at)))
        timer_end(t, c, i, timer->name, expired, now);
    else if (shown->open && timer->at != shown->at)
        shown->moved++;
    if (runs && !shown->open)
        timer_begin(t, c, i, timer, now);
    shown->at = timer->at;
}

static void show_timers(struct trace *t, struct trace_conn *c, uint32_t slot, int64_t now)
{
    struct stack_timer timer[STACK_TIMERS_MAX];
    unsigned n = stack_timers(t->st, slot, timer);

    for (unsigned i = 0; i < n; i++)
        show_timer(t, c, i, &timer[i], now);
    c->expired = REASON_NONE;
}

/* ---- counters ---- */

enum counter {
    COUNTER_CWND,
    COUNTER_SSTHRESH,
    COUNTER_IN_FLIGHT,
    COUNTER_LOST,
    COUNTER_SND_WND,
    COUNTER_RCV_WND,
    COUNTER_SRTT,
    COUNTER_RTT,
    COUNTER_RTO,
    COUNTER_PACING,
    COUNTER_SEND_QUEUE,
    COUNTER_RECEIVE_QUEUE,
    COUNTER_COUNT,
};

static_assert((int)COUNTER_COUNT <= (int)TRACE_COUNTERS, "each counter has a place");

static const struct {
    const char *name;
    bool is_time; /* ns, shown in ms */
} counters[COUNTER_COUNT] = {
    [COUNTER_CWND] = {"cwnd, bytes", false},
    [COUNTER_SSTHRESH] = {"ssthresh, bytes", false},
    [COUNTER_IN_FLIGHT] = {"in flight, bytes", false},
    [COUNTER_LOST] = {"lost, bytes", false},
    [COUNTER_SND_WND] = {"snd_wnd, bytes", false},
    [COUNTER_RCV_WND] = {"rcv_wnd, bytes", false},
    [COUNTER_SRTT] = {"srtt, ms", true},
    [COUNTER_RTT] = {"rtt, ms", true},
    [COUNTER_RTO] = {"rto, ms", true},
    [COUNTER_PACING] = {"pacing rate, bit/s", false},
    [COUNTER_SEND_QUEUE] = {"send queue, bytes", false},
    [COUNTER_RECEIVE_QUEUE] = {"receive queue, bytes", false},
};

/* The values that have changed, in one event; a viewer draws each argument by itself. */
static void put_counters(struct trace *t, struct trace_conn *c, const int64_t value[COUNTER_COUNT],
                         int64_t now)
{
    bool any = false;

    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        if (value[i] == c->value[i])
            continue;
        if (!any)
            trace_event(t->file, TRACE_COUNTER, c->label, t->pid, c->tid, now);
        any = true;
        if (counters[i].is_time)
            trace_arg_ms(t->file, counters[i].name, value[i]);
        else
            trace_arg_number(t->file, counters[i].name, value[i]);
    }
    if (any && trace_put(t->file, TRACE_LOSABLE, t->pid, now))
        memcpy(c->value, value, sizeof(value[0]) * COUNTER_COUNT);
}

/* At the end everything falls to zero, or the last value would seem to last. */
static void show_counters(struct trace *t, struct trace_conn *c, const struct stack_conn_status *s,
                          int64_t now)
{
    int64_t value[COUNTER_COUNT] = {
        [COUNTER_CWND] = s->cwnd,
        [COUNTER_SSTHRESH] = s->ssthresh,
        [COUNTER_IN_FLIGHT] = s->unacked,
        [COUNTER_LOST] = s->lost,
        [COUNTER_SND_WND] = s->snd_wnd,
        [COUNTER_RCV_WND] = s->rcv_wnd,
        [COUNTER_SRTT] = s->srtt,
        [COUNTER_RTT] = c->round_trip,
        [COUNTER_RTO] = s->rto,
        [COUNTER_PACING] = (int64_t)s->pacing_rate,
        [COUNTER_SEND_QUEUE] = s->send_queued,
        [COUNTER_RECEIVE_QUEUE] = s->receive_queued,
    };

    if (s->state == TCP_CLOSED)
        memset(value, 0, sizeof(value));
    put_counters(t, c, value, now);
}

/* ---- connections ---- */

static void name_conn(struct trace_conn *c, const struct stack_conn_status *s)
{
    char remote[ADDR_PORT_TEXT_MAX];

    snprintf(c->label, sizeof(c->label), ":%u - %s", (unsigned)s->local_port,
             addr_port_format(&s->remote, s->remote_port, remote));
}

/* The connection in `slot`; a new one if the old was seen to end. NULL: too many at one time. */
static struct trace_conn *conn_at(struct trace *t, uint32_t slot, const struct stack_conn_status *s)
{
    struct trace_conn *c = slot < TRACE_CONNS_MAX ? &t->conns[slot] : NULL;

    if (!c || (c->tid && !(c->over && s->state != TCP_CLOSED)))
        return c;
    memset(c, 0, sizeof(*c));
    c->tid = t->next_tid;
    t->next_tid += TRACE_TRACKS;
    for (unsigned i = 0; i < STACK_TIMERS_MAX; i++)
        c->timer[i].at = TIME_NEVER;
    name_conn(c, s);
    if (slot >= t->slots)
        t->slots = slot + 1;
    return c;
}

static void look(void *arg, uint32_t slot)
{
    struct trace *t = arg;
    struct stack_conn_status s;
    struct trace_conn *c;
    int64_t now;

    if (!stack_slot_status(t->st, slot, &s) || !(c = conn_at(t, slot, &s)))
        return;
    now = t->clock();
    if (t->in.pending && !t->in.slot &&
        trace_packet_is_for(&t->in.packet, &s.local, s.local_port, &s.remote, s.remote_port))
        t->in.slot = slot + 1;
    show_state(t, c, s.state, now);
    show_timers(t, c, slot, now);
    show_counters(t, c, &s, now);
    c->over = s.state == TCP_CLOSED;
}

/* A state is shown at once, because the next may follow before anybody looks. */
static void note(void *arg, const struct stack_note *n)
{
    struct trace *t = arg;
    struct stack_conn_status s;
    struct trace_conn *c;
    int64_t now = t->clock();

    if (reason_text(n->reason)->kind == REASON_KIND_DROP) {
        t->in.dropped = n->reason;
        return;
    }
    if (!stack_slot_status(t->st, n->conn, &s) || !(c = conn_at(t, n->conn, &s)))
        return;
    if (n->reason == REASON_STATE) {
        show_state(t, c, n->to, now);
        return;
    }
    if (n->reason == REASON_RTT_SAMPLE) {
        c->round_trip = n->value;
        return;
    }
    if (is_kind(n->reason, "timer.")) {
        c->expired = n->reason;
        c->expired_at = n->at;
    }
    instant(t, c, n->reason, n->value, &s, now);
}

/* ---- packets ---- */

/* What an impaired path has done to the packet. */
static void verdict_args(struct trace *t, const struct verdict *v)
{
    char key[16], line[VERDICT_TEXT];

    for (unsigned i = 0; i < v->n; i++) {
        snprintf(key, sizeof(key), i ? "path %u" : "path", i + 1);
        trace_arg_text(t->file, key, verdict_line(v, i, line));
    }
}

/*
 * Has a packet with this id left already? Then no other arrow leaves under that name; viewers take
 * it for an error. Not all are remembered for ever, but two that are the same are rarely far apart.
 */
static bool was_sent(struct trace *t, uint64_t id)
{
    uint64_t *place = &t->sent[id % TRACE_SENT];
    bool was = *place == id;

    *place = id;
    return was;
}

/* Something that befell a packet, as an instant on its slice. */
static void mark(struct trace *t, struct trace_conn *c, unsigned track, const char *track_name,
                 enum reason why, int64_t at)
{
    begin(t, c, track, track_name, TRACE_INSTANT, reason_text(why)->name, at);
    trace_reason_args(t->file, why);
}

/* A packet as a slice, with its end of the arrow that joins it to the other node's. */
static void put_packet(struct trace *t, struct trace_conn *c, const struct trace_packet *p,
                       int64_t at, int64_t now, enum reason dropped, const struct verdict *v)
{
    unsigned track = p->out ? TRACE_TRACK_OUT : TRACE_TRACK_IN;
    const char *track_name = p->out ? "sent" : "received";
    const char *name = p->out ? reason_text(p->why)->name : trace_packet_name(p);
    int64_t ns = now > at ? now - at : 1; /* an arrow needs a slice of some length */

    trace_packet_learn(p, &c->seq);
    begin(t, c, track, track_name, TRACE_SLICE, name, at);
    trace_duration(t->file, ns);
    if (dropped) {
        trace_arg_text(t->file, "dropped", reason_text(dropped)->name);
        trace_reason_args(t->file, dropped);
    }
    trace_packet_args(t->file, p, &c->seq);
    if (c == &t->node)
        trace_packet_ends(t->file, p);
    if (v)
        verdict_args(t, v);
    if (p->is_ip && !(p->out && was_sent(t, p->id))) {
        begin(t, c, track, track_name, p->out ? TRACE_FLOW_OUT : TRACE_FLOW_IN, "packet", at);
        trace_flow(t->file, p->id);
    }
    if (dropped)
        mark(t, c, track, track_name, dropped, at);
    for (unsigned i = 0; v && i < v->n; i++) {
        if (v->why[i] != REASON_IMPAIR_DELAYED) /* or each packet would have one */
            mark(t, c, track, track_name, v->why[i], at);
    }
    put(t, c, TRACE_LOSABLE, now);
}

static struct trace_conn *conn_of_packet(struct trace *t, uint32_t slot_1)
{
    struct trace_conn *c = slot_1 && slot_1 <= TRACE_CONNS_MAX ? &t->conns[slot_1 - 1] : NULL;

    return c && c->tid ? c : &t->node;
}

/* The stack is done with the packet that came last. */
static void arrival_done(struct trace *t)
{
    struct trace_arrival *in = &t->in;

    if (!in->pending)
        return;
    in->pending = false;
    put_packet(t, conn_of_packet(t, in->slot), &in->packet, in->at, t->clock(), in->dropped,
               t->verdict ? &in->verdict : NULL);
}

static int trace_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    struct trace *t = (struct trace *)d;
    int got;

    arrival_done(t);
    got = outlet_hold(&t->file->out, now) ? 0 : device_read(t->inner, now, ret_pkt);
    d->mtu = t->inner->mtu;
    if (got == 1) {
        t->in = (struct trace_arrival){.pending = true, .at = t->clock()};
        trace_packet_read(&t->in.packet, ret_pkt, false);
        if (t->verdict)
            t->in.verdict = *t->verdict;
    } else {
        trace_file_flush(t->file, now);
    }
    return got;
}

static int trace_write(struct device *d, int64_t now, const struct pkt *p)
{
    struct trace *t = (struct trace *)d;
    struct trace_packet packet;
    int64_t at;
    int err;

    arrival_done(t);
    at = t->clock();
    err = device_write(t->inner, now, p);
    if (err == 0) {
        trace_packet_read(&packet, p, true);
        put_packet(t, conn_of_packet(t, p->conn), &packet, at, t->clock(), REASON_NONE, t->verdict);
    }
    return err;
}

static int64_t trace_deadline(const struct device *d)
{
    const struct trace *t = (const struct trace *)d;

    return time_min(t->file->flush_at, device_deadline(t->inner));
}

static int trace_fd(const struct device *d)
{
    return device_fd(((const struct trace *)d)->inner);
}

static void trace_close(struct device *d)
{
    device_close(((struct trace *)d)->inner);
}

static const struct device_ops trace_ops = {
    .kind = "trace",
    .read = trace_read,
    .write = trace_write,
    .deadline = trace_deadline,
    .fd = trace_fd,
    .close = trace_close,
};

/* ---- making and ending ---- */

int trace_init(struct trace *t, struct device *inner, struct trace_file *file, const char *process,
               const struct addr *local, int64_t (*clock)(void))
{
    *t = (struct trace){
        .dev = {.ops = &trace_ops, .mtu = inner->mtu, .offload = inner->offload},
        .inner = inner,
        .file = file,
        .clock = clock,
        .pid = addr_v4_value(local),
        .next_tid = first_tid(local) + TRACE_TRACKS,
        .conns = memory_reserve(sizeof(struct trace_conn) * TRACE_CONNS_MAX),
        .node = {.tid = first_tid(local), .label = "no connection:"},
    };
    if (!t->conns)
        return -ENOMEM;
    memcpy(t->dev.name, inner->name, sizeof(t->dev.name));
    trace_event(file, TRACE_NAME, "process_name", t->pid, t->pid, clock());
    trace_arg_text(file, "name", process);
    trace_put(file, TRACE_NEEDED, t->pid, clock());
    return 0;
}

void trace_watch(struct trace *t, struct stack *st)
{
    t->st = st;
    stack_observe(st, note, t);
    stack_watch(st, look, t);
}

static void finish_conn(struct trace *t, struct trace_conn *c, uint32_t slot, int64_t now)
{
    struct stack_timer timer[STACK_TIMERS_MAX];
    unsigned n = stack_timers(t->st, slot, timer);

    for (unsigned i = 0; i < STACK_TIMERS_MAX; i++) {
        if (c->timer[i].open)
            timer_end(t, c, i, i < n ? timer[i].name : "timer", false, now);
    }
    show_state(t, c, TCP_CLOSED, now);
}

void trace_finish(struct trace *t)
{
    arrival_done(t);
    for (uint32_t slot = 0; t->st && slot < t->slots; slot++) {
        if (t->conns[slot].tid)
            finish_conn(t, &t->conns[slot], slot, t->clock());
    }
    if (t->st) {
        stack_observe(t->st, NULL, NULL);
        stack_watch(t->st, NULL, NULL);
    }
}
