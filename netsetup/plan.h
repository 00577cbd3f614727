/*
 * What the lab needs of the machine, and the operations that lead there.
 *
 * plan_up() is a pure function from what is wanted (struct lab) and what is there (struct facts) to
 * a list of operations; it asks nothing and changes nothing. Each operation knows its own undoing:
 * what it needs for that is in the operation itself, filled in when it is prepared, and the journal
 * stores it. An operation whose effect is there already is not in the list.
 */
#ifndef NETSETUP_PLAN_H
#define NETSETUP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/netlink.h"

enum {
    LAB_NODES_MAX = 8,      /* nodes, each with a TUN of its own */
    PLAN_OPS_MAX = 40,      /* 4 for each node, and the chain and the sysctl */
    OP_SAVED_MAX = 512,     /* sysctl values that one operation can put back */
    SYSCTL_NAME_MAX = 64,   /* bytes of "net/ipv4/conf/INTERFACE/forwarding" with its final zero */
    SYSCTL_VALUE_MAX = 16,  /* bytes of a value, with its final zero */
    OP_TEXT_MAX = 200,      /* bytes of an operation as a command line */
    REFUSAL_TEXT_MAX = 512, /* bytes of the reason why there is no plan */
};

/* What --only chooses from. */
enum part {
    PART_DEVICES = 1,
    PART_RULES = 2,
    PART_FORWARDING = 4,
    PART_ALL = PART_DEVICES | PART_RULES | PART_FORWARDING,
};

/* Who keeps the packet filter's rules. */
enum firewall_kind {
    FIREWALL_NONE,    /* no tool is installed */
    FIREWALL_UNKNOWN, /* there is a tool, but this user may not ask it */
    FIREWALL_IPTABLES_NFT,
    FIREWALL_IPTABLES_LEGACY,
};

struct lab_node {
    char ifname[NETLINK_NAME_MAX];
    struct netlink_addr addr; /* the kernel's address on the TUN */
};

struct lab {
    struct lab_node node[LAB_NODES_MAX];
    unsigned nodes;
    int64_t owner; /* user id that may open the TUNs without privilege */
};

/* Two TUNs: tun0 10.0.0.1/24 for host, tun1 10.0.1.1/24 for peer. */
void lab_default(struct lab *lab, int64_t owner);

/* ---- what is there ---- */

struct device_facts {
    bool exists;
    bool ours; /* the journal says that we made it */
    struct netlink_link link;
    bool has_addr;  /* the one that the lab wants */
    bool has_other; /* an address besides that one and the link-local ones */
    struct netlink_addr other;
    bool overlap; /* another link has an address in the same subnet */
    char overlap_ifname[NETLINK_NAME_MAX];
    bool rule; /* our NOTRACK rule for it is there */
};

struct facts {
    struct device_facts device[LAB_NODES_MAX]; /* as in struct lab */
    enum firewall_kind firewall;
    bool raw_table;     /* nft variant: table ip raw is there */
    bool raw_chain;     /* and has a chain PREROUTING */
    int ip_forward;     /* 0, 1, or -1 when it cannot be read */
    bool forward_drops; /* between the first two, iptables' FORWARD drops by default */
};

/* ---- operations ---- */

enum op_kind {
    OP_DEVICE,  /* a persistent TUN */
    OP_ADDRESS, /* the kernel's address on it, which brings the connected route */
    OP_LINK_UP,
    OP_CHAIN, /* the chain that iptables is about to make for the first rule */
    OP_RULE,
    OP_SYSCTL,
    OP_KINDS,
};

struct saved_value {
    char name[SYSCTL_NAME_MAX]; /* path below /proc/sys */
    char value[SYSCTL_VALUE_MAX];
};

struct op {
    enum op_kind kind;
    char ifname[NETLINK_NAME_MAX]; /* DEVICE, ADDRESS, LINK_UP, RULE */
    int index;                     /* DEVICE, ADDRESS, LINK_UP: the link's, which is never reused */
    int64_t owner;                 /* DEVICE */
    struct netlink_addr addr;      /* ADDRESS */
    enum firewall_kind firewall;   /* RULE */
    bool table_too;                /* CHAIN: the table was missing as well */
    struct saved_value want;       /* SYSCTL */
    struct saved_value saved[OP_SAVED_MAX]; /* SYSCTL: what was, in the order of putting back */
    unsigned saved_count;
    bool undoing; /* SYSCTL: putting back has begun, so what is there now says nothing */
};

struct plan {
    struct op op[PLAN_OPS_MAX];
    unsigned ops;
};

/*
 * The operations that are still missing for `parts` (of enum part) of the lab, in order. Returns 0,
 * or -EEXIST when something there is someone else's; then `why` holds the cause and the next step.
 */
int plan_up(const struct lab *lab, unsigned parts, const struct facts *facts, struct plan *ret,
            char why[REFUSAL_TEXT_MAX]);

/* Whether nothing is missing, as far as these facts can tell. */
bool plan_is_up(const struct lab *lab, const struct facts *facts);

/*
 * Whether a person would count it as a change of its own, which a chain is not that iptables makes
 * on the way to a rule.
 */
bool op_is_change(enum op_kind kind);

/* How many operations of a plan are. */
unsigned plan_changes(const struct plan *plan);

/* The part that an operation belongs to. */
enum part op_part(enum op_kind kind);

/* Whether `a` and `b` are about the same thing, so that one of them in the journal is enough. */
bool op_same_thing(const struct op *a, const struct op *b);

/*
 * The command that a person would type for the operation, or to undo it; "" for one that happens
 * on the way. Returns out.
 */
const char *op_do_text(const struct op *op, char out[OP_TEXT_MAX]);
const char *op_undo_text(const struct op *op, char out[OP_TEXT_MAX]);

#endif
