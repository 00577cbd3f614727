/*
 * The commands: each looks at the machine, asks plan.c what is missing, and lets apply.c or undo.c
 * act. `run` is in run.c, `doctor` in doctor.c.
 */
#include "command.h"

#include <cap-ng.h>
#include <errno.h>
#include <jansson.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holder.h"

/* ---- preparing ---- */

int need_privilege(const char *command)
{
    capng_get_caps_process();
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))
        return EXIT_DONE;
    if (strcmp(command, "run") == 0)
        return say_error(EXIT_PRIVILEGE,
                         "run needs CAP_NET_ADMIN on the machine's own network; in one of its own "
                         "it needs nothing: %s run --rootless -- CMD",
                         say_self());
    return say_error(EXIT_PRIVILEGE,
                     "%s needs CAP_NET_ADMIN; run it as root (sudo %s %s), or in a namespace "
                     "of your own: unshare -Urn",
                     command, say_self(), command);
}

/*
 * Of root's power keep what changing the network takes, for us and for the tools that we start:
 * CAP_NET_RAW is what the legacy iptables needs to speak to the kernel, and CAP_SYS_MODULE what it
 * needs to load its tables. Where the system refuses, we go on as we are. With --json the status
 * follows, which looks at other users' processes.
 */
static void narrow_privilege(const struct setup *s)
{
    static const unsigned needed[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_MODULE};
    enum { COUNT = sizeof(needed) / sizeof(needed[0]) };
    const capng_type_t where = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET;
    bool had[COUNT], may_bound;

    if (s->json || geteuid() != 0 || capng_get_caps_process() < 0)
        return; /* who is not root has what he was given, and hands on no more than that */
    may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    for (size_t i = 0; i < COUNT; i++)
        had[i] = capng_have_capability(CAPNG_EFFECTIVE, needed[i]);
    capng_clear(CAPNG_SELECT_BOTH);
    for (size_t i = 0; i < COUNT; i++)
        if (had[i])
            capng_update(CAPNG_ADD, where, needed[i]);
    capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
}

void hold_signals(int how)
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

    firewall_ask_again();
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
    bool unwanted = s->backend_chosen && s->backend == FIREWALL_NONE && !s->any_iptables;
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
    if (unwanted)
        said = "none are wanted";
    if (s->parts == PART_RULES && !v6 && !unwanted)
        return say_error(EXIT_FAILED, "no rules can be added: %s%s; 'make deps' installs %s",
                         said[0] ? said : tool, said[0] ? "" : " is not installed", tool);
    say_note(s, "no %s rules: %s%s; the lab works, but connection tracking will see its packets",
             v6 ? "IPv6 NOTRACK" : "NOTRACK", said[0] ? said : tool,
             said[0] ? "" : " is not installed");
    return EXIT_DONE;
}

/* Whether the way out that is asked for can be had. */
static int check_way_out(const struct setup *s)
{
    enum firewall_kind kind = s->facts.firewall[FAMILY_IPV4].kind;

    if (!s->lab.internet_chosen)
        return EXIT_DONE;
    if (!if_nametoindex(s->lab.internet))
        return say_error(EXIT_FAILED,
                         "--internet: there is no interface '%s'; nothing was changed: 'ip route "
                         "show default' tells which one leads out",
                         s->lab.internet);
    if (kind == FIREWALL_NONE && lab_speaks(&s->lab, &s->facts, FAMILY_IPV4))
        return say_error(EXIT_FAILED,
                         "--internet: without iptables or nft no address can be translated; "
                         "nothing was changed: 'make deps' installs iptables");
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

void note_all(const struct setup *s)
{
    note_device_file(s);
    note_ipv6_off(s);
    note_forward(s);
}

int bring_up(struct setup *s, unsigned *ret_changes)
{
    static struct plan plan;
    char why[REFUSAL_TEXT_MAX];
    int code = open_journal(s, true);

    if (!code)
        code = look_around(s);
    for (enum family f = 0; !code && f < FAMILIES; f++)
        code = check_firewall(s, f);
    if (!code)
        code = check_way_out(s);
    if (code)
        return code;
    if (plan_up(&s->lab, s->parts, &s->facts, &plan, why) < 0)
        return say_error(EXIT_FOREIGN, "%s", why);
    note_foreign_devices(s);
    code = apply(s, &plan);
    *ret_changes = plan_changes(&plan);
    return code;
}

int command_up(struct setup *s)
{
    unsigned changes = 0;
    int code = need_privilege("up");

    narrow_privilege(s);
    if (!code)
        code = bring_up(s, &changes);
    if (code)
        return code;
    if (changes == 0)
        say_note(s, "nothing to do: it is up already");
    else
        say_note(s, "up: %u change%s; '%s down' undoes them", changes, changes == 1 ? "" : "s",
                 say_self());
    note_all(s);
    if (s->json && look_around(s) == EXIT_DONE)
        status(s);
    return EXIT_DONE;
}

/* Someone who types `down` may mean a device that is not ours: say why it stays. */
static void note_leftovers(const struct setup *s)
{
    for (unsigned i = 0; s->parts & PART_DEVICES && i < s->lab.nodes; i++) {
        const char *ifname = s->lab.node[i].ifname;
        int index = (int)if_nametoindex(ifname);

        if (index && !journal_made_device(s->journal, ifname, index))
            say_note(s, "%s was not made by '%s up': it stays", ifname, say_self());
    }
}

int take_down(struct setup *s, struct undo_count *ret)
{
    int code = open_journal(s, true);

    return code ? code : undo_all(s, ret);
}

/* What became of it, for a person. */
static void note_undone(const struct setup *s, const struct undo_count *count)
{
    char text[HOLDER_MAX];

    if (count->undone < count->of)
        say_note(s, "down: %u of %u changes undone; the rest is gone or someone else's by now",
                 count->undone, count->of);
    else if (count->of)
        say_note(s, "down: %u change%s undone", count->of, count->of == 1 ? "" : "s");
    else if (!count->kept)
        say_note(s, "nothing to undo");
    if (count->kept)
        say_note(s, "%u change%s stay%s: %s needs them, too ('--all' takes them all the same)",
                 count->kept, count->kept == 1 ? "" : "s", count->kept == 1 ? "s" : "",
                 holder_text(count->keeper, text));
    else if (!count->of && s->journal->ops)
        say_note(s, "what is up is not ours: %s made it ('--all' takes it all the same)",
                 holder_text(s->journal->op[0].holder[0], text));
}

int command_down(struct setup *s)
{
    struct undo_count count = {0};
    int code = open_journal(s, false);
    bool empty;

    if (code)
        return code;
    empty = s->journal->ops == 0;
    journal_close(s->journal);
    s->journal = NULL;
    if (!empty) {
        code = need_privilege("down");
        narrow_privilege(s);
        if (!code)
            code = take_down(s, &count);
    } else {
        journal_tidy();
        code = open_journal(s, false);
    }
    if (!code)
        note_undone(s, &count);
    if (s->journal)
        note_leftovers(s);
    if (s->json && look_around(s) == EXIT_DONE)
        status(s);
    return code;
}

int open_to_look(struct setup *s)
{
    int code = open_journal(s, false);

    return code ? code : look_around(s);
}

int command_status(struct setup *s)
{
    int code = open_to_look(s);

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

int command_plan(struct setup *s)
{
    static struct plan plan;
    char why[REFUSAL_TEXT_MAX];
    int code = open_journal(s, false);

    if (!code)
        code = look_around(s);
    if (!code)
        code = check_way_out(s);
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
