/* The command line: every kind of value, every way to write it, every way to get it wrong. */
#include "run/address.h"
#include "run/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/time.h"
#include "run/exit.h"
#include "wire/addr.h"

struct opts {
    bool json;
    unsigned verbose;
    const char *pcap, *rules;
    uint32_t port;
    uint32_t any;
    int64_t wait;
    struct addr local;
};

static const struct option_spec specs[] = {
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct opts, json), 0, 0, "Print JSON.", NULL},
    {'v', "verbose", NULL, OPTION_COUNT, offsetof(struct opts, verbose), 0, 0, "Say more.", NULL},
    {'w', "pcap", "FILE", OPTION_STRING, offsetof(struct opts, pcap), 0, 0,
     "Write a capture that is explained at such a length that this text needs a second line.",
     NULL},
    {'p', "port", "N", OPTION_U32, offsetof(struct opts, port), 1, 65535, "A port.", NULL},
    {0, "rules", "LIST", OPTION_LIST, offsetof(struct opts, rules), 0, 0, "Some rules.", NULL},
    {0, "any", "N", OPTION_U32, offsetof(struct opts, any), 0, 0, "Any number.", NULL},
    {0, "wait", "TIME", OPTION_SECONDS, offsetof(struct opts, wait), MSEC, 60 * SEC, "Wait.", NULL},
    {0, "local", "ADDRESS", OPTION_ADDR4, offsetof(struct opts, local), 0, 0, "Address.", NULL},
    {0, NULL, NULL, OPTION_FLAG, 0, 0, 0, NULL, NULL},
};

static const struct program prog = {.name = "prog",
                                    .synopsis = "prog [OPTION]... A B",
                                    .summary = "Does things.",
                                    .epilogue = "example: {prog} a {b} {host} {}",
                                    .options = specs};

static const struct program *parsed = &prog;
static char captured[8192]; /* what the last parse() printed on standard output or error */
static char *words[16];
static char typed[32] = "prog"; /* how the program is called */
static int operands;

/* Run options_parse on a NULL-terminated list of words with stdout and stderr captured. */
static int parse(struct opts *o, ...)
{
    int argc = 1, saved_out = dup(1), saved_err = dup(2), r;
    FILE *tmp = tmpfile();
    va_list ap;
    size_t n;

    words[0] = typed;
    va_start(ap, o);
    while ((words[argc] = va_arg(ap, char *)) != NULL)
        argc++;
    va_end(ap);
    memset(o, 0, sizeof(*o));
    operands = -1;
    fflush(stdout);
    dup2(fileno(tmp), 1);
    dup2(fileno(tmp), 2);
    r = options_parse(parsed, o, argc, words, &operands);
    fflush(stdout);
    dup2(saved_out, 1);
    dup2(saved_err, 2);
    close(saved_out);
    close(saved_err);
    rewind(tmp);
    n = fread(captured, 1, sizeof(captured) - 1, tmp);
    captured[n] = '\0';
    fclose(tmp);
    return r;
}

static void assert_says(const char *text)
{
    if (!strstr(captured, text))
        fail_msg("expected \"%s\" in: %s", text, captured);
}

static void assert_one_line(void)
{
    const char *end = strchr(captured, '\n');

    assert_non_null(end);
    assert_string_equal(end, "\n");
    assert_says("try 'prog --help'");
}

static void operands_stand_anywhere(void **state)
{
    struct opts o;

    (void)state;
    assert_int_equal(parse(&o, "a", "-j", "b", "--port", "80", "-", "c", NULL), -1);
    assert_int_equal(operands, 4);
    assert_string_equal(words[1], "a");
    assert_string_equal(words[2], "b");
    assert_string_equal(words[3], "-");
    assert_string_equal(words[4], "c");
    assert_true(o.json);
    assert_int_equal(o.port, 80);
    assert_string_equal(captured, "");
}

static void two_dashes_end_options(void **state)
{
    struct opts o;

    (void)state;
    assert_int_equal(parse(&o, "-v", "--", "-v", "--json", "--", NULL), -1);
    assert_int_equal(operands, 3);
    assert_string_equal(words[1], "-v");
    assert_string_equal(words[3], "--");
    assert_int_equal(o.verbose, 1);
    assert_false(o.json);
}

