/*
 * Addresses: the mapped form of IPv4, the kinds that are never a node's own, and the text form.
 *
 * Whoever asks for a kind gets one answer for both versions. The text form is written digit by
 * digit, because it is made for every packet line.
 */
#include "wire/addr.h"

enum {
    GROUPS = 8, /* of 16 bits in an IPv6 address */
};

struct addr addr_v4(uint32_t host_order)
{
    uint8_t b[4];

    put32(b, host_order);
    return addr_v4_bytes(b);
}

/* Is it 00...00`last`? */
static bool is_v6_small(const struct addr *a, uint8_t last)
{
    const struct addr small = {.b = {[15] = last}};

    return addr_eq(a, &small);
}

bool addr_is_unspecified(const struct addr *a)
{
    return addr_is_v4(a) ? addr_v4_value(a) == 0 : is_v6_small(a, 0);
}

bool addr_is_loopback(const struct addr *a)
{
    return addr_is_v4(a) ? addr_v4_value(a) >> 24 == 127 : is_v6_small(a, 1);
}

bool addr_is_multicast(const struct addr *a)
{
    return addr_is_v4(a) ? addr_v4_value(a) >> 28 == 0xe : a->b[0] == 0xff;
}

bool addr_is_link_local6(const struct addr *a)
{
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool addr_is_limited_broadcast(const struct addr *a)
{
    return addr_is_v4(a) && addr_v4_value(a) == 0xffffffff;
}

/* Write v in this base without leading zeros; returns where the next character goes. */
static char *put_number(char *out, unsigned v, unsigned base)
{
    if (v >= base)
        out = put_number(out, v / base, base);
    *out++ = "0123456789abcdef"[v % base];
    return out;
}

static char *put_v4(char *out, const uint8_t b[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *out++ = '.';
        out = put_number(out, b[i], 10);
    }
    return out;
}

static unsigned group(const struct addr *a, int i)
{
    return get16(a->b + 2 * i);
}

/* The longest run of two or more zero groups, the first of equals; its length is 0 if none is. */
static int zero_run(const struct addr *a, int *ret_len)
{
    int best = 0, best_len = 0;

    for (int i = 0; i < GROUPS; i++) {
        int len = 0;

        while (i + len < GROUPS && group(a, i + len) == 0)
            len++;
        if (len > best_len && len >= 2) {
            best = i;
            best_len = len;
        }
        i += len;
    }
    *ret_len = best_len;
    return best;
}

/* RFC 5952 section 4: lower case, no leading zeros, "::" for the longest run of zeros. */
static char *put_v6(char *out, const struct addr *a)
{
    int run_len;
    int run = zero_run(a, &run_len);

    for (int i = 0; i < GROUPS;) {
        if (run_len > 0 && i == run) {
            *out++ = ':';
            *out++ = ':';
            i += run_len;
            continue;
        }
        if (i > 0 && !(run_len > 0 && i == run + run_len))
            *out++ = ':';
        out = put_number(out, group(a, i), 16);
        i++;
    }
    return out;
}

const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    char *end = addr_is_v4(a) ? put_v4(out, a->b + ADDR_V4_AT) : put_v6(out, a);

    *end = '\0';
    return out;
}

const char *addr_port_format(const struct addr *a, uint16_t port, char out[ADDR_PORT_TEXT_MAX])
{
    bool v6 = !addr_is_v4(a);
    char *end = out;

    if (v6)
        *end++ = '[';
    end = v6 ? put_v6(end, a) : put_v4(end, a->b + ADDR_V4_AT);
    if (v6)
        *end++ = ']';
    *end++ = ':';
    end = put_number(end, port, 10);
    *end = '\0';
    return out;
}
