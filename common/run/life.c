#include "run/life.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "link/cause.h"
#include "run/exit.h"
#include "run/privs.h"

enum {
    WAITING_SHOWN = 3, /* connections that are named while we wait for them */
};

static const int64_t grace = 5 * SEC; /* for an orderly close after the first signal */

int life_begin(struct life *f, struct node *n, bool (*decide)(void *, struct loop *), void *arg)
{
    int r;

    memset(f, 0, sizeof(*f));
    f->node = n;
    loop_init(&f->loop);
    if (n->queue == 0) { /* one thread listens for all */
        r = signals_open(&f->signals);
        if (r < 0) {
            report_error(&n->report, "cannot wait for signals: %s", cause_text(-r));
            return EXIT_FAILED;
        }
        f->loop.signals = &f->signals;
    }
    if (n->team)
        f->loop.bell = n->team->handover.bell[n->queue];
    f->loop.decide = decide;
    f->loop.arg = arg;
    f->loop.teller = n->teller.fd >= 0 ? &n->teller : NULL;
    f->loop.step = n->step;
    f->loop.spin = n->opt->busy_poll;
    loop_add(&f->loop, n->st, n->dev);
    r = loop_open(&f->loop);
    if (r < 0) {
        report_error(&n->report, "cannot wait for what happens: %s", cause_text(-r));
        return EXIT_FAILED;
    }
    return NODE_GO_ON;
}

void life_operator(struct life *f, struct console *console)
{
    const char *pcap = f->node->opt->pcap;
    int out = pcap && strcmp(pcap, "-") == 0 ? -1 : STDOUT_FILENO;

    operator_open(&f->op, console, f->node->st, &f->node->input, STDIN_FILENO, out);
    f->loop.op = &f->op;
}

int life_settle(struct life *f)
{
    int r = f->node->team ? 0 : privs_drop(); /* a team has done so */

    if (r < 0) {
        report_error(&f->node->report, "cannot give up privileges: %s", strerror(-r));
        return EXIT_PRIVILEGE;
    }
    loop_start(&f->loop);
    for (unsigned i = 0; i < f->loop.nodes; i++)
        stack_tick(f->loop.node[i].st, f->loop.now);
    return NODE_GO_ON;
}

int life_run(struct life *f)
{
    const struct report *report = &f->node->report;
    int r = loop_run(&f->loop);

    if (r == 0)
        return EXIT_DONE;
    if (!team_first(f->node->team, TEAM_BROKEN))
        return EXIT_FAILED;
    if (r == -ENODEV)
        report_error(report, "%s was deleted while in use; set it up again and start anew",
                     f->node->opt->tun);
    else
        report_error(report, "%s: reading or waiting failed: %s", f->node->opt->tun,
                     cause_text(-r));
    return EXIT_FAILED;
}

bool life_output_pending(const struct life *f)
{
    return f->loop.op && !f->loop.output_error && operator_pending(&f->op);
}

static bool counts_as_open(enum tcp_state s)
{
    return s != TCP_CLOSED && s != TCP_LISTEN && s != TCP_TIME_WAIT;
}

static bool open_from(const struct stack *st, uint32_t from, uint32_t *witness)
{
    struct stack_conn_status c;
    uint32_t cursor = from;

    while (stack_next_conn(st, &cursor, &c)) {
        if (counts_as_open(c.state)) {
            *witness = c.conn.slot;
            return true;
        }
    }
    return false;
}

bool life_any_open(const struct stack *st, uint32_t *witness)
{
    return open_from(st, *witness, witness) || open_from(st, 0, witness);
}

void life_close_all(struct stack *st)
{
    struct stack_conn_status c;
    uint32_t cursor = 0;

    while (stack_next_conn(st, &cursor, &c))
        stack_close(st, c.conn);
}

/* Nor does anybody listen any more, while we go on to answer for a moment. */
static void abort_all(struct stack *st)
{
    struct stack_conn_status c;
    uint32_t cursor = 0;

    for (int i = 0; i < STACK_LISTENERS_MAX; i++)
        stack_unlisten(st, i);
    while (stack_next_conn(st, &cursor, &c)) {
        if (counts_as_open(c.state))
            stack_abort(st, c.conn);
    }
}

/* Who has to close its side before we can leave; nothing if nobody has. */
static void life_say_waiting(const struct life *f)
{
    char list[WAITING_SHOWN * (ADDR_PORT_TEXT_MAX + 8)], remote[ADDR_PORT_TEXT_MAX];
    struct stack_conn_status c;
    struct text names;
    uint32_t cursor = 0;
    unsigned n = 0;

    text_init(&names, list, sizeof(list));
    while (stack_next_conn(f->node->st, &cursor, &c)) {
        if (!counts_as_open(c.state))
            continue;
        if (n++ < WAITING_SHOWN)
            text_add(&names, "%s%s", n > 1 ? ", " : "",
                     addr_port_format(&c.remote, c.remote_port, remote));
    }
    if (n == 0)
        return;
    report_line(&f->node->report,
                "closing in order; waiting for %u connection%s to close %s side (%s%s); once more "
                "resets",
                n, report_s(n), n == 1 ? "its" : "their", list, n > WAITING_SHOWN ? ", ..." : "");
}

static void life_stop(struct life *f)
{
    f->stopping = true;
    f->loop.busy = true;
    f->grace_at = f->loop.now + grace;
    if (f->loop.op)
        operator_end(&f->op);
    if (f->abrupt)
        life_abort(f);
    else if (!f->quit)
        life_say_waiting(f);
}

void life_abort(struct life *f)
{
    f->forced = true;
    for (unsigned i = 0; i < f->loop.nodes; i++)
        abort_all(f->loop.node[i].st);
    f->loop.resetting = f->loop.busy = true;
}

bool life_turn(struct life *f)
{
    struct loop *l = &f->loop;
    unsigned asked;

    if (f->node->team)
        l->asked = team_asked(f->node->team, l->asked);
    asked = l->asked + (f->quit ? 1 : 0);
    node_complain(f->node, l->node[0].write_error);
    l->wake = node_say_on(l->now);
    if (f->forced)
        return true;
    if (asked == 0)
        return false;
    if (!f->stopping)
        life_stop(f);
    if (l->asked == 0 && life_output_pending(f))
        f->grace_at = l->now + grace; /* nobody hurries us: a slow reader gets all of it */
    l->wake = time_min(l->wake, f->grace_at);
    if (l->asked > 1 || l->now >= f->grace_at)
        life_abort(f);
    return false;
}

bool life_all_over(struct life *f)
{
    struct team *t = f->node->team;

    if (!t)
        return true;
    team_reach(t, f->node->queue, TEAM_OVER);
    return team_all(t, TEAM_OVER);
}

void life_end(struct life *f)
{
    if (f->loop.op)
        operator_close(&f->op);
    loop_close(&f->loop);
    if (f->loop.signals)
        signals_close(&f->signals);
}
