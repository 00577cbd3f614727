/*
 * The command line as a table: one walk over argv that knows no option by name.
 *
 * Words are taken from left to right. A word that is not an option is an operand and moves to the
 * front of argv, which is safe because the place it moves to has been read already. "--" ends the
 * options, "-" alone is an operand (standard input, by custom).
 *
 * A value may be joined ("--pcap=FILE", "-wFILE") or be the next word; the next word is not taken
 * when it looks like an option, because a forgotten value is more likely than such a value, and
 * the joined form remains for that. Names are not abbreviated: an abbreviation in a script breaks
 * on the day another option is added. A name that is nearly right is suggested instead.
 */
#include "run/options.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "run/address.h"
#include "run/exit.h"
#include "run/nearest.h"
#include "run/self.h"

#ifndef TWINTUN_VERSION
#define TWINTUN_VERSION "0.1.0"
#endif

enum {
    GO_ON = -1,        /* options_parse: no exit code, carry on */
    HELP_WIDTH = 79,   /* columns */
    HELP_COLUMN = 30,  /* where the explanation begins, at the most */
    NAME_MAX_LEN = 40, /* characters of a program's name */
};

/* What every program understands without listing it. */
static const struct option_spec common_options[] = {
    {.letter = 'h', .name = "help", .help = "Print this and exit."},
    {.letter = 'V', .name = "version", .help = "Print the version and exit."},
    {.name = NULL},
};

__attribute__((format(printf, 3, 0))) static void
complain(const struct program *prog, const char *see, const char *format, va_list ap)
{
    char self[SELF_MAX];

    fprintf(stderr, "%s: ", prog->name);
    vfprintf(stderr, format, ap);
    fprintf(stderr, "; try '%s %s'\n", self_call(prog->name, self), see);
}

int usage_error(const struct program *prog, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    complain(prog, "--help", format, ap);
    va_end(ap);
    return EXIT_USAGE;
}

int usage_error_see(const struct program *prog, const char *see, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    complain(prog, see, format, ap);
    va_end(ap);
    return EXIT_USAGE;
}

/* ---- --help ---- */

/* Write `text` in lines of HELP_WIDTH, each but the first set in by `column`. */
static void print_wrapped(const char *text, size_t column)
{
    size_t at = column;

    while (*text) {
        size_t word = strcspn(text, " \n");

        if (at > column && at + 1 + word > HELP_WIDTH) {
            printf("\n%*s", (int)column, "");
            at = column;
        } else if (at > column) {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)word, text);
        at += word;
        text += word;
        if (*text == '\n') {
            printf("\n%*s", (int)column, "");
            at = column;
        }
        text += *text != '\0';
    }
    putchar('\n');
}

