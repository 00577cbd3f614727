/*
 * Broken and hostile TCP segments: headers, options, flags, urgent pointers and selective
 * acknowledgments that make no sense, at a connection in each state and at none. Blind attacks are
 * in tcp_blind_test.c and tcp_attack_test.c.
 */
#include "hostile_kit.h"

/* The states, and how a connection gets there; CLOSED and LISTEN have none. */
enum where {
    AT_CLOSED,
    AT_LISTEN,
    AT_SYN_SENT,
    AT_SYN_RECEIVED,
    AT_ESTABLISHED,
    AT_FIN_WAIT_1,
    AT_FIN_WAIT_2,
    AT_CLOSE_WAIT,
    AT_CLOSING,
    AT_LAST_ACK,
    AT_TIME_WAIT,
    WHERES,
};

static const enum tcp_state state_of[WHERES] = {
    [AT_CLOSED] = TCP_CLOSED,           [AT_LISTEN] = TCP_CLOSED,
    [AT_SYN_SENT] = TCP_SYN_SENT,       [AT_SYN_RECEIVED] = TCP_SYN_RECEIVED,
    [AT_ESTABLISHED] = TCP_ESTABLISHED, [AT_FIN_WAIT_1] = TCP_FIN_WAIT_1,
    [AT_FIN_WAIT_2] = TCP_FIN_WAIT_2,   [AT_CLOSE_WAIT] = TCP_CLOSE_WAIT,
    [AT_CLOSING] = TCP_CLOSING,         [AT_LAST_ACK] = TCP_LAST_ACK,
    [AT_TIME_WAIT] = TCP_TIME_WAIT,
};

/* A victim of its own beside the honest connection, in that state, with nothing owed. */
static void bring(enum where where)
{
    flow = (struct flow){.local_port = LOCAL_PORT,
                         .remote_port = (uint16_t)(CALLER_PORT - 1),
                         .irs = REMOTE_ISS,
                         .iss = 90000};
    if (where == AT_CLOSED)
        flow.local_port = 9999;
    if (where <= AT_LISTEN)
        return;
    if (where == AT_SYN_SENT) {
        flow.local_port = 7777;
        app_open();
        expect_syn();
    } else if (where == AT_SYN_RECEIVED) {
        inject(SYN, 0, 0, FULL_WND, 0);
        expect_syn_ack();
    } else {
        open_passive();
        go(state_of[where]);
    }
}

/* Whatever is left of it goes, and what it had to say. */
static void bury(void)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    struct conn *c;

    hostile_answers(2);
    drain();
    /* twice, where a SYN has opened anew: what was in TIME-WAIT goes on */
    while ((c = flow_find(rig.st, &local, flow.local_port, &remote, flow.remote_port))) {
        stack_abort(rig.st, (struct conn_id){(uint32_t)(c - rig.st->conns), c->generation});
        drain();
    }
}

/* The remote node's segment to the victim, put together by hand. */
static struct kit_packet to_victim(struct kit_tcp f)
{
    f.sport = flow.remote_port;
    f.dport = flow.local_port;
    f.seq += flow.irs;
    f.ack = f.flags & ACK ? f.ack + flow.iss : 0;
    f.wnd = f.wnd ? f.wnd : FULL_WND;
    return kit_tcp(f);
}

/* ---- flags ---- */

static bool impossible(unsigned flags)
{
    return flags == 0 || ((flags & SYN) && (flags & (FIN | RST)));
}

/*
 * What one segment with these flags may do: the impossible is dropped in silence; without SYN, RST
 * and ACK nothing happens to a connection; no reset is answered by a reset; one answer at most.
 */
static void rig_flags(enum where where, unsigned flags, uint32_t seq, uint32_t len)
{
    struct kit_packet p = to_victim(
        (struct kit_tcp){.flags = (uint8_t)flags, .seq = seq, .ack = 1, .urg = 5, .data = len});
    bool before = tcb() != NULL;
    enum reason why = hostile_input(&p);

    if (impossible(flags)) {
        rig_reason("the verdict", why, REASON_TCP_FLAGS);
        rig_expect_nothing();
    }
    if (impossible(flags) || !(flags & (SYN | RST | ACK))) { /* RFC 9293 3.10.7.4, fifth */
        rig_same("something happened", why == REASON_NONE, false);
        rig_state(state_of[where]);
    }
    while (rig_take()) {
        rig_reason("what left", tcp_parse(&rig.ip, rig.data, rig.len, 0, &rig.seg), REASON_NONE);
        rig_same("a reset for a reset", (flags & RST) && (rig.seg.flags & RST), false);
        rig_expect_nothing();
    }
    if (flags & RST)
        rig_same("a reset made a connection", !before && tcb(), false);
}

