/* Segment sizes: what is announced, what is assumed, and what leaves (RFC 9293 section 3.7.1). */
#include "tcp_kit.h"

#include "tcp/mss.h"

/* The full segment that we send to someone whose SYN said `mss`, or nothing (0). */
static uint32_t full_segment(uint32_t mtu, uint16_t mss)
{
    const struct tcp_options opt = {.has_mss = mss, .mss = mss};
    uint32_t len;

    defaults();
    rig.cfg.mtu = mtu;
    rig.cfg.tcp.conn.nagle = false;
    begin();
    open_passive_with(mss ? &opt : NULL, FULL_WND, FULL_WND);
    app_send(20000);
    assert_true(rig_take_tcp());
    len = rig.len;
    assert_true(rig.ip.total_len <= mtu);
    end();
    return len;
}

/* MUST-14, MUST-16: the smaller of what the remote end takes and what the device takes. */
static void the_smaller_of_both_limits_counts(void **state)
{
    static const struct {
        uint32_t mtu;
        uint16_t mss;
        uint32_t want;
    } cases[] = {
        {1500, 1460, 1460}, {1500, 1459, 1459}, {1500, 1461, 1460}, {1500, 65535, 1460},
        {1500, 536, 536},   {576, 1460, 536},   {9000, 1460, 1460}, {9000, 8960, 8960},
        {68, 1460, 28},     {1500, 48, 48},     {1500, 47, 48},     {1500, 1, 48},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(full_segment(cases[i].mtu, cases[i].mss), cases[i].want);
}

/* MUST-15: without the option 536 bytes over IPv4, also if more would fit. */
static void without_an_option_it_is_the_default(void **state)
{
    (void)state;
    assert_int_equal(full_segment(1500, 0), 536);
    assert_int_equal(full_segment(576, 0), 536);
    assert_int_equal(full_segment(300, 0), 260);
}

/* MUST-15: and 1220 over IPv6, whose header is 20 bytes longer. */
static void the_default_of_ipv6_is_its_own(void **state)
{
    struct tcp t = {.mtu_mss = 1460, .mtu_mss6 = 1440};
    struct tcb c = {.remote = {{0x20, 0x01, 0x0d, 0xb8}}};
    struct tcp_hdr syn = {0};

    (void)state;
    assert_int_equal(mss_announce(&t, &c), 1440);
    mss_init(&t, &c);
    assert_int_equal(c.snd_mss, 1220);
    mss_take_syn(&t, &c, &syn);
    assert_int_equal(c.snd_mss, 1220);
    syn.opt = (struct tcp_options){.has_mss = true, .mss = 1460};
    mss_take_syn(&t, &c, &syn);
    assert_int_equal(c.snd_mss, 1440);
    c.ts_ok = true;
    mss_take_syn(&t, &c, &syn);
    assert_int_equal(c.snd_mss, 1428);
    t.mtu_mss6 = 1220; /* an MTU of 1280, the least that IPv6 allows */
    syn.opt.has_mss = false;
    mss_take_syn(&t, &c, &syn);
    assert_int_equal(c.snd_mss, 1208);
}

/* MUST-14, MUST-67, SHLD-5, SHLD-6, MAY-3: each SYN announces what the device's MTU leaves, or
 * less if that is configured, whatever options it carries itself.
 * RFC 1122 3.3.2-c. */
static void each_syn_announces_what_the_device_takes(void **state)
{
    static const struct {
        uint32_t mtu;
        uint16_t set, want;
    } cases[] = {
        {1500, 0, 1460},    {576, 0, 536},      {68, 0, 28},
        {9000, 0, 8960},    {65535, 0, 65495},  {1500, 1000, 1000},
        {1500, 1460, 1460}, {1500, 1461, 1460}, {1500, 9000, 1460},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        defaults();
        rig.cfg.mtu = cases[i].mtu;
        rig.cfg.tcp.mss = cases[i].set;
        rig.cfg.tcp.timestamps = i % 2;
        begin();
        app_open();
        expect_syn();
        assert_true(rig.seg.opt.has_mss);
        assert_int_equal(rig.seg.opt.mss, cases[i].want);
        advance(SEC); /* and again */
        expect_syn();
        assert_true(rig.seg.opt.has_mss);
        app_abort();
        drain();
        app_listen(16);
        rig_inject(SYN, 0, 0, FULL_WND, 0, NULL);
        expect_syn_ack();
        assert_true(rig.seg.opt.has_mss);
        assert_int_equal(rig.seg.opt.mss, cases[i].want);
        end();
    }
}

/* MUST-65: no segment without SYN carries an MSS option; whatever options are spoken. */
static void nothing_but_a_syn_announces_it(void **state)
{
    const struct tcp_options offer = {.has_mss = true, .mss = MSS, .has_timestamp = true};

    (void)state;
    defaults();
    rig.cfg.tcp.timestamps = true;
    begin();
    open_passive_with(&mss_only, FULL_WND, FULL_WND);
    app_send(3000);
    inject(ACK, 101, 1, FULL_WND, 10); /* a duplicate acknowledgment is owed */
    app_close();
    while (rig_take_tcp())
        assert_false(rig.seg.opt.has_mss);
    advance(SEC); /* retransmission */
    assert_true(rig_take_tcp());
    assert_false(rig.seg.opt.has_mss);
    app_abort();
    assert_true(rig_take_tcp()); /* reset */
    assert_false(rig.seg.opt.has_mss);
    end();
    defaults();
    rig.cfg.tcp.timestamps = true;
    begin();
    app_open();
    expect_syn();
    rig_inject(SYN | ACK, 0, 1, FULL_WND, 0, &offer);
    expect(ACK, 1, 1, 0);
    assert_true(rig.seg.opt.has_timestamp && !rig.seg.opt.has_mss);
    end();
}

/* MUST-16: full segments leave room for timestamps; what the SYN announces does not (RFC 6691). */
static void an_option_is_subtracted_from_the_text(void **state)
{
    static const uint16_t said[] = {MSS, 600, 48};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        const struct tcp_options opt = {.has_mss = true, .mss = said[i], .has_timestamp = true};

        defaults();
        rig.cfg.tcp.timestamps = true;
        begin();
        app_open();
        expect_syn();
        assert_int_equal(rig.seg.opt.mss, MSS);
        rig_inject(SYN | ACK, 0, 1, FULL_WND, 0, &opt);
        expect(ACK, 1, 1, 0);
        app_send(2U * said[i] - 24);
        expect(ACK, 1, 1, said[i] - 12U);
        assert_int_equal(rig.ip.total_len, said[i] + 40);
        expect(ACK, 1 + said[i] - 12U, 1, said[i] - 12U);
        end();
    }
}

/* A size too small for its own options is one byte, not a wrapped number. */
static void options_larger_than_the_segment_leave_a_byte(void **state)
{
    const struct tcp t = {.mtu_mss = 12};
    struct tcb c = {.remote = REMOTE_ADDR, .ts_ok = true};
    const struct tcp_hdr syn = {.opt = {.has_mss = true, .mss = MSS}};

    (void)state;
    mss_take_syn(&t, &c, &syn);
    assert_int_equal(c.snd_mss, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smaller_of_both_limits_counts),
        cmocka_unit_test(without_an_option_it_is_the_default),
        cmocka_unit_test(the_default_of_ipv6_is_its_own),
        cmocka_unit_test(each_syn_announces_what_the_device_takes),
        cmocka_unit_test(nothing_but_a_syn_announces_it),
        cmocka_unit_test(an_option_is_subtracted_from_the_text),
        cmocka_unit_test(options_larger_than_the_segment_leave_a_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
