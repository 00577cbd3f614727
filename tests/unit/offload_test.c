/* --offload: what it asks of a device, and what it says where a name is wrong. */
#include "run/offload.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "link/device.h"
#include "run/exit.h"
#include "wire_check.h"

enum {
    ALL = DEVICE_CSUM | DEVICE_TSO4 | DEVICE_TSO6 | DEVICE_USO | DEVICE_JOIN,
};

static const struct program prog = {.name = "prog"};
static struct offload_choice got;
static char said[1024]; /* on standard error */

static int take(const char *list, bool alone)
{
    FILE *tmp = tmpfile();
    int saved = dup(2), r;
    size_t n;

    assert_non_null(tmp);
    dup2(fileno(tmp), 2);
    r = offload_parse(&prog, list, alone, &got);
    dup2(saved, 2);
    close(saved);
    rewind(tmp);
    n = fread(said, 1, sizeof(said) - 1, tmp);
    said[n] = '\0';
    fclose(tmp);
    return r;
}

static void what_is_wanted(void **state)
{
    static const struct {
        const char *list;
        unsigned wanted;
        bool named;
    } cases[] = {
        {NULL, ALL, false},
        {"auto", ALL, false},
        {"off", 0, false},
        {"csum", DEVICE_CSUM, true},
        {"tso4", DEVICE_CSUM | DEVICE_TSO4, true}, /* which cannot be without it */
        {"tso6,csum", DEVICE_CSUM | DEVICE_TSO6, true},
        {"uso", DEVICE_CSUM | DEVICE_USO, true},
        {"join", DEVICE_CSUM | DEVICE_JOIN, true},
        {"csum,tso4,tso6,uso,join", ALL, true},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(take(cases[i].list, false), -1);
        assert_int_equal(got.wanted, cases[i].wanted);
        assert_int_equal(got.named, cases[i].named);
        assert_string_equal(said, "");
    }
}

/* --impair is about packets as they are on a wire: "auto" gives way, a list is refused. */
static void nothing_where_each_packet_counts(void **state)
{
    static const char *const lists[] = {NULL, "auto", "off"};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(take(lists[i], true), -1);
        assert_int_equal(got.wanted, 0);
    }
    assert_int_equal(take("tso4", true), EXIT_USAGE);
    assert_non_null(strstr(said, "--offload tso4 does not go with --impair"));
}

static void a_wrong_name_is_one_line(void **state)
{
    static const char *const lists[] = {"", "tso", "csum,", ",csum", "csum tso4", "auto,csum"};

    (void)state;
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        assert_int_equal(take(lists[i], false), EXIT_USAGE);
        assert_non_null(strstr(said, "prog: --offload: there is no '"));
        assert_non_null(strstr(said, "csum, tso4, tso6, uso, join"));
        assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    }
}

static void names_of_what_was_agreed(void **state)
{
    char text[OFFLOAD_TEXT];

    (void)state;
    assert_string_equal(offload_text(0, text), "off");
    assert_string_equal(offload_text(DEVICE_CSUM, text), "csum");
    assert_string_equal(offload_text(DEVICE_CSUM | DEVICE_TSO6, text), "csum,tso6");
    assert_string_equal(offload_text(ALL, text), "csum,tso4,tso6,uso,join");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wanted),
        cmocka_unit_test(nothing_where_each_packet_counts),
        cmocka_unit_test(a_wrong_name_is_one_line),
        cmocka_unit_test(names_of_what_was_agreed),
    };

    return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
