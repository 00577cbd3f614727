/* What a node of IPv6 answers, and what it tells a connection, beyond tests/unit/ip6_input_test.c.
 */
#include "tcp_kit.h"

#include "packet6_kit.h"

static void begin_node(void)
{
    defaults();
    over_ipv6(true);
    begin();
}

static enum reason rig_packet(const struct kit_packet *p)
{
    return rig_input(p->b, p->len);
}

/* RFC 8200 8.4-a: an answer goes straight back, whatever way the question came. */
static void rfc8200_8_4_no_way_is_reversed(void **state)
{
    uint8_t way[24] = {0, 2, 0, 0}; /* of type 0, by one node, and none left to visit */
    struct addr via = kit6_addr(0xfd00, 9, 9), host = KIT6_HOST;
    struct kit_packet p = kit6_icmp(KIT6_HOST, KIT6_PEER, ICMP6_ECHO, 0, 7, "hello", 5);

    (void)state;
    begin_node();
    memcpy(way + 8, via.b, 16);
    for (unsigned type = 0; type < 256; type++) {
        struct kit_packet q = p;

        way[2] = (uint8_t)type;
        kit6_insert(&q, 43, way, 24);
        rig_reason("the verdict", rig_packet(&q), REASON_NONE);
        assert_true(rig_take());
        expect_why(REASON_SEND_ECHO_REPLY);
        assert_true(addr_eq(&rig.ip.dst, &host));
        assert_int_equal(rig.ip.header_len, 40);
        rig_expect_nothing();
    }
    end();
}

/* RFC 4443 2.4b-a: what is no error, and unknown, is dropped without a word. */
static void rfc4443_2_4_unknown_messages(void **state)
{
    static const uint8_t known[] = {128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 143};
    bool skip[256] = {false};

    (void)state;
    begin_node();
    for (size_t i = 0; i < sizeof(known); i++)
        skip[known[i]] = true;
    for (unsigned type = 128; type < 256; type++) {
        struct kit_packet p =
            kit6_icmp(KIT6_HOST, KIT6_PEER, (uint8_t)type, 0, 0, "0123456789", 10);

        if (skip[type])
            continue;
        rig_reason("the verdict", rig_packet(&p), REASON_ICMP_TYPE);
        rig_expect_nothing();
    }
    end();
}

/* An error about the segment of the live connection that begins at ISS. */
static enum reason rig_error_about(uint8_t type, uint8_t code)
{
    uint8_t segment[20] = {0};
    struct kit_packet of, p;

    put16(segment, flow.local_port);
    put16(segment + 2, flow.remote_port);
    put32(segment + 4, flow.iss);
    of = kit6(KIT6_PEER, KIT6_HOST, 6, segment, sizeof(segment));
    p = kit6_icmp(kit6_addr(0xfd00, 7, 1), KIT6_PEER, type, code, 0, of.b, of.len);
    return rig_packet(&p);
}

/* RFC 4443 3.1-b, 3.3-a, 3.4-b: each is told by its kind, and ends nothing. */
static void rfc4443_3_errors_are_told(void **state)
{
    static const struct {
        uint8_t type, code;
        enum reason why;
    } soft[] = {
        {1, 0, REASON_ICMP_SOFT_NET},       {1, 3, REASON_ICMP_SOFT_HOST},
        {3, 0, REASON_ICMP_SOFT_TTL},       {3, 1, REASON_ICMP_SOFT_REASSEMBLY},
        {4, 0, REASON_ICMP_SOFT_PARAMETER}, {4, 1, REASON_ICMP_SOFT_PARAMETER},
        {4, 2, REASON_ICMP_SOFT_PARAMETER},
    };
    struct stack_event e;

    (void)state;
    for (size_t i = 0; i < sizeof(soft) / sizeof(soft[0]); i++) {
        begin_node();
        app_open();
        expect_syn();
        rig_reason("the verdict", rig_error_about(soft[i].type, soft[i].code), REASON_NONE);
        assert_true(stack_event(rig.st, &e));
        assert_true(e.kind == EV_ERROR && e.why == soft[i].why);
        expect_nothing();
        expect_state(TCP_SYN_SENT);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8200_8_4_no_way_is_reversed),
        cmocka_unit_test(rfc4443_2_4_unknown_messages),
        cmocka_unit_test(rfc4443_3_errors_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
