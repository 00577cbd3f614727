/*
 * The path MTUs of a node: the arithmetic of a search, the places and their age, and what UDP and
 * ICMP make of them.
 */
#include "tcp_kit.h"

#include "packet6_kit.h"

enum {
    OVER = 48, /* bytes: headers of an echo over IPv6 */
};

static struct addr host(unsigned n)
{
    return addr_v4(0x0b000000U + n);
}

static struct pmtu cache;
static struct unguessable key;

static void begin_cache(void)
{
    cache = (struct pmtu){0};
    pmtu_init(&cache, &key, 1500, 600 * SEC);
}

static void lower(unsigned n, int64_t now, uint32_t mtu)
{
    struct addr to = host(n);

    path_mtu_lower(pmtu_make(&cache, &to), now, mtu, cache.age);
    pmtu_changed(&cache);
}

static uint32_t mtu_of(unsigned n)
{
    struct addr to = host(n);

    return pmtu_of(&cache, &to);
}

/* [RFC 1191 6.2]: each destination has its own; of one of which nothing is known, the device's
 * counts. */
static void rfc1191_6_2_by_destination(void **state)
{
    struct addr other = host(3);

    (void)state;
    begin_cache();
    assert_int_equal(mtu_of(1), 1500);
    lower(1, 0, 1400);
    lower(2, 0, 600);
    assert_int_equal(mtu_of(1), 1400);
    assert_int_equal(mtu_of(2), 600);
    assert_int_equal(mtu_of(3), 1500);
    assert_null(pmtu_find(&cache, &other));
    lower(1, 0, 20); /* RFC 1191 3: under 68, or what is worth a segment, there is nothing */
    assert_int_equal(mtu_of(1), PATH_MTU_LEAST4);
}

/* However many destinations there are, memory is what it was, and the latest are known. */
static void places_are_bounded(void **state)
{
    (void)state;
    begin_cache();
    for (unsigned n = 0; n < 10 * PMTU_PATHS; n++) {
        lower(n, 0, 600 + n % 800);
        for (unsigned back = 0; back < PMTU_PATHS && back <= n; back += 17)
            assert_int_equal(mtu_of(n - back), 600 + (n - back) % 800);
        if (n >= PMTU_PATHS)
            assert_int_equal(mtu_of(n - PMTU_PATHS), 1500);
    }
}

/* [RFC 1191 6.3]: each gets old by itself, not a tick too early, and can be learnt anew. */
static void rfc1191_6_3_age(void **state)
{
    (void)state;
    begin_cache();
    assert_true(pmtu_deadline(&cache) == TIME_NEVER);
    lower(1, 10 * SEC, 1400);
    lower(2, 20 * SEC, 1300);
    assert_true(pmtu_deadline(&cache) == 610 * SEC);
    assert_null(pmtu_expire(&cache, 610 * SEC - 1));
    assert_int_equal(mtu_of(1), 1400);
    assert_non_null(pmtu_expire(&cache, 610 * SEC));
    assert_null(pmtu_expire(&cache, 610 * SEC));
    assert_int_equal(mtu_of(1), 1500);
    assert_int_equal(mtu_of(2), 1300);
    assert_true(pmtu_deadline(&cache) == 620 * SEC);
    lower(1, 615 * SEC, 1400);
    assert_int_equal(mtu_of(1), 1400);
    assert_non_null(pmtu_expire(&cache, 620 * SEC));
    assert_null(pmtu_expire(&cache, 620 * SEC));
    assert_true(pmtu_deadline(&cache) == 1215 * SEC);
}

/* [RFC 1191 7.1]: the next size under what did not pass. */
static void rfc1191_7_1_plateaus(void **state)
{
    static const struct {
        uint32_t size, next;
    } cases[] = {{65535, 32000}, {32001, 32000}, {32000, 17914}, {9000, 8166},
                 {4353, 4352},   {1500, 1492},   {1492, 1006},   {1006, 508},
                 {508, 296},     {296, 68},      {68, 68},       {0, 68}};

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(path_mtu_plateau_under(cases[i].size), cases[i].next);
}

