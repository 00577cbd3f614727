/*
 * Malformed and hostile packets below TCP: lengths, options, addresses, fragments, ICMP, UDP. Each
 * is a good packet with some bytes changed, and is dropped and counted for its reason. After each
 * list a connection that was open before has lost nothing, a ping is answered, and a handshake
 * completes.
 */
#include "tcp_kit.h"

#include "packet_kit.h"

enum base {
    ECHO,   /* 20 + 8 + 8 bytes */
    ECHO_O, /* 28 + 8 + 8 bytes, with eight bytes of NOP */
    ERROR,  /* 20 + 8 + 28 bytes: "port unreachable" about the connection's segment in flight */
    UDP,    /* 20 + 8 + 8 bytes, to a bound port */
};

enum mend {
    IP = 1, /* the IP header's checksum is made right again */
    L4 = 2, /* ... and that of what is behind it */
    GOOD = IP | L4,
};

enum {
    EDITS = 3,
    WHOLE = 0,
    UDP_PORT = 6000,
};

struct bad {
    const char *what;
    enum reason why;
    enum base base;
    unsigned mend;
    uint32_t len; /* bytes that arrive; WHOLE: all */
    struct {
        uint32_t at, width, value; /* offset and bytes; a width of 0 ends the list */
    } edit[EDITS];
};

static struct kit_packet good_error(void)
{
    uint8_t quote[28] = {0x45, 0, 0x05, 0xdc, 0, 0, 0x40, 0, 64, 6};

    put32(quote + 12, KIT_PEER);
    put32(quote + 16, KIT_HOST);
    put16(quote + 20, flow.local_port);
    put16(quote + 22, flow.remote_port);
    put32(quote + 24, flow.iss + 1);
    return kit_icmp(ICMP_UNREACHABLE, ICMP_UNREACH_PORT, 0, quote, sizeof(quote));
}

static struct kit_packet good(enum base base)
{
    struct kit_packet p, with = {.len = 0};

    switch (base) {
    case ECHO:
    case ECHO_O:
        p = kit_icmp(ICMP_ECHO, 0, 1, "01234567", 8);
        break;
    case ERROR:
        p = good_error();
        break;
    case UDP:
        p = kit_udp(5000, UDP_PORT, "01234567", 8);
        break;
    }
    put32(p.b + 12, KIT_HOST);
    put32(p.b + 16, KIT_PEER);
    kit_ip4_fix(&p);
    if (base != ECHO_O)
        return p;
    with = p;
    memset(with.b + 20, 1, 8);
    memcpy(with.b + 28, p.b + 20, p.len - 20);
    with.b[0] = 0x47;
    with.len += 8;
    put16(with.b + 2, (uint16_t)with.len);
    kit_ip4_fix(&with);
    return with;
}

static void mend(struct kit_packet *p, const struct bad *bad)
{
    uint32_t header = bad->base == ECHO_O ? 28 : 20;

    if (bad->mend & L4 && bad->base == UDP) {
        kit_l4_fix(p, 6);
    } else if (bad->mend & L4) {
        put16(p->b + header + 2, 0);
        put16(p->b + header + 2, checksum_finish(checksum_add(0, p->b + header, p->len - header)));
    }
    if (bad->mend & IP) {
        put16(p->b + 10, 0);
        put16(p->b + 10, checksum_finish(checksum_add(0, p->b, header)));
    }
}

/* It may be answered, for this reason or not at all. */
static void strike(const struct bad *bad, enum reason answer)
{
    struct kit_packet p = good(bad->base);
    uint64_t before = stack_count(rig.st, bad->why);

    for (unsigned i = 0; i < EDITS && bad->edit[i].width; i++) {
        uint8_t *at = p.b + bad->edit[i].at;

        if (bad->edit[i].width == 1)
            *at = (uint8_t)bad->edit[i].value;
        else if (bad->edit[i].width == 2)
            put16(at, (uint16_t)bad->edit[i].value);
        else
            put32(at, bad->edit[i].value);
    }
    mend(&p, bad);
    rig.what = bad->what;
    rig_reason("the verdict", rig_input(p.b, bad->len ? bad->len : p.len), bad->why);
    rig_same("counted", (long long)(stack_count(rig.st, bad->why) - before),
             bad->why != REASON_NONE);
    if (answer) {
        assert_true(rig_take());
        rig_reason("the answer", rig.why, answer);
    }
    rig_expect_nothing();
}

