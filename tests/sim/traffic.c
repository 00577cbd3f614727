#include "tests/sim/traffic.h"

#include <errno.h>
#include <stddef.h>

#include "base/bytes.h"

/* Longer than R2 and one back-off more: what can time out has done so by then. */
static const int64_t patience = 700 * SEC;

void end_init(struct end *e, const struct end_plan *plan, struct node *node, struct end *other,
              struct check *c, struct flow *flow)
{
    *e = (struct end){.plan = *plan, .node = node, .other = other, .check = c, .flow = flow};
    e->dice = dice_for(plan->luck, 0);
    e->write_at = e->read_at = e->close_at = e->quit_at = e->patience_at = TIME_NEVER;
}

void end_has(struct end *e, int64_t now, struct conn_id conn)
{
    if (e->has_conn)
        return;
    e->conn = conn;
    e->has_conn = true;
    if (e->plan.quit != QUIT_NEVER)
        e->quit_at = now + e->plan.quit_after;
    if (e->plan.early)
        e->write_at = now;
}

void end_up(struct end *e, int64_t now)
{
    e->up = true;
    e->write_at = now;
    e->read_at = now + e->plan.read_after;
}

/* The other end will do nothing any more. */
static void be_left(struct end *e, int64_t now)
{
    if (!e->over && e->patience_at == TIME_NEVER)
        e->patience_at = now + patience;
}

static void end_over(struct end *e, int64_t now, enum reason why)
{
    e->over = true;
    e->over_at = now;
    e->why = why;
    be_left(e->other, now);
}

void end_vanish(struct end *e, int64_t now)
{
    e->vanished = true;
    if (!e->over)
        end_over(e, now, REASON_END_TIMED_OUT);
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
        stream_fill(e->plan.key, e->written, copy, len);
        return stack_send_copy(st, e->conn, copy, len);
    }
    b = buf_get(&e->node->tx);
    if (!b)
        return -ENOBUFS;
    len = min32(len, b->size);
    stream_fill(e->plan.key, e->written, b->data, len);
    r = stack_send(st, e->conn, (struct slice){b, b->data, len});
    if (r < 0)
        buf_unref(b);
    return r < 0 ? r : (int)len;
}

/* All that was written so far is urgent. */
static void call_urgent(struct end *e)
{
    int r;

    if (!dice_chance(&e->dice, e->plan.urgent))
        return;
    r = stack_urgent(e->node->st, e->conn);
    if (r < 0)
        check_fail(e->check, "an urgent call gave %d", r);
    e->flow->urgent_to = e->written;
}

/* Nagle on, Nagle off. */
static void fiddle(struct end *e)
{
    struct tcp_settings s;
    int r;

    if (!dice_chance(&e->dice, e->plan.fiddle))
        return;
    r = stack_settings(e->node->st, e->conn, &s);
    s.nagle = !s.nagle;
    if (r == 0)
        r = stack_set(e->node->st, e->conn, &s);
    if (r < 0)
        check_fail(e->check, "a change of settings gave %d", r);
}

/* Urgent data reaches further than it did, and no further than the other end has said. */
static void hear_urgent(struct end *e)
{
    uint32_t left = stack_urgent_left(e->node->st, e->conn);
    uint64_t end = e->read + left;

    if (left == 0)
        return; /* a reset came with it, and what could be read is gone */
    if (end > e->other->flow->urgent_to || end < e->urgent_seen)
        check_fail(e->check, "told of urgent data up to %llu, and %llu are",
                   (unsigned long long)end, (unsigned long long)e->other->flow->urgent_to);
    e->urgent_seen = end;
}

static void run_writer(struct end *e, int64_t now)
{
    while (e->write_at <= now && e->written < e->plan.total && !e->closed) {
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
            call_urgent(e);
            fiddle(e);
            e->write_at = after_pause(e, now);
        }
    }
    if (e->up && e->written == e->plan.total && !e->closed && e->close_at == TIME_NEVER &&
        (e->eof || !e->plan.wait_for_eof))
        e->close_at = time_max(e->write_at, now) + e->plan.close_delay;
}

static void take(struct end *e, int64_t now, const struct slice *s)
{
    if (e->read + s->len > e->other->written)
        check_fail(e->check, "read %llu bytes of %llu written",
                   (unsigned long long)(e->read + s->len), (unsigned long long)e->other->written);
    if (!stream_matches(e->other->plan.key, e->read, s->base, s->len))
        check_fail(e->check, "wrong bytes within %u from %llu on", s->len,
                   (unsigned long long)e->read);
    e->read += s->len;
    if (e->patience_at != TIME_NEVER)
        e->patience_at = now + patience;
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
            take(e, now, &s);
            e->read_at = after_pause(e, now);
        }
    }
}

static void release(struct end *e, int64_t now)
{
    int r = stack_release(e->node->st, e->conn);

    if (r < 0)
        check_fail(e->check, "a release gave %d", r);
    if (e->node->cfg.stack.tcp.conn.linger_ns != TIME_NEVER)
        e->quitted = true; /* what is not delivered by then never is */
    end_over(e, now, REASON_END_ORDERLY);
}

static void run_closer(struct end *e, int64_t now)
{
    int r;

    if (!e->closed && e->close_at <= now) {
        r = stack_close(e->node->st, e->conn);
        if (r < 0)
            check_fail(e->check, "a close gave %d", r);
        e->closed = true;
    }
    if (e->closed && e->eof && e->plan.release)
        release(e, now);
}

