/*
 * Datagrams that come in fragments, for sockets: strangers who send fragments, and sockets that are
 * not read, take no buffers from those that are.
 */
#include "udp_kit.h"

enum {
    PLACES = 16,
    PORT = 6000,
    STEP = 1200,  /* bytes of data in a fragment, at most */
    LARGE = 3000, /* bytes of a datagram that no small buffer can hold */
};

static void begin_places(bool v6)
{
    defaults();
    over_ipv6(v6);
    rig.cfg.max_fragmented = PLACES;
    begin();
}

/* Bytes off .. off + len - 1 of a datagram's packet, behind the IP header. */
static enum reason piece(struct addr src, uint32_t id, const uint8_t *b, uint32_t off, uint32_t len,
                         bool more)
{
    struct ip_hdr ip = {
        .version = rig.v6 ? 6 : 4,
        .src = src,
        .dst = LOCAL_ADDR,
        .ttl = 64,
        .proto = IP_PROTO_UDP,
        .id = id,
        .frag_off = (uint16_t)off,
        .mf = more,
    };
    uint8_t packet[IPV6_HEADER + IPV6_FRAGMENT_HEADER + STEP];
    size_t header_len = ip_build(packet, &ip, len);

    memcpy(packet + header_len, b + off, len);
    return rig_input(packet, (uint32_t)header_len + len);
}

/* LARGE bytes for that port, in fragments; the verdict on the last. */
static enum reason datagram(uint32_t id, uint16_t port)
{
    static uint8_t b[UDP_HEADER + LARGE];
    struct addr src = REMOTE_ADDR, dst = LOCAL_ADDR;
    struct udp_hdr udp = {.sport = 5000, .dport = port};
    struct slice data = {NULL, b + UDP_HEADER, LARGE};

    pattern_fill(b + UDP_HEADER, id, LARGE);
    udp_build(b, &src, &dst, &udp, &data, 1);
    rig_reason("the first fragment", piece(src, id, b, 0, STEP, true), REASON_NONE);
    rig_reason("the second", piece(src, id, b, STEP, STEP, true), REASON_NONE);
    return piece(src, id, b, 2 * STEP, UDP_HEADER + LARGE - 2 * STEP, false);
}

static void reads(int udp, uint32_t id)
{
    struct stack_datagram d;

    assert_int_equal(stack_udp_receive(rig.st, udp, &d), 0);
    assert_int_equal(d.data.len, LARGE);
    pattern_check(d.data.base, id, LARGE);
    buf_unref(d.data.buf);
}

/* First halves, from so many sources, whose second halves never come. */
static void first_halves(unsigned n, unsigned sources)
{
    static const uint8_t half[STEP];

    for (unsigned i = 0; i < n; i++) {
        struct addr src = UDP_OTHER;

        src.b[rig.v6 ? 7 : 14] = (uint8_t)(16 + i % sources);
        rig_reason("half a datagram", piece(src, 100 + i, half, 0, STEP, true), REASON_NONE);
    }
}

/* BAD: 8,192 datagrams that are never completed, and honest ones of UDP among them. */
static void places_that_strangers_take(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        int udp;

        begin_places(v6);
        udp = stack_udp_bind(rig.st, PORT, NULL);
        for (unsigned i = 0; i < 64; i++) {
            first_halves(128, i % 2 ? 1 : 200);
            rig_same("places taken", rig.st->fragments.bufs.in_use, PLACES);
            rig_reason("a datagram among them", datagram(i, PORT), REASON_NONE);
            reads(udp, i);
            rig_same("buffers that make room", rig.st->fragments.bufs.yielding,
                     rig.st->fragments.bufs.in_use);
        }
        end();
    }
}

/* One more that nobody reads, filled: it gets half of what the others have left, and one more. */
static void fill(uint16_t port)
{
    uint32_t held = rig.st->fragments.bufs.in_use, most = (PLACES / 2 - 1 - held) / 2 + 1;

    assert_true(stack_udp_bind(rig.st, port, NULL) >= 0);
    for (uint32_t i = 0; i < PLACES; i++)
        rig_reason("what waits", datagram(1000 + i, port),
                   i < most ? REASON_NONE : REASON_NO_BUFFER);
    rig_same("what is held", rig.st->fragments.bufs.in_use, held + most);
}

/*
 * BAD: large datagrams for sockets that nobody reads: together they hold half of the buffers that
 * fragments are put together in, and one or two of them leave something of it for one that is read.
 */
static void sockets_that_are_not_read(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        int udp;

        begin_places(v6);
        udp = stack_udp_bind(rig.st, PORT, NULL);
        for (uint16_t n = 1; n <= 2; n++) {
            fill(PORT + n);
            rig_reason("another socket's", datagram(n, PORT), REASON_NONE);
            reads(udp, n);
        }
        first_halves(1000, 200);
        rig_same("places taken", rig.st->fragments.bufs.in_use, PLACES);
        rig_reason("one behind them", datagram(7, PORT), REASON_NONE);
        reads(udp, 7);
        rig.now += FRAGMENT_TIMEOUT;
        stack_tick(rig.st, rig.now);
        drain();
        fill(PORT + 3);
        fill(PORT + 4);
        rig_same("all that sockets may hold", rig.st->fragments.bufs.in_use, PLACES / 2);
        rig_reason("one too many", datagram(8, PORT), REASON_NO_BUFFER);
        for (int i = 0; i < 5; i++)
            assert_int_equal(stack_udp_close(rig.st, i), 0);
        end();
    }
}

/* Whatever becomes of a datagram, what is said of its buffer goes with it. */
static void what_yields_is_what_waits(void **state)
{
    static const uint8_t b[STEP];
    struct addr src;

    (void)state;
    for (int v6 = 0; v6 <= 1; v6++) {
        begin_places(v6);
        src = REMOTE_ADDR;
        for (uint32_t id = 0; id < 3; id++)
            rig_reason("it begins", piece(src, id, b, 0, STEP, true), REASON_NONE);
        rig_same("three wait", rig.st->fragments.bufs.yielding, 3);
        rig_reason("one is refused", piece(src, 0, b, 8, 80, true), REASON_FRAGMENT_OVERLAP);
        rig_same("two wait", rig.st->fragments.bufs.yielding, 2);
        rig.now += FRAGMENT_TIMEOUT;
        stack_tick(rig.st, rig.now);
        rig_same("none waits", rig.st->fragments.bufs.yielding, 0);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_that_strangers_take),
        cmocka_unit_test(sockets_that_are_not_read),
        cmocka_unit_test(what_yields_is_what_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
