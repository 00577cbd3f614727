/*
 * Segments that follow each other, joined as they are read: what comes of them is the segment that
 * would have come in one piece, and whatever is not quite usual stays by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "link/join.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum {
    MTU = 1500,
    TEXT = 1000, /* bytes of each */
};

static const uint32_t SEQ = 0xfffff000; /* so that it wraps */

static uint8_t text[16 * TEXT];
static uint8_t at[16 * MTU]; /* where they are read to */
static uint8_t packet[MTU];  /* the one that is made */
static struct join j;

/* Segment number i, of `len` bytes. */
struct made {
    struct addr src, dst;
    struct ip_hdr ip;
    struct tcp_hdr tcp;
    uint32_t i, len;
};

static struct made usual(bool v6, uint32_t i)
{
    struct addr v6_src = {.b = {0xfd, [15] = 7}}, v6_dst = {.b = {0xfd, [7] = 1, [15] = 5}};
    struct made m = {.i = i, .len = TEXT};

    m.src = v6 ? v6_src : addr_v4(0x0a000007);
    m.dst = v6 ? v6_dst : addr_v4(0x0a000105);
    m.ip = (struct ip_hdr){
        .version = v6 ? 6 : 4, .ttl = 63, .proto = IP_PROTO_TCP, .df = true, .id = (uint16_t)i};
    m.tcp = (struct tcp_hdr){
        .sport = 40000, .dport = 9, .ack = 77, .wnd = 500, .flags = TCP_ACK, .seq = SEQ + i * TEXT};
    m.tcp.opt.has_timestamp = true;
    m.tcp.opt.ts_val = 5;
    m.tcp.opt.ts_ecr = 6;
    return m;
}

/* As it stands on the wire, in `packet`; its length. */
static uint32_t put(struct made *m)
{
    struct slice s = {NULL, text + m->i * TEXT, m->len};
    size_t ip, tcp;

    m->ip.src = m->src;
    m->ip.dst = m->dst;
    ip = ip_build_len(&m->ip);
    tcp = tcp_build(packet + ip, &m->src, &m->dst, &m->tcp, 0, &s, m->len ? 1 : 0);
    ip_build(packet, &m->ip, tcp + m->len);
    memcpy(packet + ip + tcp, s.base, m->len);
    return (uint32_t)(ip + tcp) + m->len;
}

/* The first one is read. */
static bool first(struct made m)
{
    uint32_t len = put(&m);

    memcpy(at, packet, len);
    return join_begin(&j, at, len, MTU, false);
}

/* `packet` is read behind it, as its reader does it. */
static bool next(uint32_t len, bool vouched)
{
    memcpy(at + j.len, packet + j.headers, len > j.headers ? len - j.headers : 0);
    return join_add(&j, at, packet, len, vouched);
}

static bool then(struct made m)
{
    return next(put(&m), false);
}

static void begin(void)
{
    j = (struct join){0};
    for (uint32_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i * 31 + (i >> 8));
}

/* It is one segment now, with this text and these flags. */
static void joined(uint32_t len, uint8_t flags)
{
    struct tcp_hdr tcp;
    struct ip_hdr ip;

    assert_true(join_end(&j, at));
    assert_int_equal(ip_parse(at, j.len, &ip), REASON_NONE);
    assert_int_equal(ip.total_len, j.len);
    assert_int_equal(tcp_parse(&ip, at + ip.header_len, (size_t)ip.total_len - ip.header_len,
                               PKT_CSUM_VALID, &tcp),
                     REASON_NONE);
    assert_int_equal(tcp.seq, SEQ);
    assert_int_equal(tcp.flags, flags);
    assert_true(tcp.ack == 77 && tcp.wnd == 500);
    assert_int_equal(j.len - ip.header_len - tcp.header_len, len);
    assert_memory_equal(at + ip.header_len + tcp.header_len, text, len);
    assert_int_equal(j.size, TEXT);
}

/* Over both versions, with timestamps and without, across the wrap of numbers. */
static void they_become_one(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct made m = usual(how & 1, 0);

        begin();
        m.tcp.opt.has_timestamp = how & 2;
        assert_true(first(m));
        for (uint32_t i = 1; i < JOIN_MAX; i++) {
            m = usual(how & 1, i);
            m.tcp.opt.has_timestamp = how & 2;
            assert_true(then(m));
            assert_int_equal(j.n, i + 1);
            assert_false(j.ended);
        }
        joined(JOIN_MAX * TEXT, TCP_ACK);
    }
}

