#include "run/dial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run/exit.h"
#include "run/node_tun.h"
#include "run/self.h"

static const int64_t hint_after = 3 * SEC; /* without an answer to the SYN */

/* ---- Words ---- */

static void explain_refused(const struct node *n, const char *remote)
{
    char local[ADDR_TEXT_MAX], peer[SELF_MAX], port[24] = "";

    if (node_tun_kernel_has(&n->opt->remote)) {
        report_error(&n->report,
                     "%s refused: nothing listens on port %u there; that is the kernel's own side, "
                     "where any server of this machine can listen: nc -l -p %u",
                     remote, (unsigned)n->opt->port, (unsigned)n->opt->port);
        return;
    }
    if (n->opt->port != NODE_PORT)
        snprintf(port, sizeof(port), "--port %u ", (unsigned)n->opt->port);
    report_error(&n->report,
                 "%s refused: nobody listens on port %u there; start a peer, say: "
                 "%s %stun1 %s %s",
                 remote, (unsigned)n->opt->port, self_call("peer", peer), port,
                 addr_is_v4(&n->local) ? "10.0.1.1/24" : "fd00:1::1/64",
                 addr_format(&n->local, local));
}

/* What a peer of IPv4, which is how one is started at first, would need. */
static const char *there(const struct node *n)
{
    return addr_is_v4(&n->opt->remote) ? "is a peer running there"
                                       : "does a peer with that address (its --local) run there";
}

void dial_explain(const struct node *n, enum reason why, bool connected)
{
    const struct report *r = &n->report;
    char remote[ADDR_TEXT_MAX], end[ADDR_PORT_TEXT_MAX], netsetup[SELF_MAX];

    addr_format(&n->opt->remote, remote);
    addr_port_format(&n->opt->remote, (uint16_t)n->opt->port, end);
    self_call("netsetup", netsetup);
    if (why == REASON_END_REFUSED)
        explain_refused(n, remote);
    else if (why == REASON_END_TIMED_OUT && !connected)
        report_error(r, "%s did not answer; %s, and is the network up? %s status", end, there(n),
                     netsetup);
    else if (why == REASON_END_TIMED_OUT || why == REASON_END_KEEPALIVE)
        report_error(r,
                     "%s stopped answering; is the peer still running, and the network up? "
                     "%s status",
                     end, netsetup);
    else if (why == REASON_END_UNREACHABLE)
        report_error(r,
                     "the network says %s is unreachable; are routes and forwarding up? "
                     "%s status",
                     remote, netsetup);
    else if (why == REASON_END_RESET)
        report_error(r, "%s reset the connection; what was under way is lost", end);
    else
        report_error(r, "%s: %s", end, reason_text(why)->sentence);
}

void dial_explain_open(const struct node *n, int error)
{
    char remote[ADDR_TEXT_MAX];

    addr_format(&n->opt->remote, remote);
    if (error == -EINVAL)
        report_error(&n->report,
                     "%s cannot be the other end of a connection; give a node's address", remote);
    else
        report_error(&n->report, "%s: cannot open a connection: %s", remote, strerror(-error));
}

static void hint(struct dial *d)
{
    char remote[ADDR_PORT_TEXT_MAX], netsetup[SELF_MAX];

    d->hinted = true;
    report_line(&d->node->report,
                "no answer from %s yet; %s, and is the network up (%s status)? Still trying",
                addr_port_format(&d->node->opt->remote, (uint16_t)d->node->opt->port, remote),
                there(d->node), self_call("netsetup", netsetup));
}

/* ---- Turns ---- */

static void dial_event(void *arg, struct stack *st, const struct stack_event *ev)
{
    struct dial *d = arg;
    const struct report *r = &d->node->report;
    bool midway = ev->kind == EV_URGENT || (ev->kind == EV_ERROR && d->cat.connected);
    struct stack_conn_status c;

    if (!midway && ev->kind != EV_CONNECTED && ev->kind != EV_CLOSED)
        return;
    if (stack_status(st, ev->conn, &c) < 0)
        return;
    d->soft_error = c.soft_error;
    if (midway)
        report_on_the_way(r, &c, ev);
    else if (ev->kind == EV_CONNECTED)
        report_connected(r, &c, d->life.loop.now - d->opened_at);
    else if (d->cat.connected || r->json)
        report_closed(r, &c, ev->why);
}

static void dial_watch_output(struct dial *d, struct loop *l)
{
    const char *end = d->cat.closed ? "" : "; the connection is reset";

    if (!l->output_error || d->output_told)
        return;
    d->output_told = true;
    if (l->output_error == -EPIPE)
        report_error(&d->node->report, "standard output was closed early%s", end);
    else
        report_error(&d->node->report, "writing standard output failed: %s%s",
                     strerror(-l->output_error), end);
    life_abort(&d->life);
}

