/*
 * The receive window: what is offered is never taken back, can be said in the header's field, and
 * grows in steps that are worth a segment.
 */
#include "base/seq.h"
#include "tcp/tcp.h"
#include "wire_check.h"

enum {
    FIELD_MAX = 65535,
    STEPS = 20000, /* for each scale */
};

static struct tcp tcp;
static struct tcb tcb;
static struct buf_pool small; /* large, as far as shares are concerned */

static void start(uint32_t rcv_buf, uint8_t scale, uint16_t mss, uint32_t seq)
{
    memset(&tcp, 0, sizeof(tcp));
    memset(&tcb, 0, sizeof(tcb));
    small = (struct buf_pool){.count = 1 << 20, .size = 1 << 16};
    tcp.small = &small;
    tcp.cfg.rcv_buf = rcv_buf;
    tcb.rcv_wscale = scale & 0x0fu;
    tcb.rcv_mss = mss;
    tcb.rcv_nxt = seq;
    tcp_window_init(&tcp, &tcb);
}

static void arrive(uint32_t len)
{
    assert_true(len <= tcb_rcv_wnd(&tcb));
    tcb.rcv_nxt += len;
    tcb.rcv_q.bytes += len;
}

static void test_the_scale_is_the_smallest_that_will_do(void **state)
{
    (void)state;
    assert_int_equal(tcp_window_scale(0), 0);
    for (uint8_t scale = 0; scale < 14; scale++) {
        uint32_t most = ((uint32_t)FIELD_MAX << scale) + (1u << scale) - 1;

        assert_int_equal(tcp_window_scale(most), scale);
        assert_int_equal(tcp_window_scale(most + 1), scale + 1);
    }
    assert_int_equal(tcp_window_scale(1 << 30), 14);
    assert_int_equal(tcp_window_scale(UINT32_MAX), 14);
}

/* RFC 7323 section 2.2: the window in a SYN is not scaled. */
static void test_a_syn_is_not_scaled(void **state)
{
    (void)state;
    start(1 << 20, 5, 1460, 0xfffffff0);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, true), FIELD_MAX);
    assert_int_equal(tcb_rcv_wnd(&tcb), FIELD_MAX);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, true), FIELD_MAX);
    start(5000, 0, 1460, 7);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, true), 5000);
    start(1 << 20, 5, 1460, 7);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, false), (1 << 20) >> 5);
}

/* Rounding may add an eighth to the buffer. */
static uint32_t most_given(void)
{
    return tcp.cfg.rcv_buf + tcp.cfg.rcv_buf / 8;
}

/* One offer: what must hold of it. `seen` is the edge as the remote end last understood it. */
static void offer(uint32_t *seen)
{
    uint32_t before = tcb.rcv_adv, unit = 1u << tcb.rcv_wscale, edge;
    uint16_t field = tcp_window_offer(&tcp, &tcb, false);
    uint32_t window = (uint32_t)field << tcb.rcv_wscale;

    edge = tcb.rcv_nxt + window;
    assert_true(seq_geq(tcb.rcv_adv, before));                /* SHLD-14: never to the left */
    assert_true(seq_leq(edge, tcb.rcv_adv));                  /* what is said will be taken */
    assert_true(tcb.rcv_adv - edge < unit);                   /* and hardly less is said */
    assert_true(seq_geq(edge, *seen) || *seen - edge < unit); /* RFC 7323 section 2.4 */
    assert_true(tcb.rcv_q.bytes + window <= most_given());
    *seen = seq_max(*seen, edge);
}

static uint32_t any_size(uint64_t *rng, uint32_t most)
{
    return most == 0 ? 0 : random_below(rng, (random_below(rng, 3) ? min32(most, 3000) : most) + 1);
}

static void random_steps(uint64_t *rng)
{
    uint32_t seen = tcb.rcv_adv;

    for (int step = 0; step < STEPS; step++) {
        switch (random_below(rng, 4)) {
        case 0:
        case 1: /* the remote end uses what it was offered */
            arrive(any_size(rng, seq_gt(seen, tcb.rcv_nxt) ? seen - tcb.rcv_nxt : 0));
            break;
        case 2:
            tcb.rcv_q.bytes -= any_size(rng, tcb.rcv_q.bytes);
            break;
        default:
            offer(&seen);
        }
        assert_true(tcb.rcv_q.bytes + tcb_rcv_wnd(&tcb) <= most_given());
    }
}