static void letters_cluster_and_join(void **state)
{
    struct opts o;

    (void)state;
    assert_int_equal(parse(&o, "-vvjwx.pcapng", "-p7", NULL), -1);
    assert_int_equal(o.verbose, 2);
    assert_true(o.json);
    assert_string_equal(o.pcap, "x.pcapng");
    assert_int_equal(o.port, 7);
    assert_int_equal(parse(&o, "--pcap=", "--pcap=--json", NULL), -1);
    assert_string_equal(o.pcap, "--json");
    assert_int_equal(parse(&o, "-w", "-", NULL), -1);
    assert_string_equal(o.pcap, "-");
}

static void a_list_stands_once(void **state)
{
    struct opts o;

    (void)state;
    assert_int_equal(parse(&o, "--rules", "a, b", "-wx", "-wy", NULL), -1);
    assert_string_equal(o.rules, "a, b");
    assert_string_equal(o.pcap, "y");
    assert_int_equal(parse(&o, "--rules=a", "--rules=", NULL), EXIT_USAGE);
    assert_says("--rules stands twice: 'a' and ''; write it all into one");
    assert_one_line();
    assert_int_equal(parse(&o, "--rules=", "--rules=b", NULL), EXIT_USAGE);
}

static void numbers_at_their_bounds(void **state)
{
    struct opts o;

    (void)state;
    assert_int_equal(parse(&o, "--port=1", "--any=4294967295", NULL), -1);
    assert_int_equal(o.port, 1);
    assert_int_equal(o.any, UINT32_MAX);
    assert_int_equal(parse(&o, "--port=65535", NULL), -1);
    const char *bad[] = {"0", "65536", "", "-1", "+1", " 1", "1x", "0x10", "99999999999999999999"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char word[40];

        snprintf(word, sizeof(word), "--port=%s", bad[i]);
        assert_int_equal(parse(&o, word, NULL), EXIT_USAGE);
        assert_says("--port: '");
        assert_says("a number from 1 to 65535");
        assert_one_line();
    }
    assert_int_equal(parse(&o, "--any=4294967296", NULL), EXIT_USAGE);
}

static void seconds_are_exact(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"5", 5 * SEC},        {"0.5", SEC / 2},
                {"200ms", 200 * MSEC}, {"1.5ms", 1500000},
                {"2s", 2 * SEC},       {"1500us", 1500000},
                {"0.001", MSEC},       {"59.999999999", 60 * SEC - 1},
                {"60", 60 * SEC}};
    const char *bad[] = {"", "x", "5x", "5 s", ".5", "5.", "-5", "1.0000000001", "5m"};
    const char *outside[] = {"0",           "0.5ms",
                             "61",          "60.000000001",
                             "99999999999", "99999999999999999999"};
    struct opts o;
    char word[60];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(word, sizeof(word), "--wait=%s", good[i].text);
        assert_int_equal(parse(&o, word, NULL), -1);
        assert_int_equal(o.wait, good[i].ns);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(word, sizeof(word), "--wait=%s", bad[i]);
        assert_int_equal(parse(&o, word, NULL), EXIT_USAGE);
        assert_says("such as 5, 0.5 (seconds) or 200ms");
        assert_one_line();
    }
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        snprintf(word, sizeof(word), "--wait=%s", outside[i]);
        assert_int_equal(parse(&o, word, NULL), EXIT_USAGE);
        assert_says("from 0.001 to 60 seconds");
    }
}

static void addresses(void **state)
{
    struct addr want = addr_v4(0x0a000007);
    struct opts o;

    (void)state;
    assert_int_equal(parse(&o, "--local", "10.0.0.7", NULL), -1);
    assert_true(addr_eq(&o.local, &want));
    assert_int_equal(parse(&o, "--local", "10.0.0", NULL), EXIT_USAGE);
    assert_says("an IPv4 address such as 10.0.0.7");
}

