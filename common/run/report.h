/*
 * What a node says, all of it on standard error, because standard output is the data stream.
 *
 * One rule for host and peer: without options, lines for people; with --quiet, errors only; with
 * --json, nothing but JSON objects, one per line; "event" says which: ready, connected, urgent,
 * trouble, closed, error, hop, ping, traceroute, udp, impaired, summary. (Only a command line that
 * cannot be understood is answered in text.) Everything is said once, by the program.
 */
#ifndef RUN_REPORT_H
#define RUN_REPORT_H

#include <stdbool.h>

#include "link/outlet.h"
#include "run/address.h"
#include "stack/stack.h"

struct report {
    const char *program; /* "host" */
    bool json, quiet;
    unsigned verbose;
    unsigned offload;   /* what is left to the device, of enum device_offload */
    struct outlet *out; /* standard error */
};

enum {
    REPORT_DURATION = 24, /* bytes of "123.4 ms" and its zero, with some to spare */
    REPORT_RATE = 24,     /* the same of " (54.5 Gbit/s)" */
};

/* The end of a noun behind the number n: "", or "s". */
static inline const char *report_s(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* "0.21 ms", "12.3 ms", "1.23 s". Returns out. */
const char *report_duration(int64_t ns, char out[REPORT_DURATION]);

/*
 * " (54.5 Gbit/s)"; nothing where little went, whose time is that of handshakes and waiting.
 * Returns out.
 */
const char *report_rate(uint64_t bytes, int64_t ns, char out[REPORT_RATE]);

/* Write on what its reader has not taken yet. Returns whether there is more. */
bool report_flush(struct outlet *out);

/* A line for people: "host: ..." */
void report_line(const struct report *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* An error, said in every mode. It names the cause and the next step. */
void report_error(const struct report *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A service that a node offers. */
struct report_service {
    const char *name;
    uint16_t port;
    bool udp;
};

/*
 * The node is ready at these addresses: "peer: 10.0.1.5, fd00:1::5 ready on tun1: 7 echo, ...".
 * People are told only of one that serves (n > 0).
 */
void report_ready(const struct report *r, const struct cidr_list *at, const char *tun,
                  const struct report_service *service, unsigned n);

/* An active open succeeded, after `took` ns. */
void report_connected(const struct report *r, const struct stack_conn_status *c, int64_t took);

/* A passive open succeeded. */
void report_accepted(const struct report *r, const struct stack_conn_status *c);

/*
 * Something on the way (EV_URGENT, EV_ERROR): the remote node's urgent data reaches further, or
 * there is trouble, though not the end.
 */
void report_on_the_way(const struct report *r, const struct stack_conn_status *c,
                       const struct stack_event *ev);

/* A connection is over. */
void report_closed(const struct report *r, const struct stack_conn_status *c, enum reason why);

/* A fact about something that was found out: a number, a time, or with `text` a word. */
struct report_value {
    const char *key, *text;
    uint64_t number;
    bool is_ms;
    int64_t ns;
};

/* For programs only (--json): the event `event` about `remote`, with n values. */
void report_found(const struct report *r, const char *event, const struct addr *remote,
                  const struct report_value *v, unsigned n);

/*
 * What an impairment did to the packets of one direction, "in" or "out": how many there were, and
 * count[REASON_COUNT] of what was decided about them.
 */
void report_impaired(const struct report *r, const char *way, uint64_t packets,
                     const uint64_t *count);

/* The end: totals and what was counted; as text only when verbose. */
void report_summary(const struct report *r, const struct stack *st, const char *tun, int exit_code);

#endif
