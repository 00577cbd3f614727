/*
 * Undoing, from the journal's end to its beginning. Every step looks first whether its effect is
 * still there and still ours: a link by its index, which the kernel does not use again; a rule by
 * its full specification; a sysctl by the value that we left.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "firewalld.h"
#include "holder.h"
#include "setup.h"

enum {
    KEEP_MAX = 64, /* addresses of a link that are given back after it was set down */
};

/* 1 and *ret if the link that the operation was about is still there. */
static int same_link(struct setup *s, const struct op *op, struct netlink_link *ret)
{
    int r = netlink_link_get(s->nl, op->ifname, ret);

    if (r == -ENODEV)
        return 0;
    return r < 0 ? r : ret->index == op->index;
}

/* What "it is gone already" looks like; ENXIO: IPv6 as a whole is gone from the link. */
static int unless_gone(int r)
{
    return r == -ENODEV || r == -EADDRNOTAVAIL || r == -ENXIO || r == -ESRCH ? 0 : r;
}

/*
 * The multicast route that came with the link's first IPv6 address does not go with the last one;
 * it stays as long as there is another, be it the kernel's own that a program brought by attaching.
 */
static int delete_address(struct setup *s, const struct op *op)
{
    struct netlink_addr list[KEEP_MAX];
    size_t n = 0;
    int r = unless_gone(netlink_addr_delete(s->nl, op->index, &op->addr));

    if (r < 0 || !op->mroute)
        return r;
    r = netlink_addr_list(s->nl, op->index, list, KEEP_MAX, &n);
    for (size_t i = 0; i < n && i < KEEP_MAX; i++)
        if (family_of(&list[i].addr) == FAMILY_IPV6)
            return 0;
    return r < 0 ? r : unless_gone(netlink_mroute_delete(s->nl, op->index));
}

/* An IPv6 address that was given by hand: not the kernel's own link-local one, nor a router's. */
static bool is_given(const struct netlink_addr *a)
{
    bool link_local = a->addr.b[0] == 0xfe && (a->addr.b[1] & 0xc0) == 0x80;

    return family_of(&a->addr) == FAMILY_IPV6 && !link_local && a->flags & IFA_F_PERMANENT;
}

/*
 * The kernel takes the IPv6 addresses from a link that is set down. Those that were given by hand
 * may have been there before us, when it was down: they are given back.
 */
static int set_down(struct setup *s, const struct op *op)
{
    struct netlink_addr list[KEEP_MAX];
    size_t n = 0;
    int r = netlink_addr_list(s->nl, op->index, list, KEEP_MAX, &n);

    if (r == 0)
        r = netlink_link_set_down(s->nl, op->index);
    for (size_t i = 0; r == 0 && i < n && i < KEEP_MAX; i++) {
        if (is_given(&list[i]))
            r = netlink_addr_add(s->nl, op->index, &list[i]);
        if (r == -EEXIST) /* keep_addr_on_down */
            r = 0;
    }
    return r;
}

static int undo_link(struct setup *s, const struct op *op)
{
    struct netlink_link link;
    int r = same_link(s, op, &link);

    if (r <= 0)
        return r < 0 ? r : 1;
    if (op->kind == OP_ADDRESS)
        return delete_address(s, op);
    if (op->kind == OP_LINK_UP)
        return unless_gone(set_down(s, op));
    if (op->kind == OP_MTU) /* unless somebody has changed it since */
        return link.mtu == op->mtu
                   ? unless_gone(netlink_link_set_mtu(s->nl, op->index, op->mtu_before))
                   : 1;
    if (link.carrier)
        say_note(s, "a program is still attached to %s; the device is removed under it",
                 op->ifname);
    return unless_gone(netlink_link_delete(s->nl, op->index));
}

static int undo_rule(const struct op *op, char *said)
{
    const struct rule rule = rule_of(op);
    int r = firewall_rule_present(&rule, said);

    if (r <= 0)
        return r < 0 ? r : 1;
    return firewall_rule_delete(&rule, said);
}

