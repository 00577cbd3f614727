/*
 * Sockets, and datagrams that come.
 *
 * There are so few sockets that all of them are looked at for each datagram. One that is bound to
 * the address, as a connected one always is, goes before one that is bound to all; and of each kind
 * there is one at most, because no two are bound alike.
 *
 * What strangers can make us keep is bounded in three ways: the queue of each socket, by number;
 * the buffers that a device reads into, and those that fragments are put together in, of which
 * datagrams hold no more than half; and the buffers for copies, by the number of sockets and the
 * length of their queues.
 */
#include "ip/udp.h"

#include <errno.h>
#include <string.h>

#include "base/chunk.h"
#include "ip/train.h"

enum {
    PORT_FIRST = 49152, /* of those that are chosen (RFC 6335 section 6) */
    PORT_COUNT = 16384,
    IDENTIFIERS = 65535, /* of echo requests: all but 0 */
};

struct udp_socket *udp_lookup(struct udp *u, int socket)
{
    if (socket < 0 || socket >= UDP_SOCKETS_MAX || !u->socket[socket].in_use)
        return NULL;
    return &u->socket[socket];
}

static const struct udp_socket *look(const struct udp *u, int socket)
{
    if (socket < 0 || socket >= UDP_SOCKETS_MAX || !u->socket[socket].in_use)
        return NULL;
    return &u->socket[socket];
}

/* ---- Sockets ---- */

/* Two that are bound alike would never know which of them a datagram is for. */
static bool is_taken(const struct udp *u, uint8_t proto, const struct addr *local, uint16_t port)
{
    for (int i = 0; i < UDP_SOCKETS_MAX; i++) {
        const struct udp_socket *s = &u->socket[i];

        if (s->in_use && s->proto == proto && s->port == port && addr_eq(&s->local, local))
            return true;
    }
    return false;
}

static int first_free(const struct udp *u)
{
    for (int i = 0; i < UDP_SOCKETS_MAX; i++)
        if (!u->socket[i].in_use)
            return i;
    return -ENFILE;
}

/* Is there any socket with this port, whatever its address? */
static bool is_used(const struct udp *u, uint8_t proto, uint16_t port)
{
    for (int i = 0; i < UDP_SOCKETS_MAX; i++)
        if (u->socket[i].in_use && u->socket[i].proto == proto && u->socket[i].port == port)
            return true;
    return false;
}

/* At random (RFC 6056 section 3.3.1); fewer sockets than ports, so there is one. */
static uint16_t pick_port(const struct udp *u, struct ip_node *n, uint8_t proto)
{
    uint32_t first = proto == IP_PROTO_UDP ? PORT_FIRST : 1;
    uint32_t count = proto == IP_PROTO_UDP ? PORT_COUNT : IDENTIFIERS;
    uint32_t at = unguessable_below(&n->random, count);

    while (is_used(u, proto, (uint16_t)(first + at)))
        at = (at + 1) % count;
    return (uint16_t)(first + at);
}

static int take(struct udp *u, uint8_t proto, const struct addr *local, uint16_t port, void *user)
{
    struct udp_socket *s;
    int i;

    if (is_taken(u, proto, local, port))
        return -EADDRINUSE;
    i = first_free(u);
    if (i < 0)
        return i;
    s = &u->socket[i];
    /* what the queues had before is not read again, so they are not touched */
    s->in_use = true;
    s->proto = proto;
    s->local = *local;
    s->port = port;
    s->remote = (struct addr){{0}};
    s->remote_port = 0;
    s->connected = false;
    s->error = 0;
    s->user = user;
    s->set = (struct udp_settings){0};
    s->sent = s->received = s->dropped = s->erred = 0;
    s->head = s->tail = s->error_head = s->error_tail = 0;
    return i;
}

int udp_bind(struct udp *u, uint16_t port, void *user)
{
    struct addr all = {{0}};

    return port ? take(u, IP_PROTO_UDP, &all, port, user) : -EINVAL;
}

