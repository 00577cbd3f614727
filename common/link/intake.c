#include "link/intake.h"

#include <assert.h>
#include <stddef.h>

void intake_init(struct intake *in, struct buf_pool *pool)
{
    in->pool = pool;
    in->cur = NULL;
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
    if (!in->cur)
        return NULL;
    *ret_room = in->cur->size - in->cur->used;
    return in->cur->data + in->cur->used;
}

void intake_take(struct intake *in, uint32_t len, struct pkt *ret_pkt)
{
    struct buf *b = in->cur;
    uint32_t next = (b->used + len + INTAKE_ALIGN - 1) & ~(uint32_t)(INTAKE_ALIGN - 1);

    assert(len <= b->size - b->used);
    ret_pkt->len = len;
    ret_pkt->marks = 0;
    ret_pkt->gso_size = 0;
    ret_pkt->csum_start = 0;
    ret_pkt->why = 0;
    ret_pkt->conn = 0;
    ret_pkt->parts = 1;
    ret_pkt->part[0] = (struct slice){.buf = buf_ref(b), .base = b->data + b->used, .len = len};
    b->used = next < b->size ? next : b->size;
}

void intake_close(struct intake *in)
{
    buf_unref(in->cur);
    in->cur = NULL;
}
