/* ICMPv6 messages as text: echo, errors, and what a kernel sends to its neighbours by itself. */
#include "base/bytes.h"
#include "wire/icmp.h"
#include "wire/ip6.h"
#include "wire/print_parts.h"

enum {
    TARGET_END = 24, /* bytes of a message that names an address behind its header */
    REDIRECT_END = 40,
};

static const char *address_at(const uint8_t *b, char out[ADDR_TEXT_MAX])
{
    struct addr a;

    memcpy(a.b, b, sizeof(a.b));
    return addr_format(&a, out);
}

/* "fd00::5 udp port 9"; false if the quote does not reach to the ports */
static bool print_port(struct text *t, const uint8_t *quote, size_t len, const char *dst)
{
    struct ip_hdr ip;
    bool known;

    known = ip_parse_quote(quote, len, &ip) && ip.frag_off == 0 && len - ip.header_len >= 4 &&
            (ip.proto == IP_PROTO_TCP || ip.proto == IP_PROTO_UDP);
    if (known)
        text_add(t, ", %s %s port %u", dst, ip.proto == IP_PROTO_TCP ? "tcp" : "udp",
                 get16(quote + ip.header_len + 2));
    return known;
}

/* False if the quote that has to be named is cut short. */
static bool print_unreachable(struct text *t, unsigned code, const uint8_t *quote, size_t len)
{
    static const char *const words[] = {"unreachable route", " unreachable prohibited",
                                        "beyond scope", "unreachable address", "unreachable port"};
    char dst[ADDR_TEXT_MAX], src[ADDR_TEXT_MAX];

    text_add(t, "destination unreachable, ");
    if (code > ICMP6_UNREACH_PORT) {
        text_add(t, "unknown unreach code (%u)", code);
        return true;
    }
    text_add(t, "%s", words[code]);
    if (len < IPV6_HEADER)
        return false;
    address_at(quote + 24, dst);
    if (code == ICMP6_UNREACH_PORT)
        return print_port(t, quote, len, dst);
    text_add(t, " %s", dst);
    if (code == ICMP6_UNREACH_SCOPE)
        text_add(t, ", source address %s", address_at(quote + 8, src));
    return true;
}

/* False if the quote that has to be named is cut short. */
static bool print_time_exceeded(struct text *t, unsigned code, const uint8_t *quote, size_t len)
{
    char dst[ADDR_TEXT_MAX];

    text_add(t, "time exceeded in-transit");
    if (code == 1)
        text_add(t, " (reassembly)");
    else if (code > 1)
        text_add(t, ", unknown code (%u)", code);
    else if (len < IPV6_HEADER)
        return false;
    else
        text_add(t, " for %s", address_at(quote + 24, dst));
    return true;
}

static void print_problem(struct text *t, const uint8_t *b)
{
    static const char *const words[] = {"erroneous", "next header", "option",
                                        "incomplete header chain"};

    if (b[1] <= ICMP6_PROBLEM_CHAIN)
        text_add(t, "parameter problem, %s - octet %u", words[b[1]], get32(b + 4));
    else
        text_add(t, "parameter problem, code-#%u", b[1]);
}

/* A message between neighbours; false if it is cut short. */
static bool print_neighbor(struct text *t, const uint8_t *b, size_t len)
{
    char one[ADDR_TEXT_MAX], other[ADDR_TEXT_MAX];

    if (len < (b[0] == ICMP6_REDIRECT ? REDIRECT_END : TARGET_END))
        return false;
    address_at(b + 8, one);
    if (b[0] == ICMP6_REDIRECT)
        text_add(t, "redirect, %s to %s", address_at(b + 24, other), one);
    else if (b[0] == ICMP6_NEIGHBOR_SOLICITATION)
        text_add(t, "neighbor solicitation, who has %s", one);
    else
        text_add(t, "neighbor advertisement, tgt is %s", one);
    return true;
}

/* False if it is cut short. */
static bool print_listener(struct text *t, const uint8_t *b, size_t len)
{
    static const char *const words[] = {"query", "report", "done"};
    char group[ADDR_TEXT_MAX];

    if (len < TARGET_END)
        return false;
    text_add(t, "multicast listener %smax resp delay: %u addr: %s", words[b[0] - ICMP6_MLD_QUERY],
             get16(b + 4), address_at(b + 8, group));
    return true;
}

/* What is no error. False if it is cut short. */
static bool print_information(struct text *t, const uint8_t *b, size_t len)
{
    switch (b[0]) {
    case ICMP6_ECHO:
    case ICMP6_ECHO_REPLY:
        text_add(t, "echo %s, id %u, seq %u", b[0] == ICMP6_ECHO ? "request" : "reply",
                 get16(b + 4), get16(b + 6));
        return true;
    case ICMP6_ROUTER_SOLICITATION:
        text_add(t, "router solicitation");
        return true;
    case ICMP6_ROUTER_ADVERTISEMENT:
        text_add(t, "router advertisement");
        return true;
    case ICMP6_NEIGHBOR_SOLICITATION:
    case ICMP6_NEIGHBOR_ADVERTISEMENT:
    case ICMP6_REDIRECT:
        return print_neighbor(t, b, len);
    case ICMP6_MLD_QUERY:
    case ICMP6_MLD_REPORT:
    case ICMP6_MLD_DONE:
        return print_listener(t, b, len);
    case ICMP6_MLD2_REPORT:
        text_add(t, "multicast listener report v2, %u group record(s)", get16(b + 6));
        return true;
    default: /* a byte off the wire, not an enum */
        text_add(t, "type-#%u", b[0]);
        return true;
    }
}

/* The message without its length; false if it is cut short. */
static bool print_message(struct text *t, const uint8_t *b, size_t len)
{
    const uint8_t *quote = b + ICMP_HEADER;

    switch (b[0]) {
    case ICMP6_UNREACHABLE:
        return print_unreachable(t, b[1], quote, len - ICMP_HEADER);
    case ICMP6_TOO_BIG:
        text_add(t, "packet too big, mtu %u", get32(b + 4));
        return true;
    case ICMP6_TIME_EXCEEDED:
        return print_time_exceeded(t, b[1], quote, len - ICMP_HEADER);
    case ICMP6_PARAM_PROBLEM:
        print_problem(t, b);
        return true;
    default: /* a byte off the wire, not an enum */
        return print_information(t, b, len);
    }
}

enum reason print_icmp6(struct text *t, const struct print_body *body)
{
    struct icmp_hdr icmp;

    text_add(t, "ICMP6, ");
    if (body->len < ICMP_HEADER) {
        text_add(t, "%zu bytes", body->len);
        return REASON_ICMP_SHORT;
    }
    if (print_message(t, body->b, body->len))
        text_add(t, ", length %zu", body->len);
    else
        text_add(t, " [|icmp6]");
    return body->fragment ? REASON_NONE
                          : icmp6_parse(body->ip, body->b, body->len, body->marks, &icmp);
}