static void mistakes_get_one_line(void **state)
{
    struct opts o;

    (void)state;
    assert_int_equal(parse(&o, "--pcpa", "x", NULL), EXIT_USAGE);
    assert_string_equal(captured, "prog: there is no option '--pcpa' (did you mean '--pcap'?); "
                                  "try 'prog --help'\n");
    assert_int_equal(operands, -1);
    assert_int_equal(parse(&o, "--verb", NULL), EXIT_USAGE);
    assert_says("did you mean '--verbose'?");
    assert_int_equal(parse(&o, "--zzzzzz", NULL), EXIT_USAGE);
    assert_string_equal(captured, "prog: there is no option '--zzzzzz'; try 'prog --help'\n");
    assert_int_equal(parse(&o, "-x", NULL), EXIT_USAGE);
    assert_says("no option '-x'");
    assert_one_line();
    assert_int_equal(parse(&o, "--json=yes", NULL), EXIT_USAGE);
    assert_says("--json takes no value");
    assert_int_equal(parse(&o, "--pcap", NULL), EXIT_USAGE);
    assert_says("--pcap needs FILE");
    assert_int_equal(parse(&o, "-w", "--json", NULL), EXIT_USAGE);
    assert_says("--pcap needs FILE, but '--json' follows");
    assert_one_line();
}

static void it_calls_itself_as_it_was_typed(void **state)
{
    struct opts o;

    (void)state;
    strcpy(typed, "/opt/my-prog");
    assert_int_equal(parse(&o, "--zzzzzz", NULL), EXIT_USAGE);
    assert_string_equal(captured,
                        "prog: there is no option '--zzzzzz'; try '/opt/my-prog --help'\n");
    assert_int_equal(parse(&o, "--help", NULL), EXIT_DONE);
    assert_says("example: /opt/my-prog a /opt/my-b /opt/my-host {}\n");
    strcpy(typed, "prog");
}

static void help_is_at_most_79_columns_wide(void **state)
{
    struct opts o;
    size_t widest = 0;

    (void)state;
    assert_int_equal(parse(&o, "--help", NULL), EXIT_DONE);
    for (const char *line = captured; *line; line += strcspn(line, "\n") + 1) {
        if (strcspn(line, "\n") > widest)
            widest = strcspn(line, "\n");
    }
    assert_in_range(widest, 70, 79);
}

static void help_and_version(void **state)
{
    struct opts o;

    (void)state;
    assert_int_equal(parse(&o, "--port=1", "--help", "--nonsense", NULL), EXIT_DONE);
    assert_says("usage: prog [OPTION]... A B\n");
    assert_says("\n  -w, --pcap FILE      Write a capture");
    assert_says("\n      --local ADDRESS  Address.\n");
    assert_says("\n  -h, --help           Print this");
    assert_says("\nexample: prog a b host {}\n");
    for (const char *line = captured; *line; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\n") <= 100);
    assert_int_equal(parse(&o, "-vh", NULL), EXIT_DONE);
    assert_int_equal(parse(&o, "--version", NULL), EXIT_DONE);
    assert_says("prog (twintun) ");
    assert_int_equal(parse(&o, "--help=x", NULL), EXIT_USAGE);
}

/* Headings stand above the first option of each group, and what is common is set off below. */
static void help_has_headings(void **state)
{
    static const struct option_spec grouped[] = {
        {.name = "port", .arg = "N", .kind = OPTION_U32, .help = "A port.", .group = "the node"},
        {.name = "any", .arg = "N", .kind = OPTION_U32, .help = "Any number."},
        {.letter = 'v', .name = "verbose", .kind = OPTION_COUNT, .help = "More.", .group = "TCP"},
        {.name = NULL},
    };
    static const struct program of_groups = {.name = "prog", .options = grouped};
    struct opts o;

    (void)state;
    parsed = &of_groups;
    assert_int_equal(parse(&o, "--help", NULL), EXIT_DONE);
    parsed = &prog;
    assert_string_equal(captured, "usage: prog\n\n"
                                  "the node:\n"
                                  "      --port N   A port.\n"
                                  "      --any N    Any number.\n"
                                  "\n"
                                  "TCP:\n"
                                  "  -v, --verbose  More.\n"
                                  "\n"
                                  "  -h, --help     Print this and exit.\n"
                                  "  -V, --version  Print the version and exit.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operands_stand_anywhere),
        cmocka_unit_test(two_dashes_end_options),
        cmocka_unit_test(letters_cluster_and_join),
        cmocka_unit_test(a_list_stands_once),
        cmocka_unit_test(numbers_at_their_bounds),
        cmocka_unit_test(seconds_are_exact),
        cmocka_unit_test(addresses),
        cmocka_unit_test(mistakes_get_one_line),
        cmocka_unit_test(it_calls_itself_as_it_was_typed),
        cmocka_unit_test(help_is_at_most_79_columns_wide),
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(help_has_headings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
