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

static int use_6(void **state)
{
    (void)state;
    family = 6;
    return 0;
}

int main(void)
{
    const struct CMUnitTest either[] = {
        cmocka_unit_test(a_minute),
        cmocka_unit_test(nobody_is_told_without_the_first),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(the_refused_make_room),
        cmocka_unit_test(a_flood),
        cmocka_unit_test(what_is_kept_above),
    };
    int failed = cmocka_run_group_tests(either, NULL, NULL);

    return failed + cmocka_run_group_tests(either, use_6, NULL);
}
