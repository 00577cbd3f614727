#include "link/intake.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

int intake_init(struct intake *in, struct buf_pool *pool)
{
    *in = (struct intake){.pool = pool, .spare = buf_get(pool)};
    return in->spare ? 0 : -ENOBUFS;
}

uint8_t *intake_room(struct intake *in, uint32_t need, uint32_t *ret_room)
{
    assert(need <= in->pool->size);
    if (in->cur && in->cur->refs == 1)
        in->cur->used = 0; /* nobody but us looks at it any more */
    if (in->cur && in->cur->size - in->cur->used < need) {
        buf_unref(in->cur);
        in->cur = NULL;
    }
    if (!in->cur)
        in->cur = buf_get(in->pool);
    if (!in->cur) {
        *ret_room = in->spare->size;
        return in->spare->data;
    }
    *ret_room = in->cur->size - in->cur->used;
    return in->cur->data + in->cur->used;
}

void intake_take(struct intake *in, uint32_t len, struct pkt *ret_pkt)
{
    struct buf *b = in->cur;
    uint32_t next;

    ret_pkt->len = len;
    ret_pkt->marks = 0;
    ret_pkt->gso_size = 0;
    ret_pkt->csum_start = 0;
    ret_pkt->why = 0;
    ret_pkt->conn = 0;
    ret_pkt->parts = 1;
    if (!b) {
        assert(len <= in->spare->size);
        in->lent++;
        ret_pkt->part[0] = (struct slice){.base = in->spare->data, .len = len};
        return;
    }
    assert(len <= b->size - b->used);
    next = (b->used + len + INTAKE_ALIGN - 1) & ~(uint32_t)(INTAKE_ALIGN - 1);
    ret_pkt->part[0] = (struct slice){.buf = buf_ref(b), .base = b->data + b->used, .len = len};
    b->used = next < b->size ? next : b->size;
}

void intake_close(struct intake *in)
{
    buf_unref(in->cur);
    buf_unref(in->spare);
    in->cur = in->spare = NULL;
}