/* [RFC 4821 7.3]: a search finds what passes, to PATH_MTU_STEP bytes, whatever it is, and ends. */
static void rfc4821_7_3_a_search_finds_it(void **state)
{
    (void)state;
    for (uint32_t truth = 1024; truth <= 1600; truth++) {
        struct path_mtu p = {.to = host(1)};
        uint32_t size;
        unsigned probes = 0;

        path_mtu_lower(&p, 0, 1024, SEC);
        assert_int_equal(path_mtu_next(&p, 1500), 0); /* nobody searches yet */
        path_mtu_search(&p, 1500);
        assert_int_equal(path_mtu_next(&p, 1500), 1500); /* RFC 4821 7.3.1: the most first */
        for (; (size = path_mtu_next(&p, 1500)) > 0; probes++) {
            assert_true(size > p.mtu && size <= 1500 && probes < 40);
            if (size <= truth)
                path_mtu_passed(&p, size);
            else
                path_mtu_lost(&p, size);
        }
        assert_true(p.mtu <= truth && p.mtu + PATH_MTU_STEP > min32(truth, 1500));
    }
}

/* [RFC 8899 5.1.2]: one lost probe says nothing of a size, nor do two. */
static void rfc8899_5_1_2_three_probes(void **state)
{
    struct path_mtu p = {.to = host(1)};

    (void)state;
    path_mtu_lower(&p, 0, 1024, SEC);
    path_mtu_search(&p, 1500);
    for (unsigned i = 0; i < PATH_MTU_PROBES; i++) {
        assert_int_equal(path_mtu_next(&p, 1500), 1500);
        path_mtu_lost(&p, 1500);
    }
    assert_true(path_mtu_next(&p, 1500) < 1500);
    path_mtu_lost(&p, path_mtu_next(&p, 1500));
    path_mtu_refused(&p, 1400); /* a router's word is exact, and needs no three */
    assert_int_equal(path_mtu_next(&p, 1500), 1400);
    path_mtu_passed(&p, 1400);
    assert_int_equal(path_mtu_next(&p, 1500), 0);
}

/* ---- ICMP over IPv6, through a node ---- */

static void begin_node(void)
{
    defaults();
    over_ipv6(true);
    rig.cfg.mtu = 1500;
    begin();
}

/* An echo request whose answer is a packet of `size` bytes; it is taken, whole or in fragments. */
static unsigned echo(uint32_t size, uint32_t most)
{
    struct kit_packet p = kit6_icmp(KIT6_HOST, KIT6_PEER, ICMP6_ECHO, 0, 7, NULL, size - OVER);
    unsigned n = 0;

    rig_reason("the request", rig_input(p.b, p.len), REASON_NONE);
    for (; rig_take(); n++)
        if (rig.ip.total_len > most)
            fail_msg("%u bytes where %u pass", rig.ip.total_len, most);
    return n;
}

/* A router says that what left last was too big. */
static enum reason too_big(uint32_t mtu, uint32_t change)
{
    struct kit_packet p;

    rig.bytes[7] = 63;
    rig.bytes[5] = (uint8_t)(rig.bytes[5] + change);
    p = kit6_icmp(KIT6_HOST, KIT6_PEER, ICMP6_TOO_BIG, 0, mtu, rig.bytes, 100);
    return rig_input(p.b, p.len);
}

/* [RFC 8201 5.1]: after an error about an answer, answers leave in fragments that pass. */
static void rfc8201_5_1_echo_in_fragments(void **state)
{
    (void)state;
    begin_node();
    assert_int_equal(echo(1500, 1500), 1);
    rig_reason("the error", too_big(1400, 0), REASON_NONE);
    counted(ICMP_PMTU, 1);
    assert_int_equal(echo(1500, 1400), 2);
    assert_int_equal(echo(1400, 1400), 1);
    assert_int_equal(echo(1401, 1400), 2);
    advance(600 * SEC);
    assert_int_equal(echo(1500, 1500), 1);
    end();
}

