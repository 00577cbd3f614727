/* The applications over a stack that is a few arrays: echo, discard, chargen, datagrams, bulk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/bulk.h"
#include "app/chargen.h"
#include "app/datagram.h"
#include "app/discard.h"
#include "app/echo.h"
#include "fake_stack.h"

static int setup(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

/* ---- echo ---- */

static alignas(16) uint8_t echo_mem[4096];
static struct echo echo;

static void start_echo(uint32_t conns)
{
    echo_init(&echo, echo_mem, echo_bytes(conns));
}

static void echo_sends_back_what_arrives_and_copies_nothing(void **state)
{
    struct fake_conn *c;

    (void)state;
    start_echo(4);
    c = fake_accept(0, &echo.app);
    fake_arrive(0, "hello", 5);
    assert_int_equal(c->tx_n, 5);
    assert_memory_equal(c->tx, "hello", 5);
    assert_int_equal(c->held_n, 1); /* the very buffer that was received */
    assert_int_equal(fake_pool.in_use, 1);
    fake_ack(0, FAKE_TX);
    assert_int_equal(fake_pool.in_use, 0);
    assert_false(c->closed);
}

static void echo_stops_reading_while_it_cannot_send(void **state)
{
    static uint8_t bytes[10000];
    struct fake_conn *c;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    start_echo(4);
    c = fake_accept(0, &echo.app);
    c->space = 3000; /* two slices of 1400 and not a third */
    fake_arrive(0, bytes, sizeof(bytes));
    assert_int_equal(c->tx_n, 2800);
    assert_int_equal(c->rx_at, 4200); /* one slice is held, the rest waits in the queue */
    fake_ack(0, 1400);
    assert_int_equal(c->tx_n, 4200);
    fake_ack(0, FAKE_TX);
    assert_int_equal(c->tx_n, sizeof(bytes));
    assert_memory_equal(c->tx, bytes, sizeof(bytes));
}

static void echo_closes_after_the_last_byte_is_on_its_way(void **state)
{
    struct fake_conn *c;

    (void)state;
    start_echo(4);
    c = fake_accept(0, &echo.app);
    c->space = 0;
    fake_arrive(0, "last", 4);
    fake_eof(0);
    assert_false(c->closed);
    fake_ack(0, 3); /* still a byte too few */
    assert_false(c->closed);
    fake_ack(0, 4);
    assert_memory_equal(c->tx, "last", 4);
    assert_true(c->closed);
    fake_ack(0, 0);
    fake_tell(0, EV_CLOSED, REASON_END_ORDERLY);
    assert_int_equal(fake_pool.in_use, 0);
    assert_int_equal(echo.conns.in_use, 0);
}

static void echo_drops_what_it_holds_when_the_connection_is_reset(void **state)
{
    (void)state;
    start_echo(4);
    fake_accept(0, &echo.app)->space = 0;
    fake_arrive(0, "never", 5);
    fake_tell(0, EV_CLOSED, REASON_END_RESET);
    assert_int_equal(fake_pool.in_use, 0);
    assert_int_equal(echo.conns.in_use, 0);
}

static void echo_lets_go_of_a_connection_too_many_and_counts_it(void **state)
{
    (void)state;
    start_echo(2);
    assert_false(fake_accept(0, &echo.app)->released);
    assert_false(fake_accept(1, &echo.app)->released);
    assert_true(fake_accept(2, &echo.app)->released);
    assert_int_equal(echo.full, 1);
    fake_tell(0, EV_CLOSED, REASON_END_ORDERLY);
    assert_false(fake_accept(3, &echo.app)->released);
}

/* ---- discard and chargen ---- */

static void discard_takes_everything_and_closes_at_the_end(void **state)
{
    struct discard d;
    struct fake_conn *c;

    (void)state;
    discard_init(&d);
    c = fake_accept(0, &d.app);
    fake_arrive(0, "abcdefgh", 8);
    assert_int_equal(d.bytes, 8);
    assert_int_equal(c->tx_n, 0);
    assert_false(c->closed);
    fake_eof(0);
    assert_true(c->closed);
    assert_int_equal(fake_pool.in_use, 0);
}

static void chargen_has_the_lines_of_rfc_864(void **state)
{
    static uint8_t p[CHARGEN_PATTERN];

    (void)state;
    chargen_fill(p);
    assert_memory_equal(
        p, " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n", 74);
    assert_memory_equal(
        p + 74, "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh\r\n",
        74);
    assert_memory_equal(p + 94 * 74, "~ !\"#", 5);
}

