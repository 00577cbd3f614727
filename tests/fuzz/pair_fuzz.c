/*
 * Two stacks that talk to each other, and a script that is the network between them, the clock, and
 * the applications of both. What leaves one waits in a queue until the script delivers, drops,
 * doubles, overtakes or damages it, or cuts it in two. A bit that is turned is always found. If a
 * packet was changed and its checksums were put right, nobody can know: then only what must hold of
 * each stack holds.
 *
 * Else the network becomes perfect at the script's end, and everything that was written is read,
 * and every connection that nobody aborted ends in order, unless memory had run out or the script
 * let so much time pass that somebody had to give up.
 */
#include <string.h>

#include "tests/fuzz/caller.h"
#include "tests/fuzz/forge.h"
#include "tests/fuzz/outlook.h"

enum {
    NODES = 2,
    QUEUE = 64, /* packets; more are lost, as in a router */
    OPS_MAX = 100,
    ROUNDS_MAX = 4000, /* of delivery, until everything has ended */
    OWN_PORT = 50000,
    PORTS = 4,
};

#define PATIENCE (20 * SEC) /* nobody gives up in so little time */

struct wire {
    uint8_t packet[QUEUE][SUBJECT_RX_SIZE];
    uint32_t len[QUEUE];
    uint32_t head, tail; /* free-running */
};

struct node {
    struct subject n;
    struct caller app;
    struct outlook out;
    struct wire in; /* what is on its way to it */
};

static struct node node[NODES];
static int64_t now, began;
static bool forged;
static uint16_t cuts; /* packets that were cut: the last identification */

static struct node *other(const struct node *x)
{
    return &node[x == node];
}

/* ---- the network ---- */

static void send(struct wire *w, const uint8_t *b, uint32_t len)
{
    if (w->tail - w->head == QUEUE)
        return;
    memcpy(w->packet[w->tail % QUEUE], b, len);
    w->len[w->tail++ % QUEUE] = len;
}

/* Everything that it has to say goes on its way. */
static void drain(struct node *x)
{
    const uint8_t *b;
    uint32_t len;

    for (unsigned i = 0; (b = outlook_next(&x->out, now, &len)); i++) {
        FUZZ_CHECK(i < OUTLOOK_DRAIN_MAX, "output without end");
        send(&other(x)->in, b, len);
    }
    subject_check_drained(&x->n);
}

static enum reason deliver(struct node *x)
{
    uint32_t i = x->in.head % QUEUE;

    if (x->in.head == x->in.tail)
        return REASON_NONE;
    x->in.head++;
    outlook_input(&x->out, x->in.packet[i], x->in.len[i]);
    return subject_input(&x->n, now, x->in.packet[i], x->in.len[i], 0, 0);
}

static void deliver_some(struct node *x, unsigned most)
{
    for (uint32_t n = x->in.tail - x->in.head; n > 0 && most > 0; n--, most--)
        deliver(x);
}

static bool is_fragment(const uint8_t *b)
{
    return b[0] >> 4 == 6 ? b[6] == 44 : (get16(b + 6) & 0x3fff) != 0;
}

/* The next packet becomes two fragments at the queue's end, which others overtake. */
static void cut(struct node *x)
{
    static struct forge f, piece;
    uint32_t i = x->in.head % QUEUE, data, half;

    if (x->in.head == x->in.tail || is_fragment(x->in.packet[i]))
        return;
    f.len = 0;
    forge_bytes(&f, x->in.packet[i], x->in.len[i]);
    f.v6 = piece.v6 = x->n.v6;
    f.proto = f.b[6];
    f.l4 = f.v6 ? 40 : (f.b[0] & 15u) * 4;
    data = f.len - f.l4;
    half = data / 16 * 8;
    if (half < 24) /* TCP's header stays whole */
        return;
    x->in.head++;
    cuts++;
    forge_piece(&piece, &f, half, data - half, cuts);
    send(&x->in, piece.b, piece.len);
    forge_piece(&piece, &f, 0, half, cuts);
    send(&x->in, piece.b, piece.len);
}

/* Turn one bit of the next packet, which is then no packet any more. */
static void damage(struct node *x, struct script *s)
{
    uint32_t i = x->in.head % QUEUE, at = script_16(s);
    enum reason why;

    if (x->in.head == x->in.tail || is_fragment(x->in.packet[i]))
        return; /* what is wrong with a fragment is seen when all have come */
    at %= x->in.len[i] * 8;
    if (x->n.v6 && (at / 8 < 4 || at / 8 == 6 || at / 8 == 7))
        at += 40 * 8; /* no checksum covers those of an IPv6 header */
    x->in.packet[i][at / 8] ^= (uint8_t)(1U << at % 8);
    why = deliver(x);
    FUZZ_CHECK(why != REASON_NONE, "a packet is taken with bit %u turned", at);
}

