/*
 * The impairing device between a node and a wire: what comes out at the far end, what the node is
 * given, when, and what is said about it; and who a packet is for the dice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "link/impair.h"
#include "link/wire.h"
#include "run/memory.h"
#include "tests/unit/packet_kit.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum {
    QUEUE = 8,
    FATES = 400, /* packets whose fates are compared */
};

static struct buf_pool pool;
static struct wire_pair w;
static alignas(16) uint8_t wire_memory[1 << 20];
static struct impair impair;
static void *flight;
static struct device *node, *far_end;

static void begin_step(const char *text, uint64_t seed, int64_t step)
{
    struct wire_config cfg = {.mtu = 1500,
                              .queue = QUEUE,
                              .name = {"tun0", "far"},
                              .pool = {&pool, &pool}};
    struct rules rules;
    char why[RULES_WHY];

    if (!flight)
        flight = memory_reserve(impair_bytes());
    assert_non_null(flight);
    kit_pool(&pool, 64, 4096);
    assert_in_range(wire_pair_bytes(&cfg), 1, sizeof(wire_memory));
    assert_int_equal(wire_pair_create(&w, &cfg, wire_memory), 0);
    assert_int_equal(rules_parse(text, &rules, why), 0);
    memset(&impair, 0, sizeof(impair));
    assert_int_equal(impair_init(&impair, &w.side[0].dev, &rules, seed, flight, &pool, step), 0);
    node = &impair.dev;
    far_end = &w.side[1].dev;
}

static void begin(const char *text)
{
    begin_step(text, 7, 0);
}

static void end(void)
{
    device_close(node);
    device_close(far_end);
    assert_int_equal(pool.in_use, 0);
    assert_int_equal(impair.side[0].inbox.pool.in_use + impair.side[1].inbox.pool.in_use, 0);
}

static struct kit_packet data(uint32_t seq)
{
    return kit_tcp((struct kit_tcp){.flags = TCP_ACK, .seq = seq, .data = 100});
}

static void send(struct device *d, int64_t now, const struct kit_packet *p)
{
    struct pkt out;

    kit_pkt(p, &out);
    assert_int_equal(device_write(d, now, &out), 0);
}

static void expect_read(struct device *d, int64_t now, int want)
{
    struct pkt in;
    int r = device_read(d, now, &in);

    assert_int_equal(r, want);
    if (r > 0)
        buf_unref(in.part[0].buf);
}

/* The packet that is read is this one. */
static void expect_packet(struct device *d, int64_t now, const struct kit_packet *want)
{
    struct pkt in;

    assert_int_equal(device_read(d, now, &in), 1);
    assert_int_equal(in.len, want->len);
    assert_int_equal(in.parts, 1);
    assert_memory_equal(in.part[0].base, want->b, want->len);
    buf_unref(in.part[0].buf);
}

static void expect_verdict(const char *want)
{
    char line[VERDICT_TEXT], all[512] = "";

    for (unsigned i = 0; i < impair.verdict.n; i++) {
        strcat(all, i ? " | " : "");
        strcat(all, verdict_line(&impair.verdict, i, line));
    }
    assert_string_equal(all, want);
}

static void test_what_is_not_impaired_passes_at_once(void **state)
{
    struct kit_packet a = data(1), b = data(2);

    (void)state;
    begin("loss 0%");
    assert_int_equal(device_fd(node), -1);
    assert_int_equal(device_deadline(node), TIME_NEVER);
    send(node, 0, &a);
    expect_verdict("");
    expect_packet(far_end, 0, &a);
    send(far_end, 0, &b);
    expect_packet(node, 0, &b);
    expect_verdict("");
    expect_read(node, 0, DEVICE_NOTHING);
    end();
}

/* The instant before, and the instant; and what the loop is told about when to come back. */
static void test_delay_out(void **state)
{
    struct kit_packet a = data(1);

    (void)state;
    begin("out: delay 20ms");
    send(node, 5 * MSEC, &a);
    expect_verdict("impair.delayed: its path kept it back by 20.000 ms (twintun)");
    assert_int_equal(device_deadline(node), 25 * MSEC);
    expect_read(node, 25 * MSEC - 1, DEVICE_NOTHING);
    expect_read(far_end, 25 * MSEC - 1, DEVICE_NOTHING);
    expect_read(node, 25 * MSEC, DEVICE_NOTHING);
    expect_packet(far_end, 25 * MSEC, &a);
    assert_int_equal(device_deadline(node), TIME_NEVER);
    end();
}

