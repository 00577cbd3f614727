#include "tests/fuzz/subject.h"

#include <stdalign.h>
#include <string.h>

#include "base/seq.h"
#include "tests/fuzz/board_check.h"

enum {
    SUBJECTS = 2,
    OVER = 0xdb, /* what is written over that which was given back */
    REFS_MAX = SUBJECT_RX + SUBJECT_TX + SUBJECT_SMALL,
};

#define ROOM(count, size) ((count) * ((size) + 64))

static alignas(64) uint8_t stack_memory[SUBJECTS][SUBJECT_STACK];
static alignas(16) uint8_t rx_memory[SUBJECTS][ROOM(SUBJECT_RX, SUBJECT_RX_SIZE)];
static alignas(16) uint8_t tx_memory[SUBJECTS][ROOM(SUBJECT_TX, SUBJECT_TX_SIZE)];
static alignas(16) uint8_t small_memory[SUBJECTS][ROOM(SUBJECT_SMALL, SUBJECT_SMALL_SIZE)];

/* ---- bytes ---- */

void subject_fill(uint8_t *out, uint32_t seq, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        out[i] = subject_byte(seq + i);
}

bool subject_matches(const uint8_t *b, uint32_t seq, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if (b[i] != subject_byte(seq + i))
            return false;
    return true;
}

struct addr subject_addr(bool v6, uint32_t number)
{
    struct addr a = {.b = {0xfd}};

    put32(a.b + 12, number);
    return v6 ? a : addr_v4(number);
}

uint32_t subject_number(const struct addr *a)
{
    return get32(a->b + 12);
}

/* ---- making one ---- */

static uint32_t choose(const uint32_t *of, unsigned i)
{
    return of[i & 3];
}

/* Two bits for each choice; all zeros is what a program would choose. */
static void configure(struct subject *n, unsigned number, uint32_t mtu_said, struct script *s)
{
    static const uint32_t mtu[] = {1500, 576, 296, 68}, mss[] = {0, 100, 536, 1000};
    static const uint32_t rcv[] = {262144, 65535, 4096, 1000}, snd[] = {262144, 16384, 2000, 100};
    static const uint32_t conns[] = {SUBJECT_CONNS, 4, 2, 1},
                          chunks[] = {SUBJECT_CHUNKS, 40, 12, 3};
    static const uint32_t syn_queue[] = {SUBJECT_CONNS, 4, 2, 1}, ranges[] = {512, 64, 8, 1};
    struct stack_config *cfg = &n->cfg;
    unsigned c = script_16(s), off = script_16(s);

    stack_config_default(cfg);
    cfg->local[0] = subject_addr(n->v6, number ? 0x0a000105 : 0x0a000007);
    cfg->local[1] = subject_addr(n->v6, number ? 0x0a010105 : 0x0a010007);
    cfg->locals = 2;
    cfg->mtu = mtu_said ? mtu_said : choose(mtu, c);
    if (n->v6)
        cfg->mtu = max32(cfg->mtu, IPV6_MTU_MIN);
    cfg->tcp.mss = (uint16_t)choose(mss, c >> 2);
    cfg->tcp.rcv_buf = choose(rcv, c >> 4);
    cfg->tcp.snd_buf = choose(snd, c >> 6);
    cfg->tcp.rcv_buf_max = rcv[0];
    cfg->tcp.snd_buf_max = snd[0];
    cfg->max_conns = choose(conns, c >> 8);
    cfg->max_chunks = choose(chunks, c >> 10);
    cfg->tcp.syn_queue = choose(syn_queue, c >> 12);
    cfg->max_ranges = choose(ranges, c >> 14);
    cfg->max_fragmented = SUBJECT_FRAGMENTED;
    cfg->tcp.wscale = !(off & 0x100);
    cfg->tcp.conn.nagle = !(off & 0x200);
    cfg->tcp.delayed_ack = !(off & 0x400);
    cfg->large = off & 0x800 ? NULL : &n->rx;
    cfg->tcp.timestamps = !(off & 1);
    cfg->tcp.sack = !(off & 2);
    cfg->tcp.ecn = !(off & 4);
    cfg->tcp.syn_cookies = !(off & 8);
    cfg->tcp.icmp_hard_aborts = off & 16;
    for (unsigned i = off >> 5 & 3; i > 0; i--)
        cfg->tcp.cc = cc_next(cfg->tcp.cc) ? cc_next(cfg->tcp.cc) : cc_next(NULL);
    cfg->accept_source_routes = off & 128;
    cfg->tcp.conn.keepalive = off & 0x1000;
    cfg->tcp.conn.keepalive_octet = off & 0x2000;
    cfg->tcp.rack = cfg->tcp.tlp = !(off & 0x4000);
    cfg->tcp.prr = cfg->tcp.frto = cfg->tcp.undo = !(off & 0x8000);
    cfg->seed = number;
    memset(cfg->secret, 0x5a + (int)number, sizeof(cfg->secret));
    cfg->small = &n->small;
}