/* "  -v, --verbose" or "      --pcap FILE" into out[size]; returns its length. */
static size_t option_left(const struct option_spec *o, char *out, size_t size)
{
    char letter[5] = "    ";
    int n;

    if (o->letter)
        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    n = snprintf(out, size, "  %s--%s%s%s", letter, o->name, o->arg ? " " : "",
                 o->arg ? o->arg : "");
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static size_t widest(const struct option_spec *o, size_t column)
{
    char left[80];

    for (; o->name; o++) {
        size_t n = option_left(o, left, sizeof(left)) + 2;

        if (n > column && n <= HELP_COLUMN)
            column = n;
    }
    return column;
}

/* `left`, which is n columns wide, and from `column` on the text. */
static void print_row(const char *left, size_t n, size_t column, const char *text)
{
    if (n + 2 > column)
        printf("%s\n%*s", left, (int)column, "");
    else
        printf("%-*s", (int)column, left);
    print_wrapped(text, column);
}

void options_row(const char *name, size_t column, const char *text)
{
    char left[80];
    int n = snprintf(left, sizeof(left), "  %s", name);

    print_row(left, n < 0 ? 0 : (size_t)n, column, text);
}

static void print_options(const struct option_spec *o, size_t column)
{
    char left[80];

    for (; o->name; o++) {
        size_t n = option_left(o, left, sizeof(left));

        if (o->group)
            printf("%s:\n", o->group);
        print_row(left, n, column, o->help ? o->help : "");
        if (o[1].group)
            putchar('\n');
    }
}

/* Print `text`; in it "{host}" is how host is called here. */
static void print_calls(const char *text)
{
    char name[NAME_MAX_LEN], call[SELF_MAX];
    int len;

    for (; *text; text++) {
        len = 0;
        if (sscanf(text, "{%39[a-z]}%n", name, &len) == 1 && len) {
            fputs(self_call(name, call), stdout);
            text += len - 1;
        } else {
            putchar(*text);
        }
    }
}

static int print_help(const struct program *prog)
{
    size_t column = widest(common_options, prog->options ? widest(prog->options, 0) : 0);
    bool grouped = prog->options && prog->options[0].group;

    fputs("usage: ", stdout);
    print_calls(prog->synopsis ? prog->synopsis : prog->name);
    fputs("\n\n", stdout);
    if (prog->summary) {
        print_wrapped(prog->summary, 0);
        putchar('\n');
    }
    if (!grouped)
        puts("options:");
    if (prog->options)
        print_options(prog->options, column);
    if (grouped)
        putchar('\n');
    print_options(common_options, column);
    if (prog->chapters)
        prog->chapters();
    if (prog->epilogue) {
        putchar('\n');
        print_calls(prog->epilogue);
        if (prog->epilogue[strlen(prog->epilogue) - 1] != '\n')
            putchar('\n');
    }
    return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

static int print_version(const struct program *prog)
{
    printf("%s (twintun) %s\n", prog->name, TWINTUN_VERSION);
    return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

/* ---- values ---- */

/* Read digits at *at into *ret and move past them. -EINVAL without digits, -ERANGE past INT64_MAX.
 */
static int read_digits(const char **at, int64_t *ret)
{
    const char *p = *at;
    int64_t v = 0;

    if (*p < '0' || *p > '9')
        return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
            return -ERANGE;
    }
    *at = p;
    *ret = v;
    return 0;
}

/*
 * The digits behind the point, as a count of 1/SEC: "25" gives 250000000. Exact, without floating
 * point. -EINVAL without digits, or with more than nine.
 */
static int read_fraction(const char **at, int64_t *ret)
{
    const char *p = *at;
    int64_t v = 0, scale = SEC;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (scale == 1)
            return -EINVAL;
        scale /= 10;
        v += (*p - '0') * scale;
    }
    if (p == *at)
        return -EINVAL;
    *at = p;
    *ret = v;
    return 0;
}

static int64_t unit_of(const char *suffix)
{
    static const struct {
        const char *text;
        int64_t ns;
    } units[] = {{"", SEC}, {"s", SEC}, {"ms", MSEC}, {"us", USEC}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(suffix, units[i].text) == 0)
            return units[i].ns;
    return 0;
}

/* "5", "0.5", "200ms" into ns. */
static int parse_seconds(const char *text, int64_t *ret)
{
    int64_t whole, fraction = 0, unit, ns;
    int r = read_digits(&text, &whole);

    if (r < 0)
        return r;
    if (*text == '.') {
        text++;
        r = read_fraction(&text, &fraction);
        if (r < 0)
            return r;
    }
    unit = unit_of(text);
    if (!unit)
        return -EINVAL;
    /* fraction < SEC and unit <= SEC, so their product fits */
    if (__builtin_mul_overflow(whole, unit, &ns) ||
        __builtin_add_overflow(ns, fraction * unit / SEC, &ns))
        return -ERANGE;
    *ret = ns;
    return 0;
}

static int bad_value(const struct program *prog, const struct option_spec *o, const char *value,
                     const char *wanted)
{
    return usage_error(prog, "--%s: '%s' is not %s", o->name, value, wanted);
}

static int set_u32(const struct program *prog, const struct option_spec *o, uint32_t *field,
                   const char *value)
{
    int64_t max = o->max ? o->max : UINT32_MAX;
    const char *p = value;
    char wanted[80];
    int64_t v = 0;

    if (read_digits(&p, &v) < 0 || *p || v < o->min || v > max) {
        snprintf(wanted, sizeof(wanted), "a number from %lld to %lld", (long long)o->min,
                 (long long)max);
        return bad_value(prog, o, value, wanted);
    }
    *field = (uint32_t)v;
    return GO_ON;
}

static int set_seconds(const struct program *prog, const struct option_spec *o, int64_t *field,
                       const char *value)
{
    int64_t max = o->max ? o->max : INT64_MAX;
    char wanted[120];
    int64_t ns = 0;
    int r = parse_seconds(value, &ns);

    if (r < 0 && r != -ERANGE)
        return bad_value(prog, o, value, "a time such as 5, 0.5 (seconds) or 200ms");
    /* what does not fit is a time all the same, only too long a one */
    if (r < 0 || ns < o->min || ns > max) {
        snprintf(wanted, sizeof(wanted), "a time from %g to %g seconds", (double)o->min / 1e9,
                 (double)max / 1e9);
        return bad_value(prog, o, value, wanted);
    }
    *field = ns;
    return GO_ON;
}

/* One more address, with or without the length of its subnet's prefix. */
static int add_cidr(const struct program *prog, const struct option_spec *o, struct cidr_list *list,
                    const char *value)
{
    struct cidr c = {.prefix_len = 0};
    const char *why = "is no address, as in 10.0.0.7, 10.0.0.7/24 or fd00::7/64";

    if (list->n == CIDRS_MAX)
        return usage_error(prog, "--%s: more than %d addresses", o->name, (int)CIDRS_MAX);
    if (strchr(value, '/') ? parse_cidr(value, &c, &why) < 0 : parse_addr(value, &c.addr) < 0)
        return usage_error(prog, "--%s: '%s' %s", o->name, value, why);
    list->at[list->n++] = c;
    return GO_ON;
}

static int set_list(const struct program *prog, const struct option_spec *o, const char **field,
                    const char *value)
{
    if (*field)
        return usage_error(prog, "--%s stands twice: '%.40s' and '%.40s'; write it all into one",
                           o->name, *field, value);
    *field = value;
    return GO_ON;
}

/* Store what was given into the field of `o`; `value` is NULL for kinds that take none. */
static int set_option(const struct program *prog, const struct option_spec *o, void *into,
                      const char *value)
{
    void *field = (char *)into + o->offset;
    struct addr *addr = field;

    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return GO_ON;
    case OPTION_COUNT:
        ++*(unsigned *)field;
        return GO_ON;
    case OPTION_STRING:
        *(const char **)field = value;
        return GO_ON;
    case OPTION_LIST:
        return set_list(prog, o, field, value);
    case OPTION_U32:
        return set_u32(prog, o, field, value);
    case OPTION_SECONDS:
        return set_seconds(prog, o, field, value);
    case OPTION_ADDR4:
        if (parse_addr4(value, addr) < 0)
            return bad_value(prog, o, value, "an IPv4 address such as 10.0.0.7");
        return GO_ON;
    case OPTION_CIDRS:
        return add_cidr(prog, o, field, value);
    }
    return GO_ON;
}

