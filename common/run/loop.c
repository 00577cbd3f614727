#include "run/loop.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "run/clock.h"

enum {
    FLUSH_TRIES = 10,    /* waits for a device that takes nothing, before leaving anyway */
    FLUSH_WAIT = 20,     /* ms each */
    FLUSH_BATCH = 128,   /* packets that leave at once then ... */
    FLUSH_PAUSE = 1,     /* ms between two batches, ... */
    FLUSH_PAUSES = 1000, /* ... so often; who has that much left to say goes on without */
    FLUSH_CALM = 10,     /* ms without a packet, after which our data has been read, ... */
    FLUSH_CALMING = 200, /* ... and how long we wait for that at most */
    FLUSH_QUIET = 100,   /* ms without a packet, after which nobody will ask again, ... */
    FLUSH_LISTEN = 1000, /* ... and how long we listen at most */
    LATE_MAX = 1,        /* s of absence after which steps are left out */
    SHY_MIN = 1,         /* ms without spinning after others have had the processor ... */
    SHY_MAX = 128,       /* ... and the most, if that happens again and again */
    FDS_MAX = LOOP_NODES_MAX + OPERATOR_FDS + TELLER_FDS + 1,
};

void loop_init(struct loop *l)
{
    memset(l, 0, sizeof(*l));
    l->wake = TIME_NEVER;
    l->bell = l->alarm.fd = l->seldom.fd = -1;
}

struct loop_node *loop_add(struct loop *l, struct stack *st, struct device *dev)
{
    struct loop_node *n = &l->node[l->nodes++];

    assert(l->nodes <= LOOP_NODES_MAX);
    n->st = st;
    n->dev = dev;
    return n;
}

/* ---- In ---- */

/*
 * Read the next packet of a batch, in which it has this number. One that came while those before it
 * were input has its own time, or it would be there before it was sent.
 */
static int loop_read(struct loop *l, struct loop_node *n, int number, struct loop_read *in)
{
    int r;

    if (number > 0 && l->step == 0)
        l->now = clock_now();
    r = device_read(n->dev, l->now, &in->pkt);
    in->at = l->now;
    in->lost = r == DEVICE_LOST;
    return r;
}

static void loop_take(struct loop_node *n, const struct loop_read *in)
{
    if (!in->lost)
        stack_input(n->st, in->at, &in->pkt);
    buf_unref(in->pkt.part[0].buf);
}

/*
 * Read some packets, and input each. How many, or an error that ends the loop. A stack with many
 * connections is told of each as soon as it is read, and takes the first when the last is known, or
 * when one is only lent until the next read.
 */
static int loop_batch(struct loop *l, struct loop_node *n, int most)
{
    int ahead = stack_expects(n->st) ? most : 1, got = 0, r = 1;

    while (r > 0 && got < most) {
        int first = got;

        do {
            r = loop_read(l, n, got, &n->in[got]);
            if (r <= 0)
                break;
            if (ahead > 1 && r != DEVICE_LOST)
                stack_expect(n->st, &n->in[got].pkt);
            got++;
        } while (got - first < ahead && got < most && n->in[got - 1].pkt.part[0].buf);
        while (first < got)
            loop_take(n, &n->in[first++]);
    }
    return r < 0 ? r : got;
}

/* A batch. How many packets it had, or an error that ends the loop. */
static int loop_input(struct loop *l, struct loop_node *n)
{
    bool first_only = n->alone % LOOP_ALONE != 0 && l->step == 0 && device_fd(n->dev) >= 0;
    int got = loop_batch(l, n, first_only ? 1 : LOOP_READ_BATCH);

    if (got == LOOP_READ_BATCH)
        l->busy = true;
    if (got > 0) {
        l->last = l->now;
        n->alone = got == 1 ? n->alone + 1 : 0;
    }
    return got;
}

static void loop_dispatch(struct loop_node *n)
{
    struct stack_event ev;

    while (stack_event(n->st, &ev)) {
        struct app *a = ev.user;

        if (n->event)
            n->event(n->arg, n->st, &ev);
        if (a)
            a->ops->event(a, n->st, &ev);
    }
}

/* ---- Out ---- */

/* Keep n->out until the device is writable; headers stand in its own room, payload needs care. */
static void loop_hold(struct loop_node *n)
{
    for (unsigned i = 0; i < n->out.parts; i++)
        buf_ref(n->out.part[i].buf);
    n->held = true;
}

