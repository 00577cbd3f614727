/* How long fragments wait for each other, and how many of them. */
#include "fragment_kit.h"

/* ---- time ---- */

/* RFC 1122 3.3.2, RFC 8200 4.5: a minute from the first that came, and the first one is owed.
 * RFC 1122 3.3.2-e.
 * RFC 8200 4.5-g. */
static void a_minute(void **state)
{
    struct slice first;
    struct ip_hdr ip;
    uint32_t header;

    (void)state;
    begin();
    takes(1, 16, 8, LAST);
    assert_int_equal(fragment_deadline(&frags), now + 60 * SEC);
    now += 30 * SEC;
    with.options = 8;
    takes(1, 0, 8, MORE);
    assert_int_equal(fragment_deadline(&frags), now + 30 * SEC);
    now += 30 * SEC - 1;
    assert_false(fragment_expire(&frags, now, &first));
    assert_true(fragment_expire(&frags, now + 1, &first));
    expect_reason("the first", ip_parse(first.base, first.len, &ip), REASON_NONE);
    header = family == 6 ? 56 : 28;
    assert_int_equal(first.len, header + 8);
    assert_int_equal(ip.total_len, header + 8);
    assert_true(ip.mf && ip.frag_off == 0 && ip.id == 1 && ip.header_len == header);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(first.base[header + i], byte(1, i));
    buf_unref(first.buf);
    assert_false(fragment_expire(&frags, now + 1, &first));
    assert_int_equal(counts[REASON_FRAGMENT_EXPIRED], 1);
    takes(1, 8, 8, MORE); /* a new datagram as far as we know */
    is_not_whole();
    end();
}

/* RFC 792: without the first fragment nobody is told. */
static void nobody_is_told_without_the_first(void **state)
{
    struct slice first = {.len = 77};

    (void)state;
    begin();
    takes(1, 16, 8, LAST);
    assert_true(fragment_expire(&frags, now + FRAGMENT_TIMEOUT, &first));
    assert_null(first.base);
    assert_null(first.buf);
    assert_int_equal(counts[REASON_FRAGMENT_EXPIRED], 1);
    end();
}

/* ---- room ---- */

/* The oldest makes room; what is newer is still put together. */
static void the_oldest_makes_room(void **state)
{
    (void)state;
    begin();
    for (uint16_t id = 0; id < PLACES; id++)
        takes(id, 0, 1000, MORE);
    takes(0, 1000, 8, MORE); /* being touched does not make it younger */
    takes(100, 0, 8, MORE);
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 1);
    for (uint16_t id = 1; id < PLACES; id++) {
        takes(id, 1000, 8, LAST);
        is_whole(id, 1008);
    }
    takes(100, 8, 8, LAST);
    is_whole(100, 16);
    takes(0, 1008, 8, LAST); /* a stranger now */
    is_not_whole();
    end();
}

/* What was refused makes room like everything else, and is not counted twice. */
static void the_refused_make_room(void **state)
{
    (void)state;
    begin();
    for (uint16_t id = 0; id < 100; id++) {
        takes(id, 0, 16, MORE);
        drops(REASON_FRAGMENT_OVERLAP, id, 8, 8, MORE);
    }
    assert_int_equal(frags.partials.in_use, PLACES);
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 0);
    takes(1000, 0, 16, MORE);
    takes(1000, 16, 8, LAST);
    is_whole(1000, 24);
    end();
}

/* BAD: a flood of datagrams that are never completed; honest ones pass in between. */
static void a_flood(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 0; i < 8192; i++) {
        takes(i, i % 2 * 1480, 1480, MORE);
        if (i % 64 == 0) {
            with.src = KIT_HOST + 1;
            takes(i, 0, 1480, MORE);
            takes(i, 1480, 1480, MORE);
            takes(i, 2960, 48, LAST);
            is_whole(i, 3008);
            with.src = 0;
        }
        assert_true(frags.partials.in_use <= PLACES && frags.bufs.in_use <= PLACES);
    }
    assert_int_equal(counts[REASON_FRAGMENT_BEGUN], 8192 + 128);
    assert_int_equal(counts[REASON_FRAGMENT_WHOLE], 128);
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 8192 - frags.partials.in_use);
    end();
}

/* ---- each source's share ---- */

enum {
    SHARE = 2, /* of SHARED places */
    SHARED = 16,
};

static void begin_shared(void)
{
    places = SHARED;
    begin();
    places = PLACES;
}

static void first_halves(uint8_t site, uint32_t id, unsigned n)
{
    with.site = site;
    for (unsigned i = 0; i < n; i++)
        takes(id + i, 0, 8, MORE);
}

/* How many of these that first_halves began are still known; their other halves come. */
static unsigned become_whole(uint8_t site, uint32_t id, unsigned n)
{
    unsigned good = 0;

    with.site = site;
    for (unsigned i = 0; i < n; i++) {
        takes(id + i, 8, 8, LAST);
        if (whole_len == 0)
            continue;
        is_whole(id + i, 16);
        good++;
    }
    return good;
}

/* BAD: a flood from one address takes places from nobody else, however slow they are. */
static void whoever_has_most_makes_room(void **state)
{
    (void)state;
    begin_shared();
    first_halves(1, 0, 3); /* more than a share, but not most */
    first_halves(2, 0, 8192);
    first_halves(3, 0, SHARE);
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 8192 + 3 + SHARE - SHARED);
    assert_int_equal(become_whole(1, 0, 3), 3);
    assert_int_equal(become_whole(3, 0, SHARE), SHARE);
    assert_int_equal(become_whole(2, 8192 - 11, 11), 11); /* and its own newest are still there */
    end();
}

