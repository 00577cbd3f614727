/*
 * Carrying out a plan. For each operation: learn what is needed to undo it, put that in the journal
 * and the journal on disk, and only then do it.
 *
 * A device has its own way to be safe: it is made so that it vanishes with its descriptor, goes
 * into the journal with the index that the kernel gave it, and is made to stay after that. So the
 * journal never claims a device that somebody else made under the same name.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "firewalld.h"
#include "holder.h"
#include "setup.h"

/* ---- one operation ---- */

static int find_index(struct setup *s, struct op *op)
{
    struct netlink_link link;
    int r = netlink_link_get(s->nl, op->ifname, &link);

    if (r == 0)
        op->index = link.index;
    return r;
}

/* With the first IPv6 address the kernel adds a route, which must go with it. */
static int prepare_address(struct setup *s, struct op *op)
{
    int r = find_index(s, op);

    if (r < 0 || family_of(&op->addr.addr) != FAMILY_IPV6 ||
        journal_made_device(s->journal, op->ifname, op->index))
        return r; /* it goes with the device that we made */
    r = netlink_mroute_present(s->nl, op->index);
    op->mroute = r == 0;
    return r < 0 ? r : 0;
}

static int prepare_mtu(struct setup *s, struct op *op)
{
    struct netlink_link link;
    int r = netlink_link_get(s->nl, op->ifname, &link);

    if (r < 0)
        return r;
    op->index = link.index;
    op->mtu_before = link.mtu;
    return 0;
}

/* Fill in what undoing needs. For a device, *ret_fd holds it until it is committed. */
static int prepare(struct setup *s, struct op *op, int *ret_fd)
{
    switch (op->kind) {
    case OP_DEVICE:
        *ret_fd = device_make(op->ifname, op->owner, op->group, op->queues);
        return *ret_fd < 0 ? *ret_fd : find_index(s, op);
    case OP_ADDRESS:
        return prepare_address(s, op);
    case OP_MTU:
        return prepare_mtu(s, op);
    case OP_LINK_UP:
        return find_index(s, op);
    case OP_SYSCTL:
        return sysctl_save(op);
    case OP_CHAIN:
    case OP_RULE:
    case OP_ZONE:
    case OP_KINDS:
        break;
    }
    return 0;
}

/* On a TUN nobody answers, so an IPv6 address is unique there without asking. */
static int add_address(struct setup *s, const struct op *op)
{
    struct netlink_addr a = op->addr;
    int r;

    if (family_of(&a.addr) == FAMILY_IPV6)
        a.flags = IFA_F_NODAD;
    r = netlink_addr_add(s->nl, op->index, &a);
    return r == -EEXIST ? 0 : r;
}

static int commit(struct setup *s, const struct op *op, int fd, char *said)
{
    struct rule rule;

    switch (op->kind) {
    case OP_DEVICE:
        return device_keep(fd);
    case OP_ADDRESS:
        return add_address(s, op);
    case OP_MTU:
        return netlink_link_set_mtu(s->nl, op->index, op->mtu);
    case OP_LINK_UP:
        return netlink_link_set_up(s->nl, op->index);
    case OP_RULE:
        rule = rule_of(op);
        return firewall_rule_add(&rule, said);
    case OP_ZONE:
        return firewalld_put(op->ifname, FIREWALLD_ZONE, said);
    case OP_SYSCTL:
        return sysctl_write(op->want.name, op->want.value);
    case OP_CHAIN: /* iptables makes it with the first rule */
    case OP_KINDS:
        break;
    }
    return 0;
}

/* *ret_unwritten: the error is the journal's, and nothing was done. */
static int perform(struct setup *s, struct op *op, char *said, bool *ret_unwritten)
{
    int fd = -1;
    int r = prepare(s, op, &fd);

    if (r == 0)
        r = op_hold(op, s->holder);
    if (r == 0) {
        r = journal_put(s->journal, op);
        if (r == 0)
            r = journal_save(s->journal);
        *ret_unwritten = r < 0;
        if (r == 0)
            r = commit(s, op, fd, said);
    }
    if (fd >= 0)
        close(fd);
    return r;
}

/* ---- failure ---- */

static int report_device(const struct op *op, int error)
{
    switch (error) {
    case -ENOENT:
    case -ENODEV:
    case -ENXIO:
        return say_error(EXIT_PRIVILEGE, "/dev/net/tun is missing; load it with 'modprobe tun', or "
                                         "give this container the device");
    case -EACCES: /* of the device file itself: the kernel's refusals are EPERM */
        return say_error(EXIT_PRIVILEGE,
                         "/dev/net/tun may not be opened by this user; as root: chmod 666 "
                         "/dev/net/tun (which gives no power over TUNs that are someone else's)");
    case -EPERM:
        return say_error(EXIT_PRIVILEGE,
                         "cannot make %s: %s; run this as root, or in a network namespace of your "
                         "own: unshare -Urn",
                         op->ifname, strerror(-error));
    case -EBUSY:
    case -EEXIST:
        return say_error(EXIT_FOREIGN,
                         "cannot make %s: somebody else has just made it; see "
                         "'%s status'",
                         op->ifname, say_self());
    case -EINVAL:
        return say_error(EXIT_FAILED,
                         "cannot make %s for user id %lld, group id %lld: not known in this "
                         "namespace; choose others with --user and --group",
                         op->ifname, (long long)op->owner, (long long)op->group);
    default:
        return say_error(say_code(error), "cannot make %s: %s", op->ifname, strerror(-error));
    }
}

