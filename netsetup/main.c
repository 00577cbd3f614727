/*
 * netsetup: the machine's side of the lab, set up and put back.
 *
 * A command looks at the machine, asks plan.c what is missing, and lets apply.c or undo.c act; see
 * plan.h for the idea and journal.h for what is remembered between `up` and `down`.
 */
#include <cap-ng.h>
#include <errno.h>
#include <jansson.h>
#include <net/if.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "exec.h"
#include "owner.h"
#include "run/options.h"
#include "setup.h"

struct arguments {
    bool json;
    bool quiet;
    unsigned verbose;
    const char *user;
    const char *only;
};

static const struct option_spec options[] = {
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct arguments, json), 0, 0,
     "Print JSON: of status and plan the same facts; of up and down the status after it."},
    {'o', "only", "PARTS", OPTION_STRING, offsetof(struct arguments, only), 0, 0,
     "Only these, separated by commas: devices, rules, forwarding."},
    {'u', "user", "NAME", OPTION_STRING, offsetof(struct arguments, user), 0, 0,
     "Who may open the TUNs without privilege, by name or number; otherwise the user who typed the "
     "command (through sudo, too)."},
    {'q', "quiet", NULL, OPTION_FLAG, offsetof(struct arguments, quiet), 0, 0,
     "Say nothing but errors."},
    {'v', "verbose", NULL, OPTION_COUNT, offsetof(struct arguments, verbose), 0, 0,
     "Say each change as the command that would do the same."},
    {.name = NULL},
};

static const struct program program = {
    .name = "netsetup",
    .synopsis = "{netsetup} [OPTION]... up|down|status|plan",
    .summary = "Sets up the network for twintun's two nodes: tun0 with 10.0.0.1/24 and fd00::1/64 "
               "for host, tun1 with 10.0.1.1/24 and fd00:1::1/64 for peer, forwarding between "
               "them, and rules that keep their packets out of connection tracking.",
    .epilogue = "commands:\n"
                "  up      Make what is missing; twice changes nothing. Needs CAP_NET_ADMIN.\n"
                "  down    Undo what 'up' changed, and nothing else.\n"
                "  status  Show what is there and what of it is ours.\n"
                "  plan    Print what 'up' would do now, as commands that can be pasted.\n"
                "\n"
                "exit codes:\n"
                "  0 done    1 failed    2 usage    3 status: not up\n"
                "  4 a privilege or device is missing    5 something there is someone else's\n"
                "\n"
                "example, as an ordinary user and with nothing left behind:\n"
                "  unshare -Urn sh -c '{netsetup} up && {netsetup} status &&\n"
                "      {netsetup} down'\n",
    .options = options,
};

/* ---- preparing ---- */

static int parse_parts(const char *text, unsigned *ret)
{
    static const struct {
        const char *name;
        enum part part;
    } parts[] = {{"devices", PART_DEVICES}, {"rules", PART_RULES}, {"forwarding", PART_FORWARDING}};
    enum { COUNT = sizeof(parts) / sizeof(parts[0]) };
    unsigned found = 0;

    for (;; text++) {
        size_t len = strcspn(text, ","), i = 0;

        while (i < COUNT && (strlen(parts[i].name) != len || memcmp(parts[i].name, text, len) != 0))
            i++;
        if (i == COUNT)
            return usage_error(&program, "--only: '%.*s' is none of devices, rules, forwarding",
                               (int)len, text);
        found |= parts[i].part;
        text += len;
        if (!*text)
            break;
    }
    *ret = found;
    return EXIT_DONE;
}

static int take_arguments(const struct arguments *a, struct setup *s)
{
    int64_t owner = owner_invoking();

    if (a->user && owner_named(a->user, &owner) < 0)
        return usage_error(&program, "--user: there is no user '%s'", a->user);
    lab_default(&s->lab, owner);
    s->parts = PART_ALL;
    s->json = a->json;
    s->quiet = a->quiet;
    s->verbose = a->verbose;
    return a->only ? parse_parts(a->only, &s->parts) : EXIT_DONE;
}

static int need_privilege(const char *command)
{
    capng_get_caps_process();
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))
        return EXIT_DONE;
    return say_error(EXIT_PRIVILEGE,
                     "%s needs CAP_NET_ADMIN; run it as root (sudo %s %s), or in a namespace "
                     "of your own: unshare -Urn",
                     command, say_self(), command);
}

/*
 * From here on, a signal that means "stop" waits until the change is complete and written down; it
 * is delivered when the program ends. A closed output does not stop it half-way either.
 */
