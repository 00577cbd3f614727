/*
 * Packets from thread to thread: whole, in order, with their marks, and none too many. And that a
 * member reads its own queue and what others hand over by turns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "link/handover.h"
#include "run/memory.h"

enum {
    BUF_SIZE = 65536,
    BUFS = 8,
    MANY = 20000, /* packets between threads */
};

static struct handover h;
static void *ring_mem, *pool_mem;
static struct buf_pool pool;
static struct handover_device member;
static unsigned own; /* packets that the member's own queue has */

static int queue_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    (void)now;
    if (own == 0)
        return 0;
    own--;
    *ret_pkt = (struct pkt){.len = 3, .parts = 1};
    ret_pkt->part[0] = (struct slice){NULL, (const uint8_t *)"own", 3};
    d->mtu = 1400;
    return DEVICE_PACKET;
}

static int64_t queue_deadline(const struct device *d)
{
    (void)d;
    return 17;
}

static int queue_fd(const struct device *d)
{
    (void)d;
    return 18;
}

static void queue_close(struct device *d)
{
    d->mtu = 0;
}

static int setup(void **state)
{
    static const struct device_ops ops = {.read = queue_read,
                                          .deadline = queue_deadline,
                                          .fd = queue_fd,
                                          .close = queue_close};
    static struct device queue;

    (void)state;
    queue = (struct device){.ops = &ops, .mtu = 1500, .offload = DEVICE_CSUM};
    own = 0;
    ring_mem = memory_reserve(handover_bytes(3));
    pool_mem = memory_reserve(buf_pool_bytes(BUFS, BUF_SIZE));
    if (!ring_mem || !pool_mem || handover_init(&h, 3, ring_mem) < 0)
        return -1;
    buf_pool_init(&pool, pool_mem, buf_pool_bytes(BUFS, BUF_SIZE), BUF_SIZE);
    return handover_wrap(&member, &h, 1, &queue, &pool);
}

static int teardown(void **state)
{
    (void)state;
    device_close(&member.dev);
    handover_end(&h);
    return pool.in_use ? -1 : 0;
}

/* Bytes that a number stands for. */
static void fill(uint8_t *b, uint32_t len, uint32_t number)
{
    for (uint32_t i = 0; i < len; i++)
        b[i] = (uint8_t)(number * 31 + i * 7 + (i >> 8));
}

static bool put(unsigned from, uint32_t len, uint32_t number)
{
    static _Thread_local uint8_t bytes[BUF_SIZE];
    struct pkt p = {.len = len,
                    .parts = 1,
                    .marks = (uint16_t)(number % 4),
                    .gso_size = (uint16_t)number,
                    .part[0] = {NULL, bytes, len}};

    fill(bytes, len, number);
    return handover_put(&h, from, 1, &p);
}

static bool take(uint32_t len, uint32_t number)
{
    static uint8_t want[BUF_SIZE];
    struct pkt p;

    if (device_read(&member.dev, 0, &p) == 0)
        return false;
    fill(want, len, number);
    assert_int_equal(p.len, len);
    assert_int_equal(p.parts, 1);
    assert_int_equal(p.marks, number % 4);
    assert_int_equal(p.gso_size, (uint16_t)number);
    assert_memory_equal(p.part[0].base, want, len);
    buf_unref(p.part[0].buf);
    return true;
}

/* Many times around the ring, small packets and the largest; each is a copy, and counted as one. */
static void packets_arrive_as_they_were(void **state)
{
    uint64_t before = pool.copied, bytes = 0;

    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        assert_true(put(0, 40 + i, i));
        assert_true(put(0, 65535, i + 1));
        assert_true(put(0, 1, i + 2));
        assert_true(take(40 + i, i));
        assert_true(take(65535, i + 1));
        assert_true(take(1, i + 2));
        assert_false(take(0, 0));
        bytes += 40 + i + 65535 + 1;
        assert_int_equal(pool.copied - before, bytes);
    }
}

