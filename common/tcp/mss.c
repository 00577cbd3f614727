/*
 * An MSS option speaks of the fixed headers only: what can be received, less 20 bytes of TCP and 20
 * of IPv4 (40 of IPv6). The sender subtracts its own options (RFC 6691), so two ends need not know
 * of each other's. A node has one device, so the smallest of its MTUs (SHLD-6) is that device's.
 */
#include "tcp/mss.h"

#include "base/bytes.h"
#include "tcp/option.h"

enum {
    MSS_FLOOR = 48, /* bytes: to ask for smaller segments would be an attack on our CPU */
};

/* What a device with this MTU can take, less the fixed headers (MUST-67). */
uint16_t mss_announce(const struct tcp *t, const struct tcb *c)
{
    return addr_is_v4(&c->remote) ? t->mtu_mss : t->mtu_mss6;
}

uint16_t mss_default(const struct addr *remote)
{
    return addr_is_v4(remote) ? TCP_MSS_DEFAULT4 : TCP_MSS_DEFAULT6;
}

/* What of so many bytes behind the fixed headers is left for text. */
static uint16_t text_of(const struct tcb *c, uint32_t size)
{
    uint32_t options = option_always(c) + c->ip_options;

    return (uint16_t)(size > options ? size - options : 1);
}

static uint32_t fixed_headers(const struct tcb *c)
{
    return TCP_HEADER_MIN + (uint32_t)(addr_is_v4(&c->remote) ? IPV4_HEADER_MIN : (int)IPV6_HEADER);
}

void mss_init(const struct tcp *t, struct tcb *c)
{
    c->mss_limit = (uint16_t)min32(mss_default(&c->remote), mss_announce(t, c));
    c->snd_mss = c->rcv_mss = c->mss_limit;
}

/* What leaves on the device is limited by the same MTU as what arrives: MMS_S is MMS_R (MUST-14,
 * MUST-16). */
void mss_take_syn(const struct tcp *t, struct tcb *c, const struct tcp_hdr *syn)
{
    uint32_t said = syn->opt.has_mss ? max32(syn->opt.mss, MSS_FLOOR) : mss_default(&c->remote);

    c->mss_limit = (uint16_t)min32(said, mss_announce(t, c));
    c->snd_mss = text_of(c, c->mss_limit);
}

/* MUST-16, of what the path takes. */
uint16_t mss_of_mtu(const struct tcb *c, uint32_t mtu)
{
    uint32_t headers = fixed_headers(c), path = mtu > headers ? mtu - headers : 0;
    uint16_t most = text_of(c, c->mss_limit);

    return (uint16_t)min32(most, max32(text_of(c, path), MSS_FLOOR));
}

uint32_t mss_packet(const struct tcb *c, uint32_t text)
{
    return fixed_headers(c) + option_always(c) + c->ip_options + text;
}

void mss_settle(struct tcb *c, uint32_t mtu)
{
    c->snd_mss = mss_of_mtu(c, mtu);
}

void mss_ip_options(struct tcb *c, uint32_t bytes)
{
    uint32_t size = (uint32_t)c->snd_mss + c->ip_options;

    c->snd_mss = (uint16_t)(size > bytes ? size - bytes : 1);
    c->ip_options = (uint8_t)bytes;
    c->path_seen = 0; /* which fits it to the path again */
}
