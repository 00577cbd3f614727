/* Window validation by numbers, after RFC 7661. A full segment has 1,000 bytes. */
#include "tcp/cc/cwv.h"

#include "base/time.h"
#include "wire_check.h"

enum {
    MSS = 1000,
};

static struct cwv v;
static struct cc cc;
static uint64_t delivered;
static int64_t now;

static void begin(uint32_t segments)
{
    v = (struct cwv){0};
    cc = (struct cc){.cwnd = segments * MSS, .ssthresh = 50 * MSS};
    delivered = 0;
    now = SEC;
}

static struct cc_sample sample(void)
{
    return (struct cc_sample){.now = now,
                              .srtt = 100 * MSEC,
                              .mss = MSS,
                              .rate = {.round_start = true, .total_delivered = delivered}};
}

/* A round trip of 100 ms that delivers so many segments. */
static void round_of(uint32_t segments)
{
    struct cc_sample s;

    delivered += (uint64_t)segments * MSS;
    now += 100 * MSEC;
    s = sample();
    cwv_on_ack(&v, &cc, &s);
}

static void rounds(unsigned n, uint32_t segments)
{
    while (n--)
        round_of(segments);
}

/* 4.2: pipeACK is the most that was acknowledged in a round trip, of the last second or so. */
static void rfc7661_4_2_pipe_ack(void **state)
{
    (void)state;
    begin(100);
    assert_true(cwv_pipe_ack(&v) == UINT32_MAX); /* undefined: no sample yet */
    rounds(3, 10);
    expect_number("ten", cwv_pipe_ack(&v), 10 * MSS);
    round_of(30);
    rounds(5, 10);
    expect_number("the most", cwv_pipe_ack(&v), 30 * MSS);
    rounds(21, 10);
    expect_number("two periods later", cwv_pipe_ack(&v), 10 * MSS);
}

/* 4.3: validated is a window of which half is used: nothing happens to it, however long. */
static void rfc7661_4_3_validated(void **state)
{
    (void)state;
    begin(100);
    rounds(7000, 50);
    expect_number("cwnd", cc.cwnd, 100 * MSS);
    expect_number("ssthresh", cc.ssthresh, 50 * MSS);
}

/* 4.4.3: after five minutes half of it goes; ssthresh remembers three quarters. */
static void rfc7661_4_4_3_five_minutes(void **state)
{
    (void)state;
    begin(100);
    rounds(2999, 10);
    expect_number("kept", cc.cwnd, 100 * MSS);
    rounds(10, 10);
    expect_number("half", cc.cwnd, 50 * MSS);
    expect_number("ssthresh", cc.ssthresh, 75 * MSS);
    rounds(3001, 10);
    expect_number("half of that", cc.cwnd, 25 * MSS);
    rounds(3001, 10);
    expect_number("a quarter of the rest is in use", cc.cwnd, 12500);
    rounds(9000, 10);
    expect_number("now it is validated", cc.cwnd, 12500);
    begin(12);
    rounds(3010, 1);
    expect_number("not below the initial window", cc.cwnd, 10 * MSS);
}

/* 4.4.3: a window that is used again in between is validated again. */
static void rfc7661_4_4_3_used_in_between(void **state)
{
    (void)state;
    begin(100);
    rounds(2000, 10);
    rounds(5, 60);
    rounds(2000, 10);
    expect_number("cwnd", cc.cwnd, 100 * MSS);
}

/* 4.4.1: a loss in a window that is not validated: what is reduced is what was used. */
static void rfc7661_4_4_1_loss(void **state)
{
    struct cc_sample s;

    (void)state;
    begin(100);
    rounds(20, 10);
    s = sample();
    s.in_flight = 8 * MSS;
    cwv_on_loss(&v, &cc, &s);
    expect_number("pipeACK", cc.cwnd, 10 * MSS);
    begin(100);
    rounds(20, 10);
    s.in_flight = 15 * MSS;
    cwv_on_loss(&v, &cc, &s);
    expect_number("more was in flight", cc.cwnd, 15 * MSS);
    begin(100);
    rounds(20, 60);
    cwv_on_loss(&v, &cc, &s);
    expect_number("validated", cc.cwnd, 100 * MSS);
    begin(100);
    cwv_on_loss(&v, &cc, &s);
    expect_number("not known", cc.cwnd, 100 * MSS);
}

/* RFC 5681 4.1: idle for long: the restart window is the initial window, or cwnd if it is less. */
static void rfc5681_4_1_restart(void **state)
{
    (void)state;
    begin(100);
    cwv_restart(&cc, MSS);
    expect_number("cwnd", cc.cwnd, 10 * MSS);
    expect_number("ssthresh", cc.ssthresh, 75 * MSS);
    begin(4);
    cwv_restart(&cc, MSS);
    expect_number("cwnd", cc.cwnd, 4 * MSS);
    expect_number("ssthresh", cc.ssthresh, 50 * MSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7661_4_2_pipe_ack),
        cmocka_unit_test(rfc7661_4_3_validated),
        cmocka_unit_test(rfc7661_4_4_3_five_minutes),
        cmocka_unit_test(rfc7661_4_4_3_used_in_between),
        cmocka_unit_test(rfc7661_4_4_1_loss),
        cmocka_unit_test(rfc5681_4_1_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
