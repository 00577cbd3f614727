/* The in-memory wire: what is written on one side is read on the other, and what gets lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>

#include "link/wire.h"
#include "tests/unit/packet_kit.h"
#include "wire/ip.h"

enum {
    MTU = 1500,
    QUEUE = 4,
    BUF_SIZE = 2048,
};

static struct buf_pool pool;
static struct wire_pair w;
static alignas(16) uint8_t memory[1 << 20];

static struct wire_config config(void)
{
    return (struct wire_config){
        .mtu = MTU,
        .queue = QUEUE,
        .name = {"left", "right"},
        .pool = {&pool, &pool},
    };
}

static void create(const struct wire_config *cfg, uint32_t bufs, uint32_t buf_size)
{
    kit_pool(&pool, bufs, buf_size);
    assert_in_range(wire_pair_bytes(cfg), 1, sizeof(memory));
    wire_pair_create(&w, cfg, memory);
}

static struct device *left(void)
{
    return &w.side[0].dev;
}

static struct device *right(void)
{
    return &w.side[1].dev;
}

static void release(struct pkt *p)
{
    for (unsigned i = 0; i < p->parts; i++)
        buf_unref(p->part[i].buf);
}

static int send(struct device *d, const struct kit_packet *p)
{
    struct pkt out;

    kit_pkt(p, &out);
    return device_write(d, 0, &out);
}

/* Nothing is on the way, and all buffers have come back. */
static void close_both(void)
{
    device_close(left());
    device_close(right());
    assert_int_equal(pool.in_use, 0);
}

static void test_packet_arrives_as_it_was(void **state)
{
    struct wire_config cfg = config();
    struct kit_packet p = kit_tcp((struct kit_tcp){.flags = 0x10, .data = 300});
    struct pkt in;

    (void)state;
    create(&cfg, 4, BUF_SIZE);
    assert_string_equal(right()->name, "right");
    assert_int_equal(right()->mtu, MTU);
    assert_int_equal(device_fd(right()), -1);
    assert_int_equal(device_read(right(), 0, &in), 0);
    assert_true(device_deadline(right()) == TIME_NEVER);
    assert_int_equal(send(left(), &p), 0);
    assert_true(device_deadline(right()) == 0);
    assert_true(device_deadline(left()) == TIME_NEVER);
    assert_int_equal(device_read(left(), 0, &in), 0);
    assert_int_equal(device_read(right(), 0, &in), 1);
    assert_int_equal(in.len, p.len);
    assert_int_equal(in.parts, 1);
    assert_int_equal(in.part[0].len, p.len);
    assert_memory_equal(in.part[0].base, p.b, p.len);
    assert_true(device_deadline(right()) == TIME_NEVER);
    release(&in);
    close_both();
}

static void test_order_both_ways_and_around_the_ring(void **state)
{
    struct wire_config cfg = config();
    struct pkt in;

    (void)state;
    create(&cfg, 8, BUF_SIZE);
    for (unsigned round = 0; round < 3 * QUEUE; round++) {
        for (uint32_t i = 0; i < 3; i++) {
            struct kit_packet p = kit_udp(1, 2, NULL, 10 * round + i);

            assert_int_equal(send(round % 2 ? left() : right(), &p), 0);
        }
        for (uint32_t i = 0; i < 3; i++) {
            assert_int_equal(device_read(round % 2 ? right() : left(), 0, &in), 1);
            assert_int_equal(in.len, 28 + 10 * round + i);
            release(&in);
        }
    }
    close_both();
}

static void test_full_queue_drops(void **state)
{
    struct wire_config cfg = config();
    struct kit_packet p = kit_udp(1, 2, NULL, 0);
    struct pkt in;

    (void)state;
    create(&cfg, 8, BUF_SIZE);
    for (unsigned i = 0; i < QUEUE; i++)
        assert_int_equal(send(left(), &p), 0);
    assert_int_equal(w.side[1].full, 0);
    assert_int_equal(send(left(), &p), 0);
    assert_int_equal(w.side[1].full, 1);
    for (unsigned i = 0; i < QUEUE; i++) {
        assert_int_equal(device_read(right(), 0, &in), 1);
        release(&in);
    }
    assert_int_equal(device_read(right(), 0, &in), 0);
    assert_int_equal(w.side[1].delivered, QUEUE);
    close_both();
}

static void test_mtu(void **state)
{
    struct wire_config cfg = config();
    struct kit_packet p = kit_udp(1, 2, NULL, MTU - 28);

    (void)state;
    create(&cfg, 4, BUF_SIZE);
    assert_int_equal(p.len, MTU);
    assert_int_equal(send(left(), &p), 0);
    p = kit_udp(1, 2, NULL, MTU - 27);
    assert_int_equal(send(left(), &p), -EMSGSIZE);
    close_both();
}

/* With an empty pool packets are still read, and their bytes lent. */
static void test_no_buffers(void **state)
{
    struct wire_config cfg = config();
    struct kit_packet p = kit_udp(1, 2, NULL, 1400);
    struct pkt first, in;

    (void)state;
    create(&cfg, 3, BUF_SIZE); /* one to spare on each side, and one */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(send(left(), &p), 0);
    assert_int_equal(device_read(right(), 0, &first), 1);
    assert_non_null(first.part[0].buf);
    assert_int_equal(device_read(right(), 0, &in), 1);
    assert_null(in.part[0].buf);
    assert_int_equal(in.len, 1428);
    assert_memory_equal(in.part[0].base, first.part[0].base, in.len);
    assert_int_equal(w.side[1].intake.lent, 1);
    release(&first);
    assert_int_equal(device_read(right(), 0, &in), 1);
    assert_non_null(in.part[0].buf);
    release(&in);
    close_both();
}