int udp_open(struct udp *u, struct ip_node *n, uint8_t proto, const struct addr *local,
             uint16_t port, void *user)
{
    struct addr all = {{0}};

    if (local && !addr_is_unspecified(local) && !ip_is_local(n, local))
        return -EADDRNOTAVAIL;
    if (first_free(u) < 0)
        return -ENFILE;
    return take(u, proto, local ? local : &all, port ? port : pick_port(u, n, proto), user);
}

int udp_connect(struct udp *u, const struct ip_node *n, int socket, const struct addr *remote,
                uint16_t port)
{
    struct udp_socket *s = udp_lookup(u, socket);
    bool any = s && addr_is_unspecified(&s->local);
    const struct addr *local;

    if (!s)
        return -EBADF;
    s->error = 0;
    if (!remote) {
        s->connected = false;
        return 0;
    }
    if ((port == 0 && s->proto == IP_PROTO_UDP) || !ip_valid_remote(n, remote))
        return -EINVAL;
    local = any ? ip_source_for(n, remote) : &s->local;
    if (!local || addr_is_v4(local) != addr_is_v4(remote))
        return -EADDRNOTAVAIL;
    if (any && is_taken(u, s->proto, local, s->port))
        return -EADDRINUSE;
    s->local = *local;
    s->remote = *remote;
    s->remote_port = port;
    s->connected = true;
    return 0;
}

int udp_close(struct udp *u, int socket)
{
    struct udp_socket *s = udp_lookup(u, socket);

    if (!s)
        return -EBADF;
    for (; s->head != s->tail; s->head++)
        buf_unref(s->queue[s->head % UDP_QUEUE].data.buf);
    s->in_use = false;
    return 0;
}

int udp_set(struct udp *u, const struct ip_node *n, int socket, const struct udp_settings *set)
{
    struct udp_socket *s = udp_lookup(u, socket);
    struct ip_option_places at;

    if (!s)
        return -EBADF;
    if (set->dscp > 63 || set->options.len > IPV4_OPTIONS_MAX || !ip_valid_route(n, &set->route) ||
        set->options.len + ip_route_len(&set->route) > IPV4_OPTIONS_MAX)
        return -EINVAL;
    if (ip_options_walk(set->options.b, set->options.len, &at) || at.route)
        return -EINVAL;
    s->set = *set;
    return 0;
}

int udp_settings(const struct udp *u, int socket, struct udp_settings *ret_set)
{
    const struct udp_socket *s = look(u, socket);

    if (!s)
        return -EBADF;
    *ret_set = s->set;
    return 0;
}

/* Datagrams that wait to be read. */
static uint32_t waiting(const struct udp_socket *s)
{
    uint32_t n = 0;

    for (uint32_t i = s->head; i != s->tail; i++)
        n += train_count(s->queue[i % UDP_QUEUE].data.len, s->queue[i % UDP_QUEUE].each);
    return n;
}

int udp_status(const struct udp *u, int socket, struct udp_status *ret_status)
{
    const struct udp_socket *s = look(u, socket);

    if (!s)
        return -EBADF;
    *ret_status = (struct udp_status){
        .local = s->local,
        .port = s->port,
        .waiting = waiting(s),
        .sent = s->sent,
        .received = s->received,
        .dropped = s->dropped,
        .errors = s->erred,
    };
    if (s->connected) {
        ret_status->remote = s->remote;
        ret_status->remote_port = s->remote_port;
    }
    return 0;
}

/* ---- In ---- */

/* Could a datagram between these ends be for the socket, by what it knows of addresses? */
static bool fits(const struct udp_socket *s, const struct addr *local, const struct addr *remote,
                 uint16_t remote_port)
{
    if (!addr_is_unspecified(&s->local) && !addr_eq(&s->local, local))
        return false;
    if (!s->connected)
        return true;
    return (s->proto != IP_PROTO_UDP || s->remote_port == remote_port) &&
           addr_eq(&s->remote, remote);
}

