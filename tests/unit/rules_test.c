/* The words of --impair: what each rule means, and what is said about wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "link/rules.h"

static struct rules rules;

static void good(const char *text)
{
    char why[RULES_WHY] = "";

    if (rules_parse(text, &rules, why) < 0)
        fail_msg("'%s': %s", text, why);
}

static void bad(const char *text, const char *want)
{
    char why[RULES_WHY] = "";
    struct rules before = {.silent = {true, true}}, after = before;

    assert_int_equal(rules_parse(text, &after, why), -EINVAL);
    assert_string_equal(why, want);
    assert_memory_equal(&before, &after, sizeof(before));
}

static const struct path_config *out(void)
{
    return &rules.path[IMPAIR_OUT];
}

static const struct path_config *in(void)
{
    return &rules.path[IMPAIR_IN];
}

static void test_the_example(void **state)
{
    (void)state;
    good("delay 20ms 5ms, loss 1%, reorder 2%, rate 10mbit queue 50p, drop syn-ack 2");
    assert_int_equal(out()->delay, 20 * MSEC);
    assert_int_equal(out()->jitter, 5 * MSEC);
    assert_true(out()->in_order);
    assert_int_equal(out()->loss, 10000);
    assert_int_equal(out()->reorder, 20000);
    assert_int_equal(out()->reorder_by, 20 * MSEC); /* the delay */
    assert_int_equal(out()->rate, 1250000);
    assert_int_equal(out()->queue_packets, 50);
    assert_int_equal(out()->mask[0].kind, PACKET_SYN_ACK);
    assert_int_equal(out()->mask[0].first, 2);
    assert_int_equal(out()->mask[0].last, 2);
    assert_memory_equal(out(), in(), sizeof(*out()));
}

static void test_directions(void **state)
{
    (void)state;
    good("loss 1%; out: delay 1s, corrupt 0.5%; in: down 1s 2.5s");
    assert_int_equal(out()->loss, 10000);
    assert_int_equal(in()->loss, 10000);
    assert_int_equal(out()->delay, SEC);
    assert_int_equal(in()->delay, 0);
    assert_int_equal(out()->corrupt, 5000);
    assert_int_equal(in()->corrupt, 0);
    assert_int_equal(in()->down_from, SEC);
    assert_int_equal(in()->down_until, 2500 * MSEC);
    assert_int_equal(out()->down_until, 0);
    good(" out :loss 100%");
    assert_int_equal(out()->loss, 1000000);
    assert_int_equal(in()->loss, 0);
}

static void test_each_rule(void **state)
{
    (void)state;
    good("delay 500us unordered");
    assert_int_equal(out()->delay, 500 * USEC);
    assert_false(out()->in_order);
    good("delay 1.000001s 0.5ms unordered");
    assert_int_equal(out()->delay, SEC + USEC);
    assert_int_equal(out()->jitter, 500 * USEC);
    good("burst 1% 25%");
    assert_int_equal(out()->burst_enter, 10000);
    assert_int_equal(out()->burst_leave, 250000);
    assert_int_equal(out()->burst_loss, 1000000);
    good("burst 1% 25% 50%");
    assert_int_equal(out()->burst_loss, 500000);
    good("reorder 5% 3ms, duplicate 0.0001%");
    assert_int_equal(out()->reorder_by, 3 * MSEC);
    assert_int_equal(out()->duplicate, 1);
    good("reorder 5%");
    assert_int_equal(out()->reorder_by, 10 * MSEC);
    good("rate 1gbit");
    assert_int_equal(out()->rate, 125000000);
    assert_int_equal(out()->queue_packets, 100);
    good("rate 1.5kbit queue 64kb, ce-mark 30kb");
    assert_int_equal(out()->rate, 187);
    assert_int_equal(out()->queue, 64000);
    assert_int_equal(out()->queue_packets, 0);
    assert_int_equal(out()->mark_bytes, 30000);
    good("ce-mark 10%");
    assert_int_equal(out()->mark, 100000);
    good("rate 8bit queue 1024p, ce-mark 20p");
    assert_int_equal(out()->rate, 1);
    assert_int_equal(out()->queue_packets, 1024);
    assert_int_equal(out()->mark_packets, 20);
    good("mtu 1300");
    assert_int_equal(out()->mtu, 1300);
    assert_false(rules.silent[IMPAIR_OUT]);
    good("out: mtu 68 silent");
    assert_true(rules.silent[IMPAIR_OUT]);
    assert_false(rules.silent[IMPAIR_IN]);
}