static void run_quitter(struct end *e, int64_t now)
{
    int r;

    e->quit_at = TIME_NEVER;
    if (e->closed && e->plan.quit == QUIT_CLOSE)
        return;
    e->quitted = true;
    switch ((enum quit)e->plan.quit) {
    case QUIT_NEVER:
        break;
    case QUIT_CLOSE:
        e->close_at = now;
        e->plan.total = e->written;
        e->plan.wait_for_eof = false;
        break;
    case QUIT_ABORT:
        r = stack_abort(e->node->st, e->conn);
        if (r < 0)
            check_fail(e->check, "an abort gave %d", r);
        break;
    case QUIT_RELEASE:
        release(e, now);
        break;
    }
}

/*
 * The other end has been gone for so long that whatever this end could not deliver must have timed
 * out. It may wait for ever only if it waits for nothing but the other end's bytes.
 */
static void give_up(struct end *e)
{
    struct stack_conn_status s;

    e->patience_at = TIME_NEVER;
    if (stack_status(e->node->st, e->conn, &s) < 0) {
        check_fail(e->check, "node %u: a handle died without a word", e->node->number);
        return;
    }
    if (e->node->cfg.stack.tcp.conn.keepalive)
        check_fail(e->check, "node %u: keep-alives did not notice", e->node->number);
    if (s.send_queued > 0 || (s.state != TCP_ESTABLISHED && s.state != TCP_CLOSE_WAIT &&
                              s.state != TCP_FIN_WAIT_2 && s.state != TCP_TIME_WAIT))
        check_fail(e->check, "node %u: in %s with %u bytes to send, and does not time out",
                   e->node->number, tcp_state_name(s.state), s.send_queued);
    e->gave_up = true;
    stack_abort(e->node->st, e->conn);
}

static bool aborted(const struct end *e)
{
    return e->gave_up || (e->quitted && e->plan.quit == QUIT_ABORT);
}

void end_run(struct end *e, int64_t now)
{
    if (!e->has_conn || e->over || aborted(e))
        return;
    if (e->quit_at <= now)
        run_quitter(e, now);
    else if (e->patience_at <= now)
        give_up(e);
    if (e->over || aborted(e))
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
        end_has(e, now, ev->conn);
        end_up(e, now);
        break;
    case EV_ERROR:
    case EV_DATAGRAM:
    case EV_DATAGRAM_ERROR:
        break;
    case EV_URGENT:
        hear_urgent(e);
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
        end_over(e, now, ev->why);
        break;
    }
}

int64_t end_next(const struct end *e)
{
    int64_t next;

    if (!e->has_conn || e->over || aborted(e))
        return TIME_NEVER;
    next = time_min(e->quit_at, e->patience_at);
    if (!e->eof)
        next = time_min(next, e->read_at);
    if (e->written < e->plan.total && !e->closed)
        next = time_min(next, e->write_at);
    if (!e->closed)
        next = time_min(next, e->close_at);
    return next;
}

/* May this connection have been cut short? */
static bool cut(const struct end *e)
{
    return e->quitted || e->gave_up || e->vanished;
}

static bool cut_ends_with(const struct end *e)
{
    switch (e->why) {
    case REASON_END_ORDERLY:
    case REASON_END_RESET:
    case REASON_END_REFUSED:
        return true;
    case REASON_END_ABORTED:
        return cut(e);
    case REASON_END_TIMED_OUT:
    case REASON_END_KEEPALIVE:
        return e->vanished || e->other->vanished;
    default:
        return false;
    }
}

/* Its FIN, or the answer, was lost so often that the other end, which was done, has left TIME-WAIT:
 * that knows nothing of the connection any more and resets it (RFC 9293 section 3.10.7.1), if the
 * reset comes through. */
static bool came_too_late(const struct end *e)
{
    const struct end *o = e->other;

    return (e->why == REASON_END_RESET || e->why == REASON_END_TIMED_OUT) && e->eof &&
           o->why == REASON_END_ORDERLY &&
           e->over_at - o->over_at >= 2 * o->node->cfg.stack.tcp.msl_ns;
}

void end_verify(const struct end *e)
{
    bool any_cut = cut(e) || cut(e->other);

    if (!e->over && (e->has_conn || !any_cut))
        check_fail(e->check, "node %u: a connection never ended", e->node->number);
    else if (!e->over)
        return;
    else if (any_cut ? !cut_ends_with(e) : e->why != REASON_END_ORDERLY && !came_too_late(e))
        check_fail(e->check, "node %u: a connection ended with %s", e->node->number,
                   reason_text(e->why)->name);
    else if (!any_cut && (e->written != e->plan.total || e->read != e->other->plan.total))
        check_fail(e->check, "node %u: wrote %llu of %llu and read %llu of %llu", e->node->number,
                   (unsigned long long)e->written, (unsigned long long)e->plan.total,
                   (unsigned long long)e->read, (unsigned long long)e->other->plan.total);
    else if (!any_cut && e->urgent_seen != e->other->flow->urgent_to)
        check_fail(e->check, "node %u: was told of urgent data up to %llu of %llu", e->node->number,
                   (unsigned long long)e->urgent_seen,
                   (unsigned long long)e->other->flow->urgent_to);
}
