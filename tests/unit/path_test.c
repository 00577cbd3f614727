/* Paths and inboxes: what happens to packets, and when they come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "link/inbox.h"
#include "link/path.h"
#include "tests/unit/packet_kit.h"
#include "wire/tcp.h"

enum {
    MANY = 100000, /* throws, for a percentage to show */
    LEN = 1000,    /* bytes of a packet of which only the length matters */
};

static struct path path;
static uint8_t zeros[LEN];

static void begin(struct path_config cfg)
{
    path_init(&path, &cfg, dice_for(1, 0));
}

static struct fate fate_at(int64_t now)
{
    return path_fate(&path, now, zeros, LEN);
}

static void expect_arrival(int64_t sent, int64_t want)
{
    struct fate f = fate_at(sent);

    assert_int_equal(f.copies, 1);
    assert_int_equal(path_due(&path, sent, &f, 0), want);
}

static void expect_lost(int64_t now, enum reason by)
{
    struct fate f = fate_at(now);

    assert_int_equal(f.copies, 0);
    assert_string_equal(reason_text(f.lost_by)->name, reason_text(by)->name);
}

static void test_a_path_without_a_config_does_nothing(void **state)
{
    (void)state;
    begin((struct path_config){0});
    expect_arrival(5 * SEC, 5 * SEC);
    assert_false(path_too_large(&path, 0, 65535));
}

static void test_delay_and_jitter_in_order(void **state)
{
    int64_t last = 0;
    bool any = false;

    (void)state;
    begin((struct path_config){.delay = 20 * MSEC, .jitter = 5 * MSEC, .in_order = true});
    for (int64_t at = 0; at < 1000 * MSEC; at += MSEC) {
        struct fate f = fate_at(at);
        int64_t due = path_due(&path, at, &f, 0);

        assert_in_range(due - at, 20 * MSEC, 25 * MSEC);
        assert_true(due >= last);
        any |= due - at > 24 * MSEC;
        last = due;
    }
    assert_true(any);
}

static void test_jitter_without_order_lets_overtake(void **state)
{
    unsigned overtaken = 0;
    int64_t last = 0;

    (void)state;
    begin((struct path_config){.delay = 20 * MSEC, .jitter = 5 * MSEC});
    for (int64_t at = 0; at < 1000 * MSEC; at += MSEC) {
        struct fate f = fate_at(at);
        int64_t due = path_due(&path, at, &f, 0);

        overtaken += due < last;
        last = due;
    }
    assert_in_range(overtaken, 100, 900);
}

/* How many of MANY packets satisfy `is`. */
static unsigned count(bool (*is)(const struct fate *f))
{
    unsigned n = 0;

    for (unsigned i = 0; i < MANY; i++) {
        struct fate f = fate_at(i);

        n += is(&f);
    }
    return n;
}

static bool is_lost(const struct fate *f)
{
    return f->copies == 0 && f->lost_by == REASON_IMPAIR_LOST;
}

static bool is_burst(const struct fate *f)
{
    return f->copies == 0 && f->lost_by == REASON_IMPAIR_BURST;
}

static bool is_double(const struct fate *f)
{
    return f->copies == 2;
}

static bool is_reordered(const struct fate *f)
{
    return f->reordered && f->overtaken && f->late[0] <= 3 * MSEC;
}

static bool is_corrupt(const struct fate *f)
{
    return f->corrupt && f->bit < LEN * 8;
}

static bool is_marked(const struct fate *f)
{
    return f->marked;
}

