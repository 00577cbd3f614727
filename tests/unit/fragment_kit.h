/*
 * Fragments by hand: given to the module that puts them together, byte for byte, and the whole
 * looked at. begin() and end() around each test; end() demands all memory back. `family` says
 * whether they are of IPv4 or of IPv6.
 */
#ifndef TESTS_UNIT_FRAGMENT_KIT_H
#define TESTS_UNIT_FRAGMENT_KIT_H

#include "ip/fragment.h"

#include <stdlib.h>

#include "base/time.h"
#include "packet_kit.h"
#include "wire_check.h"

enum {
    PLACES = 4,
    LARGEST = 65535 - 20, /* bytes of data behind a header without options */
    MORE = 1,
    LAST = 0,
};

static struct fragments frags;
static uint64_t counts[REASON_COUNT];
static int64_t now;
static void *memory;

/* What is changed in the header of the next fragments; zeros are sensible values. */
static struct {
    uint32_t src, dst;
    uint8_t site; /* which network the source is in; IPv6: which 64 bits it has in front */
    uint8_t proto, tos;
    uint32_t options; /* bytes; IPv6: of an extension header, a multiple of 8 */
} with;

static int family = 4; /* or 6 */
static uint32_t places = PLACES;
static struct ip_problem owed;

/* What came out, if something did. */
static uint8_t whole[65536 + 40];
static uint32_t whole_len;
static struct ip_hdr whole_ip;
static struct buf *kept[PLACES];
static unsigned keep; /* how many wholes are still to be kept */

static inline void begin(void)
{
    memory = aligned_alloc(16, (fragment_bytes(places) + 15) / 16 * 16);
    assert_non_null(memory);
    memset(memory, 0xdb, fragment_bytes(places)); /* nobody may rely on zeros */
    memset(counts, 0, sizeof(counts));
    memset(&with, 0, sizeof(with));
    fragment_init(&frags, memory, places, counts);
    now = SEC;
}

/* Let everything go, and see that nothing was lost or kept. */
static inline void end(void)
{
    struct slice first;

    now += 2 * FRAGMENT_TIMEOUT;
    while (fragment_expire(&frags, now, &first))
        buf_unref(first.buf);
    assert_int_equal(frags.partials.in_use, 0);
    assert_int_equal(frags.bufs.in_use, 0);
    assert_int_equal(fragment_deadline(&frags), TIME_NEVER);
    free(memory);
}

/* Byte `at` of the data of datagram `id`. */
static inline uint8_t byte(uint32_t id, uint32_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 7 + id);
}

static inline void take_whole(struct slice s)
{
    assert_true(s.len <= sizeof(whole));
    memcpy(whole, s.base, s.len);
    whole_len = s.len;
    expect_reason("the whole", ip_parse(whole, whole_len, &whole_ip), REASON_NONE);
    assert_int_equal(whole_ip.total_len, whole_len);
    assert_false(ip_is_fragment(&whole_ip));
    if (keep > 0)
        kept[--keep] = s.buf;
    else
        buf_unref(s.buf);
}

/* Write an IPv4 header for a fragment; returns its length. */
static inline uint32_t header4(uint8_t *b, uint32_t id, uint32_t off, uint32_t len, int more)
{
    uint32_t header = 20 + with.options;

    b[0] = (uint8_t)(0x40 | header / 4);
    b[1] = with.tos;
    put16(b + 2, (uint16_t)(header + len));
    put16(b + 4, (uint16_t)id);
    put16(b + 6, (uint16_t)((more ? 0x2000 : 0) | off / 8));
    b[8] = 64;
    b[9] = with.proto ? with.proto : IP_PROTO_UDP;
    put32(b + 12, (with.src ? with.src : KIT_HOST) + with.site * 256U);
    put32(b + 16, with.dst ? with.dst : KIT_PEER);
    memset(b + 20, IP_OPT_NOP, with.options);
    put16(b + 10, checksum_residue(0, b, header));
    return header;
}

/* The same for IPv6, with `options` bytes of destination options in front of the fragment header.
 */
static inline uint32_t header6(uint8_t *b, uint32_t id, uint32_t off, uint32_t len, int more)
{
    uint32_t at = 40 + with.options;

    put32(b, UINT32_C(6) << 28 | (uint32_t)with.tos << 20 | 0x12345);
    put16(b + 4, (uint16_t)(with.options + 8 + len));
    b[6] = IP6_FRAGMENT;
    b[7] = 64;
    put16(b + 8, 0xfd00);
    b[15] = with.site;
    put32(b + 20, with.src ? with.src : KIT_HOST);
    put16(b + 24, 0xfd00);
    put32(b + 36, with.dst ? with.dst : KIT_PEER);
    if (with.options) {
        b[6] = IP6_DESTINATION;
        b[40] = IP6_FRAGMENT;
        b[41] = (uint8_t)(with.options / 8 - 1);
        b[42] = 1; /* PadN */
        b[43] = (uint8_t)(with.options - 4);
    }
    b[at] = with.proto ? with.proto : IP_PROTO_UDP;
    put16(b + at + 2, (uint16_t)(off | (more ? 1 : 0)));
    put32(b + at + 4, id);
    return at + 8;
}

static inline enum reason give_bytes(uint32_t id, uint32_t off, const uint8_t *data, uint32_t len,
                                     int more)
{
    uint32_t header = (family == 6 ? 48 : 20) + with.options;
    uint8_t *b = calloc(1, header + len); /* exactly so long: a step beyond is seen */
    struct slice packet = {NULL, b, header + len}, out;
    struct ip_hdr ip;
    enum reason why;

    (family == 6 ? header6 : header4)(b, id, off, len, more);
    memcpy(b + header, data, len);
    expect_reason("the fragment's header", ip_parse(b, packet.len, &ip), REASON_NONE);
    whole_len = 0;
    why = fragment_input(&frags, now, &ip, packet, &out);
    owed = fragment_problem(&ip, why);
    free(b);
    if (out.base)
        take_whole(out);
    return why;
}

static inline enum reason give(uint32_t id, uint32_t off, uint32_t len, int more)
{
    static uint8_t data[65536];

    for (uint32_t i = 0; i < len; i++)
        data[i] = byte(id, off + i);
    return give_bytes(id, off, data, len, more);
}

#define takes(id, off, len, more)                                                                  \
    expect_reason(#off " " #len, give(id, off, len, more), REASON_NONE)
#define drops(why, id, off, len, more) expect_reason(#off " " #len, give(id, off, len, more), why)

/* The last fragment made the datagram whole, and this is it. */
static inline void is_whole(uint32_t id, uint32_t len)
{
    assert_int_equal(whole_len, whole_ip.header_len + len);
    for (uint32_t i = 0; i < len; i++)
        if (whole[whole_ip.header_len + i] != byte(id, i))
            fail_msg("byte %u of datagram %u is wrong", i, id);
    whole_len = 0;
}

static inline void is_not_whole(void)
{
    assert_int_equal(whole_len, 0);
}

/* A set-up for a group of tests: all of IPv6. */
static inline int use_6(void **state)
{
    (void)state;
    family = 6;
    return 0;
}

#endif