/* PSH, or a shorter one, is the last; what is pushed at once does not begin. */
static void where_it_ends(void **state)
{
    struct made m;

    (void)state;
    begin();
    assert_true(first(usual(false, 0)));
    m = usual(false, 1);
    m.tcp.flags |= TCP_PSH;
    assert_true(then(m));
    assert_true(j.ended);
    joined(2 * TEXT, TCP_ACK | TCP_PSH);
    begin();
    assert_true(first(usual(true, 0)));
    m = usual(true, 1);
    m.len = 1;
    assert_true(then(m));
    assert_true(j.ended);
    joined(TEXT + 1, TCP_ACK);
    begin();
    m = usual(false, 0);
    m.tcp.flags |= TCP_PSH;
    assert_false(first(m));
}

/* What the second one may differ in, and what not. */
enum change {
    NOTHING,
    OTHER_PORT,
    OTHER_HOST,
    A_GAP,
    AGAIN,
    NO_TEXT,
    MORE_TEXT,
    A_FIN,
    A_RESET,
    URGENT_FLAG,
    URGENT_POINTER,
    ECHO_OF_CONGESTION,
    REDUCED,
    CONGESTION,
    ECN_BITS,
    DSCP,
    HOPS,
    ANOTHER_ACK,
    ANOTHER_WINDOW,
    LATER,
    ANOTHER_ECHO,
    NO_STAMP,
    SELECTIVE,
    FRAGMENT,
    PROTOCOL,
    SUM,
    IP_SUM,
    LENGTH,
    CHANGES,
};

static void change(struct made *m, enum change c)
{
    if (c == OTHER_PORT)
        m->tcp.sport++;
    if (c == OTHER_HOST)
        m->src.b[15]++;
    m->tcp.seq += c == A_GAP;
    m->tcp.seq -= c == AGAIN ? TEXT : 0;
    m->len = c == NO_TEXT ? 0 : c == MORE_TEXT ? TEXT + 1 : m->len;
    m->tcp.flags |= c == A_FIN                ? TCP_FIN
                    : c == A_RESET            ? TCP_RST
                    : c == URGENT_FLAG        ? TCP_URG
                    : c == ECHO_OF_CONGESTION ? TCP_ECE
                    : c == REDUCED            ? TCP_CWR
                                              : 0;
    m->tcp.urg = c == URGENT_POINTER;
    m->ip.tos = c == CONGESTION ? 3 : c == ECN_BITS ? 2 : c == DSCP ? 8 : 0;
    if (c == HOPS)
        m->ip.ttl--;
    m->tcp.ack += c == ANOTHER_ACK;
    if (c == ANOTHER_WINDOW)
        m->tcp.wnd++;
    m->tcp.opt.ts_val += c == LATER;
    m->tcp.opt.ts_ecr += c == ANOTHER_ECHO;
    m->tcp.opt.has_timestamp = c != NO_STAMP;
    if (c == SELECTIVE)
        m->tcp.opt.sack_n = 1;
}

/* What no stack would make. */
static uint32_t spoil(struct made *m, enum change c, uint32_t len)
{
    bool v6 = m->ip.version == 6;

    if (c == FRAGMENT && !v6)
        packet[6] |= 0x20;
    if (c == PROTOCOL || (c == FRAGMENT && v6))
        packet[v6 ? 6 : 9] = c == PROTOCOL ? 17 : 44;
    if ((c == FRAGMENT || c == PROTOCOL) && !v6) {
        put16(packet + 10, 0);
        put16(packet + 10, checksum_residue(0, packet, 20));
    }
    if (c == SUM)
        packet[len - 1] ^= 1;
    if (c == IP_SUM)
        packet[v6 ? 50 : 10] ^= 1; /* IPv6 has none; then another field of TCP's */
    return c == LENGTH ? len - 1 : len;
}

/*
 * Whatever another answer may depend on (marks of congestion, timestamps, windows, flags, numbers)
 * is not lost in a join; the first one stays as it came.
 */
static void whatever_is_unusual_stays_by_itself(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++)
        for (enum change c = NOTHING; c < CHANGES; c++) {
            static uint8_t before[MTU];
            struct made m = usual(v6, 1);
            uint32_t len;

            begin();
            assert_true(first(usual(v6, 0)));
            memcpy(before, at, j.len);
            change(&m, c);
            len = put(&m);
            len = spoil(&m, c, len);
            if (next(len, false) != (c == NOTHING))
                fail_msg("IPv%d: change %d", v6 ? 6 : 4, c);
            if (c == NOTHING)
                continue;
            assert_false(join_end(&j, at));
            assert_memory_equal(at, before, j.len);
            if (c == OTHER_PORT || c == A_GAP || c == AGAIN || c == MORE_TEXT || c == NO_STAMP)
                continue; /* usual ones, but not next to this */
            j.wait = 0;
            m = usual(v6, 0); /* it is none to begin with, where it has such a header of its own */
            change(&m, c);
            if (c >= A_FIN && c <= CONGESTION && first(m))
                fail_msg("IPv%d: change %d begins", v6 ? 6 : 4, c);
        }
}

