/*
 * Making a stack, and its doors.
 *
 * The memory that stack_create is given is laid out once: the stack itself, the connections, the
 * buckets of their table, the cells of all queues, what connections have in flight. Because it
 * comes filled with zeros, and zero means "none" everywhere, nothing of it has to be touched before
 * it is used.
 */
#include <string.h>

#include "base/prefetch.h"
#include "stack/internal.h"
#include "tcp/flight.h"

enum {
    MEM_ALIGN = 64,     /* bytes */
    TICK_AHEAD = 4,     /* timers */
    HINTS_LOG_MAX = 15, /* more would be in no cache, where a hash is as fast */
};

void stack_config_default(struct stack_config *cfg)
{
    *cfg = (struct stack_config){
        .mtu = 1500,
        .max_conns = 16384,
        .max_chunks = 262144,
        .max_ranges = 65536,
        .max_fragmented = 128,
        .ttl = IP_TTL_DEFAULT,
        .path_mtu_age = 600 * SEC,
    };
    for (unsigned i = 0; i < STACK_LOCALS_MAX; i++)
        cfg->prefix_len[i] = 24;
    tcp_config_default(&cfg->tcp);
}

static size_t align(size_t n)
{
    return (n + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}

/* A power of two, at least the number of connections. */
static uint32_t bucket_count(const struct stack_config *cfg)
{
    uint32_t n = 64;

    while (n < cfg->max_conns && n < UINT32_C(1) << 31)
        n *= 2;
    return n;
}

static size_t conns_bytes(const struct stack_config *cfg)
{
    return align(cfg->max_conns * sizeof(struct conn));
}

/* Pages of it are touched only for connections that have settings of their own. */
static size_t settings_bytes(const struct stack_config *cfg)
{
    return align(cfg->max_conns * sizeof(struct tcp_settings));
}

/* The same for connections with a route. */
static size_t routes_bytes(const struct stack_config *cfg)
{
    return cfg->accept_source_routes ? align(cfg->max_conns * sizeof(struct ip_route)) : 0;
}

static size_t buckets_bytes(const struct stack_config *cfg)
{
    return align(bucket_count(cfg) * sizeof(uint32_t));
}

/* The logarithm of the number of hints: two for each connection, up to there. */
static unsigned hints_log(const struct stack_config *cfg)
{
    unsigned log = 6;

    while (log < HINTS_LOG_MAX && UINT32_C(1) << log < 2 * (uint64_t)cfg->max_conns)
        log++;
    return log;
}

static size_t hints_bytes(const struct stack_config *cfg)
{
    return align(sizeof(struct flow_hint) << hints_log(cfg));
}

/* Touched only for connections that send. */
static size_t flights_bytes(const struct stack_config *cfg)
{
    return align(pool_bytes(cfg->max_conns, sizeof(struct flight)));
}

/* Only for those of them that have more than one piece in flight, or a module that keeps much. */
static size_t more_bytes(const struct stack_config *cfg)
{
    return align(cfg->max_conns * sizeof(struct flight_more));
}

static size_t ranges_bytes(const struct stack_config *cfg)
{
    return align(pool_bytes(cfg->max_ranges, sizeof(struct range)));
}

size_t stack_table_bytes(const struct stack_config *cfg)
{
    return align(sizeof(struct stack)) + buckets_bytes(cfg) + conns_bytes(cfg);
}

size_t stack_bytes(const struct stack_config *cfg)
{
    return stack_table_bytes(cfg) + settings_bytes(cfg) + routes_bytes(cfg) + hints_bytes(cfg) +
           align(pool_bytes(cfg->max_chunks, REASM_CELL)) + flights_bytes(cfg) + more_bytes(cfg) +
           ranges_bytes(cfg) + align(wheel_bytes(cfg->max_conns)) +
           fragment_bytes(cfg->max_fragmented);
}

/* RFC 8200 section 5: every link that carries IPv6 takes packets of 1,280 bytes. */
static bool addresses_possible(const struct stack_config *cfg)
{
    if (cfg->locals == 0 || cfg->locals > STACK_LOCALS_MAX)
        return false;
    for (unsigned i = 0; i < cfg->locals; i++) {
        bool v4 = addr_is_v4(&cfg->local[i]);

        if (cfg->prefix_len[i] > (v4 ? 32 : 128) || (!v4 && cfg->mtu < IPV6_MTU_MIN))
            return false;
    }
    return true;
}

static bool offload_possible(const struct stack_config *cfg)
{
    return cfg->super4 <= IPV4_PACKET_MAX && cfg->super6 <= IPV4_PACKET_MAX &&
           cfg->super_udp <= IPV4_PACKET_MAX &&
           (cfg->leave_checksum || (!cfg->super4 && !cfg->super6 && !cfg->super_udp));
}

static bool config_possible(const struct stack_config *cfg)
{
    return addresses_possible(cfg) && offload_possible(cfg) && cfg->mtu >= IPV4_MTU_MIN &&
           cfg->mtu <= IPV4_PACKET_MAX && cfg->max_conns > 0 && cfg->max_chunks > 0 &&
           cfg->max_fragmented > 0 && cfg->small && cfg->small->size >= 2 * CHUNK_COPY_BREAK &&
           cfg->tcp.cc && cfg->path_mtu_age > 0 && tcp_settings_valid(&cfg->tcp.conn);
}

/* What is announced to a remote end, with an IP header of so many bytes. */
static uint16_t mss_of(const struct stack_config *cfg, uint32_t ip_header)
{
    uint32_t mss = cfg->mtu - ip_header - TCP_HEADER_MIN;

    return (uint16_t)(cfg->tcp.mss && cfg->tcp.mss < mss ? cfg->tcp.mss : mss);
}

static void init_floors(struct stack *st)
{
    const struct stack_config *cfg = &st->cfg;
    st->ip.locals = cfg->locals;
    for (unsigned i = 0; i < cfg->locals; i++) {
        st->ip.local[i] = cfg->local[i];
        st->ip.prefix_len[i] = cfg->prefix_len[i];
    }
    st->ip.ttl = cfg->ttl;
    st->ip.accept_source_routes = cfg->accept_source_routes;
    st->ip.mtu = cfg->mtu;
    st->ip.super_udp = cfg->super_udp;
    memcpy(st->ip.random.key, cfg->secret + KEY_NUMBERS, UNGUESSABLE_KEY);
    st->ip.random.count = cfg->seed;
    st->ip.small = cfg->small;
    st->ip.counts = st->counts;
    st->tcp.cfg = cfg->tcp;
    st->tcp.mtu_mss = mss_of(cfg, IPV4_HEADER_MIN);
    st->tcp.super4 = cfg->super4;
    st->tcp.super6 = cfg->super6;
    st->tcp.mtu_mss6 = cfg->mtu < IPV6_MTU_MIN ? 0 : mss_of(cfg, IPV6_HEADER);
    paths_init(st);
    st->tcp.cells = &st->cells;
    st->tcp.flights = &st->flights;
    st->tcp.ranges = &st->ranges;
    st->tcp.small = cfg->small;
    st->tcp.large = cfg->large;
    st->tcp.counts = st->counts;
}

struct stack *stack_create(const struct stack_config *cfg, void *mem, size_t mem_size)
{
    struct stack *st = mem;
    uint8_t *at = mem;

    if (!config_possible(cfg) || mem_size < stack_bytes(cfg) || (uintptr_t)mem % MEM_ALIGN)
        return NULL;
    st->cfg = *cfg;
    at += align(sizeof(struct stack));
    st->buckets = (void *)at;
    st->bucket_mask = bucket_count(cfg) - 1;
    st->link_mask = 2 * bucket_count(cfg) - 1; /* room for max_conns */
    at += buckets_bytes(cfg);
    st->conns = (void *)at;
    at += conns_bytes(cfg);
    st->settings = (void *)at;
    at += settings_bytes(cfg);
    st->routes = (void *)at;
    at += routes_bytes(cfg);
    st->hints = (void *)at;
    st->hint_shift = 64 - hints_log(cfg);
    at += hints_bytes(cfg);
    pool_init(&st->cells, at, pool_bytes(cfg->max_chunks, REASM_CELL), REASM_CELL);
    at += align(pool_bytes(cfg->max_chunks, REASM_CELL));
    pool_init(&st->flights, at, pool_bytes(cfg->max_conns, sizeof(struct flight)),
              sizeof(struct flight));
    at += flights_bytes(cfg);
    st->tcp.more = (void *)at;
    at += more_bytes(cfg);
    pool_init(&st->ranges, at, pool_bytes(cfg->max_ranges, sizeof(struct range)),
              sizeof(struct range));
    at += ranges_bytes(cfg);
    wheel_init(&st->wheel, 0, at, &st->conns->timer, sizeof(struct conn), cfg->max_conns);
    at += align(wheel_bytes(cfg->max_conns));
    fragment_init(&st->fragments, at, cfg->max_fragmented, st->counts);
    list_init(&st->opening);
    list_init(&st->output);
    list_init(&st->event);
    list_init(&st->time_wait);
    init_floors(st);
    return ip_valid_route(&st->ip, &cfg->tcp.conn.route) ? st : NULL;
}

/* Time only goes forward, and what the last packet referred to has been written by now. */
static inline void enter(struct stack *st, int64_t now)
{
    st->now = time_max(st->now, now);
    if (st->has_dying)
        event_bury(st);
    if (!st->held)
        return;
    buf_unref(st->held);
    st->held = NULL;
}

void stack_place(struct stack *st, struct conn *c, enum conn_place where)
{
    if (c->placed == where)
        return;
    if (c->placed != PLACE_NONE)
        list_remove(&c->place);
    c->placed = (uint8_t)where;
    switch (where) {
    case PLACE_NONE:
        break;
    case PLACE_EVENT:
        list_append(&st->event, &c->place);
        break;
    case PLACE_EMBRYO:
        list_append(&st->listener[c->listener - 1].embryos, &c->place);
        break;
    case PLACE_TIME_WAIT:
        list_append(&st->time_wait, &c->place);
        break;
    }
}

static enum conn_place place_of(const struct conn *c)
{
    if (c->tcb.events && event_tellable(c))
        return PLACE_EVENT;
    if (c->tcb.state == TCP_ESTABLISHED)
        return PLACE_NONE;
    if (c->tcb.state == TCP_SYN_RECEIVED && c->listener && !c->exempt)
        return PLACE_EMBRYO;
    if (c->tcb.state == TCP_TIME_WAIT && c->tcb.released)
        return PLACE_TIME_WAIT;
    return PLACE_NONE;
}

/* Output due? Something to tell? */
static inline void settle_lists(struct stack *st, struct conn *c)
{
    enum conn_place where;

    if (c->tcb.output_due && !list_on(&c->output))
        list_append(c->tcb.state == TCP_SYN_SENT ? &st->opening : &st->output, &c->output);
    where = place_of(c);
    if (where != c->placed)
        stack_place(st, c, where);
}

void stack_settle_use(struct stack *st, struct conn *c)
{
    if (c->tcb.state == TCP_CLOSED) {
        stack_settle(st, c); /* that may have been the last that was to be read or told */
        return;
    }
    stack_look(st, c);
    settle_lists(st, c);
}

/*
 * What happens once in a connection's life: its end, a word for IP, the end of a handshake. Returns
 * whether it is still there.
 */
static bool settle_rare(struct stack *st, struct conn *c)
{
    struct tcb *tcb = &c->tcb;

    if (tcb->state == TCP_CLOSED) {
        flow_unhash(st, c);
        if (tcp_finished(tcb)) {
            tcp_drop_queues(&st->tcp, tcb);
            flow_remove(st, c);
            return false;
        }
    }
    if (tcb->advice_due) {
        tcb->advice_due = false;
        ip_negative_advice(&st->ip);
    }
    if (c->listener && !c->complete)
        accept_count(st, c);
    return true;
}

static inline void settle_usual(struct stack *st, struct conn *c)
{
    settle_lists(st, c);
    wheel_set(&st->wheel, &c->timer, tcp_deadline(&c->tcb));
}

/* Where more than that may have to be done. */
static void settle_all(struct stack *st, struct conn *c)
{
    stack_look(st, c);
    if (settle_rare(st, c))
        settle_usual(st, c);
}

void stack_settle(struct stack *st, struct conn *c)
{
    const struct tcb *tcb = &c->tcb;

    if (st->look || tcb->state == TCP_CLOSED || tcb->advice_due || (c->listener && !c->complete))
        settle_all(st, c);
    else
        settle_usual(st, c);
}

void stack_settle_sent(struct stack *st, struct conn *c)
{
    if (st->look || c->tcb.state != TCP_ESTABLISHED) {
        settle_all(st, c);
        return;
    }
    if (c->tcb.output_due)
        list_append(&st->output, &c->output);
    wheel_set(&st->wheel, &c->timer, tcp_deadline(&c->tcb));
}

enum reason stack_input(struct stack *st, int64_t now, const struct pkt *p)
{
    enum reason why;

    enter(st, now);
    if (st->expectation.first != st->expectation.end)
        expect_came(st);
    st->totals.packets_in++;
    st->totals.bytes_in += p->len;
    why = inet_input(st, p);
    if (why) {
        st->counts[why]++;
        if (st->note)
            st->note(st->note_arg, &(struct stack_note){.at = st->now, .reason = why});
    }
    return why;
}

bool stack_output(struct stack *st, int64_t now, struct pkt *p)
{
    enter(st, now);
    if (!inet_output(st, p))
        return false;
    st->totals.packets_out++;
    st->totals.bytes_out += p->len;
    st->counts[p->why]++;
    return true;
}

/*
 * Are there cells and bufs again for those who found none? One of each would do, but then everyone
 * would be woken for it; so an eighth has to be free.
 */
static bool may_wake_starved(const struct stack *st)
{
    const struct buf_pool *small = st->cfg.small;

    return st->starved && tcp_budget_send_cells(&st->cells) >= (st->cells.count + 7) / 8 &&
           small->count - small->in_use >= (small->count + 7) / 8;
}

static void wake_starved(struct stack *st)
{
    if (!may_wake_starved(st))
        return;
    st->starved = false;
    for (uint32_t i = 0; i < st->fresh_slots; i++) {
        struct conn *c = &st->conns[i];

        if (c->in_use && c->tcb.want_space && tcp_send_space(&st->tcp, &c->tcb) > 0) {
            c->tcb.want_space = false;
            c->tcb.events |= TCP_EVENT_WRITABLE;
            stack_settle(st, c);
        }
    }
}

/*
 * Behind the timer that was just given out others will be due: memory of the connection that comes
 * some time later is asked for, and what *later has in flight, which was found like this before,
 * and becomes the new one. All of them stand in the table, whatever has become of them.
 */
static inline void expect_timer(const struct wheel *w, const struct conn **later)
{
    if (*later)
        flight_prefetch_timers((*later)->tcb.flight);
    *later = container_of(wheel_later(w), struct conn, timer);
    prefetch(*later, sizeof(**later));
}

/* Those of connections. */
static void run_timers(struct stack *st)
{
    const struct conn *later[TICK_AHEAD] = {0};
    struct wheel_timer *t;
    unsigned n = 0;

    while ((t = wheel_expire(&st->wheel, st->now))) {
        struct conn *c = container_of(t, struct conn, timer);

        expect_timer(&st->wheel, &later[n++ % TICK_AHEAD]);
        tcp_tick(&st->tcp, &c->tcb, st->now);
        stack_settle(st, c);
    }
}

void stack_tick(struct stack *st, int64_t now)
{
    enter(st, now);
    if (!wheel_pass(&st->wheel, st->now))
        run_timers(st);
    if (fragment_deadline(&st->fragments) <= st->now)
        inet_expire(st);
    if (pmtu_deadline(&st->ip.pmtu) <= st->now)
        paths_expire(st);
    if (st->starved)
        wake_starved(st);
}

int64_t stack_deadline(const struct stack *st)
{
    if (!list_empty(&st->event) || may_wake_starved(st))
        return st->now; /* there is something to tell: nobody should sleep on it */
    return time_min(time_min(wheel_deadline(&st->wheel), fragment_deadline(&st->fragments)),
                    pmtu_deadline(&st->ip.pmtu));
}

uint64_t stack_count(const struct stack *st, enum reason r)
{
    return st->counts[r];
}

const struct stack_totals *stack_totals(const struct stack *st)
{
    return &st->totals;
}

uint64_t stack_copied(const struct stack *st)
{
    return st->cfg.small->copied + st->fragments.bufs.copied +
           (st->cfg.large ? st->cfg.large->copied : 0);
}