static bool takes_value(const struct option_spec *o)
{
    return o->kind != OPTION_FLAG && o->kind != OPTION_COUNT;
}

/* ---- finding options ---- */

static const struct option_spec *find_name(const struct option_spec *o, const char *name,
                                           size_t len)
{
    for (; o && o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static const struct option_spec *find_letter(const struct option_spec *o, char letter)
{
    for (; o && o->name; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

static const char *name_at(const void *arg, unsigned i)
{
    const struct option_spec *o = arg;

    return o ? o[i].name : NULL;
}

static int unknown_name(const struct program *prog, const char *name, size_t len)
{
    const char *near = nearest_name(name, len, name_at, prog->options);

    if (!near)
        near = nearest_name(name, len, name_at, common_options);
    if (near)
        return usage_error(prog, "there is no option '--%.*s' (did you mean '--%s'?)", (int)len,
                           name, near);
    return usage_error(prog, "there is no option '--%.*s'", (int)len, name);
}

/* ---- what is missing ---- */

static bool like_operand(const char *word)
{
    struct cidr cidr;
    struct addr addr;
    const char *why;

    return (strncmp(word, "tun", 3) == 0 && !strchr(word, '.')) || if_nametoindex(word) ||
           parse_addr(word, &addr) == 0 || parse_cidr(word, &cidr, &why) == 0;
}

int usage_missing(const struct program *prog, const void *into, const char *missing)
{
    for (const struct option_spec *o = prog->options; o->name; o++) {
        const void *field = (const char *)into + o->offset;
        const char *word = o->kind == OPTION_STRING ? *(const char *const *)field : NULL;

        if (word && like_operand(word))
            return usage_error(prog, "%s: --%s took '%s' as its %s (write --%s %s %s)", missing,
                               o->name, word, o->arg, o->name, o->arg, word);
    }
    return usage_error(prog, "%s", missing);
}

/* ---- the walk ---- */

struct walk {
    const struct program *prog;
    void *into;
    int argc;
    char **argv;
    int next; /* the word to read next */
};

/* --help or --version, by their common spec. */
static int run_common(const struct walk *w, const struct option_spec *o)
{
    return o == &common_options[0] ? print_help(w->prog) : print_version(w->prog);
}

/* Give `o` its value: `joined`, or the next word. */
static int take_value(struct walk *w, const struct option_spec *o, const char *joined)
{
    const char *value = joined;

    if (!takes_value(o))
        return set_option(w->prog, o, w->into, NULL);
    if (!value && w->next < w->argc) {
        value = w->argv[w->next];
        if (value[0] == '-' && value[1] != '\0')
            return usage_error(w->prog, "--%s needs %s, but '%s' follows (write --%s=%s)", o->name,
                               o->arg, value, o->name, o->arg);
        w->next++;
    }
    if (!value)
        return usage_error(w->prog, "--%s needs %s behind it", o->name, o->arg);
    return set_option(w->prog, o, w->into, value);
}

/* A word "--name" or "--name=value"; `word` is behind the dashes. */
static int take_long(struct walk *w, const char *word)
{
    size_t len = strcspn(word, "=");
    const char *joined = word[len] ? word + len + 1 : NULL;
    const struct option_spec *o = find_name(w->prog->options, word, len);
    const struct option_spec *common = find_name(common_options, word, len);

    if (!o && !common)
        return unknown_name(w->prog, word, len);
    if (joined && (!o || !takes_value(o)))
        return usage_error(w->prog, "--%.*s takes no value", (int)len, word);
    return o ? take_value(w, o, joined) : run_common(w, common);
}

/* A word "-v", "-vv", "-vwFILE"; `letters` is behind the dash. */
static int take_letters(struct walk *w, const char *letters)
{
    int r = GO_ON;

    for (; *letters && r == GO_ON; letters++) {
        const struct option_spec *o = find_letter(w->prog->options, *letters);
        const struct option_spec *common = find_letter(common_options, *letters);

        if (!o && common)
            return run_common(w, common);
        if (!o)
            return usage_error(w->prog, "there is no option '-%c'", *letters);
        if (takes_value(o))
            return take_value(w, o, letters[1] ? letters + 1 : NULL);
        r = take_value(w, o, NULL);
    }
    return r;
}

int options_parse(const struct program *prog, void *into, int argc, char **argv, int *ret_operands)
{
    struct walk w = {.prog = prog, .into = into, .argc = argc, .argv = argv, .next = 1};
    int operands = 0, r = GO_ON;
    bool ended = false;

    self_is(prog->name, argv[0]);
    while (w.next < argc && r == GO_ON) {
        char *word = argv[w.next++];

        if (ended || word[0] != '-' || word[1] == '\0')
            argv[++operands] = word;
        else if (strcmp(word, "--") == 0)
            ended = true;
        else if (word[1] == '-')
            r = take_long(&w, word + 2);
        else
            r = take_letters(&w, word + 1);
    }
    if (r == GO_ON)
        *ret_operands = operands;
    return r;
}