/*
 * Zeros, as mmap gives them. Most of it is the memory of UDP sockets, which few scripts touch, and
 * that of fragments, the last of all, which may hold anything.
 */
static void clear(struct subject *n, uint8_t *memory, size_t bytes)
{
    size_t udp = offsetof(struct stack, udp), behind = udp + sizeof(((struct stack *)0)->udp);

    memset(memory, 0, udp);
    if (n->used_udp)
        memset(memory + udp, 0, behind - udp);
    memset(memory + behind, 0, bytes - fragment_bytes(n->cfg.max_fragmented) - behind);
    n->used_udp = false;
}

void subject_start(struct subject *n, unsigned number, uint32_t mtu, struct script *s)
{
    size_t bytes;

    configure(n, number, mtu, s);
    bytes = stack_bytes(&n->cfg);
    FUZZ_CHECK(bytes <= SUBJECT_STACK, "a stack of %zu bytes", bytes);
    n->stack_memory = stack_memory[number];
    clear(n, n->stack_memory, bytes);
    buf_pool_init(&n->rx, rx_memory[number], buf_pool_bytes(SUBJECT_RX, SUBJECT_RX_SIZE),
                  SUBJECT_RX_SIZE);
    buf_pool_init(&n->tx, tx_memory[number], buf_pool_bytes(SUBJECT_TX, SUBJECT_TX_SIZE),
                  SUBJECT_TX_SIZE);
    buf_pool_init(&n->small, small_memory[number],
                  buf_pool_bytes(SUBJECT_SMALL, SUBJECT_SMALL_SIZE), SUBJECT_SMALL_SIZE);
    memset(n->look, 0, sizeof(n->look));
    n->st = stack_create(&n->cfg, n->stack_memory, bytes);
    FUZZ_CHECK(n->st, "no stack was made");
    FUZZ_CHECK(n->stack_memory + bytes - n->st->fragments.bufs.mem <=
                   (ptrdiff_t)fragment_bytes(n->cfg.max_fragmented),
               "what is not cleared is not that of fragments alone");
}

bool subject_starved(const struct subject *n)
{
    return n->st->cells.exhausted || n->rx.exhausted || n->small.exhausted ||
           n->st->counts[REASON_NO_BUFFER] || n->st->counts[REASON_TCP_REASSEMBLY] ||
           n->st->counts[REASON_TCP_TABLE_FULL];
}

