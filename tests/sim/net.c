#include "tests/sim/net.h"

#include <stdlib.h>

#include "wire/ip.h"

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

static struct fate from_script(struct lane *a, uint32_t number)
{
    const struct faults *l = a->script;

    while (a->script_at < l->n) {
        const struct fault *f = &l->list[a->script_at];

        if (f->from == a->from && f->to == a->to && f->number >= number)
            return f->number == number ? f->fate : (struct fate){.copies = 1};
        a->script_at++;
    }
    return (struct fate){.copies = 1};
}

static bool is_plain(const struct fate *f)
{
    return f->copies == 1 && f->late[0] == 0 && !f->corrupt && !f->overtaken && !f->marked;
}

/* ---- Inboxes that grow ---- */

static struct path_packet *growing_get(struct inbox *in, uint32_t len)
{
    struct path_packet *k = malloc(sizeof(*k) + len);

    if (in->n == in->size) {
        in->size = in->size ? in->size * 2 : 64;
        in->heap = realloc(in->heap, in->size * sizeof(struct path_packet *));
    }
    if (!k || !in->heap)
        abort();
    return k;
}

static void growing_put(struct inbox *in, struct path_packet *k)
{
    (void)in;
    free(k);
}

void net_inbox_init(struct inbox *in)
{
    *in = (struct inbox){.get = growing_get, .put = growing_put};
}

void net_inbox_free(struct inbox *in)
{
    inbox_clear(in);
    free(in->heap);
    *in = (struct inbox){0};
}

/* ---- Lanes ---- */

/*
 * No checksum covers an IPv6 header's traffic class, flow label, next header and hop limit, and no
 * node can tell whether they are damaged: then another bit is.
 */
static uint32_t protected_bit(const uint8_t *bytes, uint32_t bit)
{
    bool v6 = bytes[0] >> 4 == 6;
    uint32_t at = bit / 8;

    return v6 && (at < 4 || at == 6 || at == 7) ? bit + 8 * (uint32_t)IPV6_HEADER : bit;
}

enum lane_verdict lane_send(struct lane *l, int64_t now, const uint8_t *bytes, uint32_t len)
{
    struct fate f;
    uint32_t number;

    if (path_too_large(&l->path, now, len))
        return LANE_TOO_LARGE;
    number = l->number++;
    f = l->script ? from_script(l, number) : path_fate(&l->path, now, bytes, len);
    if (l->record && !is_plain(&f))
        faults_add(l->record, &(struct fault){l->from, l->to, number, f});
    for (unsigned i = 0; i < f.copies; i++) {
        struct path_packet *k = inbox_put(l->inbox, path_due(&l->path, now, &f, i), bytes, len);

        k->from = l->from;
        k->corrupted = f.corrupt;
        if (f.marked)
            packet_mark(k);
        if (f.corrupt)
            packet_turn_bit(k, protected_bit(bytes, f.bit));
    }
    return LANE_TAKEN;
}
