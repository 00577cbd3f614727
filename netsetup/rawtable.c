/*
 * The nft variant of iptables makes table ip raw (ip6 raw for IPv6) and its chain PREROUTING with
 * the first rule, and leaves them behind, empty, when the last is gone; nat and POSTROUTING
 * likewise. To take them away again we
 * speak to nf_tables itself: one atomic batch that deletes the chain and the table with
 * NLM_F_NONREC, which the kernel refuses with EBUSY if there is anything inside. So there is no
 * moment between looking and removing in which somebody's new rule could be lost. The table that
 * nftrules.c has made goes the same way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "firewall.h"
#include "firewalld.h"
#include "nftrules.h"

#ifndef NLM_F_NONREC
#define NLM_F_NONREC 0x100
#endif

struct answer {
    int error;   /* the first one */
    int pending; /* answers still to come */
    bool accept; /* of a chain: its policy is ACCEPT */
};

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
    struct answer *a = arg;

    (void)from;
    a->error = err->error;
    a->pending = 0;
    return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
    struct answer *a = arg;

    (void)msg;
    a->pending--;
    return NL_OK;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
    struct nlattr *attr[NFTA_CHAIN_MAX + 1];
    struct answer *a = arg;
    struct nlmsghdr *h = nlmsg_hdr(msg);

    if ((h->nlmsg_type & 0xff) == NFT_MSG_NEWCHAIN &&
        nlmsg_parse(h, sizeof(struct nfgenmsg), attr, NFTA_CHAIN_MAX, NULL) == 0 &&
        attr[NFTA_CHAIN_POLICY])
        a->accept = ntohl(nla_get_u32(attr[NFTA_CHAIN_POLICY])) == NF_ACCEPT;
    return NL_OK;
}

static int any_seq(struct nl_msg *msg, void *arg)
{
    (void)msg;
    (void)arg;
    return NL_OK;
}

/* ---- messages, written one behind the other into a buffer ---- */

struct batch {
    const char *table, *chain; /* what it is about */
    unsigned char bytes[1024]; /* four messages of under 100 bytes */
    size_t used;
    uint32_t seq;
    int acks;     /* how many ask for an answer */
    int protocol; /* NFPROTO_IPV4 or _IPV6: whose tables */
};

/* Append a message and free it. */
static int put(struct batch *b, struct nl_msg *msg, int type, int flags, int family, int res_id)
{
    struct nlmsghdr *h = nlmsg_hdr(msg);
    struct nfgenmsg *gen = nlmsg_data(h);

    gen->nfgen_family = (uint8_t)family;
    gen->version = NFNETLINK_V0;
    gen->res_id = htons((uint16_t)res_id);
    h->nlmsg_type = (uint16_t)type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    h->nlmsg_seq = b->seq++;
    if (b->used + NLMSG_ALIGN(h->nlmsg_len) > sizeof(b->bytes)) {
        nlmsg_free(msg);
        return -ENOBUFS;
    }
    memcpy(b->bytes + b->used, h, h->nlmsg_len);
    b->used += NLMSG_ALIGN(h->nlmsg_len);
    b->acks += (flags & NLM_F_ACK) != 0;
    nlmsg_free(msg);
    return 0;
}

static struct nl_msg *new_message(void)
{
    struct nl_msg *msg = nlmsg_alloc_simple(0, 0);

    if (msg && !nlmsg_reserve(msg, sizeof(struct nfgenmsg), NLMSG_ALIGNTO)) {
        nlmsg_free(msg);
        return NULL;
    }
    if (msg)
        memset(nlmsg_data(nlmsg_hdr(msg)), 0, sizeof(struct nfgenmsg));
    return msg;
}

/* NFNL_MSG_BATCH_BEGIN or _END. */
static int put_frame(struct batch *b, int type)
{
    struct nl_msg *msg = new_message();

    return msg ? put(b, msg, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES) : -ENOMEM;
}

/* A request about the table, or about its chain. */
static int put_request(struct batch *b, int type, int flags, bool chain)
{
    struct nl_msg *msg = new_message();
    int r;

    if (!msg)
        return -ENOMEM;
    if (chain)
        r = nla_put_string(msg, NFTA_CHAIN_TABLE, b->table) |
            nla_put_string(msg, NFTA_CHAIN_NAME, b->chain);
    else
        r = nla_put_string(msg, NFTA_TABLE_NAME, b->table);
    if (r < 0) {
        nlmsg_free(msg);
        return -ENOMEM;
    }
    return put(b, msg, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_ACK | flags, b->protocol, 0);
}

