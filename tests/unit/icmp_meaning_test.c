/* What ICMP errors mean: every type and code of both versions. */
#include "wire/icmp.h"
#include "wire_check.h"

struct row {
    uint8_t type, first, last; /* codes */
    enum icmp_class class;
    enum reason why;
};

static const struct row rows4[] = {
    {3, 0, 0, ICMP_SOFT, REASON_ICMP_SOFT_NET},
    {3, 1, 1, ICMP_SOFT, REASON_ICMP_SOFT_HOST},
    {3, 2, 2, ICMP_HARD, REASON_ICMP_HARD_PROTOCOL},
    {3, 3, 3, ICMP_HARD, REASON_ICMP_HARD_PORT},
    {3, 4, 4, ICMP_TOO_BIG, REASON_ICMP_PMTU},
    {3, 5, 5, ICMP_SOFT, REASON_ICMP_SOFT_SOURCE_ROUTE},
    {3, 6, 8, ICMP_SOFT, REASON_ICMP_SOFT_OTHER},
    {3, 9, 10, ICMP_SOFT, REASON_ICMP_SOFT_PROHIBITED},
    {3, 11, 12, ICMP_SOFT, REASON_ICMP_SOFT_OTHER},
    {3, 13, 13, ICMP_SOFT, REASON_ICMP_SOFT_PROHIBITED},
    {3, 14, 15, ICMP_SOFT, REASON_ICMP_SOFT_OTHER},
    {4, 0, 255, ICMP_IGNORED, REASON_ICMP_SOURCE_QUENCH},
    {11, 0, 0, ICMP_SOFT, REASON_ICMP_SOFT_TTL},
    {11, 1, 1, ICMP_SOFT, REASON_ICMP_SOFT_REASSEMBLY},
    {12, 0, 2, ICMP_SOFT, REASON_ICMP_SOFT_PARAMETER},
};

static const struct row rows6[] = {
    {1, 0, 0, ICMP_SOFT, REASON_ICMP_SOFT_NET},
    {1, 1, 1, ICMP_HARD, REASON_ICMP_HARD_PROHIBITED},
    {1, 2, 2, ICMP_SOFT, REASON_ICMP_SOFT_OTHER},
    {1, 3, 3, ICMP_SOFT, REASON_ICMP_SOFT_HOST},
    {1, 4, 4, ICMP_HARD, REASON_ICMP_HARD_PORT},
    {1, 5, 7, ICMP_SOFT, REASON_ICMP_SOFT_OTHER},
    {2, 0, 255, ICMP_TOO_BIG, REASON_ICMP_PMTU},
    {3, 0, 0, ICMP_SOFT, REASON_ICMP_SOFT_TTL},
    {3, 1, 1, ICMP_SOFT, REASON_ICMP_SOFT_REASSEMBLY},
    {4, 0, 2, ICMP_SOFT, REASON_ICMP_SOFT_PARAMETER},
};

/* All 65,536: what no row names is ignored. */
static void check_all(const struct row *rows, size_t n,
                      struct icmp_meaning (*meaning)(uint8_t type, uint8_t code))
{
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t type = (uint8_t)(i >> 8), code = (uint8_t)i;
        struct icmp_meaning want = {ICMP_IGNORED, REASON_ICMP_TYPE}, got = meaning(type, code);

        for (size_t r = 0; r < n; r++)
            if (rows[r].type == type && rows[r].first <= code && code <= rows[r].last)
                want = (struct icmp_meaning){rows[r].class, rows[r].why};
        if (got.class != want.class || got.why != want.why)
            fail_msg("type %u code %u: class %d, %s", type, code, (int)got.class,
                     reason_text(got.why)->name);
        assert_int_equal(reason_text(got.why)->kind,
                         got.class == ICMP_IGNORED ? REASON_KIND_DROP : REASON_KIND_EVENT);
    }
}

/* MUST-55, MUST-56, SHLD-26: the three classes in ICMP. */
static void test_version_4(void **state)
{
    (void)state;
    check_all(rows4, sizeof(rows4) / sizeof(rows4[0]), icmp_meaning);
}

/* MUST-56: ... and in ICMPv6. RFC 4443 2.4a-a: an error of a type to come is one, too. */
static void test_version_6(void **state)
{
    enum { KNOWN = sizeof(rows6) / sizeof(rows6[0]) };
    struct row rows[KNOWN + 128];
    size_t n = KNOWN;

    (void)state;
    memcpy(rows, rows6, sizeof(rows6));
    for (uint8_t type = 0; type < 128; type++)
        if (type == 0 || type > ICMP6_PARAM_PROBLEM)
            rows[n++] = (struct row){type, 0, 255, ICMP_SOFT, REASON_ICMP_SOFT_UNKNOWN};
    check_all(rows, n, icmp6_meaning);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_4),
        cmocka_unit_test(test_version_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
