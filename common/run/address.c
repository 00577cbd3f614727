#include "run/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/bytes.h"

enum {
    PREFIX4_MAX = 30, /* bits: two hosts are left */
    PREFIX6_MAX = 126,
};

int parse_addr4(const char *text, struct addr *ret_addr)
{
    uint8_t b[4];

    if (inet_pton(AF_INET, text, b) != 1)
        return -EINVAL;
    *ret_addr = addr_v4_bytes(b);
    return 0;
}

int parse_addr(const char *text, struct addr *ret_addr)
{
    struct addr a;

    if (parse_addr4(text, ret_addr) == 0)
        return 0;
    if (inet_pton(AF_INET6, text, a.b) != 1 || addr_is_v4(&a))
        return -EINVAL;
    *ret_addr = a;
    return 0;
}

/* NULL, or what is wrong with `v` (host order) as the address of a host in its subnet. */
static const char *why_not_host4(uint32_t v, unsigned prefix_len)
{
    uint32_t host = v & (UINT32_MAX >> prefix_len);

    if (v >> 24 == 0 || v >> 24 == 127 || v >> 24 >= 224)
        return "holds no address that a host can have (0/8, 127/8 and 224/3 are reserved)";
    if (host == 0)
        return "names the subnet itself: choose a host in it, as in 10.0.0.1/24";
    if (host == UINT32_MAX >> prefix_len)
        return "names the subnet's broadcast address: choose a host in it, as in 10.0.0.1/24";
    return NULL;
}

static bool bit_is_set(const struct addr *a, unsigned bit)
{
    return a->b[bit / 8] >> (7 - bit % 8) & 1;
}

static const char *why_not_host6(const struct addr *a, unsigned prefix_len)
{
    unsigned bit = prefix_len;

    if (addr_is_unspecified(a) || addr_is_loopback(a) || addr_is_multicast(a))
        return "holds no address that a host can have (::, ::1 and ff00::/8 are reserved)";
    if (addr_is_link_local6(a))
        return "is link-local, and nobody routes such packets: take one as in fd00::1/64";
    while (bit < 128 && !bit_is_set(a, bit))
        bit++;
    if (bit == 128)
        return "names the subnet itself: choose a host in it, as in fd00::1/64";
    return NULL;
}

static const char *why_not_host(const struct cidr *c)
{
    return addr_is_v4(&c->addr) ? why_not_host4(addr_v4_value(&c->addr), c->prefix_len)
                                : why_not_host6(&c->addr, c->prefix_len);
}

/* 1 to `max`, without leading zeros; 0: it is not. */
static unsigned read_prefix(const char *p, unsigned max)
{
    unsigned v = 0;

    if (*p == '0')
        return 0;
    for (; *p >= '0' && *p <= '9' && v <= max; p++)
        v = v * 10 + (unsigned)(*p - '0');
    return *p == '\0' && v <= max ? v : 0;
}

int parse_cidr(const char *text, struct cidr *ret_cidr, const char **ret_why)
{
    const char *slash = strchr(text, '/');
    char address[ADDR_TEXT_MAX];
    struct cidr c;
    bool v4;

    *ret_why = "needs a prefix length behind a '/', as in 10.0.0.1/24";
    if (!slash)
        return -EINVAL;
    *ret_why = "does not begin with an address, as in 10.0.0.1/24 or fd00::1/64";
    if ((size_t)(slash - text) >= sizeof(address))
        return -EINVAL;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    if (parse_addr(address, &c.addr) < 0)
        return -EINVAL;
    v4 = addr_is_v4(&c.addr);
    *ret_why = v4 ? "needs a prefix length from 1 to 30, as in 10.0.0.1/24"
                  : "needs a prefix length from 1 to 126, as in fd00::1/64";
    c.prefix_len = (uint8_t)read_prefix(slash + 1, v4 ? PREFIX4_MAX : PREFIX6_MAX);
    if (c.prefix_len == 0)
        return -EINVAL;
    *ret_why = why_not_host(&c);
    if (*ret_why)
        return -EINVAL;
    *ret_cidr = c;
    return 0;
}

static bool host_number4(const struct cidr *net, uint32_t number, struct addr *ret_addr)
{
    uint32_t hosts = UINT32_MAX >> net->prefix_len;

    if (number >= hosts)
        return false;
    *ret_addr = addr_v4((addr_v4_value(&net->addr) & ~hosts) + number);
    return true;
}

static bool host_number6(const struct cidr *net, uint32_t number, struct addr *ret_addr)
{
    unsigned bits = 128 - net->prefix_len;
    struct addr a = net->addr;

    if (bits < 32 && number >> bits)
        return false;
    for (unsigned bit = net->prefix_len; bit < 128; bit++)
        a.b[bit / 8] &= (uint8_t) ~(1U << (7 - bit % 8));
    put32(a.b + 12, get32(a.b + 12) | number);
    *ret_addr = a;
    return true;
}

bool cidr_host_number(const struct cidr *net, uint32_t number, struct addr *ret_addr)
{
    struct addr a;
    bool fits =
        addr_is_v4(&net->addr) ? host_number4(net, number, &a) : host_number6(net, number, &a);

    if (!fits || addr_eq(&a, &net->addr))
        return false;
    *ret_addr = a;
    return true;
}

unsigned cidrs_like(const struct cidr_list *list, const struct addr *a)
{
    unsigned n = 0;

    for (unsigned i = 0; i < list->n; i++)
        n += addr_is_v4(&list->at[i].addr) == addr_is_v4(a);
    return n;
}

const struct addr *cidrs_next(const struct cidr_list *list, const struct addr *a, uint32_t *turn)
{
    for (unsigned i = 0; i < list->n; i++) {
        const struct addr *next = &list->at[(*turn)++ % list->n].addr;

        if (addr_is_v4(next) == addr_is_v4(a))
            return next;
    }
    return NULL;
}