/* ... and an error about a fragment, whose identification nobody can guess. */
static void rfc8201_5_1_a_fragment_was_too_big(void **state)
{
    struct kit_packet p;

    (void)state;
    begin_node();
    assert_int_equal(echo(1500, 1500), 1);
    rig_reason("the error", too_big(1400, 0), REASON_NONE);
    p = kit6_icmp(KIT6_HOST, KIT6_PEER, ICMP6_ECHO, 0, 7, NULL, 1400);
    (void)rig_input(p.b, p.len);
    assert_true(rig_take()); /* the first fragment; rig.bytes + 44 is its identification */
    rig.bytes[47] ^= 1;
    rig_reason("a guess", too_big(1280, 0), REASON_ICMP_MTU);
    rig.bytes[47] ^= 1;
    rig_reason("the error", too_big(1280, 0), REASON_NONE);
    (void)rig_take();
    assert_int_equal(echo(1400, 1280), 2);
    end();
}

/* [RFC 8201 4]: not about what never left, nor for nothing, nor under 1,280.
 * RFC 8201 4-a. */
static void rfc8201_4_errors_that_are_not_believed(void **state)
{
    (void)state;
    begin_node();
    assert_int_equal(echo(1500, 1500), 1);
    rig_reason("of another size", too_big(1400, (uint32_t)-8), REASON_ICMP_MTU);
    assert_int_equal(echo(1500, 1500), 1);
    rig_reason("as large as the packet", too_big(1500, 0), REASON_ICMP_MTU);
    assert_int_equal(rig.st->ip.pmtu.taken, 0);
    rig_reason("68 bytes", too_big(68, 0), REASON_ICMP_MTU);
    rig_reason("none", too_big(0, 0), REASON_ICMP_MTU);
    rig_reason("one byte too few", too_big(1279, 0), REASON_ICMP_MTU);
    assert_int_equal(rig.st->ip.pmtu.taken, 0);
    assert_int_equal(echo(1500, 1500), 1);
    rig_reason("1,280 bytes", too_big(1280, 0), REASON_NONE);
    assert_int_equal(echo(1280, 1280), 1);
    assert_int_equal(echo(1281, 1280), 2);
    end();
}

/* A storm of errors about packets that never left changes nothing and takes no place. */
static void a_storm_of_forged_errors(void **state)
{
    (void)state;
    begin_node();
    assert_int_equal(echo(1500, 1500), 1);
    for (uint32_t i = 1; i < 20000; i++) {
        uint8_t was[100];

        memcpy(was, rig.bytes, sizeof(was));
        put16(rig.bytes + 38, (uint16_t)i); /* to others, and of other sizes */
        (void)too_big(i % 1500, i % 3 * 8);
        memcpy(rig.bytes, was, sizeof(was));
    }
    assert_true(rig.st->ip.pmtu.taken <= 1);
    assert_int_equal(echo(1280, 1280), 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc1191_6_2_by_destination),
        cmocka_unit_test(places_are_bounded),
        cmocka_unit_test(rfc1191_6_3_age),
        cmocka_unit_test(rfc1191_7_1_plateaus),
        cmocka_unit_test(rfc4821_7_3_a_search_finds_it),
        cmocka_unit_test(rfc8899_5_1_2_three_probes),
        cmocka_unit_test(rfc8201_5_1_echo_in_fragments),
        cmocka_unit_test(rfc8201_5_1_a_fragment_was_too_big),
        cmocka_unit_test(rfc8201_4_errors_that_are_not_believed),
        cmocka_unit_test(a_storm_of_forged_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
