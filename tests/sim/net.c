#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

struct fate fate_draw(struct dice *d, const struct path_config *cfg, size_t len)
{
    struct fate f = {.copies = 1};

    if (dice_chance(d, cfg->loss)) {
        f.copies = 0;
        return f;
    }
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

void path_init(struct path *p, const struct path_config *cfg, struct dice dice)
{
    *p = (struct path){.cfg = *cfg, .dice = dice, .last_due = INT64_MIN, .busy_until = INT64_MIN};
}

void path_free(struct path *p)
{
    for (size_t i = 0; i < p->in_flight; i++)
        free(p->heap[i]);
    free(p->heap);
    p->heap = NULL;
    p->in_flight = p->heap_size = 0;
}

void path_calm(struct path *p)
{
    p->cfg.loss = p->cfg.duplicate = p->cfg.reorder = p->cfg.corrupt = 0;
}

static bool sooner(const struct path_packet *a, const struct path_packet *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_swap(struct path *p, size_t i, size_t j)
{
    struct path_packet *t = p->heap[i];

    p->heap[i] = p->heap[j];
    p->heap[j] = t;
}

static void heap_push(struct path *p, struct path_packet *k)
{
    size_t i = p->in_flight++;

    if (p->in_flight > p->heap_size) {
        p->heap_size = p->heap_size ? p->heap_size * 2 : 64;
        p->heap = realloc(p->heap, p->heap_size * sizeof(struct path_packet *));
        if (!p->heap)
            abort();
    }
    p->heap[i] = k;
    for (; i > 0 && sooner(p->heap[i], p->heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap_swap(p, i, (i - 1) / 2);
}

static struct path_packet *heap_pop(struct path *p)
{
    struct path_packet *k = p->heap[0];
    size_t i = 0, c;

    p->heap[0] = p->heap[--p->in_flight];
    while ((c = 2 * i + 1) < p->in_flight) {
        if (c + 1 < p->in_flight && sooner(p->heap[c + 1], p->heap[c]))
            c++;
        if (!sooner(p->heap[c], p->heap[i]))
            break;
        heap_swap(p, i, c);
        i = c;
    }
    return k;
}

static void put_in_flight(struct path *p, int64_t due, const uint8_t *bytes, uint32_t len,
                          const struct fate *f)
{
    struct path_packet *k = malloc(sizeof(*k) + len);

    if (!k)
        abort();
    k->due = due;
    k->order = p->orders++;
    k->len = len;
    k->corrupted = f->corrupt;
    memcpy(k->bytes, bytes, len);
    if (f->corrupt)
        k->bytes[f->bit / 8] ^= (uint8_t)(0x80U >> (f->bit % 8));
    heap_push(p, k);
}

/*
 * The instant at which a packet has left the queue before the rate, or -1 if the queue is full.
 */
static int64_t through_rate(struct path *p, int64_t now, uint32_t len)
{
    int64_t start = time_max(now, p->busy_until);

    if (p->cfg.rate == 0)
        return now;
    if ((uint64_t)(start - now) * p->cfg.rate / (uint64_t)SEC > p->cfg.queue)
        return -1;
    p->busy_until = start + (int64_t)((uint64_t)len * (uint64_t)SEC / p->cfg.rate);
    return p->busy_until;
}

void path_send(struct path *p, int64_t now, const uint8_t *bytes, uint32_t len)
{
    int64_t out = through_rate(p, now, len);
    struct fate f;

    p->stats.sent++;
    if (out < 0) {
        p->stats.overflowed++;
        return;
    }
    f = fate_draw(&p->dice, &p->cfg, len);
    if (f.copies == 0)
        p->stats.lost++;
    p->stats.duplicated += f.copies > 1;
    p->stats.overtaken += f.overtaken;
    p->stats.corrupted += f.corrupt;
    for (unsigned i = 0; i < f.copies; i++) {
        int64_t due = out + p->cfg.delay + f.late[i];

        if (i == 0 && !f.overtaken) {
            due = time_max(due, p->last_due);
            p->last_due = due;
        }
        put_in_flight(p, due, bytes, len, &f);
    }
}

int64_t path_due(const struct path *p)
{
    return p->in_flight ? p->heap[0]->due : TIME_NEVER;
}

struct path_packet *path_take(struct path *p, int64_t now)
{
    if (path_due(p) > now)
        return NULL;
    p->stats.delivered++;
    return heap_pop(p);
}
