/* ICMP messages as text: echo and errors. */
#include "base/bytes.h"
#include "wire/icmp.h"
#include "wire/print_parts.h"
#include "wire/tcp.h"

/* What stands before and behind the quoted destination in an unreachable message, by its code. */
static const struct unreachable_words {
    const char *before, *behind;
} unreachable[] = {
    {"net ", ""},
    {"host ", ""},
    {"", ""}, /* protocol, port and need-to-fragment have their own forms */
    {"", ""},
    {"", ""},
    {"", " - source route failed"},
    {"net ", " - unknown"},
    {"host ", " - unknown"},
    {"", " - source host isolated"},
    {"net ", " - admin prohibited"},
    {"host ", " - admin prohibited"},
    {"net ", " - tos prohibited"},
    {"host ", " - tos prohibited"},
    {"host ", " - admin prohibited filter"},
    {"host ", " - host precedence violation"},
    {"host ", " - precedence cutoff"},
};

enum {
    UNREACHABLE_CODES = sizeof(unreachable) / sizeof(unreachable[0]),
};

/* "10.0.1.5 udp port 9 unreachable"; false if the quote does not reach to the ports */
static bool print_port(struct text *t, const char *dst, const struct ip_hdr *quote,
                       const uint8_t *l4, size_t len)
{
    unsigned port;

    if (len < 4)
        return false;
    port = get16(l4 + 2);
    if (quote->proto == IP_PROTO_TCP || quote->proto == IP_PROTO_UDP)
        text_add(t, "ICMP %s %s port %u unreachable", dst,
                 quote->proto == IP_PROTO_TCP ? "tcp" : "udp", port);
    else
        text_add(t, "ICMP %s protocol %u port %u unreachable", dst, quote->proto, port);
    return true;
}

/* False if the quote that has to be named is cut short. */
static bool print_unreachable(struct text *t, const uint8_t *b, size_t len)
{
    struct ip_hdr quote;
    char dst[ADDR_TEXT_MAX];
    unsigned code = b[1], mtu = get16(b + 6);

    if (!ip_parse_quote(b + ICMP_HEADER, len - ICMP_HEADER, &quote))
        return false;
    addr_format(&quote.dst, dst);
    if (code == ICMP_UNREACH_PORT)
        return print_port(t, dst, &quote, b + ICMP_HEADER + quote.header_len,
                          len - ICMP_HEADER - quote.header_len);
    if (code == ICMP_UNREACH_PROTOCOL)
        text_add(t, "ICMP %s protocol %u unreachable", dst, quote.proto);
    else if (code == ICMP_UNREACH_NEEDFRAG && mtu)
        text_add(t, "ICMP %s unreachable - need to frag (mtu %u)", dst, mtu);
    else if (code == ICMP_UNREACH_NEEDFRAG)
        text_add(t, "ICMP %s unreachable - need to frag", dst);
    else if (code < UNREACHABLE_CODES)
        text_add(t, "ICMP %s%s unreachable%s", unreachable[code].before, dst,
                 unreachable[code].behind);
    else
        text_add(t, "ICMP %s unreachable - #%u", dst, code);
    return true;
}

/* False if the quote that has to be named is cut short. */
static bool print_redirect(struct text *t, const uint8_t *b, size_t len)
{
    static const char *const kind[] = {" ", " ", "-tos ", "-tos "};
    struct addr gateway = addr_v4_bytes(b + 4);
    struct ip_hdr quote;
    char dst[ADDR_TEXT_MAX], via[ADDR_TEXT_MAX];

    if (!ip_parse_quote(b + ICMP_HEADER, len - ICMP_HEADER, &quote))
        return false;
    addr_format(&quote.dst, dst);
    addr_format(&gateway, via);
    if (b[1] < 4)
        text_add(t, "ICMP redirect%s%s to %s %s", kind[b[1]], dst, b[1] % 2 ? "host" : "net", via);
    else
        text_add(t, "ICMP redirect-#%u %s to %s", b[1], dst, via);
    return true;
}

static void print_time_exceeded(struct text *t, unsigned code)
{
    if (code == 0)
        text_add(t, "ICMP time exceeded in-transit");
    else if (code == 1)
        text_add(t, "ICMP ip reassembly time exceeded");
    else
        text_add(t, "ICMP time exceeded-#%u", code);
}

static void print_param_problem(struct text *t, const uint8_t *b)
{
    if (b[1] == 0)
        text_add(t, "ICMP parameter problem - octet %u", b[4]);
    else
        text_add(t, "ICMP parameter problem - code %u", b[1]);
}

/* The message without its length; false if it is cut short. */
static bool print_message(struct text *t, const uint8_t *b, size_t len)
{
    switch (b[0]) {
    case ICMP_ECHO:
    case ICMP_ECHO_REPLY:
        text_add(t, "ICMP echo %s, id %u, seq %u", b[0] == ICMP_ECHO ? "request" : "reply",
                 get16(b + 4), get16(b + 6));
        return true;
    case ICMP_UNREACHABLE:
        return print_unreachable(t, b, len);
    case ICMP_SOURCE_QUENCH:
        text_add(t, "ICMP source quench");
        return true;
    case ICMP_REDIRECT:
        return print_redirect(t, b, len);
    case ICMP_TIME_EXCEEDED:
        print_time_exceeded(t, b[1]);
        return true;
    case ICMP_PARAM_PROBLEM:
        print_param_problem(t, b);
        return true;
    default: /* a byte off the wire, not an enum */
        text_add(t, "ICMP type-#%u", b[0]);
        return true;
    }
}

enum reason print_icmp(struct text *t, const struct print_body *body)
{
    struct icmp_hdr icmp;

    if (body->len < ICMP_HEADER) {
        text_add(t, "ICMP, %zu bytes", body->len);
        return REASON_ICMP_SHORT;
    }
    if (print_message(t, body->b, body->len))
        text_add(t, ", length %zu", body->len);
    else
        text_add(t, " [|icmp]");
    return body->fragment ? REASON_NONE : icmp_parse(body->b, body->len, &icmp);
}