static void test_delay_in(void **state)
{
    struct kit_packet a = data(1);

    (void)state;
    begin("in: delay 20ms");
    send(far_end, 0, &a);
    expect_read(node, 5 * MSEC, DEVICE_NOTHING);
    assert_int_equal(device_deadline(node), 25 * MSEC);
    expect_read(node, 25 * MSEC - 1, DEVICE_NOTHING);
    expect_packet(node, 25 * MSEC, &a);
    expect_verdict("impair.delayed: its path kept it back by 20.000 ms (twintun)");
    end();
}

/* In lock-step nothing comes in at the instant at which it is read. */
static void test_a_step_holds_what_comes_in(void **state)
{
    struct kit_packet a = data(1);

    (void)state;
    begin_step("loss 0%", 7, 10 * MSEC);
    send(node, 0, &a);
    expect_packet(far_end, 0, &a);
    send(far_end, 0, &a);
    expect_read(node, 10 * MSEC, DEVICE_NOTHING);
    expect_read(node, 20 * MSEC - 1, DEVICE_NOTHING);
    expect_packet(node, 20 * MSEC, &a);
    end();
}

static void test_loss_is_shown_and_goes_no_further(void **state)
{
    struct kit_packet a = data(1);

    (void)state;
    begin("loss 100%");
    send(node, 0, &a);
    expect_verdict("impair.lost: the dice of its path lost it (twintun)");
    expect_read(far_end, SEC, DEVICE_NOTHING);
    send(far_end, 0, &a);
    expect_read(node, 0, DEVICE_LOST);
    expect_verdict("impair.lost: the dice of its path lost it (twintun)");
    expect_read(node, 0, DEVICE_NOTHING);
    end();
}

/* What is lost on a delayed way in is shown when it would have come, in its turn. */
static void test_a_late_loss_is_shown_in_its_turn(void **state)
{
    struct kit_packet a = data(1), b = data(2), c = data(3);

    (void)state;
    begin("in: delay 20ms, drop data 2");
    send(far_end, 0, &a);
    send(far_end, 0, &b);
    send(far_end, 0, &c);
    expect_read(node, 0, DEVICE_NOTHING);
    expect_packet(node, 20 * MSEC, &a);
    expect_read(node, 20 * MSEC, DEVICE_LOST);
    expect_verdict("impair.dropped: a rule names it by kind and number, to be lost (twintun)");
    expect_packet(node, 20 * MSEC, &c);
    end();
}

static void test_a_copy_is_told_from_its_original(void **state)
{
    struct kit_packet a = data(1);

    (void)state;
    begin("duplicate 100%");
    send(node, 0, &a);
    expect_verdict("impair.duplicated: its path carries it twice (twintun)");
    expect_packet(far_end, 0, &a);
    expect_packet(far_end, 0, &a);
    send(far_end, 0, &a);
    expect_packet(node, 0, &a);
    expect_verdict("");
    expect_packet(node, 0, &a);
    expect_verdict("impair.duplicated: its path carries it twice (twintun)");
    assert_int_equal(impair.side[IMPAIR_IN].count[REASON_IMPAIR_DUPLICATED], 1);
    end();
}

static void test_exactly_one_bit_is_turned(void **state)
{
    struct kit_packet a = data(1);
    struct pkt in;
    unsigned bits = 0;

    (void)state;
    begin("out: corrupt 100%");
    send(node, 0, &a);
    assert_int_equal(impair.verdict.why[0], REASON_IMPAIR_CORRUPTED);
    assert_int_equal(device_read(far_end, 0, &in), 1);
    for (uint32_t i = 0; i < a.len; i++)
        bits += (unsigned)__builtin_popcount(a.b[i] ^ in.part[0].base[i]);
    assert_int_equal(bits, 1);
    assert_int_not_equal(a.b[impair.verdict.bit / 8] ^ in.part[0].base[impair.verdict.bit / 8], 0);
    buf_unref(in.part[0].buf);
    end();
}

