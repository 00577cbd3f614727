/*
 * One object for each operation, with the fields that its kind has:
 *
 *   {"version": 4, "boot": "...", "netns": "f0000123", "cookie": "1a", "changes": [
 *     {"op": "device", "ifname": "tun0", "index": 2, "owner": 1000, "held": ["lab"]},
 *     {"op": "address", "ifname": "tun0", "index": 2, "address": "10.0.0.1", "prefix": 24},
 *     {"op": "address", "ifname": "tun0", "index": 2, "address": "fd00::1", "prefix": 64},
 *     {"op": "mtu", "ifname": "tun0", "index": 2, "mtu": 9000, "before": 1500},
 *     {"op": "link-up", "ifname": "tun0", "index": 2},
 *     {"op": "chain", "table": true, "firewall": "nft"},
 *     {"op": "rule", "ifname": "tun0", "firewall": "nft"},
 *     {"op": "rule", "ifname": "tun0", "family": "ipv6", "firewall": "legacy"},
 *     {"op": "rule", "ifname": "tun0", "firewall": "nft", "address": "10.0.1.0", "prefix": 24},
 *     {"op": "rule", "ifname": "eth0", "firewall": "nft", "address": "10.0.1.0", "prefix": 24,
 *      "masquerade": true},
 *     {"op": "zone", "ifname": "tun0", "before": ""},
 *     {"op": "sysctl", "ifname": "eth0", "index": 7, "name": "net/ipv6/conf/eth0/accept_ra",
 *      "value": "2", "saved": [["net/ipv6/conf/eth0/accept_ra", "1"]]},
 *     {"op": "sysctl", "name": "net/ipv4/ip_forward", "value": "1",
 *      "saved": [["net/ipv4/ip_forward", "0"], ...]}]}
 *
 * Without "family" it is IPv4. "held", which every change has, says who needs it: see holder.h.
 * Version 3 was the same without the way out: rules have no address. Version 2 was without "held",
 * when there was one lab; version 1 without anything of IPv6.
 *
 * A reader that does not know the version or a kind refuses the whole file: undoing half of it in
 * the wrong order is worse than asking.
 */
#include "journal_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "holder.h"
#include "run/address.h"

enum {
    JOURNAL_VERSION = 4,
};

static const char *const kind_names[OP_KINDS] = {
    [OP_DEVICE] = "device", [OP_ADDRESS] = "address", [OP_LINK_UP] = "link-up",
    [OP_MTU] = "mtu",       [OP_CHAIN] = "chain",     [OP_RULE] = "rule",
    [OP_ZONE] = "zone",     [OP_SYSCTL] = "sysctl",
};

static const char *firewall_text(enum firewall_kind kind)
{
    return kind == FIREWALL_IPTABLES_LEGACY ? "legacy"
           : kind == FIREWALL_NFTABLES      ? "nftables"
                                            : "nft";
}

/* ---- writing ---- */

static void set_string(json_t *o, const char *key, const char *value)
{
    json_object_set_new(o, key, json_string(value));
}

static void set_int(json_t *o, const char *key, int64_t value)
{
    json_object_set_new(o, key, json_integer(value));
}

static void set_hex(json_t *o, const char *key, uint64_t value)
{
    char text[20];

    snprintf(text, sizeof(text), "%" PRIx64, value);
    set_string(o, key, text);
}

static json_t *saved_to_json(const struct op *op)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < op->saved_count; i++)
        json_array_append_new(list, json_pack("[ss]", op->saved[i].name, op->saved[i].value));
    return list;
}

static json_t *holders_to_json(const struct op *op)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < op->holders; i++)
        json_array_append_new(list, json_string(op->holder[i]));
    return list;
}

/* It is about one link, which is known by its index. */
static bool has_index(const struct op *op)
{
    return op_part(op->kind) == PART_DEVICES || (op->kind == OP_SYSCTL && op->ifname[0]);
}

static void set_network(json_t *o, const struct op *op)
{
    char text[ADDR_TEXT_MAX];

    set_string(o, "address", addr_format(&op->addr.addr, text));
    set_int(o, "prefix", op->addr.prefix_len);
}