enum reason subject_input(struct subject *n, int64_t now, const uint8_t *b, uint32_t len,
                          uint16_t marks, uint16_t size)
{
    static uint8_t lent[SUBJECT_RX_SIZE];
    struct pkt p;
    struct buf *buf;
    enum reason why;

    if (len > n->cfg.mtu)
        return REASON_NONE; /* this device takes no such packet */
    buf = buf_get(&n->rx);
    p.len = len;
    p.marks = marks;
    p.gso_size = size;
    p.csum_start = p.why = 0;
    p.ecn = 0;
    p.conn = 0;
    p.parts = 1;
    memcpy(buf ? buf->data : lent, b, len);
    p.part[0] = (struct slice){buf, buf ? buf->data : lent, len};
    why = stack_input(n->st, now, &p);
    FUZZ_CHECK(why == REASON_NONE || reason_text(why)->kind == REASON_KIND_DROP,
               "stack_input says %s, which is no drop", reason_text(why)->name);
    if (!buf)
        memset(lent, OVER, len); /* whoever kept a pointer instead of a copy sees this */
    buf_unref(buf);
    return why;
}

/* ---- what was given back is written over ---- */

/* The list's front are those that came back since the last look; `used` says which those are. */
static void write_over_bufs(struct buf_pool *pool)
{
    for (struct buf *b = pool->free; b && b->used != UINT32_MAX; b = b->next_free) {
        memset(b->data, OVER, b->size);
        b->used = UINT32_MAX;
    }
}

static void write_over_cells(struct pool *cells)
{
    uint8_t *o = cells->free;

    while (o && o[cells->size - 1] != OVER) {
        memset(o + sizeof(void *), OVER, cells->size - sizeof(void *));
        memcpy(&o, o, sizeof(void *));
    }
}

/* ---- what must hold ---- */

/* References found so far, by buffer: those of rx, then of tx, then of small. */
struct refs {
    struct subject *n;
    uint8_t found[REFS_MAX];
    unsigned cells;
};

static unsigned index_in(const struct buf_pool *pool, const struct buf *b)
{
    return (unsigned)((size_t)((const uint8_t *)b - pool->mem) / pool->stride);
}

static void found_slice(struct refs *r, const struct slice *s)
{
    struct subject *n = r->n;
    const struct buf *b = s->buf;
    unsigned i;

    if (!b)
        return;
    FUZZ_CHECK(b->refs > 0, "a slice of a buffer that was given back");
    FUZZ_CHECK(s->base >= b->data && s->base + s->len <= b->data + b->size,
               "a slice beyond its buffer");
    if (b->pool == &n->st->fragments.bufs)
        return; /* the node's own, which holds it while it waits for the rest, too */
    if (b->pool == &n->rx) {
        i = index_in(&n->rx, b);
    } else if (b->pool == &n->tx) {
        i = SUBJECT_RX + index_in(&n->tx, b);
    } else {
        FUZZ_CHECK(b->pool == &n->small, "a buffer of nobody's");
        i = SUBJECT_RX + SUBJECT_TX + index_in(&n->small, b);
    }
    FUZZ_CHECK(i < REFS_MAX && r->found[i] < UINT8_MAX, "buffer %u", i);
    r->found[i]++;
}

static void check_refs(const struct refs *r, const struct buf_pool *pool, const uint8_t *found)
{
    for (uint32_t i = 0; i < pool->fresh; i++) {
        const struct buf *b = (const void *)(pool->mem + i * pool->stride);

        FUZZ_CHECK(b->refs == found[i], "buffer %u of %s has %u references, and %u are known", i,
                   pool == &r->n->rx   ? "rx"
                   : pool == &r->n->tx ? "tx"
                                       : "small",
                   b->refs, found[i]);
    }
}

static uint32_t found_chunks(struct refs *r, const struct chunk *c, const struct chunk *last)
{
    uint32_t bytes = 0;

    for (; c; c = c == last ? NULL : c->next) {
        FUZZ_CHECK(c->s.len > 0, "an empty chunk");
        found_slice(r, &c->s);
        bytes += c->s.len;
        r->cells++;
    }
    return bytes;
}