/* A connection with 10 bytes in flight, and a bound UDP socket. */
static void begin_alive(void)
{
    defaults();
    begin();
    assert_true(stack_udp_bind(rig.st, UDP_PORT, NULL) >= 0);
    open_passive();
    app_send(10);
    expect(ACK, 1, 1, 10);
}

/* Nothing has happened to anybody. */
static void still_alive(void)
{
    struct kit_packet ping = good(ECHO);

    rig.what = NULL;
    expect_no_event();
    expect_nothing();
    assert_int_equal(tcb()->snd_mss, MSS);
    assert_int_equal(tcb()->soft_error, REASON_NONE);
    inject(ACK, 1, 11, FULL_WND, 20);
    expect_event(EV_READABLE);
    app_read(20);
    assert_int_equal(rig_input(ping.b, ping.len), REASON_NONE);
    assert_true(rig_take());
    expect_why(REASON_SEND_ECHO_REPLY);
    flow = (struct flow){.local_port = LOCAL_PORT, .remote_port = REMOTE_PORT + 1, .irs = 5};
    open_passive();
    end();
}

static void strike_all(const struct bad *bads, size_t n, enum reason answer)
{
    begin_alive();
    for (size_t i = 0; i < n; i++)
        strike(&bads[i], answer);
    still_alive();
}

#define STRIKE_ALL(bads, answer) strike_all(bads, sizeof(bads) / sizeof((bads)[0]), answer)

/* BAD: lengths. */
static void lengths(void **state)
{
    static const struct bad bads[] = {
        {"1 byte", REASON_IP_EMPTY, ECHO, 0, 1, {{0}}},
        {"19 bytes", REASON_IP_EMPTY, ECHO, 0, 19, {{0}}},
        {"20 bytes", REASON_IP_TOTAL_LENGTH, ECHO, 0, 20, {{0}}},
        {"one byte missing", REASON_IP_TOTAL_LENGTH, ECHO, 0, 35, {{0}}},
        {"header of 0 words", REASON_IP_HEADER_LENGTH, ECHO, IP, WHOLE, {{0, 1, 0x40}}},
        {"header of 4 words", REASON_IP_HEADER_LENGTH, ECHO, IP, WHOLE, {{0, 1, 0x44}}},
        {"header beyond", REASON_IP_HEADER_LENGTH, ECHO, IP, WHOLE, {{0, 1, 0x4f}}},
        {"total length 0", REASON_IP_TOTAL_LENGTH, ECHO, IP, WHOLE, {{2, 2, 0}}},
        {"total length 19", REASON_IP_TOTAL_LENGTH, ECHO, IP, WHOLE, {{2, 2, 19}}},
        {"total length beyond", REASON_IP_TOTAL_LENGTH, ECHO, IP, WHOLE, {{2, 2, 37}}},
        {"total length 65535", REASON_IP_TOTAL_LENGTH, ECHO, IP, WHOLE, {{2, 2, 65535}}},
        {"bytes behind it", REASON_ICMP_SHORT, ECHO, IP, WHOLE, {{2, 2, 27}}},
        {"version 0", REASON_IP_VERSION, ECHO, IP, WHOLE, {{0, 1, 0x05}}},
        {"version 5", REASON_IP_VERSION, ECHO, IP, WHOLE, {{0, 1, 0x55}}},
        {"version 6", REASON_IP_EMPTY, ECHO, IP, WHOLE, {{0, 1, 0x65}}},
        {"bad checksum", REASON_IP_CHECKSUM, ECHO, 0, WHOLE, {{10, 2, 0x1234}}},
    };

    (void)state;
    STRIKE_ALL(bads, REASON_NONE);
}