static void chargen_fills_the_queue_and_goes_on_where_it_was(void **state)
{
    static struct chargen g;
    struct fake_conn *c;

    (void)state;
    chargen_init(&g);
    c = &fake.conn[0];
    fake_accept(0, &g.app);
    assert_true(c->blocked);
    assert_true(c->tx_n <= FAKE_TX && c->tx_n > FAKE_TX - CHARGEN_PATTERN);
    assert_int_equal(c->tx_n % CHARGEN_PATTERN, 0);
    c->tx_n = 0;
    fake_ack(0, CHARGEN_PATTERN);
    assert_int_equal(c->tx_n, CHARGEN_PATTERN);
    assert_memory_equal(c->tx, " !\"#", 4);
}

static void chargen_ends_when_the_remote_node_closes(void **state)
{
    static struct chargen g;
    struct fake_conn *c;

    (void)state;
    chargen_init(&g);
    c = fake_accept(0, &g.app);
    fake_arrive(0, "unread", 6);
    fake_eof(0);
    assert_true(c->closed);
    assert_int_equal(fake_pool.in_use, 0);
}

/* ---- datagrams ---- */

static void datagram_arrives(struct datagram *d, uint16_t port, const char *text)
{
    struct buf *b = buf_get(&fake_pool);
    struct stack_event ev = {.kind = EV_DATAGRAM, .udp = 3, .user = d};

    memcpy(b->data, text, strlen(text));
    fake.dgram_in[fake.dgrams_in++] =
        (struct stack_datagram){.addr = addr_v4(0x0a000007),
                                .port = port,
                                .data = {b, b->data, (uint32_t)strlen(text)}};
    d->app.ops->event(&d->app, &fake, &ev);
}

static void take_answer(unsigned i)
{
    buf_unref(fake.dgram_out[i].data.buf);
}

static void datagrams_come_back_as_they_were(void **state)
{
    struct datagram d;

    (void)state;
    datagram_init(&d, DATAGRAM_ECHO, NULL, NULL);
    datagram_arrives(&d, 40000, "ping");
    datagram_arrives(&d, 40000, "");
    assert_int_equal(fake.dgrams_out, 2);
    assert_int_equal(fake.dgram_out[0].port, 40000);
    assert_memory_equal(fake.dgram_out[0].data.base, "ping", 4);
    assert_int_equal(fake.dgram_out[1].data.len, 0);
    take_answer(0);
    take_answer(1);
    assert_int_equal(fake_pool.in_use, 0);
}

static void datagrams_come_back_reversed(void **state)
{
    struct datagram d;

    (void)state;
    datagram_init(&d, DATAGRAM_REVERSE, &fake_pool, NULL);
    datagram_arrives(&d, 40000, "stressed");
    datagram_arrives(&d, 40000, "x");
    datagram_arrives(&d, 40000, "");
    assert_int_equal(fake.dgrams_out, 3);
    assert_memory_equal(fake.dgram_out[0].data.base, "desserts", 8);
    assert_memory_equal(fake.dgram_out[1].data.base, "x", 1);
    for (unsigned i = 0; i < 3; i++)
        take_answer(i);
    assert_int_equal(fake_pool.in_use, 0);
}

static void services_do_not_answer_each_other(void **state)
{
    static uint8_t pattern[CHARGEN_PATTERN];
    static const uint16_t ports[] = {7, 13, 17, 19, 37, DATAGRAM_REVERSE_PORT};
    struct datagram d;

    (void)state;
    datagram_init(&d, DATAGRAM_ECHO, NULL, NULL);
    for (unsigned i = 0; i < 6; i++)
        datagram_arrives(&d, ports[i], "loop");
    assert_int_equal(d.loops, 6);
    datagram_init(&d, DATAGRAM_CHARGEN, NULL, pattern);
    datagram_arrives(&d, 7, "loop");
    assert_int_equal(d.loops, 1);
    assert_int_equal(fake.dgrams_out, 0);
    assert_int_equal(fake_pool.in_use, 0);
    datagram_arrives(&d, 8, "honest");
    assert_int_equal(fake.dgrams_out, 1);
}

static void chargen_datagrams_stay_within_512_bytes(void **state)
{
    static uint8_t pattern[CHARGEN_PATTERN];
    struct datagram d;

    (void)state;
    chargen_fill(pattern);
    datagram_init(&d, DATAGRAM_CHARGEN, NULL, pattern);
    for (unsigned i = 0; i < 300; i++) {
        struct slice *s = &fake.dgram_out[0].data;

        fake.dgrams_out = fake.dgrams_in = fake.dgrams_in_at = 0;
        datagram_arrives(&d, 40000, "more");
        assert_int_equal(fake.dgrams_out, 1);
        assert_true(s->len > 0 && s->len <= 512);
        assert_true(s->base >= pattern && s->base + s->len <= pattern + CHARGEN_PATTERN);
    }
    assert_int_equal(fake_pool.in_use, 0);
}

static void an_answer_that_cannot_leave_is_counted(void **state)
{
    struct datagram d;

    (void)state;
    datagram_init(&d, DATAGRAM_ECHO, NULL, NULL);
    fake.udp_error = -ENOBUFS;
    datagram_arrives(&d, 40000, "lost");
    assert_int_equal(d.dropped, 1);
    assert_int_equal(d.answered, 0);
    assert_int_equal(fake_pool.in_use, 0);
}