static void test_drop_counts_its_kinds_one_by_one(void **state)
{
    (void)state;
    good("drop data 3-7, drop ack 4294967295, drop syn 1, drop rst 1, drop fin 1, drop syn-ack 1, "
         "drop data 9, drop data 11");
    assert_int_equal(out()->mask[0].kind, PACKET_DATA);
    assert_int_equal(out()->mask[0].first, 3);
    assert_int_equal(out()->mask[0].last, 7);
    assert_int_equal(out()->mask[1].last, UINT32_MAX);
    assert_int_equal(out()->mask[7].first, 11);
    bad("drop data 1, drop data 2, drop data 3, drop data 4, drop data 5, drop data 6, drop data "
        "7, "
        "drop data 8, drop data 9",
        "there are more than 8 'drop' for one direction");
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    bad("lose 1%", "'lose' is no impairment; there are delay, loss, burst, reorder, duplicate, "
                   "corrupt, rate, ce-mark, drop, down, mtu");
    bad("", "there is nothing between two separators, or at an end");
    bad("loss 1%,", "there is nothing between two separators, or at an end");
    bad("loss 1%;; delay 1s", "there is nothing between two separators, or at an end");
    bad("up: loss 1%", "'up:' is not a direction, out: or in:");
    bad(": loss 1%", "':' is not a direction, out: or in:");
    bad("out in: loss 1%", "'out:' is not a direction, out: or in:");
    bad("loss", "'loss' needs a percentage such as 1% behind it");
    bad("loss 1", "'1' is not a percentage from 0% to 100%, such as 1% or 0.05%");
    bad("loss 101%", "'101%' is not a percentage from 0% to 100%, such as 1% or 0.05%");
    bad("loss 100.0001%", "'100.0001%' is not a percentage from 0% to 100%, such as 1% or 0.05%");
    bad("loss -1%", "'-1%' is not a percentage from 0% to 100%, such as 1% or 0.05%");
    bad("loss 1.2345678%", "'1.2345678%' is not a percentage from 0% to 100%, such as 1% or 0.05%");
    bad("loss 1% 2%", "'2%' is one word too many; it is: loss PERCENT");
    bad("loss 1%, loss 2%", "'loss' stands twice for one direction");
    bad("in: loss 1%; loss 2%", "'loss' stands twice for one direction");
    bad("delay 20",
        "'20' is not a time of up to 86400s with its unit, such as 20ms, 500us or 1.5s");
    bad("delay 86401s",
        "'86401s' is not a time of up to 86400s with its unit, such as 20ms, 500us or 1.5s");
    bad("delay 1s orderless",
        "'orderless' is not a time of up to 86400s with its unit, such as 20ms, 500us or 1.5s");
    bad("rate 10", "'10' is not a rate from 8bit to 100gbit, such as 10mbit or 500kbit");
    bad("rate 7bit", "'7bit' is not a rate from 8bit to 100gbit, such as 10mbit or 500kbit");
    bad("rate 101gbit", "'101gbit' is not a rate from 8bit to 100gbit, such as 10mbit or 500kbit");
    bad("rate 99999999999999999999gbit", "'99999999999999999999gbit' is not a rate from 8bit to "
                                         "100gbit, such as 10mbit or 500kbit");
    bad("rate 18446744073709551617mbit", "'18446744073709551617mbit' is not a rate from 8bit to "
                                         "100gbit, such as 10mbit or 500kbit");
    bad("rate 1mbit queue", "'rate' needs a length such as 50p behind it");
    bad("rate 1mbit queue 1025p",
        "'1025p' is not a length such as 50p (packets, up to 1024) or 64kb (bytes)");
    bad("rate 1mbit queue 0p",
        "'0p' is not a length such as 50p (packets, up to 1024) or 64kb (bytes)");
    bad("ce-mark 20p", "'ce-mark' with a length needs 'rate', whose queue it is");
    bad("drop cake 1", "'cake' is not a kind: syn, syn-ack, rst, fin, data or ack");
    bad("drop data", "'drop' needs a number, or FIRST-LAST behind it");
    bad("drop data 0", "'0' is not a number from 1 on, or FIRST-LAST in ascending order");
    bad("drop data 3-2", "'3-2' is not a number from 1 on, or FIRST-LAST in ascending order");
    bad("drop data 2-", "'2-' is not a number such as 2, or FIRST-LAST such as 2-5");
    bad("drop data 4294967296",
        "'4294967296' is not a number such as 2, or FIRST-LAST such as 2-5");
    bad("down 2s", "'down' needs a time such as 20ms behind it");
    bad("down 2s 2s", "'2s' is not later than the time before it");
    bad("mtu 67", "'67' is not a number of bytes from 68 to 65535");
    bad("mtu 65536", "'65536' is not a number of bytes from 68 to 65535");
    bad("mtu 1500 loud", "'loud' is one word too many; it is: mtu BYTES [silent]");
    bad("loss 1 2 3 4 5 6 7 8", "there are too many words behind 'loss'");
}

/* What is long is named as far as there is room, and a text that is too long is refused. */
static void test_long_words(void **state)
{
    static char text[RULES_TEXT + 1];
    char why[RULES_WHY];

    (void)state;
    memset(text, 'x', RULES_TEXT - 1);
    assert_int_equal(rules_parse(text, &rules, why), -EINVAL);
    assert_non_null(strstr(why, "is no impairment"));
    memcpy(text, "loss ", 5);
    assert_int_equal(rules_parse(text, &rules, why), -EINVAL);
    assert_non_null(strstr(why, "x' is not a percentage"));
    text[RULES_TEXT - 1] = 'x';
    bad(text, "these are more than 1023 bytes");
}

static void test_the_table_for_people_names_every_rule(void **state)
{
    const char *help, *usage;
    unsigned n = 0;

    (void)state;
    for (; (usage = rules_usage(n, &help)) != NULL; n++)
        assert_true(strlen(usage) > 3 && strlen(help) > 3);
    assert_int_equal(n, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_example),
        cmocka_unit_test(test_directions),
        cmocka_unit_test(test_each_rule),
        cmocka_unit_test(test_drop_counts_its_kinds_one_by_one),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_the_table_for_people_names_every_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