/* BAD: IP options, also in the quote of an error. */
static void options(void **state)
{
    static const struct bad bads[] = {
        {"length 0", REASON_IP_OPTION, ECHO_O, IP, WHOLE, {{20, 2, 0x0700}}},
        {"length 1", REASON_IP_OPTION, ECHO_O, IP, WHOLE, {{20, 2, 0x4401}}},
        {"overrunning", REASON_IP_OPTION, ECHO_O, IP, WHOLE, {{20, 2, 0x8209}}},
        {"no length", REASON_IP_OPTION, ECHO_O, IP, WHOLE, {{27, 1, 0x94}}},
        {"both", REASON_IP_ROUTE, ECHO_O, IP, WHOLE, {{20, 4, 0x83030489}, {24, 4, 0x03040000}}},
        {"route cut short", REASON_IP_OPTION, ECHO_O, IP, WHOLE, {{20, 4, 0x830b040a}}},
        {"route of length 2", REASON_IP_ROUTE, ECHO_O, IP, WHOLE, {{20, 4, 0x83020101}}},
    };
    static const struct bad unfinished[] = {
        {"strict route", REASON_IP_SOURCE_ROUTE, ECHO_O, IP, WHOLE, {{20, 4, 0x8907040a}}},
    };
    static const struct bad silent[] = {
        {"loose route", REASON_IP_SOURCE_ROUTE, ECHO_O, IP, WHOLE, {{20, 4, 0x8307080a}}},
        {"IP in IP", REASON_ICMP_QUOTE, ERROR, GOOD, WHOLE, {{37, 1, 4}}},
        {"quoted header of 4 words", REASON_ICMP_QUOTE, ERROR, GOOD, WHOLE, {{28, 1, 0x44}}},
        {"quoted header beyond", REASON_ICMP_QUOTE, ERROR, GOOD, WHOLE, {{28, 1, 0x4f}}},
        {"a route in the quote, no ports",
         REASON_ICMP_QUOTE,
         ERROR,
         GOOD,
         WHOLE,
         {{28, 1, 0x46}, {48, 4, 0x83070400}}},
    };

    (void)state;
    STRIKE_ALL(bads, REASON_SEND_PARAM_PROBLEM);
    STRIKE_ALL(unfinished, REASON_SEND_UNREACHABLE);
    STRIKE_ALL(silent, REASON_NONE);
}

/* IP in IP, whatever lengths it claims, is a protocol that nobody serves. */
static void ip_in_ip(void **state)
{
    struct kit_packet p = kit_ip4(KIT_HOST, KIT_PEER, 4, "\x45\0\xff\xff", 4);

    (void)state;
    begin_alive();
    assert_int_equal(rig_input(p.b, p.len), REASON_IP_PROTOCOL);
    assert_true(rig_take());
    expect_why(REASON_SEND_UNREACHABLE);
    still_alive();
}