static void check_queue(struct refs *r, const struct chunkq *q)
{
    uint32_t bytes = found_chunks(r, q->head, q->tail);

    FUZZ_CHECK(bytes == q->bytes, "%u bytes in a queue of %u", bytes, q->bytes);
}

static void check_cursor(const struct chunkq *q, const struct chunk_cursor *cur)
{
    uint32_t off = 0;

    if (!cur->at)
        return;
    for (const struct chunk *c = q->head; c; c = c->next) {
        if (c == cur->at) {
            FUZZ_CHECK(off == cur->off, "a cursor at %u says %u", off, cur->off);
            return;
        }
        off += c->s.len;
    }
    FUZZ_CHECK(false, "a cursor outside its queue");
}

/* Ranges lie in order and apart, beyond what is read and within the window. */
static void check_reasm(struct refs *r, const struct tcb *c)
{
    uint32_t at = c->rcv_nxt, ranges = 0;

    for (const struct reasm_range *g = c->reasm.first; g; g = g->next) {
        FUZZ_CHECK(seq_gt(g->start, at) && seq_gt(g->end, g->start) && seq_leq(g->end, c->rcv_adv),
                   "a range [%u, %u) behind %u, and the window ends at %u", g->start - c->rcv_nxt,
                   g->end - c->rcv_nxt, at - c->rcv_nxt, c->rcv_adv - c->rcv_nxt);
        FUZZ_CHECK(found_chunks(r, g->head, g->tail) == g->end - g->start, "a range with holes");
        at = g->end;
        ranges++;
        r->cells++;
    }
    FUZZ_CHECK(ranges == c->reasm.ranges && ranges <= REASM_RANGES_MAX, "%u ranges of %u", ranges,
               c->reasm.ranges);
}

static void check_sending(const struct tcb *c)
{
    bool fin_acked = c->fin_sent && c->snd_una == c->snd_nxt;
    uint32_t end = tcb_data_end(c) + (c->fin_sent && !fin_acked);

    FUZZ_CHECK(seq_leq(c->snd_una, c->snd_nxt), "SND.UNA is %u beyond SND.NXT",
               c->snd_una - c->snd_nxt);
    FUZZ_CHECK(!c->fin_sent || c->fin_queued, "a FIN that nobody asked for");
    if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED)
        FUZZ_CHECK(c->snd_una == c->iss && c->snd_nxt == c->iss + 1, "more than a SYN was sent");
    else
        FUZZ_CHECK(seq_leq(c->snd_nxt, end) && (!c->fin_sent || c->snd_nxt == end),
                   "SND.NXT is %u from the queue's end", c->snd_nxt - end);
    FUZZ_CHECK(c->snd_wnd <= c->max_snd_wnd, "a window larger than the largest");
    FUZZ_CHECK(c->snd_mss > 0 && (c->cc.cwnd > 0 || c->state == TCP_SYN_SENT),
               "nothing could ever be sent");
}

/* Numbers go forward only; what a connection was is known by its slot and generation. */
static void check_forward(struct subject_look *l, const struct conn *conn)
{
    const struct tcb *c = &conn->tcb;
    bool same = l->known && l->generation == conn->generation && l->state >= TCP_SYN_RECEIVED;

    if (same && c->state != TCP_CLOSED) {
        FUZZ_CHECK(seq_geq(c->snd_una, l->una) && seq_geq(c->snd_nxt, l->nxt),
                   "SND.UNA or SND.NXT went back");
        FUZZ_CHECK(seq_geq(c->rcv_nxt, l->rcv_nxt) && seq_geq(c->rcv_adv, l->rcv_adv),
                   "RCV.NXT or the window's right edge went back");
    }
    *l = (struct subject_look){true,       c->state,   conn->generation, c->snd_una,
                               c->snd_nxt, c->rcv_nxt, c->rcv_adv};
}

