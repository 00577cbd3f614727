/*
 * Numbers that nobody shall guess: initial sequence numbers (RFC 6528), ports (RFC 6056), the
 * identification of packets. Statistics over 10,000 of each; keys and seeds are fixed, so a result
 * does not change from run to run. Bounds are six standard deviations.
 */
#include "tcp_kit.h"

enum {
    MANY = 10000,
    HALF_LOW = 4700, /* a fair coin, 10,000 times: 5,000, sigma 50 */
    HALF_HIGH = 5300,
    BINS = 64,
    BINS_HIGH = 147, /* chi-square, 63 degrees of freedom: 63, sigma 11.2, skewed */
};

static void begin_stack(void)
{
    defaults();
    rig.cfg.max_conns = 17000;
    begin();
}

/* The initial number of the connection to a remote port and address. */
static uint32_t isn(uint16_t remote_port, uint32_t remote)
{
    struct tcb c = {.local = LOCAL_ADDR,
                    .remote = addr_v4(remote),
                    .local_port = LOCAL_PORT,
                    .remote_port = remote_port};

    return flow_isn(rig.st, &c);
}

/* Each bit is set in about half of them. */
static void rig_fair_bits(const uint32_t *n, unsigned bits)
{
    for (unsigned bit = 0; bit < bits; bit++) {
        unsigned set = 0;

        for (unsigned i = 0; i < MANY; i++)
            set += n[i] >> bit & 1;
        if (set < HALF_LOW || set > HALF_HIGH)
            fail_msg("%s: bit %u is set in %u of %u", rig_where(), bit, set, MANY);
    }
}

