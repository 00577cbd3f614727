/*
 * The command line as a table: each program lists its options once, and parsing, --help and the
 * error messages all read that list.
 *
 * An error is one line on standard error that names the cause and the next step.
 */
#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,    /* bool: set to true */
    OPTION_COUNT,   /* unsigned: one more each time (-vv) */
    OPTION_STRING,  /* const char *; the last one holds */
    OPTION_LIST,    /* const char *; twice is an error, since people would expect both to hold */
    OPTION_U32,     /* uint32_t, between min and max */
    OPTION_SECONDS, /* int64_t, ns: "5", "0.5", "200ms"; between min and max ns */
    OPTION_ADDR4,   /* struct addr: an IPv4 address */
    OPTION_CIDRS,   /* struct cidr_list: one more address of either version, "fd00::7/64" or
                     * without the prefix length */
};

struct option_spec {
    char letter;      /* 0: has no short form */
    const char *name; /* "pcap" for --pcap */
    const char *arg;  /* "FILE"; NULL where there is none */
    enum option_kind kind;
    size_t offset;    /* of the field in the struct that options_parse fills */
    int64_t min, max; /* max 0: as much as the kind can hold */
    const char *help;
    const char *group; /* in --help a heading above this one, "TCP"; NULL: it goes with the one
                        * before. A table has headings from its first option on, or none. */
};

/* In synopsis and epilogue "{peer}" stands for how peer is called here, see run/self.h. */
struct program {
    const char *name;                  /* "host" */
    const char *synopsis;              /* "{host} [OPTION]... TUN ADDRESS/PREFIX REMOTE" */
    const char *summary;               /* a sentence or two */
    const char *epilogue;              /* examples, exit codes; printed behind the options */
    void (*chapters)(void);            /* prints more behind the options; or NULL */
    const struct option_spec *options; /* ends with a NULL name */
};

/*
 * Parse argv into *into. --help and --version are understood everywhere, print on standard output
 * and give EXIT_DONE. argv[0] becomes this program's call, see run/self.h. Options may stand
 * between operands; "--" ends them. Returns -1 to go on, with the operands moved to the front as
 * argv[1..*ret_operands]; otherwise an exit code, and the message is printed already.
 */
int options_parse(const struct program *prog, void *into, int argc, char **argv, int *ret_operands);

/* "host: CAUSE; try 'build/bin/host --help'" in one line on standard error. Returns EXIT_USAGE. */
int usage_error(const struct program *prog, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, with a next step of its own: "try 'build/bin/host SEE'". */
int usage_error_see(const struct program *prog, const char *see, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Operands are missing, as `missing` says. Where an option took one of them because its own value
 * was forgotten, that is said, too: any word is a FILE. Returns EXIT_USAGE.
 */
int usage_missing(const struct program *prog, const void *into, const char *missing);

/* A row of --help: "  name   text", with the text from `column` on, in as many lines as it needs.
 */
void options_row(const char *name, size_t column, const char *text);

#endif