static void dial_watch_input(struct dial *d)
{
    int error = d->life.op.in_error;

    if (!error || d->input_told)
        return;
    d->input_told = true;
    report_error(&d->node->report, "reading standard input failed: %s%s", strerror(-error),
                 d->cat.closed ? "" : "; the connection is reset");
    life_abort(&d->life);
}

/* The remote node is done and we are not: whoever types should know what is left to do. */
static void dial_watch_remote(struct dial *d)
{
    char remote[ADDR_PORT_TEXT_MAX];

    if (!d->cat.eof || d->cat.input_ended || d->cat.closed || d->remote_told ||
        life_output_pending(&d->life))
        return;
    d->remote_told = true;
    report_line(&d->node->report, "%s has closed its side: nothing more will come; %s closes ours",
                addr_port_format(&d->node->opt->remote, (uint16_t)d->node->opt->port, remote),
                isatty(STDIN_FILENO) ? "Ctrl-D" : "the end of our input");
}

/* Whoever waits for an answer should know what to look at, long before the stack gives up. */
static void dial_watch_handshake(struct dial *d, struct loop *l)
{
    if (d->hinted || d->cat.connected || d->cat.closed || d->life.forced)
        return;
    if (l->now - d->opened_at >= hint_after)
        hint(d);
    else
        l->wake = time_min(l->wake, d->opened_at + hint_after);
}

static bool dial_decide(void *arg, struct loop *l)
{
    struct dial *d = arg;

    d->life.abrupt = !d->cat.connected;
    if (life_turn(&d->life))
        return true;
    dial_watch_output(d, l);
    dial_watch_input(d);
    dial_watch_remote(d);
    dial_watch_handshake(d, l);
    return netcat_done(&d->cat) && !life_output_pending(&d->life);
}

/* ---- The whole ---- */

static int dial_open(struct dial *d)
{
    const struct node_options *opt = d->node->opt;
    const struct stack_open how = {.remote = opt->remote,
                                   .remote_port = (uint16_t)opt->port,
                                   .user = &d->cat.app};

    d->opened_at = d->life.loop.now;
    return stack_open(d->node->st, &how, &d->cat.conn);
}

/* The end, and behind a time-out the last soft error, for it may be what is wrong. */
static void explain_end(const struct dial *d, enum reason why, bool connected)
{
    dial_explain(d->node, why, connected);
    if (why == REASON_END_TIMED_OUT && d->soft_error)
        report_line(&d->node->report, "meanwhile the network said: %s",
                    reason_text(d->soft_error)->sentence);
}

/* What the end says to whoever called the program. */
static int dial_verdict(struct dial *d)
{
    char remote[ADDR_PORT_TEXT_MAX];

    if (d->life.stopping && !d->cat.connected) {
        report_line(&d->node->report, "stopped before %s had answered",
                    addr_port_format(&d->node->opt->remote, (uint16_t)d->node->opt->port, remote));
        return EXIT_FAILED;
    }
    if (d->life.loop.output_error || d->life.forced)
        return EXIT_FAILED; /* said already, or asked for */
    if (d->cat.why != REASON_END_ORDERLY) {
        explain_end(d, d->cat.why, d->cat.connected);
        return EXIT_FAILED;
    }
    if (d->cat.lost) {
        report_error(&d->node->report, "%llu bytes arrived and could not be kept",
                     (unsigned long long)d->cat.lost);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* Connect and turn until the end. The exit code. */
static int dial_connect(struct dial *d)
{
    int code = life_settle(&d->life);
    int r;

    if (code != NODE_GO_ON)
        return code;
    report_ready(&d->node->report, &d->node->opt->locals, d->node->opt->tun, NULL, 0);
    r = dial_open(d);
    if (r < 0) {
        dial_explain_open(d->node, r);
        return EXIT_FAILED;
    }
    code = life_run(&d->life);
    return code == EXIT_DONE ? dial_verdict(d) : code;
}

int dial_run(struct dial *d, struct node *n, struct node *far)
{
    int code;

    d->node = n;
    d->hinted = d->output_told = d->input_told = d->remote_told = false;
    d->soft_error = REASON_NONE;
    code = life_begin(&d->life, n, dial_decide, d);
    if (code != NODE_GO_ON)
        return code;
    netcat_init(&d->cat);
    d->cat.urgent = n->opt->urgent;
    life_operator(&d->life, &d->cat.console);
    d->life.loop.node[0].event = dial_event;
    d->life.loop.node[0].arg = d;
    if (far)
        loop_add(&d->life.loop, far->st, far->dev);
    code = dial_connect(d);
    life_end(&d->life);
    return code;
}