static void test_each_percentage_is_kept(void **state)
{
    (void)state;
    begin((struct path_config){.loss = 10000});
    assert_in_range(count(is_lost), MANY / 125, MANY / 80);
    begin((struct path_config){.duplicate = 10000});
    assert_in_range(count(is_double), MANY / 125, MANY / 80);
    begin((struct path_config){.reorder = 10000, .reorder_by = 3 * MSEC, .in_order = true});
    assert_in_range(count(is_reordered), MANY / 125, MANY / 80);
    begin((struct path_config){.corrupt = 10000});
    assert_in_range(count(is_corrupt), MANY / 125, MANY / 80);
    begin((struct path_config){.mark = 10000});
    assert_in_range(count(is_marked), MANY / 125, MANY / 80);
    begin((struct path_config){.loss = 1000000});
    assert_int_equal(count(is_lost), MANY);
    begin((struct path_config){.loss = 0});
    assert_int_equal(count(is_lost), 0);
}

/* 1% of packets begin a burst, a tenth ends it: a mean of 10 in a row, and 1/11 of all. */
static void test_bursts_come_in_rows(void **state)
{
    unsigned rows = 0, lost = 0;
    bool before = false;

    (void)state;
    begin((struct path_config){.burst_enter = 10000, .burst_leave = 100000, .burst_loss = 1000000});
    for (unsigned i = 0; i < MANY; i++) {
        struct fate f = fate_at(i);
        bool now = is_burst(&f);

        lost += now;
        rows += now && !before;
        before = now;
    }
    assert_in_range(lost, MANY / 13, MANY / 9);
    assert_in_range(lost / rows, 8, 12);
}

/* A megabyte per second: a packet of 1,000 bytes takes 1 ms, and one waits behind the other. */
static void test_a_rate_makes_packets_wait(void **state)
{
    (void)state;
    begin((struct path_config){.rate = 1000000, .queue = 1000000, .in_order = true});
    expect_arrival(0, 1 * MSEC);
    expect_arrival(0, 2 * MSEC);
    expect_arrival(1500 * USEC, 3 * MSEC);
    expect_arrival(10 * MSEC, 11 * MSEC);
}

static void test_a_queue_of_packets_is_full_at_its_length(void **state)
{
    (void)state;
    begin((struct path_config){
        .rate = 1000000, .queue = UINT32_MAX, .queue_packets = 3, .in_order = true});
    for (int i = 1; i <= 3; i++)
        expect_arrival(0, i * MSEC);
    expect_lost(0, REASON_IMPAIR_QUEUE);
    expect_lost(MSEC - 1, REASON_IMPAIR_QUEUE);
    expect_arrival(MSEC, 4 * MSEC); /* the first has just left */
}

static void test_a_queue_of_bytes_is_full_behind_its_length(void **state)
{
    (void)state;
    begin((struct path_config){.rate = 1000000, .queue = 2000, .in_order = true});
    for (int i = 1; i <= 3; i++) /* the third finds 2,000 bytes: just not more */
        expect_arrival(0, i * MSEC);
    expect_lost(0, REASON_IMPAIR_QUEUE);
    expect_arrival(MSEC, 4 * MSEC);
}

/* A queue that is longer than what is counted packet by packet is still one of bytes. */
static void test_a_long_queue_is_counted_as_far_as_there_is_room(void **state)
{
    (void)state;
    begin((struct path_config){
        .rate = 1000000, .queue = UINT32_MAX, .mark_packets = PATH_WAITING, .in_order = true});
    for (unsigned i = 0; i < 2 * PATH_WAITING; i++)
        assert_int_equal(fate_at(0).marked, i >= PATH_WAITING);
    assert_int_equal(path.waiting, PATH_WAITING);
    assert_false(fate_at(2 * PATH_WAITING * MSEC).marked);
}

/* RFC 3168 5: marks in the place of losses, from a length of the queue on. */
static void test_marks_by_the_length_of_the_queue(void **state)
{
    (void)state;
    begin((struct path_config){
        .rate = 1000000, .queue = UINT32_MAX, .mark_packets = 2, .in_order = true});
    assert_false(fate_at(0).marked);
    assert_false(fate_at(0).marked);
    assert_true(fate_at(0).marked);
    assert_false(fate_at(3 * MSEC).marked);
    begin((struct path_config){
        .rate = 1000000, .queue = UINT32_MAX, .mark_bytes = 1500, .in_order = true});
    assert_false(fate_at(0).marked);
    assert_false(fate_at(0).marked);
    assert_true(fate_at(0).marked);
}