/* RFC 3168 5: only what knows ECN is marked, and its header stays right. */
static void rfc3168_5_a_mark_needs_a_transport_that_knows_it(void **state)
{
    struct kit_packet a = data(1);
    struct pkt in;

    (void)state;
    begin("out: ce-mark 100%");
    send(node, 0, &a);
    expect_verdict("");
    expect_packet(far_end, 0, &a);
    for (uint8_t ect = 1; ect <= 2; ect++) {
        a.b[1] = (uint8_t)(0xb8 | ect);
        kit_ip4_fix(&a);
        send(node, 0, &a);
        expect_verdict("impair.marked: its path marked it: congestion experienced (RFC 3168 5)");
        assert_int_equal(device_read(far_end, 0, &in), 1);
        assert_int_equal(in.part[0].base[1], 0xb8 | 3);
        assert_int_equal(checksum_residue(0, in.part[0].base, 20), 0);
        buf_unref(in.part[0].buf);
    }
    end();
}

/* RFC 1191 4: the error names the MTU and quotes what was too large; it comes by the way back. */
static void rfc1191_4_what_is_too_large_is_answered(void **state)
{
    struct kit_packet a = kit_tcp((struct kit_tcp){.flags = TCP_ACK, .seq = 1, .data = 1261});
    struct pkt in;
    struct ip_hdr ip;
    struct icmp_hdr icmp;

    (void)state;
    begin("out: mtu 1300; in: delay 3ms");
    send(node, 0, &a); /* may be cut: lost in silence */
    expect_verdict("impair.too_large: larger than what its path takes (RFC 1191 4)");
    expect_read(node, SEC, DEVICE_NOTHING);
    a.b[6] = 0x40;
    kit_ip4_fix(&a);
    send(node, SEC, &a);
    expect_read(far_end, SEC, DEVICE_NOTHING);
    expect_read(node, SEC + 3 * MSEC - 1, DEVICE_NOTHING);
    assert_int_equal(device_read(node, SEC + 3 * MSEC, &in), 1);
    expect_verdict("impair.delayed: its path kept it back by 3.000 ms (twintun)");
    assert_int_equal(ip_parse(in.part[0].base, in.len, &ip), REASON_NONE);
    assert_int_equal(addr_v4_value(&ip.dst), KIT_HOST);
    assert_int_equal(icmp_parse(in.part[0].base + 20, in.len - 20, &icmp), REASON_NONE);
    assert_int_equal(icmp.type, ICMP_UNREACHABLE);
    assert_int_equal(icmp.code, ICMP_UNREACH_NEEDFRAG);
    assert_int_equal(icmp.rest & 0xffff, 1300);
    assert_true(icmp.has_quote);
    assert_memory_equal(in.part[0].base + 28, a.b, 28);
    buf_unref(in.part[0].buf);
    end();
}

static void test_silent_is_silent(void **state)
{
    struct kit_packet a = kit_tcp((struct kit_tcp){.flags = TCP_ACK, .data = 1261});

    (void)state;
    a.b[6] = 0x40;
    kit_ip4_fix(&a);
    begin("mtu 1300 silent");
    send(node, 0, &a);
    expect_read(node, SEC, DEVICE_NOTHING);
    send(far_end, 0, &a);
    expect_read(node, SEC, DEVICE_LOST);
    expect_read(far_end, SEC, DEVICE_NOTHING);
    end();
}

/* RFC 791 3.1: an error is never answered by an error, or two of them would talk for ever. */
static void test_an_error_is_not_answered(void **state)
{
    static const uint8_t error[1300] = {ICMP_UNREACHABLE, ICMP_UNREACH_PORT};
    struct kit_packet a = kit_ip4(KIT_HOST, KIT_PEER, IP_PROTO_ICMP, error, sizeof(error));

    (void)state;
    a.b[6] = 0x40;
    kit_ip4_fix(&a);
    begin("mtu 1300");
    send(node, 0, &a);
    expect_verdict("impair.too_large: larger than what its path takes (RFC 1191 4)");
    expect_read(node, SEC, DEVICE_NOTHING);
    end();
}