/* BAD: each combination of the eight flags, in place, in the window and far away, in each state. */
static void every_flag_in_every_state(void **state)
{
    static const uint32_t seqs[] = {1, 2, 1000, 0x40000000, 0xc0000000};

    (void)state;
    begin_hostile();
    for (enum where where = 0; where < WHERES; where++) {
        rig.what = tcp_state_name(state_of[where]);
        for (unsigned flags = 0; flags < 256; flags++) {
            for (unsigned i = 0; i < 5; i++) {
                bring(where);
                AT(rig_flags(where, flags, seqs[i], i % 2 ? 10 : 0));
                bury();
            }
            if (flags % 16 == 15)
                still_well();
        }
    }
    end();
}

/* ---- headers ---- */

/* BAD: a data offset under 5 words or beyond the segment, on a reset that would end everything. */
static void impossible_offsets(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned words = 0; words < 16; words++) {
        struct kit_packet p = deadly(NULL, 0, 0);

        if (words == 5)
            continue;
        p.b[32] = (uint8_t)(words << 4);
        kit_l4_fix(&p, 16);
        strike(&p, REASON_TCP_DATA_OFFSET);
    }
    for (uint32_t len = 0; len < 20; len++) {
        struct kit_packet p = deadly(NULL, 0, 0);

        p = kit_ip4(KIT_HOST, KIT_PEER, IP_PROTO_TCP, p.b + 20, len);
        strike(&p, REASON_TCP_SHORT);
    }
    expect_nothing();
    still_well();
    end();
}

static enum reason marked_input(const struct kit_packet *p, uint16_t marks)
{
    static struct pkt in;

    in = (struct pkt){.len = p->len, .parts = 1, .marks = marks, .csum_start = 20};
    in.part[0] = (struct slice){NULL, p->b, p->len};
    return stack_input(rig.st, rig.now, &in);
}

/* BAD: a wrong checksum; and where the device vouches for it, everything else is looked at still.
 */