static void loop_let_go(struct loop_node *n)
{
    for (unsigned i = 0; i < n->out.parts; i++)
        buf_unref(n->out.part[i].buf);
    n->held = false;
}

/* Write n->out. False if the device takes nothing now. */
static bool loop_write(struct loop *l, struct loop_node *n)
{
    int r = device_write(n->dev, l->now, &n->out);

    if (r == -EAGAIN)
        return false;
    if (r < 0) {
        n->write_error = r;
        n->write_lost++;
    }
    l->last = l->now;
    return true;
}

static void loop_drain(struct loop *l, struct loop_node *n, unsigned most)
{
    if (n->held) {
        if (!loop_write(l, n))
            return;
        loop_let_go(n);
    }
    for (unsigned i = 0; i < most; i++) {
        if (!stack_output(n->st, l->now, &n->out))
            return;
        if (!loop_write(l, n)) {
            loop_hold(n);
            return;
        }
    }
    l->busy = true;
}

/* Have all been reset, and may somebody ask about that? */
static bool loop_listens_on(const struct loop *l)
{
    return l->resetting && l->step == 0 && device_fd(l->node[0].dev) >= 0;
}

/* What comes within so many ms is input, a batch of each node at once. False: nothing came. */
static bool loop_overhear(struct loop *l, int wait)
{
    struct pollfd fds[LOOP_NODES_MAX];

    for (unsigned i = 0; i < l->nodes; i++)
        fds[i] = (struct pollfd){.fd = device_fd(l->node[i].dev), .events = POLLIN};
    if (poll(fds, l->nodes, wait) <= 0)
        return false;
    l->now = clock_now();
    for (unsigned i = 0; i < l->nodes; i++) {
        if (fds[i].revents && loop_input(l, &l->node[i]) < 0)
            return false;
        loop_dispatch(&l->node[i]);
    }
    return true;
}

/* Overhear as long as something comes within `wait` ms each time, and for `most` ms at most. */
static void loop_calm(struct loop *l, int wait, int64_t most)
{
    int64_t end = clock_now() + most * MSEC;

    while (loop_overhear(l, wait) && l->now < end)
        ;
}

/* Time for whoever reads what we have said. */
static void loop_pause(struct loop *l)
{
    if (loop_listens_on(l))
        loop_calm(l, FLUSH_PAUSE, FLUSH_PAUSE);
    else
        poll(NULL, 0, FLUSH_PAUSE);
}

/*
 * Before leaving: everything that the stacks have to say, as far as the devices take it. The resets
 * of a thousand connections are more than the queue of a TUN holds, and nobody sends them again: so
 * whoever reads it is given time, for our data before them, too. And a reset that comes behind data
 * that were lost is asked whether it is one (RFC 5961 section 3.2): so we listen until it is quiet,
 * and answer that nobody is here.
 */
static void loop_flush(struct loop *l)
{
    int64_t until = clock_now() + FLUSH_LISTEN * MSEC;
    unsigned pauses = 0;

    if (loop_listens_on(l))
        loop_calm(l, FLUSH_CALM, FLUSH_CALMING);
    for (unsigned tries = 0; tries < FLUSH_TRIES;) {
        struct pollfd fd = {.fd = -1, .events = POLLOUT};

        l->busy = false;
        for (unsigned i = 0; i < l->nodes; i++) {
            loop_drain(l, &l->node[i], FLUSH_BATCH);
            if (l->node[i].held)
                fd.fd = device_fd(l->node[i].dev);
        }
        if (l->busy) {
            if (pauses++ < FLUSH_PAUSES)
                loop_pause(l);
        } else if (fd.fd >= 0) {
            poll(&fd, 1, FLUSH_WAIT);
            tries++;
        } else if (!loop_listens_on(l) || l->now >= until || !loop_overhear(l, FLUSH_QUIET)) {
            break;
        }
    }
    for (unsigned i = 0; i < l->nodes; i++) {
        if (l->node[i].held)
            loop_let_go(&l->node[i]);
    }
}

/* ---- The clock ---- */

/* With steps: is all done that was to be done at this instant? */
static bool loop_is_settled(const struct loop *l)
{
    return l->step && l->settled == l->now;
}

/*
 * The instant of the next turn. With steps each one is gone through, and to its end, but for a long
 * absence.
 */
static int64_t loop_clock(const struct loop *l)
{
    int64_t t = clock_now();

    if (l->step == 0)
        return t;
    t -= t % l->step;
    if (t - l->now > LATE_MAX * SEC)
        return t;
    return loop_is_settled(l) ? time_min(t, l->now + l->step) : l->now;
}