/* 4,096 packets are in flight; the next one is lost, and says so. */
static void test_memory_in_flight_is_bounded(void **state)
{
    struct kit_packet a = data(1);

    (void)state;
    begin("delay 20ms");
    for (unsigned i = 0; i < IMPAIR_PACKETS; i++)
        send(node, 0, &a);
    expect_verdict("impair.delayed: its path kept it back by 20.000 ms (twintun)");
    send(node, 0, &a);
    expect_verdict("impair.full: no room for one more packet in flight on its path (twintun)");
    assert_int_equal(impair.side[IMPAIR_OUT].packets, IMPAIR_PACKETS + 1);
    assert_int_equal(impair.side[IMPAIR_OUT].count[REASON_IMPAIR_FULL], 1);
    assert_int_equal(impair.side[IMPAIR_OUT].count[REASON_IMPAIR_DELAYED], IMPAIR_PACKETS);
    expect_read(node, 20 * MSEC, DEVICE_NOTHING);
    send(node, 20 * MSEC, &a);
    expect_verdict("impair.delayed: its path kept it back by 20.000 ms (twintun)");
    end();
}

/* ---- A device that takes nothing, or fails ---- */

static int refusal; /* what a write is told; 0: taken */
static unsigned taken;

static int stubborn_write(struct device *d, int64_t now, const struct pkt *p)
{
    (void)d, (void)now, (void)p;
    taken += refusal == 0;
    return refusal;
}

static int stubborn_read(struct device *d, int64_t now, struct pkt *ret)
{
    (void)d, (void)now, (void)ret;
    return refusal == -EAGAIN ? 0 : refusal;
}

static int64_t stubborn_deadline(const struct device *d)
{
    (void)d;
    return TIME_NEVER;
}

static void stubborn_close(struct device *d)
{
    (void)d;
}

static void test_a_device_that_takes_nothing_is_tried_again(void **state)
{
    static const struct device_ops ops = {"stubborn",        stubborn_read, stubborn_write,
                                          stubborn_deadline, NULL,          stubborn_close};
    struct device stubborn = {.ops = &ops, .mtu = 1500};
    struct kit_packet a = data(1);
    struct rules rules = {.path = {{.delay = 0}}};
    struct pkt out;

    (void)state;
    kit_pool(&pool, 64, 4096);
    memset(&impair, 0, sizeof(impair));
    assert_int_equal(impair_init(&impair, &stubborn, &rules, 1, flight, &pool, 0), 0);
    taken = 0;
    refusal = -EAGAIN;
    kit_pkt(&a, &out);
    assert_int_equal(device_write(&impair.dev, 0, &out), 0);
    assert_int_equal(pool.copied, out.len);
    assert_int_equal(device_deadline(&impair.dev), 1 * MSEC);
    assert_int_equal(impair_flush(&impair, 1 * MSEC), 2 * MSEC);
    refusal = 0;
    expect_read(&impair.dev, 2 * MSEC, DEVICE_NOTHING);
    assert_int_equal(taken, 1);
    assert_int_equal(impair_flush(&impair, 2 * MSEC), TIME_NEVER);
    refusal = -ENETDOWN;
    assert_int_equal(device_write(&impair.dev, 3 * MSEC, &out), 0);
    assert_int_equal(impair.side[IMPAIR_OUT].count[REASON_IMPAIR_REFUSED], 1);
    expect_read(&impair.dev, 3 * MSEC, -ENETDOWN);
    out.len = 1501;
    assert_int_equal(device_write(&impair.dev, 3 * MSEC, &out), -EMSGSIZE);
    device_close(&impair.dev);
    assert_int_equal(pool.in_use, 0);
}

/* ---- The same dice ---- */

/*
 * The fates of FATES pieces of data, one bit each, with `acks` acknowledgments in front of each,
 * the first sequence number at `isn` and our port `port`.
 */
static void play(uint64_t seed, unsigned acks, uint32_t isn, uint16_t port, uint8_t ret_lost[FATES])
{
    struct kit_packet syn = kit_tcp((struct kit_tcp){.flags = TCP_SYN, .seq = isn, .sport = port});

    begin_step("out: loss 20%, burst 1% 10%", seed, 0);
    send(node, 0, &syn);
    expect_read(far_end, 0, w.side[1].queued > 0);
    for (uint32_t i = 0; i < FATES; i++) {
        struct kit_packet d = kit_tcp((struct kit_tcp){
            .flags = TCP_ACK, .seq = isn + 1 + i * 100, .sport = port, .data = 100});

        for (uint32_t k = 0; k < acks; k++) {
            struct kit_packet ack = kit_tcp((struct kit_tcp){
                .flags = TCP_ACK, .seq = isn + 1 + i * 100, .ack = i, .sport = port});

            send(node, i, &ack);
        }
        send(node, i, &d);
        ret_lost[i] = impair.verdict.n > 0;
        while (w.side[1].queued > 0)
            expect_read(far_end, 0, 1);
    }
    end();
}