/* firewalld may have ended, or been reloaded, since; both forget the zone. */
static int undo_zone(const struct op *op, char *said)
{
    char zone[ZONE_MAX];

    if (firewalld_zone_of(op->ifname, zone) < 0 || strcmp(zone, FIREWALLD_ZONE) != 0)
        return 1;
    return firewalld_put(op->ifname, op->zone, said);
}

static int undo_chain(struct setup *s, const struct op *op)
{
    int r = rawtable_remove(op->family, op->firewall, op->masquerade, op->table_too);

    if (r == -EBUSY && s->verbose)
        say_note(s, "others use the table by now: it stays");
    return r == -EBUSY ? 1 : r;
}

/*
 * Putting back takes several writes, and after the first one the value is not "what we left" any
 * more. So the journal says that it has begun: a second attempt then finishes it.
 */
static int undo_sysctl(struct setup *s, const struct op *op)
{
    struct op begun = *op;
    struct netlink_link link;
    int r = op->ifname[0] ? same_link(s, op, &link) : 1;

    if (r <= 0)
        return r < 0 ? r : 1; /* the interface is gone, and its switches with it */
    r = op->undoing ? 1 : sysctl_is_ours(op);
    if (r == -ENOENT && op->ifname[0])
        return 1;
    if (r < 0)
        return r;
    if (r == 0) {
        say_note(s, "/proc/sys/%s is not what we left it: it stays as it is", op->want.name);
        return 1;
    }
    begun.undoing = true;
    r = journal_put(s->journal, &begun);
    if (r == 0)
        r = journal_save(s->journal);
    return r < 0 ? r : sysctl_restore(&begun);
}

int undo_op(struct setup *s, const struct op *op, char *said)
{
    switch (op->kind) {
    case OP_DEVICE:
    case OP_ADDRESS:
    case OP_MTU:
    case OP_LINK_UP:
        return undo_link(s, op);
    case OP_CHAIN:
        return undo_chain(s, op);
    case OP_RULE:
        return undo_rule(op, said);
    case OP_ZONE:
        return undo_zone(op, said);
    case OP_SYSCTL:
        return undo_sysctl(s, op);
    case OP_KINDS:
        break;
    }
    return 0;
}

static int report(const struct op *op, int error, const char *said)
{
    char text[OP_TEXT_MAX];

    return say_error(say_code(error),
                     "'%s' failed: %s; the rest is undone, run '%s down' again for this",
                     op_undo_text(op, text), said[0] ? said : strerror(-error), say_self());
}

/* Whether the operation is to be undone now; if others hold it, too, that is counted. */
static bool let_go(struct setup *s, struct op *op, struct undo_count *count)
{
    bool was_ours;

    op_release_gone(op);
    was_ours = op_release(op, s->holder);
    if (op->holders == 0 || s->all)
        return true;
    if (was_ours && op_is_change(op->kind)) {
        count->kept++;
        snprintf(count->keeper, sizeof(count->keeper), "%s", op->holder[0]);
    }
    return false;
}

int undo_all(struct setup *s, struct undo_count *ret)
{
    char said[FIREWALL_TEXT_MAX], text[OP_TEXT_MAX];
    struct undo_count count = {0};
    int code = EXIT_DONE;

    for (unsigned i = s->journal->ops; i > 0; i--) {
        struct op *op = &s->journal->op[i - 1];
        int r = 0;

        if (!(op_part(op->kind) & s->parts))
            continue;
        if (let_go(s, op, &count)) {
            const struct op copy = *op;

            count.of += op_is_change(copy.kind);
            said[0] = '\0';
            r = undo_op(s, &copy, said);
            if (r < 0) {
                code = report(&copy, r, said);
                continue;
            }
            count.undone += r == 0 && op_is_change(copy.kind);
            if (s->verbose && r == 0)
                say_note(s, "%s%s", op_undo_text(&copy, text),
                         op_is_change(copy.kind) ? "" : " (made with the first rule)");
            journal_drop(s->journal, i - 1);
        }
        r = journal_save(s->journal);
        if (r < 0)
            code = say_error(EXIT_FAILED, "cannot write %s: %s", s->journal->path, strerror(-r));
    }
    *ret = count;
    return code;
}