static int report_journal(const struct journal *j, int error)
{
    return say_error(say_code(error),
                     "cannot write the journal, without which nothing is changed: %s: %s%s",
                     j->temporary, strerror(-error), error == -ELOOP ? "; remove that link" : "");
}

static int report(const struct op *op, int error, const char *said)
{
    char text[OP_TEXT_MAX];

    if (op->kind == OP_DEVICE)
        return report_device(op, error);
    if (op->kind == OP_SYSCTL && error == -EROFS)
        return say_error(EXIT_PRIVILEGE,
                         "/proc/sys is read-only here, so '%s' failed; set it where it is not "
                         "(in a container: outside)",
                         op_do_text(op, text));
    if (op->kind == OP_SYSCTL && error == -E2BIG)
        return say_error(EXIT_FAILED,
                         "more interfaces than 'down' could put back have a forwarding switch of "
                         "their own; turn forwarding on yourself, '%s', and run this again",
                         op_do_text(op, text));
    return say_error(say_code(error), "'%s' failed: %s%s", op_do_text(op, text),
                     said[0] ? said : strerror(-error),
                     say_code(error) == EXIT_PRIVILEGE
                         ? "; run this as root, or in a namespace of your own: unshare -Urn"
                         : "");
}

/* Undo what is in the journal about `op`, and forget it unless somebody else holds it, too. */
static void take_back(struct setup *s, const struct op *op)
{
    char said[FIREWALL_TEXT_MAX] = "";
    const struct op *entry = journal_find(s->journal, op);
    struct op *mine;

    if (!entry || undo_op(s, entry, said) < 0)
        return;
    mine = &s->journal->op[entry - s->journal->op];
    op_release(mine, s->holder);
    if (mine->holders == 0)
        journal_drop(s->journal, (unsigned)(entry - s->journal->op));
    journal_save(s->journal);
}

/* What others have made and we need, too, must stay when they go. */
static int hold_all(struct setup *s)
{
    struct journal *j = s->journal;
    bool changed = false;
    int r = 0;

    for (unsigned i = 0; r == 0 && i < j->ops; i++) {
        struct op *op = &j->op[i];

        if (!lab_needs(&s->lab, s->parts, op) || op_is_held_by(op, s->holder))
            continue;
        op_release_gone(op);
        r = op_hold(op, s->holder);
        changed = true;
    }
    if (r == -E2BIG)
        return say_error(EXIT_FAILED, "more than %d labs share this network; take one down first",
                         HOLDERS_MAX);
    if (r == 0 && changed)
        r = journal_save(j);
    return r < 0 ? report_journal(j, r) : EXIT_DONE;
}

/* The lab works without that rule, or, if it is the way out's, with IPv4's alone. */
static bool can_do_without(const struct setup *s, const struct op *op)
{
    if (op->kind != OP_RULE)
        return false;
    return op->masquerade ? op->family == FAMILY_IPV6 : (s->parts & PART_DEVICES) != 0;
}

static void note_missing(const struct setup *s, const struct op *op, const char *why)
{
    if (op->masquerade)
        say_note(s, "no IPv6 MASQUERADE rule for %s (%s); the way out is for IPv4 only", op->ifname,
                 why);
    else
        say_note(s,
                 "no %s rule for %s (%s); the lab works, but connection tracking will see its "
                 "packets",
                 op->family == FAMILY_IPV6 ? "IPv6 NOTRACK" : "NOTRACK", op->ifname, why);
}

int apply(struct setup *s, struct plan *plan)
{
    char said[FIREWALL_TEXT_MAX], text[OP_TEXT_MAX];

    for (unsigned i = 0; i < plan->ops; i++) {
        struct op *op = &plan->op[i];
        bool unwritten = false;
        int r, code;

        said[0] = '\0';
        r = perform(s, op, said, &unwritten);
        if (r == 0) {
            if (s->verbose && *op_do_text(op, text))
                say_note(s, "%s", text);
            continue;
        }
        if (can_do_without(s, op) && r != -EPERM && !unwritten) {
            take_back(s, op);
            note_missing(s, op, said[0] ? said : strerror(-r));
            continue;
        }
        code = unwritten ? report_journal(s->journal, r) : report(op, r, said);
        for (unsigned k = i + 1; k > 0; k--)
            take_back(s, &plan->op[k - 1]);
        return code;
    }
    return hold_all(s);
}