static void test_down_from_until(void **state)
{
    (void)state;
    begin((struct path_config){.down_from = 2 * SEC, .down_until = 3 * SEC});
    path.origin = 7 * SEC;
    expect_arrival(9 * SEC - 1, 9 * SEC - 1);
    expect_lost(9 * SEC, REASON_IMPAIR_DOWN);
    expect_lost(10 * SEC - 1, REASON_IMPAIR_DOWN);
    expect_arrival(10 * SEC, 10 * SEC);
}

static void test_what_is_too_large(void **state)
{
    (void)state;
    begin((struct path_config){.mtu = 1300, .narrow_from = SEC});
    assert_false(path_too_large(&path, SEC - 1, 1301));
    assert_true(path_too_large(&path, SEC, 1301));
    assert_false(path_too_large(&path, SEC, 1300));
}

static void expect_kind(struct kit_tcp f, enum packet_kind want)
{
    struct kit_packet p = kit_tcp(f);

    assert_int_equal(packet_classify(p.b, p.len), want);
}

static void test_kinds(void **state)
{
    struct kit_packet udp = kit_udp(1, 2, NULL, 40),
                      tcp = kit_tcp((struct kit_tcp){.flags = TCP_SYN});

    (void)state;
    expect_kind((struct kit_tcp){.flags = TCP_SYN}, PACKET_SYN);
    expect_kind((struct kit_tcp){.flags = TCP_SYN | TCP_ACK}, PACKET_SYN_ACK);
    expect_kind((struct kit_tcp){.flags = TCP_RST | TCP_ACK}, PACKET_RST);
    expect_kind((struct kit_tcp){.flags = TCP_FIN | TCP_ACK, .data = 5}, PACKET_FIN);
    expect_kind((struct kit_tcp){.flags = TCP_ACK, .data = 1}, PACKET_DATA);
    expect_kind((struct kit_tcp){.flags = TCP_ACK, .opt = "\1\1\1\1", .opt_len = 4}, PACKET_ACK);
    assert_int_equal(packet_classify(udp.b, udp.len), PACKET_OTHER);
    assert_int_equal(packet_classify(tcp.b, 39), PACKET_OTHER);
    assert_int_equal(packet_classify(tcp.b, 0), PACKET_OTHER);
    put16(tcp.b + 6, 0x2000); /* a first fragment has the header, a later one does not */
    assert_int_equal(packet_classify(tcp.b, tcp.len), PACKET_SYN);
    put16(tcp.b + 6, 0x2001);
    assert_int_equal(packet_classify(tcp.b, tcp.len), PACKET_OTHER);
}

static void test_a_mask_names_by_kind_and_number(void **state)
{
    struct kit_packet data = kit_tcp((struct kit_tcp){.flags = TCP_ACK, .data = 1});
    struct kit_packet ack = kit_tcp((struct kit_tcp){.flags = TCP_ACK});
    static const unsigned want[] = {1, 0, 0, 1, 1};

    (void)state;
    begin((struct path_config){.mask = {{PACKET_DATA, 2, 3}, {PACKET_SYN, 1, 1}}});
    for (unsigned i = 0; i < 5; i++) {
        struct fate f = path_fate(&path, 0, data.b, data.len);

        assert_int_equal(f.copies, want[i]);
        assert_int_equal(f.lost_by, want[i] ? REASON_NONE : REASON_IMPAIR_DROPPED);
        assert_int_equal(path_fate(&path, 0, ack.b, ack.len).copies, 1);
    }
}

static void test_calm(void **state)
{
    (void)state;
    begin((struct path_config){.loss = 1000000, .down_from = 0, .down_until = SEC});
    expect_lost(0, REASON_IMPAIR_DOWN);
    path_calm(&path);
    expect_arrival(0, 0);
}

/* ---- Inboxes ---- */