/* They fall into 64 bins alike; `top` is one more than the largest. */
static void rig_even(const uint32_t *n, uint64_t top)
{
    unsigned bin[BINS] = {0};
    double chi2 = 0, want = (double)MANY / BINS;

    for (unsigned i = 0; i < MANY; i++)
        bin[(uint64_t)n[i] * BINS / top]++;
    for (unsigned i = 0; i < BINS; i++)
        chi2 += (bin[i] - want) * (bin[i] - want) / want;
    if (chi2 > BINS_HIGH)
        fail_msg("%s: chi-square is %.1f, at most %d is chance", rig_where(), chi2, BINS_HIGH);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The most frequent of them comes how often? */
static unsigned most_frequent(const uint32_t *n, unsigned count)
{
    static uint32_t sorted[MANY];
    unsigned run = 0, most = 0;

    memcpy(sorted, n, count * sizeof(n[0]));
    qsort(sorted, count, sizeof(sorted[0]), by_value);
    for (unsigned i = 0; i < count; i++) {
        run = i && sorted[i] == sorted[i - 1] ? run + 1 : 1;
        most = run > most ? run : most;
    }
    return most;
}

#define fair_bits(n, bits) AT(rig_fair_bits(n, bits))
#define even(n, top)       AT(rig_even(n, top))

/* MUST-9, SHLD-1: those of 10,000 connections are spread over all 2^32, and one says nothing of the
 * next: their differences are spread as well. */
static void initial_numbers_of_many_connections(void **state)
{
    static uint32_t n[MANY], difference[MANY];

    (void)state;
    begin_stack();
    for (unsigned by_address = 0; by_address < 2; by_address++) {
        for (uint32_t i = 0; i < MANY; i++) {
            n[i] = by_address ? isn(80, 0x0b000001 + i) : isn((uint16_t)(1024 + i), 0x0b000001);
            difference[i] = n[i] - (i ? n[i - 1] : 0);
        }
        fair_bits(n, 32);
        even(n, UINT64_C(1) << 32);
        fair_bits(difference, 32);
        even(difference, UINT64_C(1) << 32);
        assert_true(most_frequent(n, MANY) <= 2); /* of 50 million pairs 0.01 are equal by chance */
        assert_true(most_frequent(difference, MANY) <= 2);
    }
    end();
}

/* MUST-9: they are those of this secret. Under another each is another, and as far away as chance.
 */
static void initial_numbers_of_two_secrets(void **state)
{
    static uint32_t n[MANY];

    (void)state;
    for (unsigned second = 0; second < 2; second++) {
        defaults();
        rig.cfg.secret[KEY_ISN] ^= second ? 1 : 0;
        begin();
        for (uint32_t i = 0; i < MANY; i++)
            n[i] = second ? n[i] - isn((uint16_t)(1024 + i), 0x0b000001)
                          : isn((uint16_t)(1024 + i), 0x0b000001);
        end();
    }
    fair_bits(n, 32);
    even(n, UINT64_C(1) << 32);
}

/* MUST-8: for one connection the number is a clock of 4 microseconds, through its wrap. */
static void initial_numbers_are_a_clock(void **state)
{
    uint32_t first;

    (void)state;
    begin_stack();
    first = isn(80, 0x0b000001);
    for (unsigned i = 1; i <= 1000; i++) {
        stack_tick(rig.st, rig.now += 4 * USEC - 1);
        assert_int_equal(isn(80, 0x0b000001) - first, i - 1);
        stack_tick(rig.st, rig.now += 1);
        assert_int_equal(isn(80, 0x0b000001) - first, i);
    }
    stack_tick(rig.st, rig.now += (int64_t)4 * USEC << 32); /* 4.77 hours */
    assert_int_equal(isn(80, 0x0b000001) - first, 1000);
    end();
}

/* What the wire shows is that number, in SYN and in SYN-ACK. */
static void initial_numbers_are_used(void **state)
{
    (void)state;
    begin_stack();
    app_open();
    expect_syn();
    assert_int_equal(flow.iss, isn(flow.remote_port, 0x0a000007));
    flow.remote_port++;
    app_listen(1);
    inject(SYN, 0, 0, FULL_WND, 0);
    expect_syn_ack();
    assert_int_equal(flow.iss, isn(flow.remote_port, 0x0a000007));
    end();
}

/* RFC 6056: ports are spread over their whole range, and one says nothing of the next. */
static void ports_of_many_opens(void **state)
{
    static uint32_t n[MANY], difference[MANY];
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    unsigned small = 0;

    (void)state;
    begin_stack();
    for (unsigned i = 0; i < MANY; i++) {
        n[i] = flow_pick_port(rig.st, &local, &remote, 80);
        assert_in_range(n[i], 49152, 65535);
        n[i] -= 49152;
        difference[i] = (i ? n[i] - n[i - 1] : 0) % 16384;
        small += difference[i] < 164 || difference[i] > 16384 - 164; /* a hundredth each */
    }
    fair_bits(n, 14);
    even(n, 16384);
    fair_bits(difference, 14);
    even(difference, 16384);
    assert_in_range(small, 116, 284); /* 200, sigma 14 */
    end();
}

/* RFC 6056: another secret gives other ports, so who knows the program does not know them. */
static void ports_of_two_secrets(void **state)
{
    static uint32_t n[1000];
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    unsigned same = 0;

    (void)state;
    for (unsigned second = 0; second < 2; second++) {
        defaults();
        rig.cfg.secret[KEY_NUMBERS + 5] ^= second ? 1 : 0;
        begin();
        for (unsigned i = 0; i < 1000; i++) {
            uint32_t port = flow_pick_port(rig.st, &local, &remote, 80);

            same += second && n[i] == port;
            n[i] = port;
        }
        end();
    }
    assert_true(same <= 2);
}

/* The identification of packets is no counter and no clock, and it is the secret's, too. */
static void identifications(void **state)
{
    static uint32_t n[MANY], difference[MANY];
    struct udp_dgram d = {.remote = REMOTE_ADDR, .remote_port = 5000};
    int udp;

    (void)state;
    begin_stack();
    udp = udp_bind(&rig.st->udp, 6000, NULL);
    for (unsigned i = 0; i < MANY; i++) {
        rig.now += 7 * MSEC;
        assert_int_equal(udp_send(&rig.st->udp, &rig.st->ip, udp, &d), 0);
        assert_true(rig_take());
        assert_false(rig.ip.df);
        n[i] = rig.ip.id;
        difference[i] = (n[i] - (i ? n[i - 1] : 0)) % 65536;
    }
    fair_bits(n, 16);
    even(n, 65536);
    fair_bits(difference, 16);
    even(difference, 65536);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_numbers_of_many_connections),
        cmocka_unit_test(initial_numbers_of_two_secrets),
        cmocka_unit_test(initial_numbers_are_a_clock),
        cmocka_unit_test(initial_numbers_are_used),
        cmocka_unit_test(ports_of_many_opens),
        cmocka_unit_test(ports_of_two_secrets),
        cmocka_unit_test(identifications),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
