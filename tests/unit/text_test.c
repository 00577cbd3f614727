/* Text that grows in a lent array. */
#include "base/text.h"

#include <stdio.h>
#include <wchar.h>

#include "wire_check.h"

/* For every size of the array: what fits of "one 2 three" is there, terminated, and no more. */
static void test_every_size_is_cut_where_the_array_ends(void **state)
{
    static const char whole[] = "one 2 three";

    (void)state;
    for (size_t size = 1; size <= sizeof(whole) + 1; size++) {
        size_t want = size - 1 < strlen(whole) ? size - 1 : strlen(whole);
        char out[32];
        struct text t;

        memset(out, UNTOUCHED, sizeof(out));
        text_init(&t, out, size);
        text_add(&t, "one ");
        text_add(&t, "%d%s", 2, " three");
        expect_number("length", t.len, want);
        expect_number("cut", t.cut, want < strlen(whole));
        expect_number("room", text_room(&t), size - 1 - want);
        assert_memory_equal(out, whole, want);
        assert_int_equal(out[want], '\0');
        expect_untouched("behind the array", out + size, sizeof(out) - size);
    }
}

static void test_nothing_is_added_behind_a_cut(void **state)
{
    char out[6];
    struct text t;

    (void)state;
    text_init(&t, out, sizeof(out));
    text_add(&t, "abcdef");
    assert_true(t.cut);
    text_add(&t, "%s", "");
    text_add(&t, "x");
    assert_string_equal(out, "abcde");
    assert_int_equal(t.len, 5);
}

static void test_a_full_array_takes_the_empty_text(void **state)
{
    char out[4];
    struct text t;

    (void)state;
    text_init(&t, out, sizeof(out));
    assert_string_equal(out, "");
    text_add(&t, "abc");
    text_add(&t, "%s", "");
    assert_false(t.cut);
    text_add(&t, "d");
    assert_true(t.cut);
    assert_string_equal(out, "abc");
}

/* printf itself can refuse: a wide character that has no bytes in the C locale. */
static void test_a_refusal_cuts_and_leaves_the_text_terminated(void **state)
{
    char out[32];
    struct text t;

    (void)state;
    memset(out, UNTOUCHED, sizeof(out));
    text_init(&t, out, sizeof(out));
    text_add(&t, "abc");
    text_add(&t, "def%lc", (wint_t)0x20ac);
    assert_true(t.cut);
    assert_int_equal(t.len, strlen(out));
    assert_string_equal(out, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_is_cut_where_the_array_ends),
        cmocka_unit_test(test_nothing_is_added_behind_a_cut),
        cmocka_unit_test(test_a_full_array_takes_the_empty_text),
        cmocka_unit_test(test_a_refusal_cuts_and_leaves_the_text_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