/* BAD: addresses. */
static void addresses(void **state)
{
    static const struct bad bads[] = {
        {"source is destination", REASON_IP_LAND, ECHO, IP, WHOLE, {{12, 4, KIT_PEER}}},
        {"from broadcast", REASON_IP_SOURCE, ECHO, IP, WHOLE, {{12, 4, 0xffffffff}}},
        {"from the subnet's", REASON_IP_SOURCE, ECHO, IP, WHOLE, {{12, 4, 0x0a0001ff}}},
        {"from multicast", REASON_IP_SOURCE, ECHO, IP, WHOLE, {{12, 4, 0xe0000001}}},
        {"from loopback", REASON_IP_SOURCE, ECHO, IP, WHOLE, {{12, 4, 0x7f000001}}},
        {"from class E", REASON_IP_SOURCE, ECHO, IP, WHOLE, {{12, 4, 0xf0000001}}},
        {"from 0.0.0.0", REASON_IP_SOURCE, ECHO, IP, WHOLE, {{12, 4, 0}}},
        {"not to us", REASON_IP_NOT_OURS, ECHO, IP, WHOLE, {{16, 4, 0x0a000106}}},
        {"to broadcast", REASON_IP_BROADCAST, ECHO, IP, WHOLE, {{16, 4, 0xffffffff}}},
        {"to the subnet's", REASON_IP_BROADCAST, ECHO, IP, WHOLE, {{16, 4, 0x0a0001ff}}},
        {"to multicast", REASON_IP_BROADCAST, UDP, IP, WHOLE, {{16, 4, 0xe0000001}}},
        {"an error from loopback", REASON_IP_SOURCE, ERROR, IP, WHOLE, {{12, 4, 0x7f000001}}},
        {"an error to broadcast", REASON_IP_BROADCAST, ERROR, IP, WHOLE, {{16, 4, 0xffffffff}}},
    };

    (void)state;
    STRIKE_ALL(bads, REASON_NONE);
}

/* BAD: fragments. What never becomes whole is answered by nothing, and holds no buffer of ours. */
static void fragments(void **state)
{
    static const struct bad bads[] = {
        {"a first one", REASON_NONE, UDP, IP, WHOLE, {{6, 2, 0x2000}}},
        {"the same again", REASON_FRAGMENT_DUPLICATE, UDP, IP, WHOLE, {{6, 2, 0x2000}}},
        {"a later one", REASON_NONE, UDP, IP, WHOLE, {{6, 2, 0x2003}}},
        {"the end before it", REASON_FRAGMENT_END, UDP, IP, WHOLE, {{6, 2, 0x0002}}},
        {"of what was refused", REASON_FRAGMENT_REFUSED, UDP, IP, WHOLE, {{6, 2, 0x0005}}},
        {"beyond 65,535", REASON_FRAGMENT_TOO_LARGE, ECHO, IP, WHOLE, {{6, 2, 0x1fff}}},
        {"with DF", REASON_NONE, ECHO, IP, WHOLE, {{6, 2, 0x6000}}},
        {"overlapping", REASON_FRAGMENT_OVERLAP, ECHO, IP, WHOLE, {{6, 2, 0x0001}}},
        {"of an odd length", REASON_FRAGMENT_LENGTH, ERROR, IP, WHOLE, {{6, 2, 0x2000}}},
    };
    struct bad piece = {"one of many", REASON_NONE, UDP, IP, WHOLE, {{4, 2, 0}, {6, 2, 0}}};

    (void)state;
    begin_alive();
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
        strike(&bads[i], REASON_NONE);
    for (uint32_t i = 2; i < 2000; i++) { /* datagrams never completed */
        piece.edit[0].value = i;
        piece.edit[1].value = 0x2000;
        strike(&piece, REASON_NONE);
    }
    for (uint32_t i = 0; i < 8189; i++) { /* one datagram in thousands of pieces */
        piece.edit[0].value = 1;
        piece.edit[1].value = 0x2000 | i;
        piece.edit[2].at = piece.edit[2].width = 2; /* of 8 bytes each */
        piece.edit[2].value = 28;
        strike(&piece, REASON_NONE);
    }
    assert_int_equal(rig.device.in_use, 0);
    still_alive();
}