static json_t *op_to_json(const struct op *op)
{
    char text[ADDR_TEXT_MAX];
    json_t *o = json_object();

    set_string(o, "op", kind_names[op->kind]);
    if (op->ifname[0])
        set_string(o, "ifname", op->ifname);
    if (has_index(op))
        set_int(o, "index", op->index);
    if (op->family == FAMILY_IPV6)
        set_string(o, "family", "ipv6");
    if (op->masquerade)
        json_object_set_new(o, "masquerade", json_true());
    json_object_set_new(o, "held", holders_to_json(op));
    switch (op->kind) {
    case OP_DEVICE:
        set_int(o, "owner", op->owner);
        set_int(o, "group", op->group);
        break;
    case OP_ZONE:
        set_string(o, "before", op->zone);
        break;
    case OP_MTU:
        set_int(o, "mtu", op->mtu);
        set_int(o, "before", op->mtu_before);
        break;
    case OP_ADDRESS:
        set_network(o, op);
        if (op->addr.has_peer)
            set_string(o, "peer", addr_format(&op->addr.peer, text));
        if (op->mroute)
            json_object_set_new(o, "mroute", json_true());
        break;
    case OP_CHAIN:
        json_object_set_new(o, "table", json_boolean(op->table_too));
        set_string(o, "firewall", firewall_text(op->firewall));
        break;
    case OP_RULE:
        set_string(o, "firewall", firewall_text(op->firewall));
        if (op->addr.prefix_len)
            set_network(o, op);
        break;
    case OP_SYSCTL:
        set_string(o, "name", op->want.name);
        set_string(o, "value", op->want.value);
        json_object_set_new(o, "saved", saved_to_json(op));
        if (op->undoing)
            json_object_set_new(o, "undoing", json_true());
        break;
    case OP_LINK_UP:
    case OP_KINDS:
        break;
    }
    return o;
}

json_t *journal_to_json(const struct journal *j)
{
    json_t *root = json_object(), *changes = json_array();

    set_int(root, "version", JOURNAL_VERSION);
    set_string(root, "boot", j->netns.boot);
    set_hex(root, "netns", j->netns.inode);
    set_hex(root, "cookie", j->netns.cookie);
    for (unsigned i = 0; i < j->ops; i++)
        json_array_append_new(changes, op_to_json(&j->op[i]));
    json_object_set_new(root, "changes", changes);
    return root;
}

/* ---- reading ---- */

/* Each get_ function returns whether the field is there, of the right type and size. */

static bool copy_string(const json_t *s, char *out, size_t size)
{
    if (!json_is_string(s) || json_string_length(s) >= size)
        return false;
    memcpy(out, json_string_value(s), json_string_length(s) + 1);
    return true;
}

static bool get_string(const json_t *o, const char *key, char *out, size_t size)
{
    return copy_string(json_object_get(o, key), out, size);
}

static bool get_int(const json_t *o, const char *key, int64_t min, int64_t max, int64_t *out)
{
    const json_t *v = json_object_get(o, key);

    *out = json_integer_value(v);
    return json_is_integer(v) && *out >= min && *out <= max;
}

/* A path below /proc/sys that stays there, and belongs to IP, where all that we change is. */
static bool is_sysctl_name(const char *name)
{
    return (strncmp(name, "net/ipv4/", 9) == 0 || strncmp(name, "net/ipv6/", 9) == 0) &&
           !strstr(name, "..");
}

static bool get_saved(const json_t *list, struct op *op)
{
    if (!json_is_array(list) || json_array_size(list) > OP_SAVED_MAX)
        return false;
    for (; op->saved_count < json_array_size(list); op->saved_count++) {
        const json_t *pair = json_array_get(list, op->saved_count);
        struct saved_value *v = &op->saved[op->saved_count];

        if (!copy_string(json_array_get(pair, 0), v->name, sizeof(v->name)) ||
            !copy_string(json_array_get(pair, 1), v->value, sizeof(v->value)) ||
            !is_sysctl_name(v->name))
            return false;
    }
    return true;
}

/* Absent: held by the lab, as in a journal of version 2. */
static bool get_holders(const json_t *o, struct op *op)
{
    const json_t *list = json_object_get(o, "held");

    if (!list)
        return op_hold(op, LAB_NAME) == 0;
    if (!json_is_array(list) || json_array_size(list) > HOLDERS_MAX)
        return false;
    for (; op->holders < json_array_size(list); op->holders++)
        if (!copy_string(json_array_get(list, op->holders), op->holder[op->holders], HOLDER_MAX))
            return false;
    return true;
}

static bool get_address(const json_t *o, struct op *op)
{
    char text[ADDR_TEXT_MAX];
    int64_t prefix_len;

    if (!get_string(o, "address", text, sizeof(text)) || parse_addr(text, &op->addr.addr) < 0 ||
        !get_int(o, "prefix", 1, addr_is_v4(&op->addr.addr) ? 32 : 128, &prefix_len))
        return false;
    op->addr.prefix_len = (uint8_t)prefix_len;
    op->addr.has_peer = json_object_get(o, "peer") != NULL;
    if (op->addr.has_peer &&
        (!get_string(o, "peer", text, sizeof(text)) || parse_addr(text, &op->addr.peer) < 0 ||
         addr_is_v4(&op->addr.peer) != addr_is_v4(&op->addr.addr)))
        return false;
    op->mroute = json_is_true(json_object_get(o, "mroute"));
    return true;
}

