/*
 * TCP options where a stack may trip over them: in any segment, unknown, with lengths that cannot
 * be. The segments are made by hand, because the stack builds no such options.
 */
#include "tcp_kit.h"

#include "packet_kit.h"

/* A segment of the remote node with these option bytes and `data` bytes of 'x'. */
static enum reason hand_over(uint8_t flags, uint32_t seq, uint32_t ack, const char *opt,
                             uint32_t opt_len, uint32_t data)
{
    struct kit_packet p = kit_tcp((struct kit_tcp){.src = KIT_HOST,
                                                   .dst = KIT_PEER,
                                                   .sport = flow.remote_port,
                                                   .dport = flow.local_port,
                                                   .flags = flags,
                                                   .seq = flow.irs + seq,
                                                   .ack = flow.iss + ack,
                                                   .wnd = FULL_WND,
                                                   .opt = opt,
                                                   .opt_len = opt_len,
                                                   .data = data});

    return rig_input(p.b, p.len);
}

static void read_x(uint32_t len)
{
    struct slice s;

    assert_int_equal(stack_receive(rig.st, flow.id, len, &s), len);
    for (uint32_t i = 0; i < len; i++)
        assert_int_equal(s.base[i], 'x');
    buf_unref(s.buf);
}

static void begin_open(void)
{
    defaults();
    begin();
    open_passive();
}

/* What may stand in a segment: MSS and window scale, which only a SYN means; NOP; unknown; end. */
static const char odd[] = "\x02\x04\x00\x64\x01\x03\x03\x07\xfd\x06\x01\x02\x03\x04\x00\x00";
enum { ODD = 16 };

/* MUST-5, MUST-6: options in data, ACK, FIN and RST are read over, and what they come with counts.
 */
static void options_in_every_segment(void **state)
{
    (void)state;
    begin_open();
    assert_int_equal(hand_over(ACK, 1, 1, odd, ODD, 100), REASON_NONE);
    expect_event(EV_READABLE);
    read_x(100);
    advance(SEC);
    expect(ACK, 1, 101, 0);
    app_send(3000);
    expect(ACK, 1, 101, MSS); /* no MSS of 100 */
    expect(ACK, 1 + MSS, 101, MSS);
    assert_int_equal(hand_over(ACK, 101, 1 + 2 * MSS, odd, ODD, 0), REASON_NONE);
    assert_int_equal(tcb()->snd_wnd, FULL_WND); /* no window scale of 7 */
    expect(ACK, 1 + 2 * MSS, 101, 3000 - 2 * MSS);
    assert_int_equal(hand_over(FIN | ACK, 101, 3001, odd, ODD, 0), REASON_NONE);
    expect(ACK, 3001, 102, 0);
    expect_state(TCP_CLOSE_WAIT);
    assert_int_equal(hand_over(RST, 102, 0, odd, ODD, 0), REASON_NONE);
    expect_state(TCP_CLOSED);
    end();
}

/* MUST-4, MUST-6: of a SYN's options the known ones count, wherever the unknown ones stand. */
static void unknown_options_in_the_handshake(void **state)
{
    static const char *const syns[] = {
        "\xfd\x04\x01\x02\x02\x04\x02\x00", /* unknown, MSS 512 */
        "\x02\x04\x02\x00\xfd\x04\x01\x02", /* the other way round */
        "\x01\xfd\x02\x02\x04\x02\x00\x00", /* with NOP, and the end */
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        defaults();
        begin();
        app_listen(1);
        assert_int_equal(hand_over(SYN, 0, 0, syns[i], 8, 0), REASON_NONE);
        expect_syn_ack();
        inject(ACK, 1, 1, FULL_WND, 0);
        expect_event(EV_ACCEPTED);
        app_send(1000);
        expect(ACK, 1, 1, 512);
        end();
    }
    defaults();
    begin();
    app_open();
    expect_syn();
    assert_int_equal(hand_over(SYN | ACK, 0, 1, syns[0], 8, 0), REASON_NONE);
    expect(ACK, 1, 1, 0);
    app_send(1000);
    expect(ACK, 1, 1, 512);
    end();
}

/* MUST-7: the segment is dropped and counted, no answer, and the connection goes on. */
static void impossible_lengths_on_a_connection(void **state)
{
    static const char *const wrong[] = {
        "\xfd\x00\x01\x01", "\xfd\x01\x01\x01", "\xfd\x05\x01\x01", "\x02\x00\x05\xb4",
        "\x02\x03\x05\xb4", "\x08\x0a\x01\x01", "\x03\x00\x01\x01", "\x01\x01\x01\x02",
    };
    static const uint8_t flags[] = {ACK, FIN | ACK, RST, SYN};

    (void)state;
    begin_open();
    for (size_t i = 0; i < 8; i++)
        for (size_t f = 0; f < 4; f++)
            assert_int_equal(hand_over(flags[f], 1, 1, wrong[i], 4, 10), REASON_TCP_OPTION);
    expect_nothing();
    expect_no_event();
    counted(TCP_OPTION, 32);
    inject(ACK, 1, 1, FULL_WND, 10);
    app_read(10);
    end();
}

/* MUST-3: damage is dropped without an answer, what comes again undamaged is taken. */
static void a_damaged_segment(void **state)
{
    struct kit_packet p;

    (void)state;
    begin_open();
    p = kit_tcp((struct kit_tcp){.sport = flow.remote_port,
                                 .dport = flow.local_port,
                                 .flags = ACK,
                                 .seq = flow.irs + 1,
                                 .ack = flow.iss + 1,
                                 .data = 10});
    for (uint32_t at = 20; at < p.len; at++) {
        p.b[at] ^= 0x10;
        assert_int_equal(rig_input(p.b, p.len),
                         at >= 32 && at < 33 ? REASON_TCP_DATA_OFFSET : REASON_TCP_CHECKSUM);
        p.b[at] ^= 0x10;
    }
    expect_nothing();
    expect_no_event();
    assert_int_equal(rig_input(p.b, p.len), REASON_NONE);
    read_x(10);
    end();
}

/* MUST-2: the sum over pseudo-header, header and text of whatever leaves is right. */
static void what_leaves_has_its_checksum(void **state)
{
    uint8_t pseudo[12] = {10, 0, 1, 5, 10, 0, 0, 7, 0, 6};
    unsigned n = 0;
    static struct pkt p;

    (void)state;
    begin_open();
    app_send(3 * MSS + 1); /* an odd length, too */
    app_close();
    while (stack_output(rig.st, rig.now, &p)) {
        uint32_t len = pkt_flatten(&p, rig.bytes, sizeof(rig.bytes)), sum;

        put16(pseudo + 10, (uint16_t)(len - 20));
        sum = checksum_add(checksum_add(0, pseudo, 12), rig.bytes + 20, len - 20);
        assert_int_not_equal(get16(rig.bytes + 36), 0);
        assert_int_equal(checksum_finish(sum), 0);
        n++;
    }
    assert_int_equal(n, 4);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_in_every_segment),
        cmocka_unit_test(unknown_options_in_the_handshake),
        cmocka_unit_test(impossible_lengths_on_a_connection),
        cmocka_unit_test(a_damaged_segment),
        cmocka_unit_test(what_leaves_has_its_checksum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
