/*
 * The virtio-net header and the marks of a packet: one says what the other does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>
#include <string.h>

#include "link/vnet.h"

/* It points into itself, and so is not copied. */
static void packet(struct pkt *ret, uint8_t version, uint32_t headers)
{
    memset(ret, 0, sizeof(*ret));
    pkt_begin(ret, headers);
    ret->room[0] = (uint8_t)(version << 4 | 5);
    pkt_add(ret, (struct slice){NULL, (const uint8_t *)"text", 4});
}

static void nothing_is_left_to_do(void **state)
{
    static const struct virtio_net_hdr none;
    struct virtio_net_hdr h;
    struct pkt p;

    (void)state;
    packet(&p, 4, 40);
    memset(&h, 0xff, sizeof(h));
    vnet_fill(&h, &p);
    assert_memory_equal(&h, &none, sizeof(h));
    assert_int_equal(sizeof(h), 10);
    vnet_take(&none, &p);
    assert_int_equal(p.marks, 0);
    assert_int_equal(p.gso_size, 0);
}

static void a_checksum_is_left(void **state)
{
    struct virtio_net_hdr h;
    struct pkt p, got;

    (void)state;
    packet(&p, 4, 52);
    packet(&got, 4, 52);
    p.marks = PKT_CSUM_PARTIAL;
    p.csum_start = 20;
    vnet_fill(&h, &p);
    assert_int_equal(h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(h.csum_start, 20);
    assert_int_equal(h.csum_offset, 16);
    assert_int_equal(h.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    vnet_take(&h, &got);
    assert_int_equal(got.marks, PKT_CSUM_PARTIAL);
    assert_int_equal(got.csum_start, 20);
    assert_int_equal(got.gso_size, 0);
}

static void a_checksum_is_known_to_be_right(void **state)
{
    struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
    struct pkt p;

    (void)state;
    packet(&p, 4, 40);
    vnet_take(&h, &p);
    assert_int_equal(p.marks, PKT_CSUM_VALID);
    h.flags |= VIRTIO_NET_HDR_F_NEEDS_CSUM; /* then there is none yet */
    p.marks = 0;
    vnet_take(&h, &p);
    assert_int_equal(p.marks, PKT_CSUM_PARTIAL);
}

static void super_segments_by_version(void **state)
{
    static const struct {
        uint8_t version, type;
        uint32_t headers;
    } cases[] = {{4, VIRTIO_NET_HDR_GSO_TCPV4, 52}, {6, VIRTIO_NET_HDR_GSO_TCPV6, 72}};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct pkt p, got;
        struct virtio_net_hdr h;

        packet(&p, cases[i].version, cases[i].headers);
        packet(&got, cases[i].version, cases[i].headers);
        p.marks = PKT_CSUM_PARTIAL;
        p.gso_size = 1448;
        vnet_fill(&h, &p);
        assert_int_equal(h.gso_type, cases[i].type);
        assert_int_equal(h.gso_size, 1448);
        assert_in_range(h.hdr_len, cases[i].headers, cases[i].headers + 63);
        vnet_take(&h, &got);
        assert_int_equal(got.gso_size, 1448);
        got.gso_size = 0;
        h.gso_type |= VIRTIO_NET_HDR_GSO_ECN; /* the first segment says CWR */
        vnet_take(&h, &got);
        assert_int_equal(got.gso_size, 1448);
    }
}

/* From the beginning of a cache line on, text is copied to pages; what is before that is header. */
static void text_goes_to_pages_from_a_cache_line_on(void **state)
{
    static alignas(64) const uint8_t text[4096];
    static const struct {
        uint32_t offset, len, hint;
    } cases[] = {{0, 2000, 52},  {64, 2000, 52}, {1, 2000, 115},
                 {63, 2000, 53}, {50, 15, 66},   {50, 14, 52}};

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct virtio_net_hdr h;
        struct pkt p;

        packet(&p, 4, 52);
        p.parts = 1;
        pkt_add(&p, (struct slice){NULL, text + cases[i].offset, cases[i].len});
        pkt_add(&p, (struct slice){NULL, text, 1000});
        p.gso_size = 1000;
        vnet_fill(&h, &p);
        assert_int_equal(h.hdr_len, cases[i].hint);
        p.gso_size = 0;
        vnet_fill(&h, &p);
        assert_int_equal(h.hdr_len, 0);
    }
}

/* Of both versions, with the sum where UDP has it; and a size of 0 is for others to refuse. */
static void super_datagrams(void **state)
{
    (void)state;
    for (uint8_t version = 4; version <= 6; version += 2) {
        uint32_t headers = version == 4 ? 28 : 48;
        struct virtio_net_hdr h;
        struct pkt p, got;

        packet(&p, version, headers);
        packet(&got, version, headers);
        p.marks = PKT_CSUM_PARTIAL | PKT_DATAGRAMS;
        p.csum_start = (uint16_t)(headers - 8);
        p.gso_size = 1200;
        vnet_fill(&h, &p);
        assert_int_equal(h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
        assert_int_equal(h.csum_start, headers - 8);
        assert_int_equal(h.csum_offset, 6);
        assert_int_equal(h.gso_type, 5); /* VIRTIO_NET_HDR_GSO_UDP_L4, which old headers lack */
        assert_int_equal(h.gso_size, 1200);
        assert_in_range(h.hdr_len, headers, headers + 63);
        vnet_take(&h, &got);
        assert_int_equal(got.marks, PKT_CSUM_PARTIAL | PKT_DATAGRAMS);
        assert_int_equal(got.gso_size, 1200);
        h.gso_size = 0;
        got.marks = 0;
        vnet_take(&h, &got);
        assert_true(got.marks & PKT_DATAGRAMS && got.gso_size == 0);
    }
}

/* What old kernels made of UDP, one datagram in fragments, is asked for by nobody, and means
 * nothing.
 */
static void other_kinds_are_ordinary_packets(void **state)
{
    struct virtio_net_hdr h = {.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 1000};
    struct pkt p;

    (void)state;
    packet(&p, 4, 28);
    vnet_take(&h, &p);
    assert_int_equal(p.gso_size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_to_do),
        cmocka_unit_test(a_checksum_is_left),
        cmocka_unit_test(a_checksum_is_known_to_be_right),
        cmocka_unit_test(super_segments_by_version),
        cmocka_unit_test(text_goes_to_pages_from_a_cache_line_on),
        cmocka_unit_test(super_datagrams),
        cmocka_unit_test(other_kinds_are_ordinary_packets),
    };

    return cmocka_run_group_tests_name("vnet", tests, NULL, NULL);
}
