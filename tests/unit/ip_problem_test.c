/* What a host says about headers of IPv4 that it cannot take, and what it takes all the same. */
#include "tcp_kit.h"

#include "packet_kit.h"

static void begin_node(void)
{
    defaults();
    begin();
}

/* An echo request with these IP options, a multiple of 4 bytes. */
static struct kit_packet echo(const void *options, uint32_t len)
{
    struct kit_packet p = kit_icmp(ICMP_ECHO, 0, 1, "01234567", 8);

    memmove(p.b + 20 + len, p.b + 20, p.len - 20);
    memcpy(p.b + 20, options, len);
    p.len += len;
    p.b[0] = (uint8_t)(0x45 + len / 4);
    put16(p.b + 2, (uint16_t)p.len);
    put32(p.b + 12, KIT_HOST);
    put32(p.b + 16, KIT_PEER);
    kit_ip4_fix(&p);
    return p;
}

/* What is told about `p`: an ICMP error of ours to its sender, which quotes it as it came. */
static void rig_told(const struct kit_packet *p, uint8_t type, uint8_t code, uint32_t rest)
{
    struct icmp_hdr icmp;
    uint32_t header = (p->b[0] & 15U) * 4;

    if (!rig_take())
        fail_msg("%s: nobody is told", rig_where());
    rig_reason("the error", icmp_parse(rig.data, rig.len, &icmp), REASON_NONE);
    rig_same("its type", icmp.type, type);
    rig_same("its code", icmp.code, code);
    rig_same("its pointer", icmp.rest, rest);
    rig_same("to whom", addr_v4_value(&rig.ip.dst), KIT_HOST);
    rig_same("its options", rig.ip.options_len, 0);
    rig_same("its length", rig.len, 8 + header + 8);
    assert_memory_equal(rig.data + 8, p->b, header + 8);
    rig_expect_nothing();
}

#define told(...) AT(rig_told(__VA_ARGS__))

/* A TTL says how far a packet may go on; that has no meaning where it has arrived.
 * RFC 1122 3.2.1.7-b. */
static void rfc1122_3_2_1_7_a_ttl_of_zero(void **state)
{
    (void)state;
    begin_node();
    for (unsigned ttl = 0; ttl < 3; ttl++) {
        struct kit_packet p = echo("", 0);

        p.b[8] = (uint8_t)ttl;
        kit_ip4_fix(&p);
        rig_reason("an echo request", rig_input(p.b, p.len), REASON_NONE);
        assert_true(rig_take());
        expect_why(REASON_SEND_ECHO_REPLY);
    }
    end();
}

/* Options that make no sense are answered by a parameter problem that points at what is wrong.
 * RFC 1122 3.2.2.5-a. */
static void rfc1122_3_2_2_5_parameter_problem(void **state)
{
    static const struct {
        const char *what;
        uint8_t opt[8];
        enum reason why;
        uint32_t at;
    } cases[] = {
        {"length 0", {200, 0}, REASON_IP_OPTION, 21},
        {"length 1 behind NOP", {1, 1, 1, 200, 1}, REASON_IP_OPTION, 24},
        {"beyond, behind a good one", {148, 4, 0, 0, 68, 5, 5, 0}, REASON_IP_OPTION, 25},
        {"a kind as the last byte", {1, 1, 1, 1, 1, 1, 1, 200}, REASON_IP_OPTION, 27},
        {"half an address", {1, 137, 5, 4, 10, 0, 0, 0}, REASON_IP_ROUTE, 21},
        {"a second route", {131, 3, 4, 1, 137, 3, 4}, REASON_IP_ROUTE, 24},
    };

    (void)state;
    begin_node();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kit_packet p = echo(cases[i].opt, 8);

        rig.what = cases[i].what;
        rig_reason("the verdict", rig_input(p.b, p.len), cases[i].why);
        told(&p, ICMP_PARAM_PROBLEM, 0, cases[i].at << 24);
    }
    end();
}

static void silent(const char *what, struct kit_packet p, enum reason why)
{
    rig.what = what;
    kit_ip4_fix(&p);
    rig_reason("the verdict", rig_input(p.b, p.len), why);
    rig_expect_nothing();
}

/* BAD: never about an error, a later fragment, a broadcast, or to what is no host; and so many.
 * RFC 1122 3.2.2-f, 3.2.2-g, 3.2.2-i, 3.2.2-j. */
static void nobody_is_told(void **state)
{
    struct kit_packet good = echo("\xc8\0\0\0", 4), p;
    unsigned n = 0;

    (void)state;
    begin_node();
    p = good;
    p.b[24] = ICMP_UNREACHABLE;
    silent("an error", p, REASON_IP_OPTION);
    p = good;
    p.b[9] = IP_PROTO_UDP;
    put16(p.b + 6, 1);
    silent("a later fragment", p, REASON_IP_OPTION);
    p = good;
    put32(p.b + 16, 0x0a0001ff);
    silent("for a broadcast", p, REASON_IP_OPTION);
    put32(p.b + 16, 0xe0000001);
    silent("for a multicast", p, REASON_IP_OPTION);
    put32(p.b + 16, KIT_PEER + 1);
    silent("for somebody else", p, REASON_IP_OPTION);
    p = good;
    put32(p.b + 12, 0xffffffff);
    silent("from a broadcast", p, REASON_IP_OPTION);
    p = good;
    p.b[10] ^= 1;
    rig.what = "damaged";
    rig_reason("the verdict", rig_input(p.b, p.len), REASON_IP_CHECKSUM);
    rig_expect_nothing();
    rig.what = NULL;
    for (unsigned i = 0; i < 150; i++) {
        (void)rig_input(good.b, good.len);
        n += rig_take();
    }
    assert_int_equal(n, 100); /* in a second */
    end();
}

/* A source route that leads on ends here, and its sender is told; of one that was gone, nothing.
 * RFC 1122 3.3.5-b, 3.2.2-i. */
static void rfc1122_3_3_5_source_route_failed(void **state)
{
    struct kit_packet p;

    (void)state;
    for (unsigned wanted = 0; wanted < 2; wanted++) {
        enum reason why = wanted ? REASON_IP_ROUTE_UNFINISHED : REASON_IP_SOURCE_ROUTE;

        defaults();
        rig.cfg.accept_source_routes = wanted;
        begin();
        p = echo("\x83\x07\x04\x0a\0\x02\x01", 8);
        rig_reason("a loose one", rig_input(p.b, p.len), why);
        told(&p, ICMP_UNREACHABLE, ICMP_UNREACH_SRCROUTE, 0);
        p = echo("\x89\x07\x04\x0a\0\x02\x01", 8);
        rig_reason("a strict one", rig_input(p.b, p.len), why);
        told(&p, ICMP_UNREACHABLE, ICMP_UNREACH_SRCROUTE, 0);
        p.b[9] = IP_PROTO_UDP;
        put16(p.b + 6, 1);
        silent("in a later fragment", p, why);
        p.b[9] = IP_PROTO_ICMP;
        p.b[28] = ICMP_REDIRECT;
        put16(p.b + 6, 0);
        silent("of an error", p, why);
        end();
    }
    begin_node();
    p = echo("\x83\x07\x08\x0a\0\x02\x01", 8);
    silent("one that was gone", p, REASON_IP_SOURCE_ROUTE);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc1122_3_2_1_7_a_ttl_of_zero),
        cmocka_unit_test(rfc1122_3_2_2_5_parameter_problem),
        cmocka_unit_test(nobody_is_told),
        cmocka_unit_test(rfc1122_3_3_5_source_route_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
