/*
 * The user calls for datagrams: UDP (RFC 1122 section 4.1.4), and echo requests of ICMP.
 */
#include <errno.h>

#include "stack/internal.h"

static uint64_t bit_of(int udp)
{
    return UINT64_C(1) << udp;
}

int stack_udp_open(struct stack *st, const struct stack_udp *how)
{
    uint8_t proto = how->echo ? IP_PROTO_ICMP : IP_PROTO_UDP;
    int udp = udp_open(&st->udp, &st->ip, proto, how->local, how->port, how->user), r;

    if (udp < 0 || !how->remote)
        return udp;
    r = udp_connect(&st->udp, &st->ip, udp, how->remote, how->remote_port);
    if (r == 0)
        return udp;
    udp_close(&st->udp, udp);
    return r;
}

int stack_udp_bind(struct stack *st, uint16_t port, void *user)
{
    return udp_bind(&st->udp, port, user);
}

int stack_udp_close(struct stack *st, int udp)
{
    int r = udp_close(&st->udp, udp);

    if (r == 0) {
        st->udp_pending &= ~bit_of(udp);
        st->udp_erred &= ~bit_of(udp);
    }
    return r;
}

int stack_udp_connect(struct stack *st, int udp, const struct addr *remote, uint16_t port)
{
    return udp_connect(&st->udp, &st->ip, udp, remote, port);
}

int stack_udp_settings(const struct stack *st, int udp, struct udp_settings *ret_settings)
{
    return udp_settings(&st->udp, udp, ret_settings);
}

int stack_udp_set(struct stack *st, int udp, const struct udp_settings *settings)
{
    return udp_set(&st->udp, &st->ip, udp, settings);
}

static int receive(struct stack *st, int udp, bool several, struct stack_datagram *ret_dgram)
{
    struct udp_dgram d;
    int r = udp_receive(&st->udp, udp, several, &d);

    if (r == 0)
        *ret_dgram = (struct stack_datagram){
            .addr = d.remote,
            .port = d.remote_port,
            .data = d.data,
            .each = d.each,
            .local = d.local,
            .route = d.route,
            .ttl = d.ttl,
            .tos = d.tos,
            .options = d.options,
        };
    return r;
}

int stack_udp_receive(struct stack *st, int udp, struct stack_datagram *ret_dgram)
{
    return receive(st, udp, false, ret_dgram);
}

int stack_udp_receive_several(struct stack *st, int udp, struct stack_datagram *ret_dgram)
{
    return receive(st, udp, true, ret_dgram);
}

int stack_udp_send(struct stack *st, int udp, const struct stack_datagram *dgram)
{
    const struct udp_socket *s = udp_lookup(&st->udp, udp);
    struct udp_dgram d = {
        .local = dgram->local,
        .remote = dgram->addr,
        .remote_port = dgram->port,
        .data = dgram->data,
        .each = dgram->each,
        .route = dgram->route,
    };

    if (s && s->proto == IP_PROTO_ICMP)
        return echo_send(&st->udp, &st->ip, udp, &d);
    return udp_send(&st->udp, &st->ip, udp, &d);
}

int stack_udp_error(struct stack *st, int udp, struct udp_error *ret_error)
{
    return udp_error(&st->udp, udp, ret_error);
}

int stack_udp_status(const struct stack *st, int udp, struct udp_status *ret_status)
{
    return udp_status(&st->udp, udp, ret_status);
}

const struct addr *stack_udp_source(const struct stack *st, int udp, const struct addr *remote)
{
    struct udp_status s;

    if (udp_status(&st->udp, udp, &s) < 0)
        return NULL;
    if (addr_is_unspecified(&s.local))
        return ip_source_for(&st->ip, remote);
    return addr_is_v4(&s.local) == addr_is_v4(remote) ? &st->udp.socket[udp].local : NULL;
}

int stack_udp_room(struct stack *st, int udp, const struct addr *remote)
{
    return udp_room(&st->udp, &st->ip, udp, remote);
}

void stack_udp_advise(struct stack *st)
{
    ip_negative_advice(&st->ip);
}
