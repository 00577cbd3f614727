/* For tests of the loop: a device that is two counters, a console, and a loop over a fake stack. */
#ifndef TESTS_UNIT_LOOP_KIT_H
#define TESTS_UNIT_LOOP_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_stack.h"
#include "run/clock.h"
#include "run/loop.h"

/* ---- A device that is two counters ---- */

struct fake_device {
    struct device dev;
    unsigned to_read;     /* packets that wait */
    unsigned lent;        /* of these, the first ones' bytes are lent until the next read */
    unsigned unseen;      /* reads with a packet that is only lent and was not input */
    unsigned empty_reads; /* reads that find nothing before those */
    unsigned given, owed; /* packets so far, and how many of them the next read takes back */
    unsigned reads;       /* so many there were */
    unsigned refusals;    /* writes that are to be told -EAGAIN */
    int write_error;      /* what other writes are told */
    int read_error;       /* what a read says when nothing waits */
    unsigned written_n;
    uint8_t written[FAKE_PACKETS];
    unsigned asks;   /* behind so many writes one more packet comes */
    unsigned unread; /* packets that waited at the first write */
    bool readable;   /* what is polled says whether packets wait; dev_comes() makes them */
    int pipe[2];     /* something to poll that is always writable */
};

static struct fake_device dev;

static void dev_comes(unsigned packets)
{
    dev.readable = true;
    if (dev.to_read == 0)
        assert_int_equal(write(dev.pipe[1], "", 1), 1);
    dev.to_read += packets;
}

static int dev_read(struct device *d, int64_t now, struct pkt *ret)
{
    char byte;

    (void)d, (void)now;
    dev.reads++;
    dev.unseen += dev.owed > fake.inputs;
    if (dev.empty_reads) {
        dev.empty_reads--;
        return 0;
    }
    if (dev.to_read == 0)
        return dev.read_error;
    if (--dev.to_read == 0 && dev.readable)
        assert_int_equal(read(dev.pipe[0], &byte, 1), 1);
    ret->parts = 1;
    ret->len = 0;
    ret->part[0] = (struct slice){dev.lent ? NULL : buf_get(&fake_pool), NULL, 0};
    dev.given++;
    if (dev.lent) {
        dev.lent--;
        dev.owed = dev.given;
    }
    return 1;
}

static int dev_write(struct device *d, int64_t now, const struct pkt *p)
{
    (void)d, (void)now;
    if (dev.refusals) {
        dev.refusals--;
        return -EAGAIN;
    }
    if (dev.write_error)
        return dev.write_error;
    if (dev.written_n == 0)
        dev.unread = dev.to_read;
    dev.written[dev.written_n++] = p->part[0].base[0];
    if (dev.written_n == dev.asks)
        dev_comes(1);
    return 0;
}

static int64_t dev_deadline(const struct device *d)
{
    (void)d;
    return TIME_NEVER;
}

static int dev_fd(const struct device *d)
{
    (void)d;
    return dev.pipe[dev.readable ? 0 : 1];
}

static void dev_close(struct device *d)
{
    (void)d;
}

/* ---- A console of two arrays ---- */

struct fake_console {
    struct console console;
    bool wants, ended;
    uint8_t in[1 << 18];
    uint32_t in_n;
    struct slice out; /* what the next pull gives; len 0: nothing */
    unsigned repeat;  /* how often it gives it */
};

static struct fake_console con;

static bool con_wants(struct console *c)
{
    (void)c;
    return con.wants;
}

static void con_push(struct console *c, struct stack *st, struct slice s)
{
    (void)c, (void)st;
    memcpy(con.in + con.in_n, s.base, s.len);
    con.in_n += s.len;
    buf_unref(s.buf);
}

static void con_end(struct console *c, struct stack *st)
{
    (void)c, (void)st;
    con.ended = true;
}

static int con_pull(struct console *c, struct stack *st, struct slice *ret)
{
    (void)c, (void)st;
    if (con.out.len == 0 || con.repeat == 0)
        return -EAGAIN;
    con.repeat--;
    *ret = con.out;
    buf_ref(ret->buf);
    return (int)ret->len;
}

static struct loop loop;
static unsigned turns, last_turn;

static bool leave_after(void *arg, struct loop *l)
{
    (void)arg;
    l->wake = l->now;
    return ++turns >= last_turn;
}

static int setup(void **state)
{
    static const struct device_ops ops = {"fake",       dev_read, dev_write,
                                          dev_deadline, dev_fd,   dev_close};
    static const struct console_ops console = {con_wants, con_push, con_end, con_pull};

    (void)state;
    fake_reset();
    dev = (struct fake_device){.dev = {.ops = &ops, .mtu = 1500}};
    assert_int_equal(pipe(dev.pipe), 0);
    con.console.ops = &console;
    con.wants = true;
    con.ended = false;
    con.in_n = 0;
    con.out = (struct slice){NULL, NULL, 0};
    con.repeat = 1;
    loop_init(&loop);
    loop.decide = leave_after;
    loop_add(&loop, &fake, &dev.dev);
    turns = 0;
    last_turn = 1;
    return 0;
}

/* Open, run, close. */
static inline int run_loop(void)
{
    int r;

    assert_int_equal(loop_open(&loop), 0);
    r = loop_run(&loop);
    loop_close(&loop);
    return r;
}

static int teardown(void **state)
{
    (void)state;
    close(dev.pipe[0]);
    close(dev.pipe[1]);
    return 0;
}

#endif
