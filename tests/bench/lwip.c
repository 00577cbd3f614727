/*
 * lwIP, as Debian's library has it, on the same two TUNs, through its raw interface and from one
 * thread, as its authors recommend for speed.
 *
 *   lwip serve|bulk|rr TUN ADDRESS REMOTE SECONDS
 *
 * `serve` discards at port 9 and echoes at port 7, says "listening", and runs until it is ended;
 * bulk and rr are what `kernel` and `client` do under these names. Without lwIP's headers at build
 * time all of it is skipped.
 */
#include "tests/bench/kit.h"

#if __has_include(<lwip/init.h>)

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>

#include <lwip/init.h>
#include <lwip/ip4.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>

enum {
    MTU = 1500,
    PORT_ECHO = 7,
    PORT_DISCARD = 9,
    BATCH = 32,   /* packets read before output and timers have their turn */
    PIECE = 8192, /* bytes offered at a time */
    TICK = 10,    /* ms, at the most, between looks at lwIP's timers */
};

static struct {
    int fd;
    struct netif netif;
    struct tcp_pcb *pcb; /* of a client */
    bool bulk, closed, over;
    int64_t ns, began, ended;
    uint64_t sent, trips;
} node;

static const uint8_t piece[PIECE];

/* ---- The device ---- */

static err_t write_packet(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    (void)netif;
    (void)to;
    while (write(node.fd, p->payload, p->tot_len) < 0) {
        if (errno != EAGAIN && errno != ENOBUFS)
            kit_fail("write");
    }
    return ERR_OK;
}

static err_t netif_begin(struct netif *netif)
{
    netif->name[0] = 't';
    netif->name[1] = 'n';
    netif->output = write_packet;
    netif->mtu = MTU;
    return ERR_OK;
}

static void open_tun(const char *name)
{
    struct ifreq req = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI)};

    snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
    node.fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (node.fd < 0 || ioctl(node.fd, TUNSETIFF, &req) < 0)
        kit_fail(name);
}

static void read_packets(void)
{
    uint8_t in[MTU];

    for (int i = 0; i < BATCH; i++) {
        ssize_t n = read(node.fd, in, sizeof(in));
        struct pbuf *p;

        if (n < 0)
            return;
        p = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM);
        if (!p)
            return;
        pbuf_take(p, in, (u16_t)n);
        if (node.netif.input(p, &node.netif) != ERR_OK)
            pbuf_free(p);
    }
}

static void turn(void)
{
    struct pollfd p = {.fd = node.fd, .events = POLLIN};
    u32_t ms = sys_timeouts_sleeptime();

    poll(&p, 1, ms < TICK ? (int)ms : TICK);
    read_packets();
    sys_check_timeouts();
}

/* ---- The server ---- */

static err_t served(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)err;
    if (!p) {
        tcp_close(pcb);
        return ERR_OK;
    }
    if (arg) {
        tcp_write(pcb, p->payload, p->len, TCP_WRITE_FLAG_COPY);
        tcp_output(pcb);
    }
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)err;
    tcp_arg(pcb, arg);
    tcp_nagle_disable(pcb);
    tcp_recv(pcb, served);
    return ERR_OK;
}

static void listen_on(u16_t port, void *arg)
{
    struct tcp_pcb *pcb = tcp_new();

    if (!pcb || tcp_bind(pcb, IP_ANY_TYPE, port) != ERR_OK)
        kit_fail("bind");
    pcb = tcp_listen(pcb);
    tcp_arg(pcb, arg);
    tcp_accept(pcb, accepted);
}

/* ---- The client ---- */

static void send_bulk(void)
{
    while (!node.closed) {
        u16_t room = tcp_sndbuf(node.pcb), n = room < PIECE ? room : PIECE;

        if (clock_now() >= node.began + node.ns) {
            node.closed = true;
            tcp_shutdown(node.pcb, 0, 1);
            break;
        }
        if (n == 0 || tcp_write(node.pcb, piece, n, 0) != ERR_OK) /* by reference */
            break;
        node.sent += n;
    }
    tcp_output(node.pcb);
}

static err_t acknowledged(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    (void)arg;
    (void)pcb;
    (void)len;
    if (node.bulk && !node.closed)
        send_bulk();
    return ERR_OK;
}

static err_t came(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg;
    (void)err;
    if (!p) {
        node.ended = clock_now();
        node.over = true;
        return ERR_OK;
    }
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    node.trips++;
    node.ended = clock_now();
    if (node.ended >= node.began + node.ns) {
        node.over = true;
        return ERR_OK;
    }
    tcp_write(pcb, piece, 1, TCP_WRITE_FLAG_COPY);
    tcp_output(pcb);
    return ERR_OK;
}

static err_t connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    (void)err;
    node.began = clock_now();
    tcp_nagle_disable(pcb);
    tcp_sent(pcb, acknowledged);
    tcp_recv(pcb, came);
    if (node.bulk) {
        send_bulk();
    } else {
        tcp_write(pcb, piece, 1, TCP_WRITE_FLAG_COPY);
        tcp_output(pcb);
    }
    return ERR_OK;
}

static void failed(void *arg, err_t err)
{
    (void)arg;
    fprintf(stderr, "bench: lwIP's connection ended (%d)\n", err);
    exit(EXIT_FAILED);
}

static void client(const ip_addr_t *remote)
{
    node.pcb = tcp_new();
    tcp_err(node.pcb, failed);
    tcp_connect(node.pcb, remote, node.bulk ? PORT_DISCARD : PORT_ECHO, connected);
    while (!node.over)
        turn();
    if (node.bulk)
        kit_say_rate(node.sent, node.ended - node.began);
    else
        printf("us %.3f\n", (double)(node.ended - node.began) / (double)node.trips / 1000.0);
    tcp_err(node.pcb, NULL);
    tcp_abort(node.pcb);
}

static void serve(void)
{
    listen_on(PORT_DISCARD, NULL);
    listen_on(PORT_ECHO, &node);
    printf("listening\n");
    fflush(stdout);
    for (;;)
        turn();
}

int main(int argc, char **argv)
{
    ip4_addr_t local, mask, none = {0};
    ip_addr_t remote;
    struct netif *netif = &node.netif;

    if (argc != 6 || !ip4addr_aton(argv[3], &local) || !ipaddr_aton(argv[4], &remote)) {
        fprintf(stderr, "bench: lwip serve|bulk|rr TUN ADDRESS REMOTE SECONDS\n");
        return EXIT_USAGE;
    }
    alarm(KIT_LIFE);
    node.ns = kit_seconds(argv[5]);
    node.bulk = strcmp(argv[1], "bulk") == 0;
    open_tun(argv[2]);
    lwip_init();
    IP4_ADDR(&mask, 255, 255, 255, 0);
    netif_add(netif, &local, &mask, &none, NULL, netif_begin, ip4_input);
    netif_set_default(netif);
    netif_set_link_up(netif);
    netif_set_up(netif);
    if (strcmp(argv[1], "serve") == 0)
        serve();
    client(&remote);
    return EXIT_DONE;
}

#else

int main(void)
{
    printf("skip lwIP's headers were not there when this was built: netsetup/deps.sh extra\n");
    return EXIT_SKIPPED;
}

#endif
