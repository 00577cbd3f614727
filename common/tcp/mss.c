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

void mss_init(const struct tcp *t, struct tcb *c)
{
    c->snd_mss = c->rcv_mss = (uint16_t)min32(mss_default(&c->remote), mss_announce(t, c));
}

/* What leaves on the device is limited by the same MTU as what arrives: MMS_S is MMS_R (MUST-14,
 * MUST-16). */
void mss_take_syn(const struct tcp *t, struct tcb *c, const struct tcp_hdr *syn)
{
    uint32_t said = syn->opt.has_mss ? max32(syn->opt.mss, MSS_FLOOR) : mss_default(&c->remote);
    uint32_t size = min32(said, mss_announce(t, c)), options = option_always(c) + c->ip_options;

    c->snd_mss = (uint16_t)(size > options ? size - options : 1);
}

bool mss_lower(struct tcb *c, uint32_t mtu)
{
    uint32_t header = addr_is_v4(&c->remote) ? IPV4_HEADER_MIN : IPV6_HEADER;
    uint32_t size = header + TCP_HEADER_MIN + option_always(c) + c->ip_options;

    size = max32(mtu > size ? mtu - size : 0, MSS_FLOOR);
    if (size >= c->snd_mss)
        return false;
    c->snd_mss = (uint16_t)size;
    return true;
}

void mss_ip_options(struct tcb *c, uint32_t bytes)
{
    uint32_t size = (uint32_t)c->snd_mss + c->ip_options;

    c->snd_mss = (uint16_t)(size > bytes ? size - bytes : 1);
    c->ip_options = (uint8_t)bytes;
}
