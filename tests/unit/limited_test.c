/* Limited transmit: the rules of RFC 3042 section 2. A segment has 1,000 bytes, cwnd is four. */
#include "tcp/recovery/limited.h"

#include "wire_check.h"

enum {
    MSS = 1000,
    CWND = 4 * MSS,
};

/* Each of the first two duplicates releases one segment; the third and all that follow none. */
static void rfc3042_2_two_segments(void **state)
{
    uint32_t outstanding = CWND;

    (void)state;
    expect_number("no duplicate", limited_transmit(true, CWND, CWND, outstanding, MSS), 0);
    for (uint32_t i = 1; i < 10; i++) {
        uint32_t in_flight = outstanding - i * MSS;
        uint32_t room = limited_transmit(true, CWND, in_flight, outstanding, MSS);

        expect_number("room", room, i <= 2 ? MSS : 0);
        outstanding += room;
    }
    expect_number("outstanding", outstanding, CWND + 2 * MSS);
}

/* A duplicate that reports nothing new leaves the pipe, and so releases nothing. */
static void rfc3042_2_no_news_no_segment(void **state)
{
    (void)state;
    expect_number("room", limited_transmit(true, CWND, CWND, CWND, MSS), 0);
    expect_number("a byte less", limited_transmit(true, CWND, CWND - 1, CWND, MSS), 1);
}

/* Switched off: what is not acknowledged fills cwnd, whatever duplicates say. */
static void rfc3042_off(void **state)
{
    (void)state;
    expect_number("room", limited_transmit(false, CWND, CWND - 2 * MSS, CWND, MSS), 0);
    expect_number("room", limited_transmit(false, CWND, CWND - 2 * MSS, CWND - MSS, MSS), MSS);
}

/* cwnd itself is a bound, too: it may have been reduced meanwhile. */
static void rfc3042_2_within_cwnd(void **state)
{
    (void)state;
    expect_number("room", limited_transmit(true, CWND, CWND - MSS, CWND - MSS, MSS), MSS);
    expect_number("room", limited_transmit(true, 2 * MSS, 3 * MSS, 3 * MSS, MSS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3042_2_two_segments),
        cmocka_unit_test(rfc3042_2_no_news_no_segment),
        cmocka_unit_test(rfc3042_off),
        cmocka_unit_test(rfc3042_2_within_cwnd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