static void check_conn(struct refs *r, const struct conn *conn)
{
    const struct subject *n = r->n;
    const struct tcb *c = &conn->tcb;

    FUZZ_CHECK(c->state <= TCP_TIME_WAIT && c->state != TCP_LISTEN, "state %u", c->state);
    FUZZ_CHECK(conn->resting ? conn->hashed == (c->state == TCP_SYN_RECEIVED)
                             : conn->hashed == (c->state != TCP_CLOSED),
               "%s is in the lookup or is not", tcp_state_name((enum tcp_state)c->state));
    FUZZ_CHECK(!conn->hashed ||
                   flow_find(n->st, &c->local, c->local_port, &c->remote, c->remote_port) == conn,
               "the lookup finds another connection");
    FUZZ_CHECK(!c->output_due || list_on(&conn->output), "nobody will call for its output");
    FUZZ_CHECK(!event_tellable(conn) || conn->placed == PLACE_EVENT || n->st->has_dying,
               "nobody will ask for its events");
    FUZZ_CHECK(tcp_deadline(c) == TIME_NEVER ||
                   (wheel_is_set(&conn->timer) &&
                    wheel_deadline_of(&n->st->wheel, &conn->timer) <= tcp_deadline(c)),
               "no timer stands for its deadline");
    FUZZ_CHECK(!wheel_is_set(&conn->timer) ||
                   wheel_deadline(&n->st->wheel) <= wheel_deadline_of(&n->st->wheel, &conn->timer),
               "the wheel comes too late");
    check_queue(r, &c->snd_q);
    check_cursor(&c->snd_q, &c->snd_cursor);
    check_queue(r, &c->rcv_q);
    check_reasm(r, c);
    if (c->state == TCP_CLOSED)
        return;
    check_sending(c);
    if (c->state != TCP_SYN_SENT)
        FUZZ_CHECK(seq_leq(c->rcv_nxt, c->rcv_adv), "RCV.NXT is beyond the window");
}

static void found_elsewhere(struct refs *r)
{
    struct stack *st = r->n->st;

    for (uint32_t i = st->ip.out_head; i != st->ip.out_tail; i++)
        found_slice(r, &st->ip.out[i % IP_OUT_RING].data);
    if (st->held)
        found_slice(r, &(struct slice){st->held, st->held->data, 0});
    for (unsigned u = 0; r->n->used_udp && u < UDP_SOCKETS_MAX; u++) {
        const struct udp_socket *s = &st->udp.socket[u];

        for (uint32_t i = s->head; s->in_use && i != s->tail; i++)
            found_slice(r, &s->queue[i % UDP_QUEUE].data);
    }
}

static void check_listeners(const struct stack *st)
{
    uint32_t half_open[STACK_LISTENERS_MAX] = {0}, complete[STACK_LISTENERS_MAX] = {0};

    for (uint32_t i = 0; i < st->fresh_slots; i++) {
        const struct conn *c = &st->conns[i];

        if (c->in_use && c->listener && c->complete)
            complete[c->listener - 1]++;
        else if (c->in_use && c->listener && !c->exempt)
            half_open[c->listener - 1]++;
    }
    for (unsigned i = 0; i < STACK_LISTENERS_MAX; i++) {
        const struct listener *l = &st->listener[i];

        FUZZ_CHECK(half_open[i] == l->half_open && complete[i] == l->complete,
                   "listener %u counts %u and %u, not %u and %u", i, l->half_open, l->complete,
                   half_open[i], complete[i]);
        FUZZ_CHECK(l->complete <= l->backlog, "listener %u is over its backlog", i);
    }
}

