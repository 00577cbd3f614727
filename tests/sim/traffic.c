#include "tests/sim/traffic.h"

#include <errno.h>
#include <stddef.h>

#include "base/bytes.h"

void end_up(struct end *e, int64_t now, struct conn_id conn)
{
    e->conn = conn;
    e->up = true;
    e->write_at = e->read_at = now;
    e->close_at = TIME_NEVER;
    e->abort_at = e->plan.abort_after == TIME_NEVER ? TIME_NEVER : now + e->plan.abort_after;
}

static int64_t after_pause(struct end *e, int64_t now)
{
    if (!dice_chance(&e->dice, e->plan.pause))
        return now;
    return now + 1 + (int64_t)dice_spread(&e->dice, 0, (uint64_t)e->plan.pause_max);
}

/* By copy from the program's stack, or by reference to a buffer that is given away. */
static int write_piece(struct end *e, uint32_t len)
{
    struct stack *st = e->node->st;
    uint8_t copy[2048];
    struct buf *b;
    int r;

    if (len <= sizeof(copy) && dice_chance(&e->dice, 500000)) {
        stream_fill(e->key, e->written, copy, len);
        return stack_send_copy(st, e->conn, copy, len);
    }
    b = buf_get(&e->node->tx);
    if (!b)
        return -ENOBUFS;
    len = min32(len, b->size);
    stream_fill(e->key, e->written, b->data, len);
    r = stack_send(st, e->conn, (struct slice){b, b->data, len});
    if (r < 0)
        buf_unref(b);
    return r < 0 ? r : (int)len;
}

static void run_writer(struct end *e, int64_t now)
{
    while (e->write_at <= now && e->written < e->plan.total) {
        uint64_t left = e->plan.total - e->written;
        uint32_t len = (uint32_t)dice_spread(&e->dice, 1, e->plan.write_max);
        uint32_t space = stack_send_space(e->node->st, e->conn);
        int r;

        len = left < len ? (uint32_t)left : len;
        /* A slice is taken whole or not at all, so fit it to what is free, if anything is. */
        if (space > 0)
            len = min32(len, space);
        r = write_piece(e, len);
        if (r == -EAGAIN || r == -ENOBUFS) {
            /* EV_WRITABLE follows; look again all the same when our own buffers were short */
            e->write_at = e->node->tx.in_use == e->node->tx.count ? now + MSEC : TIME_NEVER;
        } else if (r <= 0) {
            check_fail(e->check, "a write of %u bytes gave %d", len, r);
            return;
        } else {
            e->written += (uint64_t)r;
            e->write_at = after_pause(e, now);
        }
    }
    if (e->written == e->plan.total && !e->closed && e->close_at == TIME_NEVER &&
        (e->eof || !e->plan.wait_for_eof))
        e->close_at = time_max(e->write_at, now) + e->plan.close_delay;
}

static void take(struct end *e, const struct slice *s)
{
    if (e->read + s->len > e->other->written)
        check_fail(e->check, "read %llu bytes of %llu written",
                   (unsigned long long)(e->read + s->len), (unsigned long long)e->other->written);
    if (!stream_matches(e->other->key, e->read, s->base, s->len))
        check_fail(e->check, "wrong bytes within %u from %llu on", s->len,
                   (unsigned long long)e->read);
    e->read += s->len;
    buf_unref(s->buf);
}

static void run_reader(struct end *e, int64_t now)
{
    while (e->read_at <= now && !e->eof) {
        struct slice s;
        uint32_t max = (uint32_t)dice_spread(&e->dice, 1, e->plan.read_max);
        int r = stack_receive(e->node->st, e->conn, max, &s);

        if (r == -EAGAIN) {
            e->read_at = TIME_NEVER;
        } else if (r == 0) {
            e->eof = true;
        } else if (r < 0 || (uint32_t)r != s.len || s.len > max) {
            check_fail(e->check, "a read of %u bytes gave %d", max, r);
            return;
        } else {
            take(e, &s);
            e->read_at = after_pause(e, now);
        }
    }
}

static void run_closer(struct end *e, int64_t now)
{
    struct stack *st = e->node->st;
    int r;

    if (!e->closed && e->close_at <= now) {
        r = stack_close(st, e->conn);
        if (r < 0)
            check_fail(e->check, "a close gave %d", r);
        e->closed = true;
    }
    if (e->closed && e->eof && e->plan.release) {
        r = stack_release(st, e->conn);
        if (r < 0)
            check_fail(e->check, "a release gave %d", r);
        e->over = true;
        e->why = REASON_END_ORDERLY;
    }
}

void end_run(struct end *e, int64_t now)
{
    if (!e->up || e->over)
        return;
    if (e->abort_at <= now) {
        e->abort_at = TIME_NEVER;
        e->aborted = stack_abort(e->node->st, e->conn) == 0;
        return;
    }
    if (e->aborted)
        return;
    run_reader(e, now);
    run_writer(e, now);
    run_closer(e, now);
}

void end_event(struct end *e, int64_t now, const struct stack_event *ev)
{
    switch (ev->kind) {
    case EV_CONNECTED:
    case EV_ACCEPTED:
    case EV_URGENT:
    case EV_ERROR:
    case EV_DATAGRAM:
        break;
    case EV_READABLE:
    case EV_PEER_CLOSED:
        if (e->read_at == TIME_NEVER)
            e->read_at = now;
        break;
    case EV_WRITABLE:
        if (e->write_at == TIME_NEVER)
            e->write_at = now;
        break;
    case EV_CLOSED:
        e->over = true;
        e->why = ev->why;
        break;
    }
}

int64_t end_next(const struct end *e)
{
    int64_t next = TIME_NEVER;

    if (!e->up || e->over)
        return TIME_NEVER;
    if (e->aborted)
        return TIME_NEVER;
    if (!e->eof)
        next = time_min(next, e->read_at);
    if (e->written < e->plan.total)
        next = time_min(next, e->write_at);
    if (!e->closed)
        next = time_min(next, e->close_at);
    return time_min(next, e->abort_at);
}

void end_verify(const struct end *e)
{
    bool cut = e->aborted || e->other->aborted;

    if (!e->over)
        check_fail(e->check, "node %u: a connection never ended", e->node->number);
    else if (cut)
        return;
    else if (e->why != REASON_END_ORDERLY)
        check_fail(e->check, "node %u: a connection ended with %s", e->node->number,
                   reason_text(e->why)->name);
    else if (e->written != e->plan.total || e->read != e->other->plan.total)
        check_fail(e->check, "node %u: wrote %llu of %llu and read %llu of %llu", e->node->number,
                   (unsigned long long)e->written, (unsigned long long)e->plan.total,
                   (unsigned long long)e->read, (unsigned long long)e->other->plan.total);
}
