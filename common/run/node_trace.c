#include "run/node_trace.h"

#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "run/clock.h"
#include "run/exit.h"
#include "run/trace_join.h"

/* Whatever the two are called; what is not there is found out later. */
static bool is_same_file(const char *one, const char *other)
{
    struct stat a, b;

    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

int node_trace_join(const struct program *prog, const struct node_options *opt, int operands,
                    char **operand, struct outlet *said)
{
    const struct report report = {.program = prog->name, .json = opt->json, .out = said};

    if (operands == 0)
        return usage_error(prog, "--trace-join needs the files that --trace has written");
    for (int i = 1; i <= operands; i++)
        for (int j = 1; j < i; j++)
            if (is_same_file(operand[i], operand[j]))
                return usage_error(prog,
                                   "--trace-join: '%s' and '%s' are one file: each node's once",
                                   operand[j], operand[i]);
    return trace_join(&report, operand + 1, operands, stdout);
}

int node_trace_open(struct node *n)
{
    int r;

    n->trace_file = NULL;
    if (!n->opt->trace)
        return NODE_GO_ON;
    r = trace_file_open(&n->own_trace, n->opt->trace);
    if (r < 0) {
        report_error(&n->report, "%s: cannot write the trace: %s", n->opt->trace, strerror(-r));
        return EXIT_FAILED;
    }
    n->trace_file = &n->own_trace;
    return NODE_GO_ON;
}

int node_trace_wrap(struct node *n)
{
    char local[ADDR_TEXT_MAX], process[ADDR_TEXT_MAX + 2 * IFNAMSIZ + 16];

    if (!n->trace_file)
        return NODE_GO_ON;
    snprintf(process, sizeof(process), "%s %s %s", n->report.program, addr_format(&n->local, local),
             n->opt->tun);
    if (trace_init(&n->trace, n->dev, n->trace_file, process, &n->local, clock_now) < 0) {
        report_error(&n->report, "no address space for the trace; see ulimit -v");
        return EXIT_FAILED;
    }
    n->trace.verdict = n->impaired ? &n->impair.verdict : NULL;
    n->dev = &n->trace.dev;
    return NODE_GO_ON;
}

void node_trace_watch(struct node *n)
{
    if (n->trace_file)
        trace_watch(&n->trace, n->st);
}

void node_trace_complain(struct node *n)
{
    int error = n->trace_file && !n->told_trace ? trace_file_error(n->trace_file) : 0;

    if (error == 0)
        return;
    n->told_trace = true;
    report_error(&n->report, "the trace %s ended: %s; the node goes on", n->opt->trace,
                 strerror(-error));
}

void node_trace_finish(struct node *n)
{
    if (n->trace_file)
        trace_finish(&n->trace);
}

bool node_trace_close(struct node *n)
{
    struct trace_file *f = n->trace_file;
    int error;

    if (f != &n->own_trace)
        return true;
    error = trace_file_close(f, n->trace.pid, clock_now());
    if (error < 0)
        report_error(&n->report, "the trace %s is not whole: %s", n->opt->trace, strerror(-error));
    else if (f->lost || f->unread)
        report_error(&n->report,
                     "the trace %s is not whole: its reader was too slow for %" PRIu64
                     " events and the last %zu bytes; write a file instead",
                     n->opt->trace, f->lost, f->unread);
    return error == 0 && !n->told_trace && f->lost == 0 && f->unread == 0;
}