/* ---- bulk ---- */

static struct bulk bulk;
static alignas(16) uint8_t bulk_mem[4096];

static void bulk_sends_its_pattern_and_closes(void **state)
{
    struct fake_conn *c;

    (void)state;
    bulk_init(&bulk, bulk_mem, bulk_bytes(2));
    bulk.to_send = 200000; /* across three ends of the period */
    c = fake_accept(0, &bulk.app);
    assert_int_equal(c->tx_n, 200000);
    for (uint32_t i = 0; i < c->tx_n; i++)
        assert_int_equal(c->tx[i], bulk_byte(&bulk, i));
    assert_true(c->closed);
    assert_int_equal(bulk.open, 1);
    fake_tell(0, EV_CLOSED, REASON_END_ORDERLY);
    assert_int_equal(bulk.open, 0);
    assert_int_equal(bulk.bad, 0);
    assert_int_equal(bulk.flows.in_use, 0);
}

/* A flow that expects what it sends; `spoil` is the offset of a wrong byte, or -1. */
static struct bulk_flow *run_flow(struct bulk_flow *f, uint32_t n, int spoil)
{
    static uint8_t bytes[70000];
    struct fake_conn *c = &fake.conn[0];

    bulk_init(&bulk, NULL, 0);
    bulk_flow_init(&bulk, f, n, n);
    *c = (struct fake_conn){.live = true, .space = FAKE_TX, .user = &f->app};
    fake_tell(0, EV_CONNECTED, REASON_NONE);
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = bulk_byte(&bulk, i);
    if (spoil >= 0)
        bytes[spoil] ^= 1;
    fake_arrive(0, bytes, n);
    fake_tell(0, EV_CLOSED, REASON_END_ORDERLY);
    return f;
}

static void bulk_accepts_its_pattern_back(void **state)
{
    struct bulk_flow f;

    (void)state;
    run_flow(&f, 70000, -1);
    assert_true(bulk_complete(&f));
    assert_int_equal(bulk.bad, 0);
    assert_int_equal(bulk.bytes_received, 70000);
}

static void bulk_finds_one_wrong_byte(void **state)
{
    struct bulk_flow f;

    (void)state;
    run_flow(&f, 70000, 69999);
    assert_true(f.wrong);
    assert_false(bulk_complete(&f));
    assert_int_equal(bulk.bad, 1);
}

static void a_held_flow_closes_when_told(void **state)
{
    struct bulk_flow f;
    struct fake_conn *c = &fake.conn[0];

    (void)state;
    bulk_init(&bulk, NULL, 0);
    bulk_flow_init(&bulk, &f, 10, 10);
    f.hold = true;
    *c = (struct fake_conn){.live = true, .space = FAKE_TX, .user = &f.app};
    fake_tell(0, EV_CONNECTED, REASON_NONE);
    assert_int_equal(c->tx_n, 10);
    assert_false(c->closed);
    bulk_finish(&f, &fake);
    assert_true(c->closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(echo_sends_back_what_arrives_and_copies_nothing, setup),
        cmocka_unit_test_setup(echo_stops_reading_while_it_cannot_send, setup),
        cmocka_unit_test_setup(echo_closes_after_the_last_byte_is_on_its_way, setup),
        cmocka_unit_test_setup(echo_drops_what_it_holds_when_the_connection_is_reset, setup),
        cmocka_unit_test_setup(echo_lets_go_of_a_connection_too_many_and_counts_it, setup),
        cmocka_unit_test_setup(discard_takes_everything_and_closes_at_the_end, setup),
        cmocka_unit_test_setup(chargen_has_the_lines_of_rfc_864, setup),
        cmocka_unit_test_setup(chargen_fills_the_queue_and_goes_on_where_it_was, setup),
        cmocka_unit_test_setup(chargen_ends_when_the_remote_node_closes, setup),
        cmocka_unit_test_setup(datagrams_come_back_as_they_were, setup),
        cmocka_unit_test_setup(datagrams_come_back_reversed, setup),
        cmocka_unit_test_setup(services_do_not_answer_each_other, setup),
        cmocka_unit_test_setup(chargen_datagrams_stay_within_512_bytes, setup),
        cmocka_unit_test_setup(an_answer_that_cannot_leave_is_counted, setup),
        cmocka_unit_test_setup(bulk_sends_its_pattern_and_closes, setup),
        cmocka_unit_test_setup(bulk_accepts_its_pattern_back, setup),
        cmocka_unit_test_setup(bulk_finds_one_wrong_byte, setup),
        cmocka_unit_test_setup(a_held_flow_closes_when_told, setup),
    };

    return cmocka_run_group_tests_name("app", tests, NULL, NULL);
}