void subject_check(struct subject *n, const struct slice *own, unsigned owns)
{
    struct refs r = {.n = n};
    struct stack *st = n->st;
    uint32_t conns = 0;

    write_over_bufs(&n->rx);
    write_over_bufs(&n->tx);
    write_over_bufs(&n->small);
    write_over_cells(&st->cells);
    for (unsigned i = 0; i < owns; i++)
        found_slice(&r, &own[i]);
    found_elsewhere(&r);
    for (uint32_t i = 0; i < st->fresh_slots; i++) {
        if (!st->conns[i].in_use) {
            n->look[i].known = false;
            continue;
        }
        conns++;
        check_conn(&r, &st->conns[i]);
        check_forward(&n->look[i], &st->conns[i]);
    }
    FUZZ_CHECK(conns == st->totals.conns, "%u connections, %u counted", conns, st->totals.conns);
    FUZZ_CHECK(r.cells == st->cells.in_use, "%u cells are taken, and %u are known",
               st->cells.in_use, r.cells);
    check_refs(&r, &n->rx, r.found);
    check_refs(&r, &n->tx, r.found + SUBJECT_RX);
    check_refs(&r, &n->small, r.found + SUBJECT_RX + SUBJECT_TX);
    check_listeners(st);
    board_check(st);
}

static bool waits_for_answer(const struct tcb *c)
{
    bool unsent = !c->fin_sent && tcb_data_end(c) - c->snd_nxt + c->fin_queued > 0;

    switch ((enum tcp_state)c->state) {
    case TCP_SYN_SENT:
    case TCP_SYN_RECEIVED:
        return true;
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT_1:
    case TCP_CLOSE_WAIT:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
        return c->snd_una != c->snd_nxt || unsent;
    case TCP_CLOSED:
    case TCP_LISTEN:
    case TCP_FIN_WAIT_2:
    case TCP_TIME_WAIT:
        break;
    }
    return false;
}

void subject_check_drained(const struct subject *n)
{
    for (uint32_t i = 0; i < n->st->fresh_slots; i++) {
        const struct conn *conn = &n->st->conns[i];
        const struct tcb *c = &conn->tcb;

        if (!conn->in_use || c->state == TCP_CLOSED)
            continue;
        FUZZ_CHECK(!waits_for_answer(c) || c->timer[TIMER_RTX] != TIME_NEVER,
                   "%s waits for an answer, and nothing will ever be sent again",
                   tcp_state_name((enum tcp_state)c->state));
        FUZZ_CHECK(c->state < TCP_ESTABLISHED || c->last_ack == c->rcv_nxt ||
                       c->timer[TIMER_DELACK] != TIME_NEVER,
                   "%s owes an acknowledgment that nothing will send",
                   tcp_state_name((enum tcp_state)c->state));
        FUZZ_CHECK(c->state != TCP_TIME_WAIT || c->timer[TIMER_LINGER] != TIME_NEVER,
                   "TIME-WAIT has no end");
        FUZZ_CHECK(c->state != TCP_FIN_WAIT_2 || !c->released ||
                       c->timer[TIMER_LINGER] != TIME_NEVER,
                   "FIN-WAIT-2 of nobody's has no end");
    }
}

void subject_check_over(const struct subject *n)
{
    const struct stack *st = n->st;

    FUZZ_CHECK(st->totals.conns == 0, "%u connections are left", st->totals.conns);
    FUZZ_CHECK(st->cells.in_use == 0, "%u cells are left", st->cells.in_use);
    FUZZ_CHECK(st->flights.in_use == 0 && st->ranges.in_use == 0, "%u flights, %u ranges are left",
               st->flights.in_use, st->ranges.in_use);
    FUZZ_CHECK(n->rx.in_use == 0 && n->tx.in_use == 0 && n->small.in_use == 0,
               "%u, %u and %u buffers are left", n->rx.in_use, n->tx.in_use, n->small.in_use);
    FUZZ_CHECK(st->fragments.partials.in_use == 0 && st->fragments.bufs.in_use == 0,
               "%u packets in fragments and %u buffers for them are left",
               st->fragments.partials.in_use, st->fragments.bufs.in_use);
    for (unsigned i = 0; i < STACK_LISTENERS_MAX; i++)
        FUZZ_CHECK(!st->listener[i].in_use, "listener %u still listens", i);
}
