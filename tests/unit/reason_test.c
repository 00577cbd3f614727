/* The one list of reasons: what scripts and people rely on. */
#include "wire/reason.h"

#include "stop_check.h"
#include "wire_check.h"

static const struct {
    enum reason_kind kind;
    const char *prefix;
} prefixes[] = {
    {REASON_KIND_NONE, "none"},     {REASON_KIND_DROP, "drop."},
    {REASON_KIND_SEND, "send."},    {REASON_KIND_EVENT, "state"},
    {REASON_KIND_EVENT, "timer."},  {REASON_KIND_EVENT, "recovery."},
    {REASON_KIND_EVENT, "rtt"},     {REASON_KIND_EVENT, "icmp."},
    {REASON_KIND_EVENT, "end."},    {REASON_KIND_EVENT, "urgent"},
    {REASON_KIND_EVENT, "report."}, {REASON_KIND_EVENT, "advice."},
    {REASON_KIND_EVENT, "room."},   {REASON_KIND_EVENT, "user."},
    {REASON_KIND_EVENT, "ecn."},    {REASON_KIND_EVENT, "fragment."},
    {REASON_KIND_EVENT, "mtu."},    {REASON_KIND_EVENT, "queue."},
    {REASON_KIND_PATH, "impair."},
};

static const struct reason_text *text(int r)
{
    return reason_text((enum reason)r);
}

static void test_zero_is_no_reason(void **state)
{
    (void)state;
    assert_int_equal(REASON_NONE, 0);
    assert_string_equal(text(0)->name, "none");
    for (int r = 1; r < REASON_COUNT; r++)
        assert_int_not_equal(text(r)->kind, REASON_KIND_NONE);
}

static void test_names_are_unique(void **state)
{
    (void)state;
    for (int a = 0; a < REASON_COUNT; a++)
        for (int b = 0; b < a; b++)
            if (strcmp(text(a)->name, text(b)->name) == 0)
                fail_msg("%s stands twice in the list", text(a)->name);
}

/* A prefix that ends in a dot wants something behind it; one that does not is the whole name. */
static bool has_prefix(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(name, prefix, n) == 0 && (prefix[n - 1] == '.') == (name[n] != '\0');
}

static void test_names_begin_with_the_prefix_of_their_kind(void **state)
{
    (void)state;
    for (int r = 0; r < REASON_COUNT; r++) {
        bool fits = false;

        for (unsigned i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
            fits |=
                prefixes[i].kind == text(r)->kind && has_prefix(text(r)->name, prefixes[i].prefix);
        if (!fits)
            fail_msg("%s is not a name for its kind", text(r)->name);
    }
}

static void test_names_are_words_for_scripts(void **state)
{
    (void)state;
    for (int r = 0; r < REASON_COUNT; r++) {
        const char *name = text(r)->name;

        if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") != strlen(name) ||
            strstr(name, "..") || strlen(name) > 40)
            fail_msg("%s is hard on scripts", name);
    }
}

static void test_each_has_a_sentence_and_a_source(void **state)
{
    (void)state;
    for (int r = 0; r < REASON_COUNT; r++) {
        const char *sentence = text(r)->sentence, *source = text(r)->source;

        if (strlen(sentence) < 5 || !strchr(sentence, ' ') || sentence[strlen(sentence) - 1] == '.')
            fail_msg("%s: \"%s\" is no sentence without its full stop", text(r)->name, sentence);
        if (strcmp(source, "twintun") != 0 &&
            (strncmp(source, "RFC ", 4) != 0 || strspn(source + 4, "0123456789") < 3))
            fail_msg("%s: \"%s\" is no source", text(r)->name, source);
    }
}

static void ask_beyond_the_list(void)
{
    reason_text(REASON_COUNT);
}

static void test_a_reason_that_is_none_stops_the_program(void **state)
{
    (void)state;
    expect_stop(ask_beyond_the_list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_is_no_reason),
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_names_begin_with_the_prefix_of_their_kind),
        cmocka_unit_test(test_names_are_words_for_scripts),
        cmocka_unit_test(test_each_has_a_sentence_and_a_source),
        cmocka_unit_test(test_a_reason_that_is_none_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
