/*
 * Proportional Rate Reduction: the examples of RFC 6937 section 4, whose figures are sequences of
 * what each acknowledgment releases, and the rules of RFC 9937 section 6. A segment is 1,000 bytes.
 *
 * The network of the examples: 20 segments are in flight; some are lost; each that arrives causes
 * one acknowledgment. The first two release a new segment each (limited transmit), the third begins
 * the recovery.
 */
#include "tcp/recovery/prr.h"

#include <string.h>

#include "wire_check.h"

enum {
    MSS = 1000,
    WINDOW = 20,    /* segments in flight */
    FLIGHT = 22,    /* and with the two of limited transmit */
    SSTHRESH = 11,  /* segments: half of the flight */
    THRESHOLD = 3,  /* duplicates */
    ACKS_MAX = 100, /* of one test */
};

static struct prr prr;
static uint32_t inflight;        /* bytes */
static uint32_t sent[ACKS_MAX];  /* segments released by the acknowledgment of segment i */
static uint32_t piped[ACKS_MAX]; /* segments in flight when it came */

/* The acknowledgment comes for segment `number`; what it releases is sent at once. */
static void acknowledge(uint32_t number, uint32_t delivered, bool safe)
{
    uint32_t cwnd;

    piped[number] = inflight / MSS;
    cwnd = prr_on_ack(&prr, &(struct prr_ack){delivered, inflight, SSTHRESH * MSS, MSS, safe});
    for (sent[number] = 0; inflight + MSS <= cwnd; inflight += MSS) {
        sent[number]++;
        prr_sent(&prr, MSS);
    }
}

/*
 * Segments 0 .. lost - 1 of the window are lost, the others arrive, and so do the two of limited
 * transmit. RFC 6937 counts all as RecoverFS.
 */
static void play(uint32_t lost)
{
    memset(sent, 0, sizeof(sent));
    memset(piped, 0, sizeof(piped));
    prr_begin(&prr, &(struct prr_start){.outstanding = FLIGHT * MSS});
    for (uint32_t i = lost; i < WINDOW; i++) {
        uint32_t came = i - lost + 1;

        if (came < THRESHOLD)
            continue;
        if (came == THRESHOLD)
            inflight = (FLIGHT - THRESHOLD - lost) * MSS;
        else
            inflight -= MSS;
        acknowledge(i, MSS, false);
    }
}

static void expect_sent(uint32_t first, const char *want)
{
    for (uint32_t i = 0; want[i]; i++)
        if (sent[first + i] != (uint32_t)(want[i] - '0'))
            fail_msg("segment %u: %u sent, expected %c", first + i, sent[first + i], want[i]);
}

/*
 * Figure 1, one loss: the third duplicate sends the retransmission, then every second one releases
 * a segment; when the flight has come down to ssthresh, each of the last two replaces what left.
 */
static void rfc6937_4_one_loss(void **state)
{
    static const uint8_t pipes[] = {18, 18, 17, 17, 16, 16, 15, 15, 14,
                                    14, 13, 13, 12, 12, 11, 10, 10};

    (void)state;
    play(1);
    expect_sent(3, "10101010101010011");
    for (uint32_t i = 0; i < sizeof(pipes); i++)
        expect_number("the flight", piped[3 + i], pipes[i]);
    expect_number("at the end", inflight, SSTHRESH * MSS);
}

/*
 * Figure 2, fifteen of twenty are lost: by the conservative bound each acknowledgment replaces the
 * one segment that left the network; there is no burst of what cwnd would have room for.
 */
static void rfc6937_4_heavy_loss(void **state)
{
    (void)state;
    play(15);
    expect_sent(17, "111");
    expect_number("the flight stays", piped[17], 4);
    expect_number("the flight stays", piped[18], 4);
    expect_number("the flight stays", piped[19], 4);
}