static unsigned differ(const uint8_t *a, const uint8_t *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < FATES; i++)
        n += a[i] != b[i];
    return n;
}

/* How acknowledgments are mixed in, ports and first numbers: nothing of it moves the dice. */
static void test_the_fate_of_data_is_its_own(void **state)
{
    static uint8_t a[FATES], b[FATES];

    (void)state;
    play(7, 0, 1000, 50000, a);
    play(7, 0, 1000, 50000, b);
    assert_int_equal(differ(a, b), 0);
    play(7, 3, 1000, 50000, b);
    assert_int_equal(differ(a, b), 0);
    play(7, 1, UINT32_MAX - 99, 50001, b);
    assert_int_equal(differ(a, b), 0);
    play(8, 0, 1000, 50000, b);
    assert_in_range(differ(a, b), FATES / 8, FATES);
}

static struct identity identity;

static uint64_t who(unsigned direction, struct kit_tcp f)
{
    struct kit_packet p = kit_tcp(f);

    return identity_of(&identity, direction, p.b, p.len);
}

static void test_who_a_packet_is(void **state)
{
    const struct kit_tcp piece = {.flags = TCP_ACK, .seq = 5, .data = 10};
    const struct kit_tcp other = {.flags = TCP_ACK, .seq = 15, .data = 10};
    struct kit_packet udp = kit_udp(1, 2, NULL, 0);
    uint64_t first, again, second, datagram;

    (void)state;
    memset(&identity, 0, sizeof(identity));
    first = who(0, piece);
    again = who(0, piece);
    second = who(0, other);
    assert_true(first != again && first != second && again != second);
    assert_true(first != who(1, piece)); /* the other way */
    datagram = identity_of(&identity, 0, udp.b, udp.len);
    assert_true(datagram != identity_of(&identity, 0, udp.b, udp.len));
    memset(&identity, 0, sizeof(identity));
    assert_true(who(0, other) == second);
    assert_true(who(0, piece) == first);
    assert_true(who(0, piece) == again);
    assert_true(identity_of(&identity, 0, udp.b, udp.len) == datagram);
}

/* A connection is its number in the order of SYNs: the second one has other dice. */
static void test_connections_are_told_apart(void **state)
{
    const struct kit_tcp syn = {.flags = TCP_SYN, .seq = 9};
    struct kit_tcp again = syn;
    uint64_t first;

    (void)state;
    memset(&identity, 0, sizeof(identity));
    first = who(0, syn);
    again.seq = 10;
    assert_true(who(0, again) != first);
    assert_int_equal(identity.flows, 2);
    who(0, again); /* sent once more: the same connection */
    assert_int_equal(identity.flows, 2);
    for (uint16_t port = 1; port < 5000; port++) /* more than there are places */
        who(0, (struct kit_tcp){.flags = TCP_SYN, .seq = 1, .sport = port});
    assert_int_equal(identity.flows, 2 + 4999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_impaired_passes_at_once),
        cmocka_unit_test(test_delay_out),
        cmocka_unit_test(test_delay_in),
        cmocka_unit_test(test_a_step_holds_what_comes_in),
        cmocka_unit_test(test_loss_is_shown_and_goes_no_further),
        cmocka_unit_test(test_a_late_loss_is_shown_in_its_turn),
        cmocka_unit_test(test_a_copy_is_told_from_its_original),
        cmocka_unit_test(test_exactly_one_bit_is_turned),
        cmocka_unit_test(rfc3168_5_a_mark_needs_a_transport_that_knows_it),
        cmocka_unit_test(rfc1191_4_what_is_too_large_is_answered),
        cmocka_unit_test(test_silent_is_silent),
        cmocka_unit_test(test_an_error_is_not_answered),
        cmocka_unit_test(test_memory_in_flight_is_bounded),
        cmocka_unit_test(test_a_device_that_takes_nothing_is_tried_again),
        cmocka_unit_test(test_the_fate_of_data_is_its_own),
        cmocka_unit_test(test_who_a_packet_is),
        cmocka_unit_test(test_connections_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