/* Change the next packet and put its checksums right. */
static void forge(struct node *x, struct script *s)
{
    static struct forge f;
    uint32_t i = x->in.head % QUEUE;
    unsigned n = 1 + (script_8(s) & 3);

    if (x->in.head == x->in.tail)
        return;
    f.len = 0;
    forge_bytes(&f, x->in.packet[i], x->in.len[i]);
    f.v6 = x->n.v6;
    f.proto = f.b[6];
    f.l4 = f.v6 ? 40 : (f.b[0] & 15u) * 4;
    while (n-- > 0)
        f.b[f.l4 + script_8(s) % (f.len - f.l4)] ^= script_8(s);
    forge_end(&f);
    memcpy(x->in.packet[i], f.b, f.len);
    forged = node[0].app.forged = node[1].app.forged = true;
}

static void network_op(struct node *x, unsigned op, struct script *s)
{
    struct wire *w = &x->in;

    if (op < 3) {
        deliver_some(x, 1 + op);
    } else if (op < 5) {
        deliver_some(x, QUEUE);
    } else if (op == 5) {
        w->head += w->head != w->tail;
    } else if (op == 6) {
        if (w->head != w->tail) {
            send(w, w->packet[w->head % QUEUE], w->len[w->head % QUEUE]);
            w->head++;
        }
    } else if (op == 7) {
        if (w->head != w->tail)
            send(w, w->packet[w->head % QUEUE], w->len[w->head % QUEUE]);
    } else if (op == 8) {
        damage(x, s);
    } else if (op == 9) {
        forge(x, s);
    } else {
        w->head = w->tail; /* all of it is lost */
    }
}

/* ---- time ---- */

static void tick(void)
{
    for (unsigned i = 0; i < NODES; i++)
        stack_tick(node[i].n.st, now);
}

static int64_t next_deadline(void)
{
    return time_min(stack_deadline(node[0].n.st), stack_deadline(node[1].n.st));
}

static void time_op(struct script *s)
{
    now += INT64_C(1) << (16 + script_8(s) % 20); /* 65 us to 34 s */
    tick();
}

/* ---- the applications ---- */

static void open_one(struct node *x, unsigned how)
{
    const struct node *y = other(x);
    bool both = how & 8; /* from and to the same ports at both ends: simultaneous open */
    uint16_t port = (uint16_t)(OWN_PORT + how % PORTS);

    caller_open(&x->app, port, &y->n.cfg.local[0],
                both ? port : (uint16_t)(CALLER_PORT + (how >> 4) % CALLER_LISTENERS));
}

static uint32_t text_len(uint8_t b)
{
    return b < 64 ? b : (b - 60u) * 32;
}

static void call(struct node *x, unsigned op, struct script *s)
{
    struct handle *h;
    unsigned how = script_8(s);

    if (op == 0) {
        open_one(x, how);
        return;
    }
    if (op == 1) {
        caller_listen(&x->app, how, 1 + (how >> 4), how & 8);
        return;
    }
    h = caller_handle(&x->app, how);
    if (op < 4)
        caller_send(&x->app, h, text_len(script_8(s)), op == 2);
    else if (op < 6)
        caller_receive(&x->app, h, 1 + text_len(script_8(s)), op == 4 ? 1 : 100, how & 16);
    else if (op == 6)
        caller_close(&x->app, h);
    else if (op == 7 && (how & 0xc0) == 0xc0)
        caller_abort(&x->app, h);
    else if (op == 7 && (how & 0x80))
        caller_release(&x->app, h);
    else if (op == 7)
        caller_urgent(&x->app, h);
    else if (op == 8)
        caller_set(&x->app, h, s);
    else
        caller_unlisten(&x->app, how);
}

/* ---- what both know ---- */

/* Is this one connection, seen from its two ends? */
static bool are_ends(const struct handle *a, const struct handle *b)
{
    return a->used && b->used && a->opened && b->opened && a->local_port == b->remote_port &&
           a->remote_port == b->local_port && a->iss == b->irs && b->iss == a->irs;
}

static void check_end(const struct handle *reader, const struct handle *writer, bool all)
{
    FUZZ_CHECK(reader->read <= writer->written, "%u bytes were read of %u", reader->read,
               writer->written);
    FUZZ_CHECK(!all || reader->read == writer->written,
               "%u bytes were read of %u, and no more came", reader->read, writer->written);
    FUZZ_CHECK(!reader->ended || writer->closed || writer->hung_up,
               "the stream ends, and nobody has closed it");
}

/*
 * In order at this end? Whose table was full may have given the place of a connection in TIME-WAIT
 * to another, and answers a FIN that comes again, because its acknowledgment got lost, by a reset.
 */
static bool is_orderly(const struct handle *own, const struct handle *other,
                       const struct subject *at_other)
{
    if (own->why == REASON_END_ORDERLY)
        return true;
    return own->why == REASON_END_RESET && other->why == REASON_END_ORDERLY &&
           at_other->st->counts[REASON_TIME_WAIT_RECYCLED] > 0;
}