/* Figure 2, the slow-start bound: two for each one that arrived, as in slow start. */
static void rfc6937_4_heavy_loss_slow_start(void **state)
{
    (void)state;
    prr_begin(&prr, &(struct prr_start){.outstanding = FLIGHT * MSS});
    inflight = 4 * MSS;
    acknowledge(17, MSS, true);
    for (uint32_t i = 18; i < 20; i++) {
        inflight -= MSS;
        acknowledge(i, MSS, true);
    }
    expect_sent(17, "222");
    expect_number("the flight grows", piped[18], 5);
    expect_number("the flight grows", piped[19], 6);
}

/* The example of a burst of losses: the flight is below ssthresh at once and grows to it only. */
static void rfc9937_6_ssrb_ends_at_ssthresh(void **state)
{
    (void)state;
    prr_begin(&prr, &(struct prr_start){.outstanding = FLIGHT * MSS});
    inflight = (SSTHRESH - 1) * MSS;
    acknowledge(0, 10 * MSS, true);
    expect_number("released", sent[0], 1);
    expect_number("the flight", inflight, SSTHRESH * MSS);
    acknowledge(1, 0, true);
    expect_number("released by nothing delivered", sent[1], 0);
}

/* Without a safe ACK the conservative bound: no more than was delivered. */
static void rfc9937_6_crb(void **state)
{
    (void)state;
    prr_begin(&prr, &(struct prr_start){.outstanding = FLIGHT * MSS});
    inflight = 2 * MSS;
    acknowledge(0, 3 * MSS, false);
    expect_number("released", sent[0], 3);
    acknowledge(1, 2 * MSS, false);
    expect_number("released", sent[1], 2);
    expect_number("delivered is sent", prr.delivered == prr.out, true);
    acknowledge(2, 0, true);
    expect_number("released by nothing delivered", sent[2], 0);
}

/* What was not used, because nothing was there to send, is made up for later. */
static void rfc9937_6_catches_up(void **state)
{
    uint32_t cwnd;

    (void)state;
    prr_begin(&prr, &(struct prr_start){.outstanding = FLIGHT * MSS});
    prr_sent(&prr, MSS);
    for (uint32_t i = 0; i < 4; i++)
        cwnd = prr_on_ack(&prr, &(struct prr_ack){MSS, 2 * MSS, SSTHRESH * MSS, MSS, false});
    expect_number("four delivered, none sent since", cwnd, (2 + 4) * MSS);
    prr_sent(&prr, 5 * MSS); /* somebody sent more than was released */
    cwnd = prr_on_ack(&prr, &(struct prr_ack){MSS, 2 * MSS, SSTHRESH * MSS, MSS, false});
    expect_number("what was delivered by this one", cwnd, (2 + 1) * MSS);
}

/*
 * Acknowledgments that are processed one after the other before anything is sent release together
 * what they would have released each; those that deliver nothing take nothing back.
 */
static void rfc9937_6_a_batch_releases_the_same(void **state)
{
    struct prr_ack one = {MSS, 2 * MSS, SSTHRESH * MSS, MSS, true}, nothing = one;
    uint32_t cwnd;

    (void)state;
    nothing.delivered = 0;
    nothing.safe = false;
    prr_begin(&prr, &(struct prr_start){.outstanding = FLIGHT * MSS});
    prr_sent(&prr, MSS);
    prr_on_ack(&prr, &one);
    prr_on_ack(&prr, &nothing);
    prr_on_ack(&prr, &one);
    cwnd = prr_on_ack(&prr, &nothing);
    expect_number("two safe ones", cwnd, (2 + 4) * MSS);
    prr_sent(&prr, 3 * MSS);
    one.inflight = nothing.inflight = 5 * MSS;
    expect_number("one is left", prr_on_ack(&prr, &nothing), (5 + 1) * MSS);
    prr_sent(&prr, MSS);
    one.inflight = nothing.inflight = 6 * MSS;
    expect_number("none is left", prr_on_ack(&prr, &nothing), 6 * MSS);
    for (uint32_t i = 0; i < 10; i++)
        cwnd = prr_on_ack(&prr, &one);
    expect_number("no further than to ssthresh", cwnd, SSTHRESH * MSS);
}