/*
 * Others had the processor from `before` until `now`, if it took that long: while it was offered to
 * them, or taken away. Then we sleep for some time, and for twice as long if the last time has not
 * lasted.
 */
static bool loop_was_away(struct loop *l, int64_t before, int64_t now)
{
    if (now - before < LOOP_AWAY * USEC)
        return false;
    l->shy = before < l->shy_until + l->shy ? time_min(2 * l->shy, SHY_MAX * MSEC) : SHY_MIN * MSEC;
    l->shy_until = now + l->shy;
    return true;
}

/*
 * A batch of each node, at the instant at which it is read. If nothing is there, read again until
 * something is, or until l->until. 0, or an error that ends the loop.
 */
static int loop_listen(struct loop *l)
{
    int got = 0;

    for (;;) {
        int64_t before = l->now;

        for (unsigned i = 0; i < l->nodes; i++) {
            int r = loop_input(l, &l->node[i]);

            if (r < 0)
                return r;
            got += r;
        }
        if (got || l->now >= l->until)
            return 0;
        l->now = loop_clock(l);
        if (loop_was_away(l, before, l->now))
            return 0;
    }
}

void loop_start(struct loop *l)
{
    int64_t t = clock_now(), left = l->step ? l->step - t % l->step : 0;
    struct timespec ts = {.tv_sec = left / SEC, .tv_nsec = left % SEC};

    if (left)
        nanosleep(&ts, NULL);
    l->now = clock_now();
    if (l->step)
        l->now -= l->now % l->step;
    l->settled = l->now - 1;
    l->last = l->look_at = l->until = l->now;
}

/* ---- What is seldom ready ---- */

enum { SIGNALLED, RUNG, BELL, ASKED };

int loop_open(struct loop *l)
{
    int r = seldom_open(&l->seldom);

    alarm_open(&l->alarm);
    if (r == 0 && l->signals)
        r = seldom_add(&l->seldom, l->signals->fd, SIGNALLED);
    if (r == 0)
        r = seldom_add(&l->seldom, l->alarm.fd, RUNG);
    if (r == 0)
        r = seldom_add(&l->seldom, l->bell, BELL);
    if (r == 0 && l->teller)
        r = seldom_add_news(&l->seldom, l->teller->fd, ASKED);
    return r;
}

void loop_close(struct loop *l)
{
    alarm_close(&l->alarm);
    seldom_close(&l->seldom);
}

/*
 * True if there is something else to do than before. Alarm and bell are only heard: what they rang
 * for is looked at in the next turn.
 */
static bool loop_hear(struct loop *l)
{
    unsigned ready = seldom_ready(&l->seldom);
    uint64_t n;

    if (ready & 1U << SIGNALLED)
        l->asked = signals_read(l->signals);
    if (ready & 1U << RUNG)
        alarm_rung(&l->alarm);
    if (ready & 1U << BELL)
        (void)!read(l->bell, &n, sizeof(n));
    if (ready & 1U << ASKED)
        teller_asked(l->teller);
    return ready & (1U << SIGNALLED | 1U << ASKED);
}

/* ---- Sleep ---- */

static int64_t loop_deadline(const struct loop *l)
{
    int64_t at = l->wake;

    for (unsigned i = 0; i < l->nodes; i++) {
        at = time_min(at, stack_deadline(l->node[i].st));
        at = time_min(at, device_deadline(l->node[i].dev));
    }
    if (l->teller)
        at = time_min(at, teller_deadline(l->teller));
    return at;
}

/* Is there no time to sleep now? */
static bool loop_is_awake(const struct loop *l)
{
    if (l->busy || l->step)
        return l->busy;
    for (unsigned i = 0; i < l->nodes; i++)
        if (l->node[i].held)
            return false;
    return l->spin && l->now < l->last + l->spin && l->now >= l->shy_until;
}

/*
 * Wait until something is to be done: until there is news, or the alarm rings. Where there is no
 * alarm, the wait has to keep the time.
 */
static void loop_poll(struct loop *l, struct pollfd *fds, unsigned n, bool awake)
{
    int64_t at = awake ? l->now : loop_is_settled(l) ? l->now + l->step : loop_deadline(l);
    int64_t left = at <= l->now ? 0 : alarm_set(&l->alarm, at) ? TIME_NEVER : at - l->now;
    struct timespec ts = {.tv_sec = left / SEC, .tv_nsec = left % SEC};

    if (ppoll(fds, n, left == TIME_NEVER ? NULL : &ts, NULL) < 0) {
        for (unsigned i = 0; i < n; i++)
            fds[i].revents = 0;
    }
}