struct udp_socket *udp_find(struct udp *u, uint8_t proto, const struct addr *local, uint16_t port,
                            const struct addr *remote, uint16_t remote_port)
{
    struct udp_socket *any = NULL;

    for (int i = 0; i < UDP_SOCKETS_MAX; i++) {
        struct udp_socket *s = &u->socket[i];

        if (!s->in_use || s->proto != proto || s->port != port ||
            !fits(s, local, remote, remote_port))
            continue;
        if (!addr_is_unspecified(&s->local))
            return s;
        any = s;
    }
    return any;
}

/* How many buffers of that pool wait in the socket's queue. */
static uint32_t held_by(const struct udp_socket *s, const struct buf_pool *pool)
{
    uint32_t held = 0;

    for (uint32_t i = s->head; i != s->tail; i++)
        held += s->queue[i % UDP_QUEUE].data.buf->pool == pool;
    return held;
}

/*
 * May one more of the pool's buffers wait in this queue? What waits for its fragments does not
 * count: it makes room. Nobody has more than is left of the half to others, so a few sockets that
 * are not read take nothing from those that are.
 */
static bool may_hold(const struct udp_socket *s, const struct buf_pool *pool)
{
    uint32_t half = pool->count / 2, held = pool->in_use - pool->yielding;

    return held <= half && held_by(s, pool) <= half - held;
}

static bool keep_data(const struct udp_socket *s, struct slice data, struct buf_pool *small,
                      struct slice *ret_data)
{
    if (data.buf && data.len > CHUNK_COPY_BREAK && !may_hold(s, data.buf->pool))
        data.buf = NULL; /* a copy, if that is possible */
    return slice_keep(data, small, CHUNK_COPY_BREAK, ret_data);
}

enum reason udp_keep(struct udp_socket *s, struct ip_node *n, const struct ip_hdr *ip,
                     struct slice data, uint32_t each, uint16_t remote_port)
{
    uint32_t count = train_count(data.len, each);
    struct udp_dgram *d = &s->queue[s->tail % UDP_QUEUE];
    enum reason why = REASON_NONE;

    if (s->tail - s->head == UDP_QUEUE)
        why = REASON_UDP_QUEUE_FULL;
    else if (!keep_data(s, data, n->small, &d->data))
        why = REASON_NO_BUFFER;
    if (why) {
        s->dropped += count;
        return why;
    }
    d->each = each;
    d->local = ip->dst;
    d->remote = ip->src;
    d->remote_port = remote_port;
    d->ttl = ip->ttl;
    d->tos = ip->tos;
    d->options.len = ip->options_len; /* RFC 1122 section 4.1.3.2: all of them */
    if (ip->options_len)
        memcpy(d->options.b, ip->options, ip->options_len);
    d->route = (struct ip_route){0};
    (void)ip_route_back(ip, &d->route); /* ip_accept has seen that there is one */
    s->tail++;
    s->received += count;
    return REASON_NONE;
}

/*
 * Into how many bytes each these are to be cut, in *ret_each; 0: they are one datagram. A device
 * whose marks contradict the headers is not believed: nobody knows then what was sent.
 */
static enum reason cut_of(const struct pkt *p, const struct slice *segment,
                          const struct udp_hdr *udp, uint32_t *ret_each)
{
    uint32_t len = udp->len - (uint32_t)UDP_HEADER, each = p->gso_size;

    *ret_each = 0;
    if (!(p->marks & PKT_DATAGRAMS))
        return REASON_NONE;
    if (each == 0 || each > len || udp->len != segment->len ||
        train_count(len, each) > TRAIN_INPUT_MAX)
        return REASON_UDP_SUPER;
    *ret_each = each < len ? each : 0;
    return REASON_NONE;
}

enum reason udp_input(struct udp *u, struct ip_node *n, const struct ip_hdr *ip,
                      struct slice segment, const struct pkt *p, int *ret_socket)
{
    struct udp_hdr udp;
    struct udp_socket *s;
    uint32_t each;
    enum reason why = udp_parse(ip, segment.base, segment.len, p->marks, &udp);