/* What does not fit is not taken, and what is there stays right. */
static void a_full_ring_says_so(void **state)
{
    uint32_t n = 0;

    (void)state;
    while (put(2, 1000, n))
        n++;
    assert_in_range(n, HANDOVER_RING / 1100, HANDOVER_RING / 1000);
    assert_false(put(2, 1000, n));
    assert_true(put(0, 1000, 7)); /* another's ring is another */
    assert_true(take(1000, 0));
    assert_true(take(1000, 7));
    for (uint32_t i = 1; i < n; i++)
        assert_true(take(1000, i));
}

/* To the last byte. */
static void the_last_byte_is_used(void **state)
{
    uint32_t label = 8, left = HANDOVER_RING - 16 * (60000 + label) - label;

    (void)state;
    for (uint32_t i = 0; i < 16; i++)
        assert_true(put(0, 60000, i));
    for (; left > 65535; left -= 60000 + label)
        assert_true(put(0, 60000, 16));
    assert_false(put(0, left + 1, 17));
    assert_true(put(0, left, 17));
    assert_false(put(0, 0, 18));
    for (uint32_t i = 0; i < 16; i++)
        assert_true(take(60000, i));
}

/* Neither the queue nor the others wait for the other's end. */
static void reads_take_turns(void **state)
{
    struct pkt p;
    unsigned from_queue = 0, from_others = 0;

    (void)state;
    own = 100;
    for (uint32_t i = 0; i < 100; i++)
        assert_true(put(i % 2 ? 0 : 2, 4, i));
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(device_read(&member.dev, 0, &p), DEVICE_PACKET);
        from_queue += p.len == 3;
        from_others += p.len == 4;
        buf_unref(p.part[0].buf);
    }
    assert_int_equal(from_queue, 10);
    assert_int_equal(from_others, 10);
    own = 0;
    for (unsigned i = 0; i < 90; i++) {
        assert_int_equal(device_read(&member.dev, 0, &p), DEVICE_PACKET);
        buf_unref(p.part[0].buf);
    }
    assert_int_equal(device_read(&member.dev, 0, &p), 0);
    assert_int_equal(member.dev.mtu, 1400);
    assert_int_equal(device_deadline(&member.dev), 17);
    assert_int_equal(device_fd(&member.dev), 18);
}

static bool rung(void)
{
    struct pollfd fd = {.fd = h.bell[1], .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

/* Each packet rings; a bell that was heard is silent until the next. */
static void the_bell_rings(void **state)
{
    uint64_t n;

    (void)state;
    assert_false(rung());
    assert_true(put(0, 40, 1));
    assert_true(put(2, 40, 1));
    assert_int_equal(device_deadline(&member.dev), 0); /* to be read now, whoever heard the bell */
    assert_true(rung());
    assert_int_equal(read(h.bell[1], &n, sizeof(n)), sizeof(n));
    assert_false(rung());
    assert_true(take(40, 1));
    assert_int_equal(device_deadline(&member.dev), 0);
    assert_true(take(40, 1));
    assert_int_equal(device_deadline(&member.dev), 17);
    handover_ring_bell(&h, 1);
    assert_true(rung());
}

static void *writer(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < MANY;)
        i += put(0, 40 + i % 3000, i);
    return NULL;
}

/* Writer and reader in two threads: all of it, in order. */
static void two_threads(void **state)
{
    pthread_t other;

    (void)state;
    assert_int_equal(pthread_create(&other, NULL, writer, NULL), 0);
    for (uint32_t i = 0; i < MANY;)
        i += take(40 + i % 3000, i);
    pthread_join(other, NULL);
    assert_false(take(0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packets_arrive_as_they_were, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_ring_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_byte_is_used, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(the_bell_rings, setup, teardown),
        cmocka_unit_test_setup_teardown(two_threads, setup, teardown),
    };

    return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
