/* --cc and --without: what they set, what they say where a name is wrong, what --help lists. */
#include "run/choice.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run/exit.h"
#include "tcp/cc/cc.h"
#include "wire_check.h"

static const struct program prog = {.name = "prog", .chapters = choice_help};
static struct tcp_config cfg;
static char said[8192]; /* on both standard output and standard error */

static FILE *begin(int saved[2])
{
    FILE *tmp = tmpfile();

    fflush(stdout);
    saved[0] = dup(1);
    saved[1] = dup(2);
    dup2(fileno(tmp), 1);
    dup2(fileno(tmp), 2);
    return tmp;
}

static void end(FILE *tmp, const int saved[2])
{
    size_t n;

    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
    }
    rewind(tmp);
    n = fread(said, 1, sizeof(said) - 1, tmp);
    said[n] = '\0';
    fclose(tmp);
}

static int take(const char *cc, const char *without)
{
    int saved[2], r;
    FILE *tmp = begin(saved);

    tcp_config_default(&cfg);
    r = choice_take(&prog, cc, without, &cfg);
    end(tmp, saved);
    return r;
}

static void says(const char *text)
{
    if (!strstr(said, text))
        fail_msg("expected \"%s\" in: %s", text, said);
}

static void names_are_taken(void **state)
{
    (void)state;
    assert_int_equal(take(NULL, NULL), -1);
    assert_ptr_equal(cfg.cc, &cc_cubic);
    assert_true(cfg.rack && cfg.prr && cfg.conn.nagle);
    assert_int_equal(take("reno", "rack,prr,nagle"), -1);
    assert_ptr_equal(cfg.cc, &cc_reno);
    assert_false(cfg.rack || cfg.prr || cfg.conn.nagle);
    assert_true(cfg.tlp && cfg.sack);
    assert_int_equal(take("cubic", "limited-transmit"), -1);
    assert_false(cfg.limited_transmit);
    assert_string_equal(said, "");
}

static void a_wrong_name_is_one_line(void **state)
{
    static const struct {
        const char *cc, *without, *want;
    } cases[] = {
        {"cubik", NULL, "--cc: there is no congestion control 'cubik' (did you mean 'cubic'?)"},
        {"", NULL, "--cc: there is no congestion control ''"},
        {"vegas", NULL, "--cc: there is no congestion control 'vegas'; there are cubic, reno, "},
        {NULL, "rack,prx", "--without: there is no mechanism 'prx' (did you mean 'prr'?)"},
        {NULL, "rack,", "--without: there is no mechanism ''"},
        {NULL, "westwood", "there are sack, dsack, rack, "},
        {NULL, "westwood", ", nagle; try"},
        {NULL, "limited_transmit", "(did you mean 'limited-transmit'?)"},
        {NULL, "rack prr", "there is no mechanism 'rack prr'"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(take(cases[i].cc, cases[i].without), EXIT_USAGE);
        says(cases[i].want);
        says("; try 'prog --help'\n");
        assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    }
}

static void help_lists_every_row(void **state)
{
    int saved[2];
    FILE *tmp = begin(saved);
    char row[80];

    (void)state;
    choice_help();
    end(tmp, saved);
    for (const struct cc_ops *m = cc_next(NULL); m; m = cc_next(m)) {
        snprintf(row, sizeof(row), "\n  %s ", m->name);
        says(row);
    }
    for (unsigned i = 0; tcp_switch_at(i); i++) {
        snprintf(row, sizeof(row), "\n  %s ", tcp_switch_at(i)->name);
        says(row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_taken),
        cmocka_unit_test(a_wrong_name_is_one_line),
        cmocka_unit_test(help_lists_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