/* `all`: everything should be read by now, and every end in order. */
static void check_pairs(bool all)
{
    for (unsigned i = 0; i < CALLER_HANDLES && !forged; i++) {
        const struct handle *a = &node[0].app.handle[i];

        for (unsigned j = 0; j < CALLER_HANDLES; j++) {
            const struct handle *b = &node[1].app.handle[j];

            if (!are_ends(a, b))
                continue;
            check_end(a, b, all && !a->hung_up && !b->hung_up);
            check_end(b, a, all && !a->hung_up && !b->hung_up);
            FUZZ_CHECK(!all || a->hung_up || b->hung_up ||
                           (is_orderly(a, b, &node[1].n) && is_orderly(b, a, &node[0].n)),
                       "ends as %s and %s", reason_text(a->why)->name, reason_text(b->why)->name);
        }
    }
}

/* ---- the script ---- */

static void step(struct script *s)
{
    unsigned op = script_8(s);
    struct node *x = &node[op >> 7];
    bool in_pieces = (op & 96) == 96;

    op &= 31;
    now += 8 * USEC; /* or two connections in a row would have the same initial numbers */
    if (op < 5 && in_pieces)
        cut(x);
    if (op < 11)
        network_op(x, op, s);
    else if (op < 13)
        time_op(s);
    else if (op == 13 && next_deadline() != TIME_NEVER)
        now = time_max(now, next_deadline()), tick();
    else if (op < 17)
        drain(x);
    else if (op < 19)
        caller_events(&x->app, 100);
    else if (op == 19)
        caller_ask(&x->app);
    else if (op < 30)
        call(x, op - 20, s);
    else
        for (unsigned i = 0; i < NODES; i++) { /* a round in which nothing goes wrong */
            deliver_some(&node[i], QUEUE);
            caller_events(&node[i].app, 100);
            drain(&node[i]);
        }
}

static void check_nodes(void)
{
    for (unsigned i = 0; i < NODES; i++)
        subject_check(&node[i].n, node[i].app.held, CALLER_SLICES);
    check_pairs(false);
}

static bool quiet(void)
{
    return node[0].in.head == node[0].in.tail && node[1].in.head == node[1].in.tail &&
           next_deadline() == TIME_NEVER;
}

/* Read all there is, and close what is open. */
static void finish_app(struct caller *a)
{
    caller_events(a, 100);
    for (unsigned i = 0; i < CALLER_HANDLES; i++) {
        struct handle *h = &a->handle[i];

        if (!h->used || h->over)
            continue;
        caller_receive(a, h, 4096, 1000, false);
        if (h->opened && !h->closed)
            caller_close(a, h);
    }
    caller_events(a, 100);
}

/* Nothing goes wrong any more: deliver, let time pass, until nothing is left to do. */
static void calm(bool finish)
{
    unsigned round = 0;

    do {
        FUZZ_CHECK(round++ < ROUNDS_MAX, "it does not come to an end");
        for (unsigned i = 0; i < NODES; i++) {
            deliver_some(&node[i], QUEUE);
            if (finish)
                finish_app(&node[i].app);
            drain(&node[i]);
        }
        if (node[0].in.head != node[0].in.tail || node[1].in.head != node[1].in.tail) {
            now += MSEC;
        } else if (next_deadline() != TIME_NEVER) {
            now = time_max(now, next_deadline());
            tick();
            for (unsigned i = 0; i < NODES; i++) /* an error about a fragment is a last word */
                drain(&node[i]);
        }
    } while (!quiet());
}

static void end(void)
{
    bool patient = now - began <= PATIENCE;

    if (!forged) {
        for (unsigned i = 0; i < NODES; i++)
            finish_app(&node[i].app);
        calm(true);
        check_nodes();
        check_pairs(patient && !subject_starved(&node[0].n) && !subject_starved(&node[1].n));
    }
    for (unsigned i = 0; i < NODES; i++) {
        caller_events(&node[i].app, 100);
        caller_give_up(&node[i].app, forged);
        drain(&node[i]);
    }
    calm(false);
    for (unsigned i = 0; i < NODES; i++) {
        subject_check(&node[i].n, NULL, 0);
        subject_check_over(&node[i].n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};

    unsigned how = script_8(&s);

    now = began = how & 1 ? INT64_C(1) << 40 : 0;
    forged = false;
    cuts = 0;
    for (unsigned i = 0; i < NODES; i++) {
        struct node *x = &node[i];

        x->n.v6 = (how & 12) == 12;
        subject_start(&x->n, i, i ? node[0].n.cfg.mtu : 0, &s);
        caller_start(&x->app, &x->n);
        outlook_start(&x->out, &x->n);
        x->in.head = x->in.tail = 0;
    }
    caller_listen(&node[1].app, 0, 4, false);
    open_one(&node[0], 0);
    for (unsigned i = 0; i < OPS_MAX && !script_ended(&s); i++) {
        step(&s);
        check_nodes();
    }
    end();
    return 0;
}