static void hold_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigprocmask(how, &set, NULL);
    if (how == SIG_BLOCK)
        signal(SIGPIPE, SIG_IGN);
}

static int open_journal(struct setup *s, bool for_change)
{
    int r = journal_open(for_change, &s->journal);

    if (for_change)
        hold_signals(SIG_BLOCK);
    if (r == 0)
        return EXIT_DONE;
    if (r == -EBADMSG)
        return say_error(EXIT_FAILED,
                         "%s cannot be understood; if a newer netsetup wrote it, use that one, "
                         "otherwise undo by hand what it lists and remove it",
                         s->journal->path);
    if (r == -EACCES)
        return say_error(EXIT_PRIVILEGE,
                         "no folder to remember the changes in: /run/twintun, /tmp/twintun-UID "
                         "and /dev/shm/twintun-UID cannot be written, or are someone else's; make "
                         "one writable");
    return say_error(EXIT_FAILED, "cannot read the journal: %s", strerror(-r));
}

static int look_around(struct setup *s)
{
    int r = look(s);

    return r < 0 ? say_error(say_code(r), "cannot read the network's state: %s", strerror(-r))
                 : EXIT_DONE;
}

/* ---- commands: each returns an exit code ---- */

/* What there is to say about a family's packet filter before `up`. */
static int check_firewall(struct setup *s, enum family family)
{
    enum firewall_kind kind = s->facts.firewall[family].kind;
    const char *said = s->firewall_said[family], *tool = firewall_tool(family);
    bool v6 = family == FAMILY_IPV6;

    if (!(s->parts & PART_RULES) || !lab_speaks(&s->lab, &s->facts, family))
        return EXIT_DONE;
    if (kind == FIREWALL_UNKNOWN)
        return say_error(EXIT_PRIVILEGE,
                         "%s may not be used here; run this as root, or in a namespace of your "
                         "own: unshare -Urn",
                         tool);
    if (kind != FIREWALL_NONE)
        return EXIT_DONE;
    if (s->parts == PART_RULES && !v6)
        return say_error(EXIT_FAILED, "no rules can be added: %s%s; 'make deps' installs %s",
                         said[0] ? said : tool, said[0] ? "" : " is not installed", tool);
    say_note(s, "no %s rules: %s%s; the lab works, but connection tracking will see its packets",
             v6 ? "IPv6 NOTRACK" : "NOTRACK", said[0] ? said : tool,
             said[0] ? "" : " is not installed");
    return EXIT_DONE;
}

/* The lab is complete without it; who wants it must know what is in its way. */
static void note_ipv6_off(const struct setup *s)
{
    if (!s->facts.ipv6)
        say_note(s, "IPv6 is off here, so IPv4 is all that is set up: %s", s->facts.ipv6_off);
}

static void note_foreign_devices(const struct setup *s)
{
    for (unsigned i = 0; s->parts & PART_DEVICES && i < s->lab.nodes; i++)
        if (s->facts.device[i].exists && !s->facts.device[i].link.persist)
            say_note(s, "%s was made by the program that is attached to it, and goes with it",
                     s->lab.node[i].ifname);
}

/* The TUN's owner needs the device file, too; some containers keep it for root. */
static void note_device_file(const struct setup *s)
{
    struct stat st;

    if (s->parts & PART_DEVICES && s->lab.owner != 0 && stat("/dev/net/tun", &st) == 0 &&
        s->lab.owner != st.st_uid && (st.st_mode & 06) != 06)
        say_note(s, "/dev/net/tun cannot be opened by every user: if the nodes may not, run "
                    "'chmod 666 /dev/net/tun' as root");
}

static void note_forward(const struct setup *s)
{
    char text[FORWARD_TEXT_MAX];

    for (enum family f = 0; s->parts != PART_RULES && f < FAMILIES; f++)
        if (s->facts.firewall[f].forward_drops)
            say_note(s, "%s", forward_warning(&s->lab, f, text));
}

static int command_up(struct setup *s)
{
    static struct plan plan;
    char why[REFUSAL_TEXT_MAX];
    int code = need_privilege("up");

    if (!code)
        code = open_journal(s, true);
    if (!code)
        code = look_around(s);
    for (enum family f = 0; !code && f < FAMILIES; f++)
        code = check_firewall(s, f);
    if (code)
        return code;
    if (plan_up(&s->lab, s->parts, &s->facts, &plan, why) < 0)
        return say_error(EXIT_FOREIGN, "%s", why);
    note_foreign_devices(s);
    code = apply(s, &plan);
    if (code)
        return code;
    if (plan.ops == 0)
        say_note(s, "nothing to do: it is up already");
    else
        say_note(s, "up: %u change%s; '%s down' undoes them", plan_changes(&plan),
                 plan_changes(&plan) == 1 ? "" : "s", say_self());
    note_device_file(s);
    note_ipv6_off(s);
    note_forward(s);
    if (s->json && look_around(s) == EXIT_DONE)
        status(s);
    return EXIT_DONE;
}