static void test_the_right_edge_never_retreats(void **state)
{
    uint64_t rng = 1;

    (void)state;
    for (uint8_t scale = 0; scale <= 14; scale++) {
        uint32_t most = (uint32_t)FIELD_MAX << scale, odd = most - 1 - random_below(&rng, most / 2);

        start(most, scale, 1460, 0u - most / 2);
        random_steps(&rng);
        start(odd, scale, 536, (uint32_t)random64(&rng));
        random_steps(&rng);
        start(3000 + (2u << scale), scale, 1460, (uint32_t)random64(&rng)); /* a small buffer */
        random_steps(&rng);
    }
}

/* A reader that reads nothing closes the window, even to a remote end that sends byte by byte. */
static void test_a_window_that_nobody_reads_closes(void **state)
{
    (void)state;
    for (uint8_t scale = 0; scale <= 14; scale++) {
        uint32_t rcv_buf = 40000 + (4u << scale), window = 1, sent = 0;

        start(rcv_buf, scale, 1460, 0xffff0000);
        while ((window = (uint32_t)tcp_window_offer(&tcp, &tcb, false) << scale) > 0) {
            arrive(sent % 7 == 0 && window > 1 ? 2 : 1);
            assert_true(++sent <= 2 * rcv_buf);
        }
        assert_true(tcb.rcv_q.bytes <= most_given());
        assert_true(tcb.rcv_q.bytes + (1u << scale) >= rcv_buf);
    }
}

/* Fill the buffer of `rcv_buf` bytes, then let `bytes` of it be read. */
static void fill_and_read(uint32_t rcv_buf, uint16_t mss, uint32_t bytes)
{
    start(rcv_buf, 0, mss, 1000);
    arrive(rcv_buf);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, false), 0);
    tcb.rcv_q.bytes -= bytes;
}

/* RFC 9293 section 3.8.6.2.2: the edge moves by min(half the buffer, a segment), or not at all. */
static void test_the_threshold_of_silly_windows(void **state)
{
    (void)state;
    fill_and_read(10000, 1460, 1459);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, false), 0);
    fill_and_read(10000, 1460, 1460);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, false), 1460);
    fill_and_read(2000, 1460, 999);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, false), 0);
    fill_and_read(2000, 1460, 1000);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, false), 1000);
    /* what is offered already stays offered, and grows by the same steps */
    tcb.rcv_q.bytes -= 999;
    assert_int_equal(tcp_window_offer(&tcp, &tcb, false), 1000);
    tcb.rcv_q.bytes -= 1;
    assert_int_equal(tcp_window_offer(&tcp, &tcb, false), 2000);
}

/* Unasked, the remote end is told of min(half the buffer, two segments). */
static void test_when_an_update_is_due(void **state)
{
    (void)state;
    fill_and_read(10000, 1460, 2919);
    assert_false(tcp_window_update_due(&tcp, &tcb));
    fill_and_read(10000, 1460, 2920);
    assert_true(tcp_window_update_due(&tcp, &tcb));
    fill_and_read(2000, 1460, 999);
    assert_false(tcp_window_update_due(&tcp, &tcb));
    fill_and_read(2000, 1460, 1000);
    assert_true(tcp_window_update_due(&tcp, &tcb));
    tcp_window_offer(&tcp, &tcb, false);
    assert_false(tcp_window_update_due(&tcp, &tcb));
}

/* A buffer larger than the scale can say is offered as far as it can be said. */
static void test_a_buffer_beyond_the_field(void **state)
{
    (void)state;
    start(200000, 0, 1460, 5);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, false), FIELD_MAX);
    assert_int_equal(tcb_rcv_wnd(&tcb), FIELD_MAX);
    arrive(1460);
    assert_int_equal(tcp_window_offer(&tcp, &tcb, false), FIELD_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_scale_is_the_smallest_that_will_do),
        cmocka_unit_test(test_a_syn_is_not_scaled),
        cmocka_unit_test(test_the_right_edge_never_retreats),
        cmocka_unit_test(test_a_window_that_nobody_reads_closes),
        cmocka_unit_test(test_the_threshold_of_silly_windows),
        cmocka_unit_test(test_when_an_update_is_due),
        cmocka_unit_test(test_a_buffer_beyond_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
