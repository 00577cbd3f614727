/*
 * netsetup: the machine's side of the lab, set up and put back.
 *
 * A command looks at the machine, asks plan.c what is missing, and lets apply.c or undo.c act; see
 * plan.h for the idea and journal.h for what is remembered between `up` and `down`.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "exec.h"
#include "holder.h"
#include "nodes.h"
#include "owner.h"
#include "run/options.h"

struct arguments {
    bool all;
    bool json;
    bool quiet;
    bool rootless;
    unsigned verbose;
    const char *user;
    const char *only;
    const char *lab;
    const char *backend;
    const char *group;
    const char *nodes;
    const char *internet;
    uint32_t mtu;
    bool queues;
    bool peer;
};

static const struct option_spec options[] = {
    {'a', "all", NULL, OPTION_FLAG, offsetof(struct arguments, all), 0, 0,
     "down: take also what another lab or a run still needs.", NULL},
    {'b', "backend", "NAME", OPTION_STRING, offsetof(struct arguments, backend), 0, 0,
     "Who keeps the rules: iptables, iptables-nft, iptables-legacy, nft, or none; otherwise who "
     "has "
     "them already, iptables if it is installed, or nft.",
     NULL},
    {'g', "group", "NAME", OPTION_STRING, offsetof(struct arguments, group), 0, 0,
     "Which group's members may open the TUNs; with --user too, only that user as its member.",
     NULL},
    {'i', "internet", "IFACE", OPTION_STRING, offsetof(struct arguments, internet), 0, 0,
     "up, run, plan: give the nodes a way out through that interface, with the machine's own "
     "address (source NAT); down takes it away.",
     NULL},
    {'j', "json", NULL, OPTION_FLAG, offsetof(struct arguments, json), 0, 0,
     "Print JSON: of status, plan and doctor the same facts; of up and down the status after it.",
     NULL},
    {'l', "lab", "NAME", OPTION_STRING, offsetof(struct arguments, lab), 0, 0,
     "up, down: in whose name, if several share this machine; what another lab needs, too, stays "
     "when one goes.",
     NULL},
    {'m', "mtu", "BYTES", OPTION_U32, offsetof(struct arguments, mtu), 1280, 65535,
     "The TUNs' largest packet; otherwise what they have, 1500 of new ones.", NULL},
    {'n', "nodes", "LIST", OPTION_STRING, offsetof(struct arguments, nodes), 0, 0,
     "Other devices and addresses, up to 8, separated by spaces: "
     "'tun0=10.0.0.1/24,fd00::1/64 tun5=10.5.0.1/24'. status and doctor remember them.",
     NULL},
    {'o', "only", "PARTS", OPTION_STRING, offsetof(struct arguments, only), 0, 0,
     "Only these, separated by commas: devices, rules, forwarding.", NULL},
    {'Q', "queues", NULL, OPTION_FLAG, offsetof(struct arguments, queues), 0, 0,
     "Let a program attach to one TUN with several descriptors (IFF_MULTI_QUEUE).", NULL},
    {'r', "rootless", NULL, OPTION_FLAG, offsetof(struct arguments, rootless), 0, 0,
     "run: in a network of its own, which needs no privilege and vanishes with CMD.", NULL},
    {'u', "user", "NAME", OPTION_STRING, offsetof(struct arguments, user), 0, 0,
     "Who may open the TUNs without privilege, by name or number; otherwise the user who typed the "
     "command (through sudo, too). As root, run's CMD is run as that user.",
     NULL},
    {'p', "peer", NULL, OPTION_FLAG, offsetof(struct arguments, peer), 0, 0,
     "Point-to-point addresses: the far end of each is the node itself, and only that is routed.",
     NULL},
    {'q', "quiet", NULL, OPTION_FLAG, offsetof(struct arguments, quiet), 0, 0,
     "Say nothing but errors.", NULL},
    {'v', "verbose", NULL, OPTION_COUNT, offsetof(struct arguments, verbose), 0, 0,
     "Say each change as the command that would do the same.", NULL},
    {.name = NULL},
};

static const struct program program = {
    .name = "netsetup",
    .synopsis = "{netsetup} [OPTION]... up|down|status|plan|doctor\n"
                "       {netsetup} [OPTION]... run [--] CMD [ARGUMENT]...",
    .summary = "Sets up the network for twintun's two nodes: tun0 with 10.0.0.1/24 and fd00::1/64 "
               "for host, tun1 with 10.0.1.1/24 and fd00:1::1/64 for peer, forwarding between "
               "them, and rules that keep their packets out of connection tracking.",
    .epilogue = "commands:\n"
                "  up      Make what is missing; twice changes nothing. Needs CAP_NET_ADMIN.\n"
                "  down    Undo what 'up' changed, and nothing else.\n"
                "  status  Show what is there and what of it is ours.\n"
                "  plan    Print what 'up' would do now, as commands that can be pasted.\n"
                "  doctor  Walk the packet's way hop by hop, send one each way, and say what is\n"
                "          broken and which command mends it. 0 healthy, 1 not.\n"
                "  run     Set up, run CMD, take down, whatever ends CMD or netsetup. The exit\n"
                "          code is CMD's; 126 if it cannot be run, 127 if there is none, or\n"
                "          128 + the signal that ended it.\n"
                "\n"
                "exit codes:\n"
                "  0 done    1 failed    2 usage    3 status: not up\n"
                "  4 a privilege or device is missing    5 something there is someone else's\n"
                "\n"
                "example, as an ordinary user and with nothing left behind:\n"
                "  {netsetup} run --rootless -- {netsetup} status\n",
    .options = options,
};

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

static int take_backend(const char *name, struct setup *s)
{
    static const struct {
        const char *name;
        enum firewall_kind kind;
    } known[] = {{"iptables", FIREWALL_UNKNOWN},
                 {"iptables-nft", FIREWALL_IPTABLES_NFT},
                 {"iptables-legacy", FIREWALL_IPTABLES_LEGACY},
                 {"nft", FIREWALL_NFTABLES},
                 {"none", FIREWALL_NONE}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i].name) != 0)
            continue;
        s->backend_chosen = true;
        s->backend = known[i].kind;
        s->any_iptables = known[i].kind == FIREWALL_UNKNOWN;
        return EXIT_DONE;
    }
    return usage_error(&program,
                       "--backend: '%s' is none of iptables, iptables-nft, iptables-legacy, nft, "
                       "none",
                       name);
}

static int take_internet(const struct arguments *a, struct setup *s)
{
    if (a->rootless)
        return usage_error(&program, "--internet: a network of its own has no way out");
    if (!(s->parts & PART_RULES))
        return usage_error(&program, "--internet needs the part 'rules', which --only leaves off");
    if (!*a->internet || strlen(a->internet) >= NETLINK_NAME_MAX)
        return usage_error(&program, "--internet: '%s' is no name of an interface", a->internet);
    for (unsigned i = 0; i < s->lab.nodes; i++)
        if (strcmp(s->lab.node[i].ifname, a->internet) == 0)
            return usage_error(&program, "--internet: %s is a node's, and leads nowhere else",
                               a->internet);
    snprintf(s->lab.internet, sizeof(s->lab.internet), "%s", a->internet);
    s->lab.internet_chosen = true;
    return EXIT_DONE;
}

static int take_arguments(const struct arguments *a, struct setup *s)
{
    int64_t owner = owner_invoking(), group = -1;
    char why[NODES_WHY_MAX];

    if (a->user && owner_named(a->user, &owner) < 0)
        return usage_error(&program, "--user: there is no user '%s'", a->user);
    if (a->group && owner_group_named(a->group, &group) < 0)
        return usage_error(&program, "--group: there is no group '%s'", a->group);
    lab_default(&s->lab, a->group && !a->user ? -1 : owner);
    s->lab.group = group;
    s->lab.mtu = a->mtu;
    s->lab.queues = a->queues;
    s->nodes_chosen = a->nodes || a->peer;
    if (a->nodes && nodes_parse(a->nodes, &s->lab, why) < 0)
        return usage_error(&program, "--nodes: %s", why);
    if (a->peer)
        lab_point_to_point(&s->lab);
    s->parts = PART_ALL;
    s->owner_chosen = a->user != NULL;
    s->all = a->all;
    s->rootless = a->rootless;
    snprintf(s->holder, sizeof(s->holder), "%s", a->lab ? a->lab : LAB_NAME);
    if (a->lab && (!*a->lab || strlen(a->lab) >= HOLDER_MAX || holder_pid(a->lab)))
        return usage_error(&program, "--lab: '%s' is no name for a lab", a->lab);
    s->json = a->json;
    s->quiet = a->quiet;
    s->verbose = a->verbose;
    if (a->backend && take_backend(a->backend, s) != EXIT_DONE)
        return EXIT_USAGE;
    if (a->only && parse_parts(a->only, &s->parts) != EXIT_DONE)
        return EXIT_USAGE;
    return a->internet ? take_internet(a, s) : EXIT_DONE;
}

static const struct command {
    const char *name;
    int (*run)(struct setup *s);
} commands[] = {{"up", command_up},     {"down", command_down},     {"status", command_status},
                {"plan", command_plan}, {"doctor", command_doctor}, {"run", command_run}};

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
    if (s->rootless)
        _exit(code); /* a sanitizer's last look would be taken by a helper, which begins among our
                      * children, cannot see us from there, and is waited for without end */
    return code;
}

static int check_operands(int operands, char **argv)
{
    bool run = operands > 0 && strcmp(argv[1], "run") == 0;

    if (operands == 0)
        return usage_error(&program, "a command is missing: up, down, status, plan, doctor or run");
    if (run && operands == 1)
        return usage_error(&program, "run: what? As in 'run -- CMD'");
    if (!run && operands > 1)
        return usage_error(&program, "one command at a time, not '%s %s'", argv[1], argv[2]);
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    static struct setup setup;
    struct arguments arguments = {0};
    int operands, code = options_parse(&program, &arguments, argc, argv, &operands);

    if (code >= 0)
        return code;
    code = check_operands(operands, argv);
    if (code)
        return code;
    exec_environment();
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        setup.command = argv + 2;
        argv[operands + 1] = NULL;
        code = take_arguments(&arguments, &setup);
        return code ? code : run_command(&commands[i], &setup);
    }
    return usage_error(&program,
                       "there is no command '%s': it is up, down, status, plan, doctor or run",
                       argv[1]);
}