static void wrong_checksums(void **state)
{
    static const uint16_t marks[] = {PKT_CSUM_PARTIAL, PKT_CSUM_VALID,
                                     PKT_CSUM_PARTIAL | PKT_CSUM_VALID};

    (void)state;
    begin_hostile();
    for (unsigned bit = 0; bit < 16; bit++) {
        struct kit_packet p = deadly(NULL, 0, 0);

        p.b[36 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        strike(&p, REASON_TCP_CHECKSUM);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct kit_packet p = deadly(NULL, 0, 0);

        p.b[36] ^= 0x55; /* no longer a checksum, as a device leaves it */
        p.b[33] = SYN | RST;
        rig_reason("flags", marked_input(&p, marks[i]), REASON_TCP_FLAGS);
        p.b[33] = RST;
        p.b[32] = 6 << 4;
        rig_reason("offset", marked_input(&p, marks[i]), REASON_TCP_DATA_OFFSET);
        p.b[32] = 5 << 4;
        p.len = 39;
        put16(p.b + 2, 39);
        kit_ip4_fix(&p);
        rig_reason("length", marked_input(&p, marks[i]), REASON_TCP_SHORT);
        p = deadly("\xfd\x01\x01\x01", 4, 0);
        p.b[36] ^= 0x55;
        rig_reason("options", marked_input(&p, marks[i]), REASON_TCP_OPTION);
    }
    expect_nothing();
    still_well();
    end();
}

/* BAD: options of length 0, 1 and overrunning, on segments of each kind. */
static void broken_options(void **state)
{
    static const char *const opts[] = {
        "\x08\x00\x01\x01", "\xfd\x01\x01\x01", "\x08\x0a\x01\x01", "\xfe\xff\x01\x01",
        "\x01\x01\x01\x05", "\x05\x04\x01\x01", "\x02\x03\x05\xb4", "\xfd\x00\x01\x01",
    };
    static const uint8_t flags[] = {RST, RST | ACK, SYN, SYN | ACK, ACK, FIN | ACK};

    (void)state;
    begin_hostile();
    for (unsigned i = 0; i < 8; i++)
        for (unsigned k = 0; k < 6; k++)
            for (uint32_t data = 0; data <= 10; data += 10) {
                struct kit_packet p = deadly(opts[i], 4, data);

                p.b[33] = flags[k];
                kit_l4_fix(&p, 16);
                strike(&p, REASON_TCP_OPTION);
                put16(p.b + 20, 4321); /* and from somebody new */
                kit_l4_fix(&p, 16);
                strike(&p, REASON_TCP_OPTION);
            }
    expect_nothing();
    still_well();
    end();
}

/* BAD: reserved bits, unknown options, options behind the end of the list: all as if not there. */
static void oddities_are_read_over(void **state)
{
    static const char opt[] = "\xfd\x04\xab\xcd\x02\x04\x00\x00\x03\x03\xff\x00\x02\x00\x03\x01";
    struct kit_packet p;

    (void)state;
    begin_hostile();
    bring(AT_ESTABLISHED);
    for (unsigned bits = 0; bits < 16; bits++) {
        p = to_victim((struct kit_tcp){.flags = PSH | ACK,
                                       .seq = 1 + 10 * bits,
                                       .ack = 1,
                                       .opt = opt,
                                       .opt_len = 16,
                                       .data = 10});
        p.b[32] |= (uint8_t)bits;
        kit_l4_fix(&p, 16);
        strike(&p, REASON_NONE);
    }
    assert_int_equal(tcb()->rcv_nxt, flow.irs + 1 + 160);
    assert_int_equal(tcb()->snd_mss, MSS);
    assert_int_equal(tcb()->snd_wnd, FULL_WND);
    bury();
    still_well();
    end();
}

/* BAD: a window scale of 15 to 255 and an MSS of 0 to 48 in a SYN: bytes flow, in sane segments. */
static void senseless_offers(void **state)
{
    (void)state;
    begin_hostile();
    for (unsigned i = 0; i <= 255; i++) {
        char opt[8] = {2, 4, 0, (char)(i % 49), 1, 3, 3, (char)(i < 15 ? 255 : i)};
        struct kit_packet p;
        unsigned n = 0;

        bring(AT_LISTEN);
        p = to_victim((struct kit_tcp){.flags = SYN, .opt = opt, .opt_len = 8});
        strike(&p, REASON_NONE);
        expect_syn_ack();
        inject(ACK, 1, 1, 1000, 0);
        expect_event(EV_ACCEPTED);
        assert_int_equal(tcb()->snd_wnd, 1000 << 14);
        assert_int_equal(tcb()->snd_mss, 48);
        app_send(480);
        while (rig_take_tcp()) { /* the initial window, and then as acknowledgments come */
            pattern_check(rig.data, rig.seg.seq - flow.iss, rig.len);
            assert_int_equal(rig.len, 48);
            n += rig.len;
            inject(ACK, 1, 1 + n, 1000, 0);
        }
        assert_int_equal(n, 480);
        bury();
    }
    still_well();
    end();
}

/* ---- urgent ---- */

/* BAD: urgent pointers of 0, 65,535, beyond the data and back into earlier urgent data: no byte of
 * the stream is lost or read twice, and what is urgent never shrinks. */
static void senseless_urgent_pointers(void **state)
{
    static const uint16_t pointers[] = {0, 1, 65535, 9, 10, 11, 0, 2, 65534, 5000, 1};
    struct slice s;
    uint32_t left = 0;

    (void)state;
    begin_hostile();
    bring(AT_ESTABLISHED);
    for (uint32_t i = 0; i < 11; i++) {
        struct kit_packet p = to_victim((struct kit_tcp){
            .flags = ACK | TCP_URG, .seq = 1 + 10 * i, .ack = 1, .urg = pointers[i], .data = 10});

        strike(&p, REASON_NONE);
        assert_true(stack_urgent_left(rig.st, flow.id) >= left);
        left = stack_urgent_left(rig.st, flow.id);
        p = to_victim((struct kit_tcp){.flags = TCP_URG | PSH, .seq = 11 + 10 * i, .urg = 9});
        strike(&p, REASON_TCP_NO_ACK);
        p = to_victim((struct kit_tcp){.flags = TCP_URG | SYN, .seq = 11 + 10 * i, .urg = 9});
        strike(&p, REASON_TCP_SYN_CHALLENGED);
        assert_int_equal(stack_urgent_left(rig.st, flow.id), left);
        hostile_answers(2);
    }
    assert_int_equal(left, 80 + 65534);
    for (uint32_t n = 0; n < 110; n += s.len) {
        assert_true(stack_receive(rig.st, flow.id, 110, &s) > 0);
        for (uint32_t k = 0; k < s.len; k++)
            assert_int_equal(s.base[k], 'x');
        buf_unref(s.buf);
    }
    assert_int_equal(stack_receive(rig.st, flow.id, 1, &s), -EAGAIN);
    assert_int_equal(stack_urgent_left(rig.st, flow.id), left - 110);
    bury();
    still_well();
    end();
}

/* ---- selective acknowledgments ---- */

/* BAD: SACK options of each length, in each place: only whole blocks are blocks. */
static void sack_of_every_length(void **state)
{
    (void)state;
    defaults();
    rig.cfg.tcp.sack = true;
    hostile_start();
    flow = (struct flow){.local_port = LOCAL_PORT, .remote_port = 4444, .irs = REMOTE_ISS};
    AT(rig_open_passive(&(struct tcp_options){.has_mss = true, .mss = MSS, .sack_ok = true},
                        FULL_WND, FULL_WND));
    for (unsigned len = 0; len < 256; len++) {
        char opt[40] = {5, (char)len};
        bool whole = len >= 2 && len <= 34 && (len - 2) % 8 == 0;
        struct kit_packet p = to_victim(
            (struct kit_tcp){.flags = ACK, .seq = 1, .ack = 1, .opt = opt, .opt_len = 40});
        enum reason why = hostile_input(&p);

        rig_reason("the verdict", why, whole ? REASON_NONE : REASON_TCP_OPTION);
        expect_nothing();
        expect_state(TCP_ESTABLISHED);
    }
    bury();
    still_well();
    end();
}

/* BAD: a receiver that takes back what it has selectively acknowledged gets everything again. */
static void reneging(void **state)
{
    const struct tcp_options offer = {.has_mss = true, .mss = MSS, .sack_ok = true};
    uint32_t sent = 0;

    (void)state;
    defaults();
    rig.cfg.tcp.sack = true;
    begin();
    AT(rig_open_passive(&offer, FULL_WND, FULL_WND));
    app_send(5 * MSS);
    while (rig_take_tcp())
        sent += rig.len;
    assert_int_equal(sent, 5 * MSS);
    for (uint32_t i = 2; i <= 5; i++) /* all but the first are said to be there */
        inject_opt(ACK, 1, 1, FULL_WND, .sack_n = 1,
                   .sack = {{flow.iss + 1 + MSS, flow.iss + 1 + i * MSS}});
    advance(MSEC);                        /* no reordering explains that */
    expect(ACK, 1, 1, MSS);               /* the first again */
    inject(ACK, 1, 1 + MSS, FULL_WND, 0); /* it came, and no block: the others are gone */
    for (uint32_t at = 1 + MSS, waited = 0; at < 1 + 5 * MSS; waited++) {
        assert_true(waited < 100);
        while (rig_take_tcp()) {
            pattern_check(rig.data, rig.seg.seq - flow.iss, rig.len);
            if (rig.seg.seq == flow.iss + at) {
                at += rig.len;
                inject(ACK, 1, at, FULL_WND, 0);
            }
        }
        advance(SEC);
    }
    assert_int_equal(tcb()->snd_una, flow.iss + 1 + 5 * MSS);
    assert_int_equal(tcb()->snd_q.bytes, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flag_in_every_state),
        cmocka_unit_test(impossible_offsets),
        cmocka_unit_test(wrong_checksums),
        cmocka_unit_test(broken_options),
        cmocka_unit_test(oddities_are_read_over),
        cmocka_unit_test(senseless_offers),
        cmocka_unit_test(senseless_urgent_pointers),
        cmocka_unit_test(sack_of_every_length),
        cmocka_unit_test(reneging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
