/*
 * What stands in the IP header of what leaves. Where the stack above has no way to ask for
 * something yet, the IP floor is asked itself.
 */
#include "tcp_kit.h"

#include "packet_kit.h"

/* MAY-4: RFC 6864: what may not be fragmented needs no identification, and a segment never may be.
 */
static void segments_are_never_fragmented(void **state)
{
    (void)state;
    defaults();
    begin();
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    for (unsigned i = 0; i < 5; i++) {
        assert_true(rig.ip.df && !rig.ip.mf);
        assert_int_equal(rig.ip.frag_off, 0);
        assert_int_equal(rig.ip.id, 0);
        assert_int_equal(rig.ip.ttl, 64);
        assert_int_equal(rig.ip.tos, 0);
        inject(SYN, 0, 0, FULL_WND, 0);
        expect(SYN | ACK, 0, 1, 0);
    }
    end();
    defaults();
    begin();
    inject(ACK, 1, 1, FULL_WND, 0); /* a reset to a stranger, too */
    expect(RST, 1, 0, 0);
    assert_true(rig.ip.df);
    assert_int_equal(rig.ip.id, 0);
    end();
}

/* What may be fragmented is told apart by a number, which says nothing about other packets. */
static void datagrams_have_an_identification(void **state)
{
    struct stack_datagram d = {.addr = REMOTE_ADDR, .port = 5000};
    static uint8_t seen[65536];
    unsigned again = 0, counted_up = 0;
    uint16_t last = 0;
    int udp;

    (void)state;
    defaults();
    begin();
    udp = stack_udp_bind(rig.st, 6000, NULL);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(stack_udp_send(rig.st, udp, &d), 0);
        assert_true(rig_take());
        assert_false(rig.ip.df);
        again += seen[rig.ip.id]++;
        counted_up += (uint16_t)(rig.ip.id - last) < 256;
        last = (uint16_t)rig.ip.id;
    }
    assert_true(again < 10);
    assert_true(counted_up < 20);
    end();
}

/*
 * RFC 1122 3.3.4.2-b, 4.1.3.5-b, 4.1.3.6-b: an answer comes from the address that was asked, and
 * what is no answer from the first.
 */
static void an_answer_says_who_was_asked(void **state)
{
    struct udp_dgram d = {.remote = REMOTE_ADDR, .remote_port = 5000};
    int udp;

    (void)state;
    defaults();
    rig.cfg.local[1] = addr_v4(0x0a000106);
    rig.cfg.locals = 2;
    begin();
    udp = udp_bind(&rig.st->udp, 6000, NULL);
    assert_int_equal(udp_send(&rig.st->udp, &rig.st->ip, udp, &d), 0);
    assert_true(rig_take());
    assert_int_equal(addr_v4_value(&rig.ip.src), KIT_PEER);
    d.local = rig.cfg.local[1];
    assert_int_equal(udp_send(&rig.st->udp, &rig.st->ip, udp, &d), 0);
    assert_true(rig_take());
    assert_int_equal(addr_v4_value(&rig.ip.src), 0x0a000106);
    end();
}

/* RFC 1122 3.2.2: no error about an ICMP message, whoever asks for one.
 * RFC 1122 3.2.2-f. */
static void no_error_about_icmp(void **state)
{
    struct kit_packet p = kit_ip4(KIT_HOST, KIT_PEER, IP_PROTO_ICMP, "01234567", 8);
    struct slice packet = {NULL, p.b, p.len};
    struct ip_hdr ip;

    (void)state;
    defaults();
    begin();
    assert_int_equal(ip_parse(p.b, p.len, &ip), REASON_NONE);
    icmp_send_unreachable(&rig.st->ip, rig.now, &ip, packet, ICMP_UNREACH_PROTOCOL);
    expect_nothing();
    ip.proto = 132;
    icmp_send_unreachable(&rig.st->ip, rig.now, &ip, packet, ICMP_UNREACH_PROTOCOL);
    assert_true(rig_take());
    end();
}

/* What an error quotes has room in a packet of the device's MTU, whatever options it has. */
static void an_error_has_room(void **state)
{
    struct kit_packet p = kit_ip4(KIT_HOST, KIT_PEER, 132, NULL, 48);
    struct pkt in = {.len = p.len, .parts = 1};

    (void)state;
    defaults();
    rig.cfg.mtu = 68;
    begin();
    p.b[0] = 0x4f; /* 40 bytes of options, all of them the end of the list */
    kit_ip4_fix(&p);
    in.part[0] = (struct slice){NULL, p.b, p.len};
    assert_int_equal(stack_input(rig.st, rig.now, &in), REASON_IP_PROTOCOL);
    assert_true(rig_take());
    assert_int_equal(rig.ip.total_len, 68);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_never_fragmented),
        cmocka_unit_test(datagrams_have_an_identification),
        cmocka_unit_test(an_answer_says_who_was_asked),
        cmocka_unit_test(no_error_about_icmp),
        cmocka_unit_test(an_error_has_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
