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
    LAB_ADDRS_MAX = 4,      /* addresses of the kernel on one TUN */
    RA_LINKS_MAX = 16,      /* interfaces that take their IPv6 routes from a router */
    LAB_NETS_MAX = 8,       /* networks of a lab that has a way out */
    PLAN_OPS_MAX = 180,     /* 8 for each node, its rules, the way out's, chains, sysctls, and RA */
    OP_SAVED_MAX = 512,     /* sysctl values that one operation can put back */
    SYSCTL_NAME_MAX = 64,   /* bytes of "net/ipv6/conf/INTERFACE/forwarding" with its final zero */
    SYSCTL_VALUE_MAX = 16,  /* bytes of a value, with its final zero */
    HOLDERS_MAX = 16,       /* labs and runs that share one change */
    HOLDER_MAX = 64,        /* bytes of a holder's name, see holder.h */
    ZONE_MAX = 32,          /* bytes of the name of a zone of firewalld, with its final zero */
    OP_TEXT_MAX = 320,      /* bytes of an operation as a command line */
    REFUSAL_TEXT_MAX = 512, /* bytes of the reason why there is no plan */
    OFF_TEXT_MAX = 200,     /* bytes of the reason why there is no IPv6 */
};

/* The lab's name, which stands in the journal, unless the caller gives it another. */
#define LAB_NAME "lab"

enum family {
    FAMILY_IPV4,
    FAMILY_IPV6,
    FAMILIES,
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
    FIREWALL_NFTABLES, /* nft itself, in a table of our own */
};

struct lab_node {
    char ifname[NETLINK_NAME_MAX];
    struct netlink_addr addr[LAB_ADDRS_MAX]; /* the kernel's on the TUN, of both families */
    unsigned addrs;
};

struct lab {
    struct lab_node node[LAB_NODES_MAX];
    unsigned nodes;
    int64_t owner; /* user id that may open the TUNs without privilege; -1: no user in particular */
    int64_t group; /* the same for a group; -1: none. With both, only that user in that group */
    uint32_t mtu;  /* bytes of a packet; 0: what the TUNs have */
    bool queues;   /* several descriptors may be attached to one TUN */
    char internet[NETLINK_NAME_MAX]; /* the way out: through which interface; "" for none */
    bool internet_chosen;            /* and the caller asks for it; otherwise it was there before */
    bool narrow;                     /* the NOTRACK rules are for the lab's networks, see rule.h */
};

/*
 * Two TUNs: tun0 with 10.0.0.1/24 and fd00::1/64 for host, tun1 with 10.0.1.1/24 and fd00:1::1/64
 * for peer.
 */
void lab_default(struct lab *lab, int64_t owner);

/* ---- what is there ---- */

/* About one address that the lab wants. */
struct addr_facts {
    bool there;   /* on its TUN */
    bool overlap; /* another link has an address in the same subnet */
    char overlap_ifname[NETLINK_NAME_MAX];
};

struct device_facts {
    bool exists;
    bool ours; /* the journal says that we made it */
    struct netlink_link link;
    struct addr_facts addr[LAB_ADDRS_MAX]; /* as in struct lab_node */
    bool has_other;                        /* an address besides those and the link-local ones */
    struct netlink_addr other;
    bool rule[FAMILIES];        /* our NOTRACK rule for it is there; all of them, if narrow */
    bool rule_to[LAB_NETS_MAX]; /* narrow: the one for that network, as in rule_networks() */
    bool wide[FAMILIES];        /* narrow: nevertheless one for everything is there */
    bool trusted;               /* in that zone of firewalld */
    char zone[ZONE_MAX];        /* or in which; "" for none */
};

/* About one family's packet filter. */
struct firewall_facts {
    enum firewall_kind kind;
    bool raw_table;     /* nft variant: table ip raw, or ip6 raw, is there; nft: our table */
    bool raw_chain;     /* and has a chain PREROUTING; ours: prerouting */
    bool nat_table;     /* the same of table nat, */
    bool nat_chain;     /* chain POSTROUTING; ours: postrouting */
    bool forward_drops; /* between the first two TUNs, the chain FORWARD drops by default */
};

/* An interface that takes IPv6 routes or addresses from a router, as long as nobody forwards. */
struct ra_link {
    char ifname[NETLINK_NAME_MAX];
    int index;
};