/* Small packets share a buffer, and each keeps it alive. */
static void test_small_packets_share_a_buffer(void **state)
{
    struct wire_config cfg = config();
    struct kit_packet a = kit_udp(1, 2, "aaaa", 4), b = kit_udp(1, 2, "bbbb", 4);
    struct pkt in[3];

    (void)state;
    create(&cfg, 3, BUF_SIZE); /* one to spare on each side, and one */
    send(left(), &a);
    send(left(), &b);
    assert_int_equal(device_read(right(), 0, &in[0]), 1);
    assert_int_equal(device_read(right(), 0, &in[1]), 1);
    assert_ptr_equal(in[0].part[0].buf, in[1].part[0].buf);
    assert_ptr_not_equal(in[0].part[0].base, in[1].part[0].base);
    assert_memory_equal(in[0].part[0].base + 28, "aaaa", 4);
    assert_memory_equal(in[1].part[0].base + 28, "bbbb", 4);
    assert_int_equal(pool.in_use, 3);
    release(&in[0]);
    release(&in[1]);
    send(left(), &a); /* all have come back: from the beginning again */
    assert_int_equal(device_read(right(), 0, &in[2]), 1);
    assert_ptr_equal(in[2].part[0].base, in[0].part[0].base);
    release(&in[2]);
    close_both();
}

static void test_forwarding(void **state)
{
    struct wire_config cfg = config();
    struct ip_hdr ip;
    struct pkt in;

    (void)state;
    cfg.forward = true;
    create(&cfg, 4, BUF_SIZE);
    for (unsigned id = 0; id <= 0xffff; id++) { /* every value of the checksum */
        struct kit_packet p = kit_udp(1, 2, "x", 1);

        put16(p.b + 4, (uint16_t)id);
        p.b[8] = (uint8_t)(2 + id % 254);
        kit_ip4_fix(&p);
        send(left(), &p);
        assert_int_equal(device_read(right(), 0, &in), 1);
        assert_int_equal(ip_parse(in.part[0].base, in.len, &ip), REASON_NONE);
        assert_int_equal(ip.ttl, 1 + id % 254);
        release(&in);
    }
    close_both();
}

static void test_forwarding_refuses(void **state)
{
    struct wire_config cfg = config();
    struct kit_packet p = kit_udp(1, 2, "x", 1);
    struct pkt in;

    (void)state;
    cfg.forward = true;
    create(&cfg, 4, BUF_SIZE);
    p.b[8] = 1;
    kit_ip4_fix(&p);
    assert_int_equal(send(left(), &p), 0);
    assert_int_equal(w.side[1].expired, 1);
    p.b[0] = 0x60;
    assert_int_equal(send(left(), &p), 0);
    p.len = 19;
    p.b[0] = 0x45;
    assert_int_equal(send(left(), &p), 0);
    assert_int_equal(w.side[1].no_route, 2);
    assert_int_equal(device_read(right(), 0, &in), 0);
    close_both();
}

/* A wrong header checksum is not repaired on the way. */
static void test_forwarding_keeps_bad_checksum(void **state)
{
    struct wire_config cfg = config();
    struct kit_packet p = kit_udp(1, 2, "x", 1);
    struct ip_hdr ip;
    struct pkt in;

    (void)state;
    cfg.forward = true;
    create(&cfg, 4, BUF_SIZE);
    p.b[10] ^= 1;
    send(left(), &p);
    assert_int_equal(device_read(right(), 0, &in), 1);
    assert_int_equal(ip_parse(in.part[0].base, in.len, &ip), REASON_IP_CHECKSUM);
    release(&in);
    close_both();
}

static void test_super_segment(void **state)
{
    struct wire_config cfg = config();
    struct kit_packet p = kit_tcp((struct kit_tcp){.flags = 0x10, .data = 3000});
    struct pkt out, in;

    (void)state;
    kit_pkt(&p, &out);
    cfg.packet_max = 4000;
    create(&cfg, 4, 4096);
    out.gso_size = 1000;
    out.marks = PKT_CSUM_PARTIAL;
    out.csum_start = 20;
    assert_int_equal(device_write(left(), 0, &out), 0);
    assert_int_equal(device_read(right(), 0, &in), 1);
    assert_int_equal(in.len, 3040);
    assert_int_equal(in.gso_size, 1000);
    assert_int_equal(in.marks, PKT_CSUM_PARTIAL);
    assert_int_equal(in.csum_start, 20);
    release(&in);
    out.gso_size = 0; /* without the mark it is just too long */
    assert_int_equal(device_write(left(), 0, &out), -EMSGSIZE);
    close_both();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet_arrives_as_it_was),
        cmocka_unit_test(test_order_both_ways_and_around_the_ring),
        cmocka_unit_test(test_full_queue_drops),
        cmocka_unit_test(test_mtu),
        cmocka_unit_test(test_no_buffers),
        cmocka_unit_test(test_small_packets_share_a_buffer),
        cmocka_unit_test(test_forwarding),
        cmocka_unit_test(test_forwarding_refuses),
        cmocka_unit_test(test_forwarding_keeps_bad_checksum),
        cmocka_unit_test(test_super_segment),
    };

    return cmocka_run_group_tests_name("wire device", tests, NULL, NULL);
}