static bool get_firewall(const json_t *o, struct op *op)
{
    char text[16];

    if (!get_string(o, "firewall", text, sizeof(text)))
        return false;
    op->firewall = strcmp(text, "legacy") == 0     ? FIREWALL_IPTABLES_LEGACY
                   : strcmp(text, "nftables") == 0 ? FIREWALL_NFTABLES
                                                   : FIREWALL_IPTABLES_NFT;
    return strcmp(text, firewall_text(op->firewall)) == 0;
}

/* Absent: IPv4, as in a journal of version 1. */
static bool get_family(const json_t *o, struct op *op)
{
    char text[8] = "";

    if (!json_object_get(o, "family"))
        return true;
    op->family = FAMILY_IPV6;
    return get_string(o, "family", text, sizeof(text)) && strcmp(text, "ipv6") == 0;
}

/* The fields that belong to the operation's kind. */
static bool get_fields(const json_t *o, struct op *op)
{
    int64_t mtu, before;

    switch (op->kind) {
    case OP_DEVICE:
        op->group = -1; /* as before version 3 */
        return get_int(o, "owner", -1, UINT32_MAX, &op->owner) &&
               (!json_object_get(o, "group") || get_int(o, "group", -1, UINT32_MAX, &op->group));
    case OP_MTU:
        if (!get_int(o, "mtu", 1, INT32_MAX, &mtu) || !get_int(o, "before", 1, INT32_MAX, &before))
            return false;
        op->mtu = (uint32_t)mtu;
        op->mtu_before = (uint32_t)before;
        return true;
    case OP_ADDRESS:
        return get_address(o, op);
    case OP_LINK_UP:
        return true;
    case OP_CHAIN:
        op->table_too = json_is_true(json_object_get(o, "table"));
        op->firewall = FIREWALL_IPTABLES_NFT; /* the only one before version 3 */
        return !json_object_get(o, "firewall") || get_firewall(o, op);
    case OP_RULE:
        return get_firewall(o, op) && (!json_object_get(o, "address") || get_address(o, op)) &&
               (!op->masquerade || op->addr.prefix_len);
    case OP_ZONE:
        return get_string(o, "before", op->zone, sizeof(op->zone));
    case OP_SYSCTL:
        op->undoing = json_is_true(json_object_get(o, "undoing"));
        return get_string(o, "name", op->want.name, sizeof(op->want.name)) &&
               get_string(o, "value", op->want.value, sizeof(op->want.value)) &&
               is_sysctl_name(op->want.name) && get_saved(json_object_get(o, "saved"), op);
    case OP_KINDS:
        break;
    }
    return false;
}

static bool get_op(const json_t *o, struct op *op)
{
    const char *kind = json_string_value(json_object_get(o, "op"));
    int64_t index = 0;

    memset(op, 0, sizeof(*op));
    for (op->kind = 0; op->kind < OP_KINDS; op->kind++)
        if (kind && strcmp(kind, kind_names[op->kind]) == 0)
            break;
    if (op->kind == OP_KINDS)
        return false;
    if ((op_part(op->kind) == PART_DEVICES || op->kind == OP_RULE || op->kind == OP_ZONE ||
         json_object_get(o, "ifname")) &&
        !get_string(o, "ifname", op->ifname, sizeof(op->ifname)))
        return false;
    if (has_index(op) && !get_int(o, "index", 1, INT32_MAX, &index))
        return false;
    op->index = (int)index;
    op->masquerade = json_is_true(json_object_get(o, "masquerade"));
    return get_family(o, op) && get_holders(o, op) && get_fields(o, op);
}

static bool same_netns(const struct netns_id *n, const json_t *root)
{
    char inode[20], cookie[20], want_inode[20], want_cookie[20], boot[sizeof(n->boot)];

    snprintf(want_inode, sizeof(want_inode), "%" PRIx64, n->inode);
    snprintf(want_cookie, sizeof(want_cookie), "%" PRIx64, n->cookie);
    return get_string(root, "netns", inode, sizeof(inode)) && strcmp(inode, want_inode) == 0 &&
           get_string(root, "cookie", cookie, sizeof(cookie)) && strcmp(cookie, want_cookie) == 0 &&
           get_string(root, "boot", boot, sizeof(boot)) && strcmp(boot, n->boot) == 0;
}

int journal_from_json(struct journal *j, const json_t *root)
{
    const json_t *changes = json_object_get(root, "changes");
    int64_t version;
    unsigned n = 0;

    j->ops = 0;
    if (!get_int(root, "version", 1, JOURNAL_VERSION, &version) || !json_is_array(changes) ||
        json_array_size(changes) > JOURNAL_OPS_MAX)
        return -EBADMSG;
    if (!same_netns(&j->netns, root))
        return -ESTALE;
    for (; n < json_array_size(changes); n++)
        if (!get_op(json_array_get(changes, n), &j->op[n]))
            return -EBADMSG;
    j->ops = n;
    return 0;
}