struct facts {
    struct device_facts device[LAB_NODES_MAX]; /* as in struct lab */
    struct firewall_facts firewall[FAMILIES];
    bool masquerade[LAB_NETS_MAX]; /* the way out's rule for that network is there */
    bool firewalld;                /* keeps this network's firewall */
    int forwarding[FAMILIES];      /* the machine's switch: 0, 1, or -1 when it cannot be read */
    bool ipv6;                     /* our TUNs can have it */
    char ipv6_off[OFF_TEXT_MAX];   /* otherwise: why not, and what to do */
    struct ra_link ra[RA_LINKS_MAX];
    unsigned ra_links; /* how many there are, also if they are more than that */
};

/* ---- operations ---- */

enum op_kind {
    OP_DEVICE,  /* a persistent TUN */
    OP_ADDRESS, /* a kernel's address on it, which brings the connected route */
    OP_MTU,
    OP_LINK_UP,
    OP_CHAIN, /* the chain that the tool is about to make for the first rule */
    OP_RULE,  /* see rule.h */
    OP_ZONE,  /* of firewalld */
    OP_SYSCTL,
    OP_KINDS,
};

struct saved_value {
    char name[SYSCTL_NAME_MAX]; /* path below /proc/sys */
    char value[SYSCTL_VALUE_MAX];
};

struct op {
    enum op_kind kind;
    char ifname[NETLINK_NAME_MAX]; /* all but CHAIN; SYSCTL of one interface */
    int index;                   /* the same but RULE and ZONE: the link's, which is never reused */
    int64_t owner;               /* DEVICE */
    int64_t group;               /* DEVICE */
    bool queues;                 /* DEVICE */
    uint32_t mtu, mtu_before;    /* MTU */
    struct netlink_addr addr;    /* ADDRESS; RULE: the network that it is about */
    bool masquerade;             /* RULE, and CHAIN for it: of the way out */
    bool mroute;                 /* ADDRESS: the kernel adds the multicast route with it */
    enum family family;          /* CHAIN, RULE */
    enum firewall_kind firewall; /* CHAIN, RULE */
    char zone[ZONE_MAX];         /* ZONE: where it was before; "" for nowhere */
    bool table_too;              /* CHAIN: the table was missing as well */
    struct saved_value want;     /* SYSCTL */
    struct saved_value saved[OP_SAVED_MAX]; /* SYSCTL: what was, in the order of putting back */
    unsigned saved_count;
    bool undoing; /* SYSCTL: putting back has begun, so what is there now says nothing */
    char holder[HOLDERS_MAX][HOLDER_MAX]; /* who needs it, see holder.h */
    unsigned holders;
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

/* Append an operation. */
struct op *plan_add(struct plan *plan, enum op_kind kind, const char *ifname);

/* Whether the lab has addresses of that family, on a machine that can have them. */
bool lab_speaks(const struct lab *lab, const struct facts *facts, enum family family);

/*
 * The address of node i itself in the subnet of the kernel's address `a`, as host and peer have it
 * by default: number 7 for the first node, 5 for the others.
 */
struct addr lab_node_addr(const struct lab *lab, unsigned i, unsigned a);

/* The same in the first subnet of that family. False if there is none. */
bool lab_node_addr_of(const struct lab *lab, unsigned i, enum family family, struct addr *ret);

/* Make every address point to point: its far end is the node, and no subnet is routed there. */
void lab_point_to_point(struct lab *lab);

/* The network of an address: the bits behind the prefix are 0. */
struct addr addr_network(const struct addr *addr, unsigned prefix_len);

/* The family of an address. */
enum family family_of(const struct addr *addr);

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

/* Whether `parts` of the lab need what the operation made. */
bool lab_needs(const struct lab *lab, unsigned parts, const struct op *op);

/* Whether `a` and `b` are about the same thing, so that one of them in the journal is enough. */
bool op_same_thing(const struct op *a, const struct op *b);

/*
 * The command that a person would type for the operation, or to undo it; "" for one that happens
 * on the way. Returns out.
 */
const char *op_do_text(const struct op *op, char out[OP_TEXT_MAX]);
const char *op_undo_text(const struct op *op, char out[OP_TEXT_MAX]);

#endif