/* Someone who types `down` may mean a device that is not ours: say why it stays. */
static void note_leftovers(const struct setup *s)
{
    for (unsigned i = 0; s->parts & PART_DEVICES && i < s->lab.nodes; i++)
        if (if_nametoindex(s->lab.node[i].ifname))
            say_note(s, "%s was not made by '%s up': it stays", s->lab.node[i].ifname, say_self());
}

static int command_down(struct setup *s)
{
    unsigned undone = 0, of = 0;
    int code = open_journal(s, false);
    bool empty;

    if (code)
        return code;
    empty = s->journal->ops == 0;
    journal_close(s->journal);
    s->journal = NULL;
    if (!empty) {
        code = need_privilege("down");
        if (!code)
            code = open_journal(s, true);
        if (code)
            return code;
        code = undo_all(s, &undone, &of);
    } else {
        journal_tidy();
        code = open_journal(s, false);
    }
    if (!code && undone < of)
        say_note(s, "down: %u of %u changes undone; the rest is gone or someone else's by now",
                 undone, of);
    else if (!code && of)
        say_note(s, "down: %u change%s undone", of, of == 1 ? "" : "s");
    else if (!code)
        say_note(s, "nothing to undo");
    note_leftovers(s);
    if (s->json && look_around(s) == EXIT_DONE)
        status(s);
    return code;
}

static int command_status(struct setup *s)
{
    int code = open_journal(s, false);

    if (!code)
        code = look_around(s);
    return code ? code : status(s);
}

static void print_plan(const struct setup *s, const struct plan *plan)
{
    char text[OP_TEXT_MAX], undo[OP_TEXT_MAX];
    json_t *list = json_array();

    for (unsigned i = 0; i < plan->ops; i++) {
        const struct op *op = &plan->op[i];

        if (!s->json && *op_do_text(op, text))
            puts(text);
        json_array_append_new(list, json_pack("{ss ss}", "do", op_do_text(op, text), "undo",
                                              op_undo_text(op, undo)));
    }
    if (s->json) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (plan->ops == 0) {
        puts("# nothing to do: it is up already");
    }
    json_decref(list);
}

static int command_plan(struct setup *s)
{
    static struct plan plan;
    char why[REFUSAL_TEXT_MAX];
    int code = open_journal(s, false);

    if (!code)
        code = look_around(s);
    if (code)
        return code;
    if (plan_up(&s->lab, s->parts, &s->facts, &plan, why) < 0)
        return say_error(EXIT_FOREIGN, "%s", why);
    note_ipv6_off(s);
    if (s->facts.firewall[FAMILY_IPV4].kind == FIREWALL_UNKNOWN && s->parts & PART_RULES)
        say_note(s, "without privilege the rules cannot be seen: the plan assumes that there are "
                    "none");
    print_plan(s, &plan);
    return EXIT_DONE;
}

static const struct command {
    const char *name;
    int (*run)(struct setup *s);
} commands[] = {{"up", command_up},
                {"down", command_down},
                {"status", command_status},
                {"plan", command_plan}};

static int run_command(const struct command *c, struct setup *s)
{
    int code, r = netlink_open(&s->nl);

    if (r < 0)
        return say_error(EXIT_FAILED, "cannot ask the kernel about its links: %s", strerror(-r));
    code = c->run(s);
    journal_close(s->journal);
    netlink_close(s->nl);
    if (fflush(stdout) && code == EXIT_DONE)
        code = say_error(EXIT_FAILED, "cannot write the output: %s", strerror(errno));
    hold_signals(SIG_UNBLOCK);
    return code;
}

int main(int argc, char **argv)
{
    static struct setup setup;
    struct arguments arguments = {0};
    int operands, code = options_parse(&program, &arguments, argc, argv, &operands);

    if (code >= 0)
        return code;
    if (operands != 1)
        return usage_error(&program,
                           operands ? "one command at a time, not '%s %s'"
                                    : "a command is missing: up, down, status or plan",
                           argv[1], argv[2]);
    exec_environment();
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        code = take_arguments(&arguments, &setup);
        return code ? code : run_command(&commands[i], &setup);
    }
    return usage_error(&program, "there is no command '%s': it is up, down, status or plan",
                       argv[1]);
}