/* BAD: the same where its datagrams were refused, which hold places, too, and nothing else. */
static void the_refused_count_as_well(void **state)
{
    (void)state;
    begin_shared();
    first_halves(1, 0, 1);
    for (uint32_t id = 0; id < 100; id++) {
        first_halves(2, id, 1);
        drops(REASON_FRAGMENT_OVERLAP, id, 0, 16, MORE);
    }
    assert_int_equal(become_whole(1, 0, 1), 1);
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 0);
    end();
}

/* As many as its share a source may have; one more, and it makes room before anybody else. */
static void a_share_is_kept(void **state)
{
    (void)state;
    begin_shared();
    for (uint8_t site = 1; site <= 8; site++)
        first_halves(site, 0, SHARE);
    first_halves(9, 0, 1); /* nobody has more than a share: the oldest of all goes */
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 1);
    assert_int_equal(become_whole(1, 1, 1), 1);
    first_halves(5, 2, 1); /* in the free place */
    first_halves(9, 1, 1); /* now site 5 has one more than its share, and its oldest goes */
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 2);
    assert_int_equal(become_whole(5, 1, 2), 2);
    for (uint8_t site = 2; site <= 8; site++)
        if (site != 5)
            assert_int_equal(become_whole(site, 0, SHARE), SHARE);
    assert_int_equal(become_whole(9, 0, 2), 2);
    assert_int_equal(frags.partials.in_use, 0);
    end();
}

/* Who has two is asked no sooner than who has one, as long as that is within its share. */
static void within_the_share_age_decides(void **state)
{
    (void)state;
    begin_shared();
    for (uint8_t site = 1; site < SHARED; site++)
        first_halves(site, 0, 1);
    first_halves(SHARED - 1, 1, 1);
    first_halves(100, 0, 1);
    assert_int_equal(become_whole(SHARED - 1, 0, SHARE), SHARE);
    assert_int_equal(become_whole(1, 0, 1), 0);
    end();
}

/* What has become whole is no place of its source any more. */
static void only_what_waits_counts(void **state)
{
    (void)state;
    begin_shared();
    first_halves(1, 0, 1);
    first_halves(2, 0, 1);
    for (uint32_t id = 1; id < 100; id++) {
        first_halves(2, id, 1);
        assert_int_equal(become_whole(2, id, 1), 1);
    }
    for (uint8_t site = 3; site <= SHARED + 1; site++)
        first_halves(site, 0, 1);
    assert_int_equal(become_whole(2, 0, 1), 1); /* site 1 was older */
    assert_int_equal(become_whole(1, 0, 1), 0);
    end();
}

/* BAD: a flood in which each has another address; then the oldest goes, and who is quick passes. */
static void a_flood_from_everywhere(void **state)
{
    (void)state;
    begin_shared();
    first_halves(255, 0, SHARE);
    for (unsigned i = 0; i < 8192; i++) {
        first_halves((uint8_t)(1 + i % 200), i, 1);
        if (i % 64 == 0) {
            first_halves(250, i, SHARE);
            assert_int_equal(become_whole(250, i, SHARE), SHARE);
        }
    }
    assert_int_equal(become_whole(255, 0, SHARE), 0);
    end();
}

/* In IPv6 the 64 bits in front are the source, and neighbours share one share; in IPv4 all of it.
 */
static void neighbours(void **state)
{
    (void)state;
    begin_shared();
    with.src = KIT_HOST;
    first_halves(1, 0, SHARE);
    for (uint32_t i = 0; i < 100; i++) {
        with.src = KIT_HOST + 1000 + i;
        first_halves(2, i, 1);
    }
    with.src = KIT_HOST;
    assert_int_equal(become_whole(1, 0, SHARE), family == 6 ? SHARE : 0);
    end();
}

/* Wholes that somebody keeps hold buffers; with all of them kept, nothing can begin. */
static void what_is_kept_above(void **state)
{
    (void)state;
    begin();
    keep = PLACES;
    for (uint16_t id = 0; id < PLACES; id++) {
        takes(id, 0, 8, MORE);
        takes(id, 8, 8, LAST);
        is_whole(id, 16);
    }
    drops(REASON_FRAGMENT_BUFFER, 9, 0, 8, MORE);
    assert_int_equal(frags.partials.in_use, 0);
    buf_unref(kept[0]);
    takes(9, 0, 8, MORE);
    takes(10, 0, 8, MORE); /* in the place of 9 */
    assert_int_equal(counts[REASON_FRAGMENT_EVICTED], 1);
    takes(10, 8, 8, LAST);
    is_whole(10, 16);
    for (unsigned i = 1; i < PLACES; i++)
        buf_unref(kept[i]);
    end();
}

int main(void)
{
    const struct CMUnitTest either[] = {
        cmocka_unit_test(a_minute),
        cmocka_unit_test(nobody_is_told_without_the_first),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(the_refused_make_room),
        cmocka_unit_test(a_flood),
        cmocka_unit_test(whoever_has_most_makes_room),
        cmocka_unit_test(the_refused_count_as_well),
        cmocka_unit_test(a_share_is_kept),
        cmocka_unit_test(within_the_share_age_decides),
        cmocka_unit_test(only_what_waits_counts),
        cmocka_unit_test(a_flood_from_everywhere),
        cmocka_unit_test(neighbours),
        cmocka_unit_test(what_is_kept_above),
    };
    int failed = cmocka_run_group_tests(either, NULL, NULL);

    return failed + cmocka_run_group_tests(either, use_6, NULL);
}
