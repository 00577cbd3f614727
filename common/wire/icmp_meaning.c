/*
 * What ICMP errors mean to a connection whose segment they quote: a pure table of types and codes.
 *
 * RFC 9293 section 3.9.2.2 sorts them into soft ones, after which a connection goes on, and hard
 * ones, after which there is little hope; RFC 1122 section 4.2.3.9 and RFC 5461 say more about
 * both. Codes that were defined later are taken for soft: a router that refuses today may let pass
 * tomorrow. Codes that nobody has defined are ignored, and so is source quench (RFC 6633); but an
 * ICMPv6 error of an unknown type is told, as a soft one.
 */
#include "wire/icmp.h"

enum {
    UNREACHABLE_CODES = 16, /* RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1 */
    UNREACHABLE6_CODES = 8, /* RFC 4443 section 3.1, RFC 8883 */
};

static const struct icmp_meaning ignored = {ICMP_IGNORED, REASON_ICMP_TYPE};
static const struct icmp_meaning too_big = {ICMP_TOO_BIG, REASON_ICMP_PMTU};

static struct icmp_meaning soft(enum reason why)
{
    return (struct icmp_meaning){ICMP_SOFT, why};
}

static struct icmp_meaning hard(enum reason why)
{
    return (struct icmp_meaning){ICMP_HARD, why};
}

/* MUST-56: 0, 1 and 5 are soft. SHLD-26: 2 to 4 are hard, but for 4 with path MTU discovery. */
static struct icmp_meaning unreachable(uint8_t code)
{
    switch (code) {
    case ICMP_UNREACH_NET:
        return soft(REASON_ICMP_SOFT_NET);
    case ICMP_UNREACH_HOST:
        return soft(REASON_ICMP_SOFT_HOST);
    case ICMP_UNREACH_PROTOCOL:
        return hard(REASON_ICMP_HARD_PROTOCOL);
    case ICMP_UNREACH_PORT:
        return hard(REASON_ICMP_HARD_PORT);
    case ICMP_UNREACH_NEEDFRAG:
        return too_big;
    case ICMP_UNREACH_SRCROUTE:
        return soft(REASON_ICMP_SOFT_SOURCE_ROUTE);
    case ICMP_UNREACH_NET_PROHIBITED:
    case ICMP_UNREACH_HOST_PROHIBITED:
    case ICMP_UNREACH_PROHIBITED:
        return soft(REASON_ICMP_SOFT_PROHIBITED);
    default: /* a byte off the wire, not an enum */
        return code < UNREACHABLE_CODES ? soft(REASON_ICMP_SOFT_OTHER) : ignored;
    }
}

static struct icmp_meaning time_exceeded(uint8_t code)
{
    if (code > 1)
        return ignored;
    return soft(code == 0 ? REASON_ICMP_SOFT_TTL : REASON_ICMP_SOFT_REASSEMBLY);
}

struct icmp_meaning icmp_meaning(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP_UNREACHABLE:
        return unreachable(code);
    case ICMP_TIME_EXCEEDED:
        return time_exceeded(code);
    case ICMP_PARAM_PROBLEM:
        return code <= 2 ? soft(REASON_ICMP_SOFT_PARAMETER) : ignored;
    case ICMP_SOURCE_QUENCH:
        return (struct icmp_meaning){ICMP_IGNORED, REASON_ICMP_SOURCE_QUENCH}; /* MUST-55 */
    default: /* a byte off the wire, not an enum */
        return ignored;
    }
}

/* RFC 5461 section 2 counts 1 and 4 among the hard ones. */
static struct icmp_meaning unreachable6(uint8_t code)
{
    switch (code) {
    case ICMP6_UNREACH_ROUTE:
        return soft(REASON_ICMP_SOFT_NET);
    case ICMP6_UNREACH_PROHIBITED:
        return hard(REASON_ICMP_HARD_PROHIBITED);
    case ICMP6_UNREACH_ADDRESS:
        return soft(REASON_ICMP_SOFT_HOST);
    case ICMP6_UNREACH_PORT:
        return hard(REASON_ICMP_HARD_PORT);
    default: /* a byte off the wire, not an enum */
        return code < UNREACHABLE6_CODES ? soft(REASON_ICMP_SOFT_OTHER) : ignored;
    }
}

struct icmp_meaning icmp6_meaning(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP6_UNREACHABLE:
        return unreachable6(code);
    case ICMP6_TOO_BIG:
        return too_big; /* the code is to be ignored (RFC 4443 section 3.2) */
    case ICMP6_TIME_EXCEEDED:
        return time_exceeded(code);
    case ICMP6_PARAM_PROBLEM:
        return code <= 2 ? soft(REASON_ICMP_SOFT_PARAMETER) : ignored;
    default: /* a byte off the wire, not an enum; RFC 4443 section 2.4 (a) */
        return type < ICMP6_ECHO ? soft(REASON_ICMP_SOFT_UNKNOWN) : ignored;
    }
}
