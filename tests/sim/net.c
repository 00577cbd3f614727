#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/ip.h"
#include "wire/tcp.h"

/* ---- Lists of faults ---- */

void faults_add(struct faults *l, const struct fault *f)
{
    if (l->n == l->size) {
        l->size = l->size ? l->size * 2 : 256;
        l->list = realloc(l->list, l->size * sizeof(*l->list));
        if (!l->list)
            abort();
    }
    l->list[l->n++] = *f;
}

void faults_free(struct faults *l)
{
    free(l->list);
    *l = (struct faults){0};
}

/* ---- What may happen to a packet ---- */

/* One step of the two-state model; true if the burst takes the packet. */
static bool burst_takes(struct path *p)
{
    const struct path_config *cfg = &p->cfg;

    if (cfg->burst_enter == 0)
        return false;
    p->bad =
        p->bad ? !dice_chance(&p->dice, cfg->burst_leave) : dice_chance(&p->dice, cfg->burst_enter);
    return p->bad && dice_chance(&p->dice, cfg->burst_loss);
}

/* Throw the dice for a packet of `len` bytes. */
static struct fate fate_draw(struct path *p, size_t len)
{
    const struct path_config *cfg = &p->cfg;
    struct dice *d = &p->dice;
    struct fate f = {.copies = 1};

    if (burst_takes(p) || dice_chance(d, cfg->loss)) {
        f.copies = 0;
        return f;
    }
    f.overtaken = !cfg->in_order;
    if (cfg->jitter > 0)
        f.late[0] = (int64_t)dice_below(d, (uint64_t)cfg->jitter + 1);
    if (dice_chance(d, cfg->reorder)) {
        f.overtaken = true;
        f.late[0] += (int64_t)dice_below(d, (uint64_t)cfg->reorder_by + 1);
    }
    if (dice_chance(d, cfg->duplicate)) {
        f.copies = 2;
        f.late[1] = f.late[0] + (int64_t)dice_below(d, (uint64_t)cfg->reorder_by + 1);
    }
    if (dice_chance(d, cfg->corrupt) && len > 0) {
        f.corrupt = true;
        f.bit = (uint32_t)dice_below(d, len * 8);
    }
    return f;
}

enum packet_kind packet_classify(const uint8_t *bytes, uint32_t len)
{
    uint32_t ip_len = len >= IPV4_HEADER_MIN ? (bytes[0] & 15U) * 4 : 0;
    uint8_t flags;

    if (ip_len < IPV4_HEADER_MIN || len < ip_len + TCP_HEADER_MIN || bytes[9] != IP_PROTO_TCP)
        return PACKET_OTHER;
    flags = bytes[ip_len + 13];
    if (flags & TCP_RST)
        return PACKET_RST;
    if (flags & TCP_SYN)
        return flags & TCP_ACK ? PACKET_SYN_ACK : PACKET_SYN;
    if (flags & TCP_FIN)
        return PACKET_FIN;
    return len > ip_len + (bytes[ip_len + 12] >> 4) * 4U ? PACKET_DATA : PACKET_ACK;
}

/* Does a mask name this packet? */
static bool masked(struct path *p, const uint8_t *bytes, uint32_t len)
{
    enum packet_kind kind = packet_classify(bytes, len);
    uint32_t n = ++p->seen[kind];

    for (unsigned i = 0; i < PATH_MASKS; i++) {
        const struct mask *m = &p->cfg.mask[i];

        if (m->kind == (uint32_t)kind && kind != PACKET_OTHER && n >= m->first && n <= m->last)
            return true;
    }
    return false;
}

static bool is_down(const struct path *p, int64_t now)
{
    return now - p->origin >= p->cfg.down_from && now - p->origin < p->cfg.down_until;
}

/* How long a packet waits in the queue before the rate, or -1 if the queue is full. */
static int64_t wait_for_rate(struct path *p, int64_t now, uint32_t len)
{
    int64_t start = time_max(now, p->busy_until);

    if (p->cfg.rate == 0)
        return 0;
    if ((uint64_t)(start - now) * p->cfg.rate / (uint64_t)SEC > p->cfg.queue)
        return -1;
    p->busy_until = start + (int64_t)((uint64_t)len * (uint64_t)SEC / p->cfg.rate);
    return p->busy_until - now;
}

/* What the path itself decides, when no script does. */
static struct fate decide(struct path *p, int64_t now, const uint8_t *bytes, uint32_t len)
{
    int64_t wait = wait_for_rate(p, now, len);
    bool lost = masked(p, bytes, len) || is_down(p, now) || wait < 0;
    struct fate f = {0};

    if (lost && !(p->calm && wait >= 0))
        return f;
    f = fate_draw(p, len);
    f.late[0] += wait;
    f.late[1] += wait;
    return f;
}