/* The retransmission that begins a recovery leaves even where no share is due yet. */
static void rfc9937_6_fast_retransmit_is_forced(void **state)
{
    (void)state;
    prr_begin(&prr, &(struct prr_start){.outstanding = FLIGHT * MSS});
    inflight = 12 * MSS;
    acknowledge(0, 0, false); /* the reordering timer found the loss: nothing was delivered */
    expect_number("the first", sent[0], 1);
    acknowledge(1, 0, false);
    expect_number("no second", sent[1], 0);
}

/* RecoverFS: without what was reported before, with what this acknowledgment reports. */
static void rfc9937_6_recover_fs(void **state)
{
    (void)state;
    prr_begin(&prr, &(struct prr_start){22 * MSS, 3 * MSS, MSS, 0});
    expect_number("with SACK", prr.recover_fs, 20 * MSS);
    prr_begin(&prr, &(struct prr_start){20 * MSS, 0, 0, 2 * MSS});
    expect_number("with acknowledged bytes", prr.recover_fs, 22 * MSS);
    prr_begin(&prr, &(struct prr_start){MSS, UINT32_MAX, 0, 0});
    assert_true(prr_active(&prr)); /* whatever the remote end says */
    prr_end(&prr);
    assert_false(prr_active(&prr));
}

/* In the proportional part the flight is ssthresh when all of RecoverFS is delivered; CUBIC's too.
 */
static void rfc9937_6_lands_on_ssthresh(void **state)
{
    (void)state;
    for (uint32_t percent = 50; percent <= 90; percent += 10) {
        uint32_t ssthresh = 100 * MSS / 100 * percent;

        prr_begin(&prr, &(struct prr_start){100 * MSS, MSS, MSS, 0});
        inflight = 99 * MSS;
        for (uint32_t i = 0; i < 99; i++) {
            uint32_t cwnd;

            inflight -= MSS;
            cwnd = prr_on_ack(&prr, &(struct prr_ack){MSS, inflight, ssthresh, MSS, false});
            assert_true(cwnd <= inflight + MSS); /* never a burst */
            for (; inflight + MSS <= cwnd; inflight += MSS)
                prr_sent(&prr, MSS);
        }
        expect_number("the flight", inflight, ssthresh);
    }
}

/* However large the numbers, nothing wraps: half of a gibibyte delivered releases a quarter. */
static void rfc9937_6_large_numbers(void **state)
{
    const uint32_t gib = 1u << 30;
    struct prr_ack a = {gib / 2, gib, gib / 2, 1 << 15, false};

    (void)state;
    prr_begin(&prr, &(struct prr_start){.outstanding = gib});
    expect_number("a quarter", prr_on_ack(&prr, &a), gib + gib / 4);
    a.inflight = 1; /* eight gibibytes delivered, none sent, and ssthresh bounds it */
    a.delivered = gib;
    a.safe = true;
    for (unsigned i = 0; i < 8; i++)
        expect_number("ssthresh", prr_on_ack(&prr, &a), gib / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6937_4_one_loss),
        cmocka_unit_test(rfc6937_4_heavy_loss),
        cmocka_unit_test(rfc6937_4_heavy_loss_slow_start),
        cmocka_unit_test(rfc9937_6_ssrb_ends_at_ssthresh),
        cmocka_unit_test(rfc9937_6_crb),
        cmocka_unit_test(rfc9937_6_catches_up),
        cmocka_unit_test(rfc9937_6_a_batch_releases_the_same),
        cmocka_unit_test(rfc9937_6_fast_retransmit_is_forced),
        cmocka_unit_test(rfc9937_6_recover_fs),
        cmocka_unit_test(rfc9937_6_lands_on_ssthresh),
        cmocka_unit_test(rfc9937_6_large_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
