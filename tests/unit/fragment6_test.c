/* Fragments of IPv6 (RFC 8200 section 4.5), where they differ from those of IPv4. */
#include "fragment_kit.h"
#include "wire/ip6.h"

/* RFC 8200 4.5: the fragment header is cut out of the whole, whatever stands in front of it.
 * RFC 8200 4.5-e. */
static void the_fragment_header_goes(void **state)
{
    (void)state;
    begin();
    for (uint32_t ext = 0; ext <= 208; ext += 8) {
        takes(ext, 8, 8, LAST);
        with.options = ext;
        with.tos = 0xb8;
        takes(ext, 0, 8, MORE);
        is_whole(ext, 16);
        assert_int_equal(whole_ip.version, 6);
        assert_int_equal(whole_ip.header_len, 40 + ext);
        assert_int_equal(whole_ip.frag_at, 0);
        assert_int_equal(whole_ip.proto, IP_PROTO_UDP);
        assert_int_equal(whole_ip.tos, 0xb8);
        assert_int_equal(whole_ip.flow, 0x12345);
        assert_int_equal(whole[6], ext ? IP6_DESTINATION : IP_PROTO_UDP);
    }
    with.options = 216;
    drops(REASON_FRAGMENT_HEADERS, 1, 0, 8, MORE);
    assert_false(owed.owed);
    end();
}

/* RFC 8200 4.5: what the first fragment says comes next is right, whatever the others say.
 * RFC 8200 4.5-e. */
static void the_first_says_what_comes_next(void **state)
{
    (void)state;
    begin();
    takes(UINT32_C(0x10001), 0, 8, MORE);
    with.proto = 200;
    takes(1, 8, 8, LAST); /* all 32 bits of an identification count */
    is_not_whole();
    takes(UINT32_C(0x10001), 8, 8, LAST);
    is_whole(UINT32_C(0x10001), 16);
    assert_int_equal(whole_ip.proto, IP_PROTO_UDP);
    end();
}

/* RFC 8200 4.5: up to 65,535 bytes behind the fixed header, and an error about what is more.
 * RFC 8200 4.5-j, 5-c. */
static void the_largest(void **state)
{
    (void)state;
    begin();
    drops(REASON_FRAGMENT_TOO_LARGE, 1, 65528, 8, LAST);
    assert_true(owed.owed && owed.code == ICMP6_PROBLEM_FIELD);
    assert_int_equal(owed.pointer, 42);
    drops(REASON_FRAGMENT_TOO_LARGE, 1, 65528, 8, MORE);
    for (uint32_t off = 0; off < 65528; off += 8)
        takes(1, off, 8, MORE);
    takes(1, 65528, 7, LAST);
    is_whole(1, 65535);
    assert_int_equal(whole_ip.total_len, 65575);
    with.options = 16; /* extension headers count as well */
    drops(REASON_FRAGMENT_TOO_LARGE, 2, 65512, 8, LAST);
    assert_int_equal(owed.pointer, 58);
    takes(2, 65512, 7, LAST);
    takes(2, 0, 65400, MORE);
    takes(2, 65400, 112, MORE);
    is_whole(2, 65519);
    with.options = 0;
    takes(3, 65520, 15, LAST);
    takes(3, 65400, 120, MORE);
    with.options = 8; /* which the last one could not know */
    drops(REASON_FRAGMENT_TOO_LARGE, 3, 0, 65400, MORE);
    end();
}

/* RFC 8200 4.5: a length that is no multiple of 8 is answered; the pointer is at the length.
 * RFC 8200 4.5-i, 4.5-l. */
static void odd_lengths(void **state)
{
    (void)state;
    begin();
    drops(REASON_FRAGMENT_LENGTH, 1, 0, 15, MORE);
    assert_true(owed.owed && owed.code == ICMP6_PROBLEM_FIELD && !owed.multicast_too);
    assert_int_equal(owed.pointer, 4);
    drops(REASON_FRAGMENT_LENGTH, 1, 8, 0, LAST); /* there is no error for this one */
    assert_false(owed.owed);
    takes(1, 0, 16, MORE);
    drops(REASON_FRAGMENT_OVERLAP, 1, 8, 16, MORE); /* RFC 5722 4: in silence */
    assert_false(owed.owed);
    end();
}

/* RFC 6946 4: a fragment that is the whole packet is none, and meets no others.
 * RFC 8200 4.5-f. */
static void atomic_fragments(void **state)
{
    uint8_t b[48 + 8] = {0};
    struct ip_hdr ip;

    (void)state;
    begin();
    header6(b, 1, 0, 8, LAST);
    expect_reason("atomic", ip_parse(b, sizeof(b), &ip), REASON_NONE);
    assert_false(ip_is_fragment(&ip));
    assert_int_equal(ip.header_len, 48);
    end();
}

/* RFC 3128 2: TCP's header is not replaced by a second fragment here either. */
static void inside_the_header(void **state)
{
    (void)state;
    begin();
    with.proto = IP_PROTO_TCP;
    drops(REASON_FRAGMENT_TINY, 1, 8, 80, LAST);
    drops(REASON_FRAGMENT_TINY, 1, 16, 80, MORE);
    takes(1, 24, 80, LAST);
    takes(1, 0, 24, MORE);
    is_whole(1, 104);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fragment_header_goes),
        cmocka_unit_test(the_first_says_what_comes_next),
        cmocka_unit_test(the_largest),
        cmocka_unit_test(odd_lengths),
        cmocka_unit_test(atomic_fragments),
        cmocka_unit_test(inside_the_header),
    };

    family = 6;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