/* The devices, and all that is seldom ready as the last; returns how many. */
static unsigned loop_wait_network(const struct loop *l, struct pollfd *fds)
{
    unsigned n = 0;

    for (; n < l->nodes; n++) {
        short events = l->node[n].held ? POLLIN | POLLOUT : POLLIN;

        fds[n] = (struct pollfd){.fd = device_fd(l->node[n].dev), .events = events};
    }
    fds[n++] = (struct pollfd){.fd = l->seldom.fd, .events = POLLIN};
    return n;
}

/* Wait, or with `awake` only look, at everything. True if one of other than devices is ready. */
static bool loop_wait(struct loop *l, bool awake)
{
    struct pollfd fds[FDS_MAX];
    unsigned op_at = loop_wait_network(l, fds), op_n = 0, tell_at, tell_n = 0;
    bool all = !loop_is_settled(l), ready; /* else what people do waits for the next step */

    if (l->op && all)
        op_n = operator_wait(l->op, fds + op_at);
    tell_at = op_at + op_n;
    if (l->teller && all)
        tell_n = teller_wait(l->teller, fds + tell_at);
    loop_poll(l, fds, tell_at + tell_n, awake);
    ready = fds[op_at - 1].revents && loop_hear(l);
    for (unsigned i = op_at; i < tell_at + tell_n; i++)
        ready |= fds[i].revents != 0;
    if (l->op)
        operator_woken(l->op, fds + op_at, op_n);
    if (l->teller)
        teller_woken(l->teller, fds + tell_at, tell_n);
    return ready;
}

/* The one we wait for may have no other processor than ours. */
static void loop_offer(struct loop *l)
{
    int64_t before = clock_now();

    sched_yield();
    loop_was_away(l, before, clock_now());
}

/* After a turn: sleep until there is something to do, or say until when the next one spins. */
static void loop_rest(struct loop *l)
{
    bool awake = loop_is_awake(l);

    if (!awake || l->step || l->now >= l->look_at) {
        l->look_at = l->now + (loop_wait(l, awake) ? 0 : LOOP_LOOK * USEC);
        if (awake && !l->busy && l->now >= l->last + LOOP_LOOK * USEC)
            loop_offer(l);
    }
    l->until = l->now;
    if (awake && !l->busy)
        l->until = time_min(time_min(l->last + l->spin, l->look_at), loop_deadline(l));
}

/* A new step begins: what have people done meanwhile? */
static void loop_look(struct loop *l)
{
    struct pollfd fds[FDS_MAX];
    unsigned n = l->op ? operator_wait(l->op, fds) : 0;
    unsigned tell_n = l->teller ? teller_wait(l->teller, fds + n) : 0;

    poll(fds, n + tell_n, 0);
    if (l->op)
        operator_woken(l->op, fds, n);
    if (l->teller)
        teller_woken(l->teller, fds + n, tell_n);
}

/* ---- The turn ---- */

static int loop_turn(struct loop *l, bool *ret_leave)
{
    int64_t before = l->now;
    int r;

    l->now = loop_clock(l);
    l->busy = false;
    if (l->step && l->now != before)
        loop_look(l);
    r = loop_listen(l);
    if (r < 0)
        return r;
    if (loop_is_settled(l))
        return 0;
    for (unsigned i = 0; i < l->nodes; i++) {
        stack_tick(l->node[i].st, l->now);
        loop_dispatch(&l->node[i]);
    }
    if (l->op && !l->output_error)
        l->output_error = operator_act(l->op);
    for (unsigned i = 0; i < l->nodes; i++)
        loop_dispatch(&l->node[i]); /* reading the end of a stream may end its connection */
    *ret_leave = l->decide(l->arg, l);
    if (l->teller)
        teller_act(l->teller, l->now);
    for (unsigned i = 0; i < l->nodes && !*ret_leave && !l->resetting; i++)
        loop_drain(l, &l->node[i], LOOP_WRITE_BATCH);
    if (!l->busy)
        l->settled = l->now;
    return 0;
}

int loop_run(struct loop *l)
{
    bool leave = false;
    int r;

    for (;;) {
        r = loop_turn(l, &leave);
        if (r < 0)
            return r;
        if (leave)
            break;
        loop_rest(l);
    }
    loop_flush(l);
    return 0;
}