/* Send what is in the batch and wait for every answer, or for the first error. */
static int transact(const struct batch *b, struct answer *ret)
{
    struct nl_sock *sock = nl_socket_alloc();
    struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
    struct answer a = {.pending = b->acks};
    int r = -ENOMEM;

    if (!sock || !cb)
        goto out;
    r = -EOPNOTSUPP;
    if (nl_connect(sock, NETLINK_NETFILTER) < 0)
        goto out;
    nl_cb_err(cb, NL_CB_CUSTOM, on_error, &a);
    nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, &a);
    nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, &a);
    nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, any_seq, NULL);
    r = -EIO;
    if (nl_sendto(sock, (void *)(uintptr_t)b->bytes, b->used) < 0)
        goto out;
    while (a.pending > 0)
        if (nl_recvmsgs(sock, cb) < 0 && a.pending > 0)
            goto out;
    *ret = a;
    r = a.error;
out:
    nl_cb_put(cb);
    nl_socket_free(sock);
    return r;
}

/* ---- what the others ask for ---- */

static int protocol_of(enum family family)
{
    return family == FAMILY_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

/* What is asked about: whose chain, and which. */
struct place {
    enum family family;
    enum firewall_kind kind;
    bool nat;
};

static struct batch new_batch(const struct place *p)
{
    bool own = p->kind == FIREWALL_NFTABLES;

    return (struct batch){.table = own      ? NFT_TABLE
                                   : p->nat ? "nat"
                                            : "raw",
                          .chain = own      ? nftrules_chain(p->nat)
                                   : p->nat ? "POSTROUTING"
                                            : "PREROUTING",
                          .seq = 1,
                          .protocol = protocol_of(p->family)};
}

/* 1 if the table or the chain is there, 0 if not. A kernel without nf_tables has neither. */
static int exists(const struct place *p, int type, bool chain, struct answer *ret)
{
    struct batch b = new_batch(p);
    int r = put_request(&b, type, 0, chain);

    if (r == 0)
        r = transact(&b, ret);
    if (r == -ENOENT || r == -EOPNOTSUPP || r == -EINVAL)
        return 0;
    return r < 0 ? r : 1;
}

static bool has(struct batch *b, int type, bool chain)
{
    struct answer a = {0};

    return put_request(b, type, 0, chain) == 0 && transact(b, &a) == 0;
}

bool rawtable_has_firewalld(void)
{
    struct batch own = {.table = "firewalld", .seq = 1, .protocol = NFPROTO_INET};
    struct batch iptables = {.table = "filter",
                             .chain = FIREWALLD_CHAIN,
                             .seq = 1,
                             .protocol = NFPROTO_IPV4};

    return has(&own, NFT_MSG_GETTABLE, false) || has(&iptables, NFT_MSG_GETCHAIN, true);
}

static int look_at(const struct place *p, bool *ret_table, bool *ret_chain)
{
    struct answer a = {0};
    int table = exists(p, NFT_MSG_GETTABLE, false, &a);
    int chain = table > 0 ? exists(p, NFT_MSG_GETCHAIN, true, &a) : 0;

    if (table < 0 || chain < 0)
        return table < 0 ? table : chain;
    *ret_table = table;
    *ret_chain = chain;
    return 0;
}

int rawtable_look(enum family family, enum firewall_kind kind, bool nat, bool *ret_table,
                  bool *ret_chain)
{
    const struct place p = {family, kind, nat};

    return look_at(&p, ret_table, ret_chain);
}

static int remove_batch(const struct place *p, bool chain, bool table)
{
    struct batch b = new_batch(p);
    struct answer a = {0};
    int r = put_frame(&b, NFNL_MSG_BATCH_BEGIN);

    if (r == 0 && chain)
        r = put_request(&b, NFT_MSG_DELCHAIN, NLM_F_NONREC, true);
    if (r == 0 && table)
        r = put_request(&b, NFT_MSG_DELTABLE, NLM_F_NONREC, false);
    if (r == 0)
        r = put_frame(&b, NFNL_MSG_BATCH_END);
    if (r == 0)
        r = transact(&b, &a);
    return r;
}

int rawtable_remove(enum family family, enum firewall_kind kind, bool nat, bool table_too)
{
    const struct place p = {family, kind, nat};
    struct answer a = {0};
    bool table, chain;
    int r = look_at(&p, &table, &chain);

    if (r < 0 || (!chain && !(table && table_too)))
        return r;
    if (chain && (exists(&p, NFT_MSG_GETCHAIN, true, &a) != 1 || !a.accept))
        return -EBUSY; /* somebody has given it a policy: that is a use, too */
    r = remove_batch(&p, chain, table_too);
    if (r == -EBUSY && chain && table_too)
        r = remove_batch(&p, true, false); /* the table holds something else: only the chain */
    return r == -ENOENT ? 0 : r;
}