static struct fate from_script(struct path *p, uint32_t number)
{
    const struct faults *l = p->script;

    while (p->script_at < l->n) {
        const struct fault *f = &l->list[p->script_at];

        if (f->from == p->from && f->to == p->to && f->number >= number)
            return f->number == number ? f->fate : (struct fate){.copies = 1};
        p->script_at++;
    }
    return (struct fate){.copies = 1};
}

static bool is_plain(const struct fate *f)
{
    return f->copies == 1 && f->late[0] == 0 && !f->corrupt && !f->overtaken;
}

/* ---- Paths ---- */

void path_init(struct path *p, const struct path_config *cfg, struct dice dice)
{
    *p = (struct path){.cfg = *cfg, .dice = dice, .last_due = INT64_MIN, .busy_until = INT64_MIN};
}

void path_calm(struct path *p)
{
    struct path_config *cfg = &p->cfg;

    p->calm = true;
    cfg->loss = cfg->duplicate = cfg->reorder = cfg->corrupt = cfg->burst_enter = 0;
}

static void put_in_flight(struct inbox *in, int64_t due, unsigned from, const uint8_t *bytes,
                          uint32_t len, const struct fate *f);

enum path_verdict path_send(struct path *p, int64_t now, const uint8_t *bytes, uint32_t len)
{
    struct fate f;
    uint32_t number;

    if (p->cfg.mtu && len > p->cfg.mtu && now - p->origin >= p->cfg.narrow_from)
        return PATH_TOO_LARGE;
    number = p->number++;
    f = p->script ? from_script(p, number) : decide(p, now, bytes, len);
    if (p->record && !is_plain(&f))
        faults_add(p->record, &(struct fault){p->from, p->to, number, f});
    for (unsigned i = 0; i < f.copies; i++) {
        int64_t due = now + p->cfg.delay + f.late[i];

        if (i == 0 && !f.overtaken) {
            due = time_max(due, p->last_due);
            p->last_due = due;
        }
        put_in_flight(p->inbox, due, p->from, bytes, len, &f);
    }
    return PATH_TAKEN;
}

/* ---- Inboxes ---- */

static bool sooner(const struct path_packet *a, const struct path_packet *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_swap(struct inbox *in, size_t i, size_t j)
{
    struct path_packet *t = in->heap[i];

    in->heap[i] = in->heap[j];
    in->heap[j] = t;
}

static void heap_push(struct inbox *in, struct path_packet *k)
{
    size_t i = in->n++;

    if (in->n > in->size) {
        in->size = in->size ? in->size * 2 : 64;
        in->heap = realloc(in->heap, in->size * sizeof(struct path_packet *));
        if (!in->heap)
            abort();
    }
    in->heap[i] = k;
    for (; i > 0 && sooner(in->heap[i], in->heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap_swap(in, i, (i - 1) / 2);
}

static struct path_packet *heap_pop(struct inbox *in)
{
    struct path_packet *k = in->heap[0];
    size_t i = 0, c;

    in->heap[0] = in->heap[--in->n];
    while ((c = 2 * i + 1) < in->n) {
        if (c + 1 < in->n && sooner(in->heap[c + 1], in->heap[c]))
            c++;
        if (!sooner(in->heap[c], in->heap[i]))
            break;
        heap_swap(in, i, c);
        i = c;
    }
    return k;
}

static void put_in_flight(struct inbox *in, int64_t due, unsigned from, const uint8_t *bytes,
                          uint32_t len, const struct fate *f)
{
    struct path_packet *k = malloc(sizeof(*k) + len);

    if (!k)
        abort();
    k->due = due;
    k->order = in->orders++;
    k->len = len;
    k->from = (uint8_t)from;
    k->corrupted = f->corrupt;
    memcpy(k->bytes, bytes, len);
    if (f->corrupt && f->bit / 8 < len)
        k->bytes[f->bit / 8] ^= (uint8_t)(0x80U >> (f->bit % 8));
    heap_push(in, k);
}

void inbox_put(struct inbox *in, int64_t due, unsigned from, const uint8_t *bytes, uint32_t len)
{
    put_in_flight(in, due, from, bytes, len, &(struct fate){.copies = 1});
}

void inbox_free(struct inbox *in)
{
    for (size_t i = 0; i < in->n; i++)
        free(in->heap[i]);
    free(in->heap);
    *in = (struct inbox){0};
}

int64_t inbox_due(const struct inbox *in)
{
    return in->n ? in->heap[0]->due : TIME_NEVER;
}

struct path_packet *inbox_take(struct inbox *in, int64_t now)
{
    if (inbox_due(in) > now)
        return NULL;
    return heap_pop(in);
}
