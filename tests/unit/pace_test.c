/* Lines for many things, and how few of them there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "run/pace.h"

enum {
    SAID_MAX = 128, /* bytes of what a turn says, with its zero */
};

static struct outlet out;
static const struct report report = {.program = "node", .out = &out};

/* pace_turn at `now`, with what it says in said[SAID_MAX]. */
static int64_t turn(struct pace *p, int64_t now, char *said)
{
    FILE *tmp = tmpfile();
    int64_t next;

    assert_non_null(tmp);
    assert_int_equal(outlet_open(&out, fileno(tmp), false, true, OUTLET_BATCH), 0);
    next = pace_turn(p, &report, now);
    assert_int_equal(outlet_drain(&out), 0);
    assert_int_equal(outlet_close(&out), 0);
    rewind(tmp);
    said[fread(said, 1, SAID_MAX - 1, tmp)] = '\0';
    fclose(tmp);
    return next;
}

static unsigned may(struct pace *p, unsigned times, int64_t now)
{
    unsigned n = 0;

    for (unsigned i = 0; i < times; i++)
        n += pace_may(p, now);
    return n;
}

static void ten_in_a_second_are_said_and_the_rest_in_one_line(void **state)
{
    struct pace p = {.what = "closed"};
    char said[SAID_MAX];

    (void)state;
    assert_int_equal(may(&p, 4, 100 * SEC), 4);
    assert_true(turn(&p, 100 * SEC, said) == TIME_NEVER);
    assert_int_equal(may(&p, 996, 101 * SEC - 1), 6);
    assert_true(turn(&p, 101 * SEC - 1, said) == 101 * SEC);
    assert_string_equal(said, "");
    assert_true(turn(&p, 101 * SEC, said) == TIME_NEVER);
    assert_string_equal(said, "node: ... and 990 more closed\n");
    assert_true(turn(&p, 101 * SEC, said) == TIME_NEVER);
    assert_string_equal(said, "");
}

static void the_next_second_begins_anew(void **state)
{
    struct pace p = {.what = "closed"};
    char said[SAID_MAX];

    (void)state;
    assert_int_equal(may(&p, 12, 5 * SEC), 10);
    assert_int_equal(may(&p, 3, 7 * SEC), 0); /* what was counted is said first */
    turn(&p, 7 * SEC, said);
    assert_string_equal(said, "node: ... and 5 more closed\n");
    assert_int_equal(may(&p, 12, 7 * SEC), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_in_a_second_are_said_and_the_rest_in_one_line),
        cmocka_unit_test(the_next_second_begins_anew),
    };

    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