/* BAD: ICMP. */
static void icmp(void **state)
{
    static const struct bad bads[] = {
        {"a header of 0 bytes", REASON_ICMP_SHORT, ECHO, IP, WHOLE, {{2, 2, 20}}},
        {"a header of 7 bytes", REASON_ICMP_SHORT, ECHO, IP, WHOLE, {{2, 2, 27}}},
        {"bad checksum", REASON_ICMP_CHECKSUM, ERROR, 0, WHOLE, {{22, 2, 0x1234}}},
        {"an error about an error", REASON_ICMP_QUOTE, ERROR, GOOD, WHOLE, {{37, 1, 1}}},
        {"a quoted fragment", REASON_ICMP_QUOTE, ERROR, GOOD, WHOLE, {{34, 2, 1}}},
        {"not sent by us", REASON_ICMP_QUOTE, ERROR, GOOD, WHOLE, {{40, 4, KIT_HOST}}},
        {"to somebody else", REASON_ICMP_QUOTE, ERROR, GOOD, WHOLE, {{44, 4, KIT_HOST + 1}}},
        {"another port", REASON_ICMP_QUOTE, ERROR, GOOD, WHOLE, {{50, 2, 1}}},
        {"not in flight", REASON_ICMP_SEQUENCE, ERROR, GOOD, WHOLE, {{52, 4, 0}}},
        {"MTU 0, not in flight",
         REASON_ICMP_SEQUENCE,
         ERROR,
         GOOD,
         WHOLE,
         {{20, 2, 0x0304}, {52, 4, 0}}},
        {"MTU as it is", REASON_ICMP_MTU, ERROR, GOOD, WHOLE, {{20, 2, 0x0304}, {24, 4, 1500}}},
        {"MTU 68, fragments allowed",
         REASON_ICMP_MTU,
         ERROR,
         GOOD,
         WHOLE,
         {{20, 2, 0x0304}, {24, 4, 68}, {34, 2, 0}}},
        {"source quench", REASON_ICMP_SOURCE_QUENCH, ERROR, GOOD, WHOLE, {{20, 2, 0x0400}}},
        {"redirect", REASON_ICMP_TYPE, ERROR, GOOD, WHOLE, {{20, 2, 0x0501}}},
        {"an unknown code", REASON_ICMP_TYPE, ERROR, GOOD, WHOLE, {{20, 2, 0x03ff}}},
        {"echo to broadcast", REASON_IP_BROADCAST, ECHO, IP, WHOLE, {{16, 4, 0x0a0001ff}}},
    };

    (void)state;
    STRIKE_ALL(bads, REASON_NONE);
}

/* A quote cut anywhere inside its headers is no quote. */
static void quotes_cut_short(void **state)
{
    (void)state;
    begin_alive();
    for (uint32_t len = 28; len < 56; len++) {
        struct kit_packet p = good(ERROR);

        p.len = len;
        put16(p.b + 2, (uint16_t)len);
        kit_ip4_fix(&p);
        put16(p.b + 22, 0);
        put16(p.b + 22, checksum_finish(checksum_add(0, p.b + 20, len - 20)));
        rig_reason("the verdict", rig_input(p.b, p.len), REASON_ICMP_QUOTE);
    }
    still_alive();
}

/* BAD: UDP. */
static void udp(void **state)
{
    static const struct bad bads[] = {
        {"length 0", REASON_UDP_LENGTH, UDP, 0, WHOLE, {{24, 2, 0}}},
        {"length 7", REASON_UDP_LENGTH, UDP, 0, WHOLE, {{24, 2, 7}}},
        {"length above the packet", REASON_UDP_LENGTH, UDP, 0, WHOLE, {{24, 2, 17}}},
        {"a header of 7 bytes", REASON_UDP_LENGTH, UDP, IP, WHOLE, {{2, 2, 27}}},
        {"bad checksum", REASON_UDP_CHECKSUM, UDP, 0, WHOLE, {{26, 2, 0x1234}}},
        {"from port 0", REASON_UDP_PORT_ZERO, UDP, L4, WHOLE, {{20, 2, 0}}},
        {"to port 0", REASON_UDP_PORT_ZERO, UDP, L4, WHOLE, {{22, 2, 0}}},
    };

    (void)state;
    STRIKE_ALL(bads, REASON_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),          cmocka_unit_test(options),   cmocka_unit_test(ip_in_ip),
        cmocka_unit_test(addresses),        cmocka_unit_test(fragments), cmocka_unit_test(icmp),
        cmocka_unit_test(quotes_cut_short), cmocka_unit_test(udp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