enum {
    PLACES = 5,
    PACKET_MAX = 100,
};

static alignas(16) uint8_t memory[4096];
static struct inbox inbox;

static int begin_inbox(void **state)
{
    (void)state;
    assert_in_range(inbox_bytes(PLACES, PACKET_MAX), 1, sizeof(memory));
    inbox_init(&inbox, memory, PLACES, PACKET_MAX);
    return 0;
}

static void expect_out(int64_t now, uint8_t first)
{
    struct path_packet *k = inbox_take(&inbox, now);

    assert_non_null(k);
    assert_int_equal(k->bytes[0], first);
    inbox_give(&inbox, k);
}

static void put(int64_t due, uint8_t first)
{
    struct path_packet *k = inbox_put(&inbox, due, &first, 1);

    assert_non_null(k);
}

static void test_packets_come_out_when_due_and_in_order(void **state)
{
    (void)state;
    assert_int_equal(inbox_due(&inbox), TIME_NEVER);
    put(30, 'd');
    put(10, 'a');
    put(20, 'b');
    put(20, 'c');
    assert_int_equal(inbox_due(&inbox), 10);
    assert_null(inbox_take(&inbox, 9));
    expect_out(10, 'a');
    assert_null(inbox_take(&inbox, 19));
    expect_out(25, 'b');
    expect_out(25, 'c');
    expect_out(30, 'd');
    assert_null(inbox_take(&inbox, TIME_NEVER - 1));
}

static void test_a_full_inbox_refuses_and_then_takes_again(void **state)
{
    uint8_t large[PACKET_MAX + 1] = {0};

    (void)state;
    for (uint8_t i = 0; i < PLACES; i++)
        put(i, i);
    assert_null(inbox_put(&inbox, 0, large, 1));
    expect_out(0, 0);
    assert_null(inbox_put(&inbox, 0, large, PACKET_MAX + 1));
    assert_non_null(inbox_put(&inbox, 9, large, PACKET_MAX));
    inbox_clear(&inbox);
    assert_int_equal(inbox.pool.in_use, 0);
    assert_int_equal(inbox_due(&inbox), TIME_NEVER);
}

static void test_one_bit_is_turned(void **state)
{
    static const uint8_t bytes[2] = {0, 0xff};
    struct path_packet *k = inbox_put(&inbox, 0, bytes, 2);

    (void)state;
    k->bytes[2] = 0;
    packet_turn_bit(k, 0);
    packet_turn_bit(k, 15);
    packet_turn_bit(k, 16); /* not its own */
    assert_int_equal(k->bytes[0], 0x80);
    assert_int_equal(k->bytes[1], 0xfe);
    assert_int_equal(k->bytes[2], 0);
    inbox_clear(&inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path_without_a_config_does_nothing),
        cmocka_unit_test(test_delay_and_jitter_in_order),
        cmocka_unit_test(test_jitter_without_order_lets_overtake),
        cmocka_unit_test(test_each_percentage_is_kept),
        cmocka_unit_test(test_bursts_come_in_rows),
        cmocka_unit_test(test_a_rate_makes_packets_wait),
        cmocka_unit_test(test_a_queue_of_packets_is_full_at_its_length),
        cmocka_unit_test(test_a_queue_of_bytes_is_full_behind_its_length),
        cmocka_unit_test(test_a_long_queue_is_counted_as_far_as_there_is_room),
        cmocka_unit_test(test_marks_by_the_length_of_the_queue),
        cmocka_unit_test(test_down_from_until),
        cmocka_unit_test(test_what_is_too_large),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_a_mask_names_by_kind_and_number),
        cmocka_unit_test(test_calm),
        cmocka_unit_test_setup(test_packets_come_out_when_due_and_in_order, begin_inbox),
        cmocka_unit_test_setup(test_a_full_inbox_refuses_and_then_takes_again, begin_inbox),
        cmocka_unit_test_setup(test_one_bit_is_turned, begin_inbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
