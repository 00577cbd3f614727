#include "run/node_tun.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/exit.h"
#include "run/netlink.h"
#include "run/self.h"

static int exit_code(int error)
{
    switch (error) {
    case -EBUSY:
    case -EINVAL: /* the name belongs to another kind of device */
        return EXIT_FOREIGN;
    case -ENOENT:
    case -ENODEV:
    case -ENXIO:
    case -EACCES:
    case -EPERM:
        return EXIT_PRIVILEGE;
    case -ENAMETOOLONG:
    case -EILSEQ:
        return EXIT_USAGE;
    default:
        return EXIT_FAILED;
    }
}

/* A TUN that we created gets its address and is set up; it goes when we end. */
static int configure(struct node *n)
{
    const struct node_options *opt = n->opt;
    char text[ADDR_TEXT_MAX];
    int r = netlink_configure(opt->tun, &opt->net.addr, opt->net.prefix_len);

    addr_format(&opt->net.addr, text);
    if (r < 0) {
        report_error(&n->report, "%s was created, but giving it %s/%u failed: %s", opt->tun, text,
                     (unsigned)opt->net.prefix_len, strerror(-r));
        device_close(&n->tun.dev);
        return r == -EPERM ? EXIT_PRIVILEGE : EXIT_FAILED;
    }
    report_line(&n->report, "%s did not exist: created it with %s/%u; it goes when this ends",
                opt->tun, text, (unsigned)opt->net.prefix_len);
    return NODE_GO_ON;
}

/* A TUN that exists is left as it is; what would keep packets from passing is said. */
static void check(struct node *n)
{
    const struct node_options *opt = n->opt;
    char text[ADDR_TEXT_MAX], netsetup[SELF_MAX];
    struct netlink *nl;
    struct netlink_link link;

    if (netlink_open(&nl) < 0)
        return;
    if (netlink_link_get(nl, opt->tun, &link) == 0 && !link.up) {
        n->told_down = true;
        (void)team_first(n->team, TEAM_DOWN);
        report_error(&n->report, "%s is down, so nothing will pass; try: ip link set %s up",
                     opt->tun, opt->tun);
    }
    netlink_close(nl);
    addr_format(&opt->net.addr, text);
    if (netlink_addr_present(opt->tun, &opt->net.addr, opt->net.prefix_len) == 0)
        report_error(&n->report,
                     "%s does not have the address %s/%u, so answers may not find their way; try: "
                     "%s status",
                     opt->tun, text, (unsigned)opt->net.prefix_len,
                     self_call("netsetup", netsetup));
    for (unsigned i = 0; i < opt->locals.n; i++)
        if (node_tun_kernel_has(&opt->locals.at[i].addr))
            report_error(&n->report,
                         "%s is this machine's own address, so what is sent to it goes to the "
                         "kernel; give another one by --local",
                         addr_format(&opt->locals.at[i].addr, text));
}

int node_tun_attach(struct node *n)
{
    char netsetup[SELF_MAX];
    bool several = n->opt->queues > 1;
    int r = (several ? tun_open_queue : tun_open)(&n->tun, n->opt->tun, n->opt->leave.wanted,
                                                  &n->packets);

    if (r == -EINVAL && several) {
        report_error(&n->report,
                     "%s is there and takes no several queues; make it anew, as root: %s down, "
                     "then %s up --queues",
                     n->opt->tun, self_call("netsetup", netsetup), netsetup);
        return EXIT_FOREIGN;
    }
    if (r < 0) {
        if (r == -EPERM)
            report_error(&n->report, "%s: %s, once: %s up", n->opt->tun, tun_explain(r),
                         self_call("netsetup", netsetup));
        else
            report_error(&n->report, "%s: %s", n->opt->tun, tun_explain(r));
        return exit_code(r);
    }
    n->dev = &n->tun.dev;
    if (n->queue > 0)
        return NODE_GO_ON; /* the first has looked at the rest */
    offload_tell(&n->report, n->opt->tun, &n->opt->leave, n->tun.dev.offload);
    if (n->tun.created)
        return configure(n);
    check(n);
    return NODE_GO_ON;
}

/* Only to such a one can a socket be bound. */
bool node_tun_kernel_has(const struct addr *a)
{
    struct sockaddr_in to4 = {.sin_family = AF_INET};
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
    bool v4 = addr_is_v4(a), bound;
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(&to6.sin6_addr, a->b, sizeof(to6.sin6_addr));
    if (v4)
        to4.sin_addr.s_addr = htonl(addr_v4_value(a));
    bound = fd >= 0 && (v4 ? bind(fd, (struct sockaddr *)&to4, sizeof(to4))
                           : bind(fd, (struct sockaddr *)&to6, sizeof(to6))) == 0;

    if (fd >= 0)
        close(fd);
    return bound;
}