    if (why)
        return why;
    why = cut_of(p, &segment, &udp, &each);
    if (why)
        return why;
    s = udp_find(u, IP_PROTO_UDP, &ip->dst, udp.dport, &ip->src, udp.sport);
    if (!s)
        return REASON_UDP_NO_SOCKET;
    if (s->set.checksum_needed && udp.no_checksum)
        return REASON_UDP_NO_CHECKSUM;
    segment = slice_sub(segment, UDP_HEADER, udp.len - (uint32_t)UDP_HEADER);
    why = udp_keep(s, n, ip, segment, each, udp.sport);
    if (why == REASON_NONE)
        *ret_socket = (int)(s - u->socket);
    return why;
}

/* The first datagram of what waits in *d; it stays there without it. */
static void cut_first(struct udp_dgram *d, struct udp_dgram *ret_dgram)
{
    *ret_dgram = *d;
    ret_dgram->data = slice_sub(d->data, 0, d->each);
    ret_dgram->each = 0;
    buf_ref(d->data.buf);
    d->data = slice_sub(d->data, d->each, d->data.len - d->each);
    if (d->data.len <= d->each)
        d->each = 0;
}

int udp_receive(struct udp *u, int socket, bool several, struct udp_dgram *ret_dgram)
{
    struct udp_socket *s = udp_lookup(u, socket);
    struct udp_dgram *first;
    int r;

    if (!s)
        return -EBADF;
    r = s->error;
    s->error = 0;
    if (r)
        return r;
    if (s->head == s->tail)
        return -EAGAIN;
    first = &s->queue[s->head % UDP_QUEUE];
    if (first->each && !several) {
        cut_first(first, ret_dgram);
        return 0;
    }
    *ret_dgram = *first;
    s->head++;
    return 0;
}

/* ---- Errors ---- */

/* What a connected socket's next call returns: as other stacks have it. */
static int errno_of(const struct icmp_meaning *m)
{
    if (m->class == ICMP_TOO_BIG)
        return -EMSGSIZE;
    if (m->class != ICMP_HARD)
        return 0;
    if (m->why == REASON_ICMP_HARD_PORT)
        return -ECONNREFUSED;
    return m->why == REASON_ICMP_HARD_PROTOCOL ? -ENOPROTOOPT : -EACCES;
}

enum reason udp_icmp_error(struct udp *u, const struct icmp_error *e, int *ret_socket)
{
    uint8_t proto = e->proto == IP_PROTO_UDP ? IP_PROTO_UDP : IP_PROTO_ICMP;
    struct udp_socket *s = udp_find(u, proto, &e->local, e->local_port, &e->remote, e->remote_port);

    if (!s)
        return REASON_UDP_ERROR_STRAY;
    s->erred++;
    if (s->connected && (e->meaning.class != ICMP_TOO_BIG || s->set.df))
        s->error = errno_of(&e->meaning);
    *ret_socket = (int)(s - u->socket);
    if (s->error_tail - s->error_head == UDP_ERRORS)
        return REASON_UDP_ERRORS_FULL;
    s->errors[s->error_tail++ % UDP_ERRORS] = (struct udp_error){
        .local = e->local,
        .remote = e->remote,
        .remote_port = e->remote_port,
        .from = e->from,
        .type = e->type,
        .code = e->code,
        .mtu = e->mtu,
        .why = (uint16_t)e->meaning.why,
        .hard = e->meaning.class == ICMP_HARD,
    };
    return REASON_NONE;
}

int udp_error(struct udp *u, int socket, struct udp_error *ret_error)
{
    struct udp_socket *s = udp_lookup(u, socket);

    if (!s)
        return -EBADF;
    if (s->error_head == s->error_tail)
        return -EAGAIN;
    *ret_error = s->errors[s->error_head++ % UDP_ERRORS];
    return 0;
}