/* May the second one differ in this byte, in these bits? */
static bool may_differ(bool v6, uint32_t byte, uint8_t bit)
{
    uint32_t tcp = v6 ? IPV6_HEADER : IPV4_HEADER_MIN;

    if (byte < tcp)
        return !v6 && (byte == 4 || byte == 5 || byte == 10 || byte == 11); /* number, and sum */
    return byte == tcp + 16 || byte == tcp + 17 || (byte == tcp + 13 && bit == TCP_PSH);
}

/* Bit by bit of all headers, with an IP header that is right and a TCP sum that nobody looks at. */
static void any_other_bit_keeps_them_apart(void **state)
{
    (void)state;
    for (int v6 = 0; v6 <= 1; v6++)
        for (uint32_t i = 0; i < 8 * (v6 ? JOIN_HEADERS : JOIN_HEADERS - 20); i++) {
            struct made m = usual(v6, 1);
            uint8_t bit = (uint8_t)(1U << i % 8);
            uint32_t len;

            begin();
            assert_true(first(usual(v6, 0)));
            len = put(&m);
            packet[i / 8] ^= bit;
            if (!v6) {
                put16(packet + 10, 0);
                put16(packet + 10, checksum_residue(0, packet, 20));
            }
            if (next(len, true) != may_differ(v6, i / 8, bit))
                fail_msg("IPv%d: byte %u, bit %02x", v6 ? 6 : 4, i / 8, bit);
        }
}

/* What the first one's sum should have been is known only when there is a second. */
static void a_first_one_that_is_broken(void **state)
{
    struct made m = usual(false, 0);
    uint32_t len;

    (void)state;
    for (int vouched = 0; vouched <= 1; vouched++) {
        begin();
        len = put(&m);
        packet[len - 1] ^= 1;
        memcpy(at, packet, len);
        assert_true(join_begin(&j, at, len, MTU, vouched));
        assert_int_equal(then(usual(false, 1)), vouched);
    }
    begin(); /* a device that vouches for TCP's says nothing of IP's */
    len = put(&m);
    packet[8]++;
    memcpy(at, packet, len);
    assert_true(join_begin(&j, at, len, MTU, true));
    m = usual(false, 1);
    m.ip.ttl++;
    assert_false(then(m));
}

/* Small ones are not in bulk; and behind a try in vain some pass, more and more. */
static void not_tried_where_it_is_vain(void **state)
{
    struct made m = usual(false, 0);
    uint32_t tries = 0;

    (void)state;
    begin();
    m.len = MTU / 2 - 52;
    assert_false(first(m));
    m.len++;
    assert_true(first(m));
    assert_false(join_end(&j, at));
    for (unsigned i = 0; i < 1 + 1 + 3 + 1 + 7 + 1 + 15 + 1 + 31 + 1 + 31; i++)
        if (first(m)) {
            tries++;
            assert_false(join_end(&j, at));
        }
    assert_int_equal(tries, 5);
    j.wait = 0;
    assert_true(first(usual(false, 0)));
    assert_true(then(usual(false, 1)));
    joined(2 * TEXT, TCP_ACK);
    assert_true(first(usual(false, 0))); /* it was worth while */
}

/* Not TCP, no packet at all, or one with more in its headers. */
static void what_does_not_begin(void **state)
{
    struct made m = usual(false, 0);
    uint32_t len;

    (void)state;
    begin();
    m.tcp.opt.has_mss = true;
    m.tcp.opt.mss = 1000;
    assert_false(first(m));
    for (unsigned i = 0; i < 256; i++) {
        memset(packet, (int)i, sizeof(packet));
        assert_false(join_begin(&j, packet, sizeof(packet), MTU, true));
    }
    m = usual(false, 0);
    len = put(&m);
    packet[0] = 0x46; /* options of IP */
    assert_false(join_begin(&j, packet, len, MTU, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_become_one),
        cmocka_unit_test(where_it_ends),
        cmocka_unit_test(whatever_is_unusual_stays_by_itself),
        cmocka_unit_test(any_other_bit_keeps_them_apart),
        cmocka_unit_test(a_first_one_that_is_broken),
        cmocka_unit_test(not_tried_where_it_is_vain),
        cmocka_unit_test(what_does_not_begin),
    };

    return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
