/* The applications that face an operator: netcat and chat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "app/chat.h"
#include "app/netcat.h"
#include "fake_stack.h"

static int setup(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

static struct slice typed(const char *text)
{
    struct buf *b = buf_get(&fake_pool);

    memcpy(b->data, text, strlen(text));
    return (struct slice){b, b->data, (uint32_t)strlen(text)};
}

/* ---- netcat ---- */

static struct netcat cat;

static struct fake_conn *connect_cat(void)
{
    struct fake_conn *c = &fake.conn[0];

    *c = (struct fake_conn){.live = true, .space = FAKE_TX, .user = &cat.app};
    netcat_init(&cat);
    cat.conn = fake_id(0);
    fake_tell(0, EV_CONNECTED, REASON_NONE);
    return c;
}

static bool wants(void)
{
    return cat.console.ops->wants(&cat.console);
}

static void push(const char *text)
{
    cat.console.ops->push(&cat.console, &fake, typed(text));
}

static int pull(struct slice *s)
{
    return cat.console.ops->pull(&cat.console, &fake, s);
}

static void netcat_wants_nothing_before_it_is_connected(void **state)
{
    (void)state;
    netcat_init(&cat);
    assert_false(wants());
    connect_cat();
    assert_true(wants());
}

static void netcat_marks_as_urgent_what_it_is_told_to(void **state)
{
    struct fake_conn *c = connect_cat();

    (void)state;
    push("one");
    assert_int_equal(c->urgent, 0);
    cat.urgent = true;
    push("two");
    assert_int_equal(c->urgent, 6);
    c->space = 0;
    push("three"); /* not taken yet */
    assert_int_equal(c->urgent, 6);
    fake_ack(0, FAKE_TX);
    fake_tell(0, EV_WRITABLE, REASON_NONE);
    assert_int_equal(c->urgent, c->tx_n);
}

static void netcat_holds_one_slice_and_then_wants_no_more(void **state)
{
    struct fake_conn *c;

    (void)state;
    c = connect_cat();
    push("one");
    assert_true(wants());
    c->space = 2;
    push("two");
    assert_false(wants());
    assert_int_equal(c->tx_n, 3);
    fake_ack(0, 3);
    assert_memory_equal(c->tx, "onetwo", 6);
    assert_true(wants());
    assert_int_equal(cat.bytes_out, 6);
}

static void the_end_of_input_closes_behind_what_is_held(void **state)
{
    struct fake_conn *c;

    (void)state;
    c = connect_cat();
    c->space = 0;
    push("last");
    cat.console.ops->end(&cat.console, &fake);
    assert_false(c->closed);
    fake_ack(0, 4);
    assert_true(c->closed);
    assert_memory_equal(c->tx, "last", 4);
    assert_false(wants());
}

static void input_that_ended_before_the_handshake_closes_after_it(void **state)
{
    struct fake_conn *c = &fake.conn[0];

    (void)state;
    *c = (struct fake_conn){.live = true, .space = FAKE_TX, .user = &cat.app};
    netcat_init(&cat);
    cat.console.ops->end(&cat.console, &fake);
    assert_false(c->closed);
    fake_tell(0, EV_CONNECTED, REASON_NONE);
    assert_true(c->closed);
}

static void bytes_stay_in_the_stack_until_they_are_pulled(void **state)
{
    struct fake_conn *c;
    struct slice s;

    (void)state;
    c = connect_cat();
    assert_int_equal(pull(&s), -EAGAIN);
    fake_arrive(0, "hello", 5);
    assert_int_equal(c->rx_at, 0);
    assert_int_equal(pull(&s), 5);
    assert_memory_equal(s.base, "hello", 5);
    buf_unref(s.buf);
    assert_int_equal(pull(&s), -EAGAIN);
    assert_int_equal(cat.bytes_in, 5);
}

static void what_came_before_the_end_can_be_pulled_after_it(void **state)
{
    static uint8_t bytes[5000];
    struct slice s;
    uint32_t got = 0;

    (void)state;
    connect_cat();
    fake_arrive(0, bytes, sizeof(bytes));
    fake_eof(0);
    fake_tell(0, EV_CLOSED, REASON_END_ORDERLY);
    assert_false(netcat_done(&cat));
    while (pull(&s) > 0) {
        got += s.len;
        buf_unref(s.buf);
    }
    assert_int_equal(got, sizeof(bytes));
    assert_true(netcat_done(&cat));
    assert_int_equal(cat.lost, 0);
    assert_int_equal(cat.why, REASON_END_ORDERLY);
    assert_int_equal(fake_pool.in_use, 0);
}

static void a_reset_drops_what_is_held(void **state)
{
    struct fake_conn *c;

    (void)state;
    c = connect_cat();
    c->space = 0;
    push("never");
    fake_tell(0, EV_CLOSED, REASON_END_RESET);
    assert_true(netcat_done(&cat));
    assert_int_equal(fake_pool.in_use, 0);
}

/* ---- chat ---- */

static struct chat chat;
static alignas(16) uint8_t chat_mem[4096];

static void start_chat(uint32_t clients)
{
    chat_init(&chat, chat_mem, chat_bytes(clients));
}

/* Everything that there is to show, as one text. */
static const char *shown(void)
{
    static char text[65536];
    struct slice s;
    size_t n = 0;

    while (chat.console.ops->pull(&chat.console, &fake, &s) > 0) {
        memcpy(text + n, s.base, s.len);
        n += s.len;
        buf_unref(s.buf);
    }
    text[n] = '\0';
    return text;
}

static void each_line_of_a_client_has_its_address(void **state)
{
    (void)state;
    start_chat(4);
    fake_accept(0, &chat.app);
    fake_arrive(0, "one\ntwo\r\nthr", 12);
    assert_string_equal(shown(), "10.0.0.7:50000: one\n10.0.0.7:50000: two\n10.0.0.7:50000: thr");
    fake_arrive(0, "ee\n", 3);
    assert_string_equal(shown(), "ee\n");
    assert_int_equal(fake_pool.in_use, 0);
}

static void two_clients_do_not_share_a_line(void **state)
{
    (void)state;
    start_chat(4);
    fake_accept(0, &chat.app);
    fake_accept(1, &chat.app);
    fake_arrive(0, "begun", 5);
    assert_string_equal(shown(), "10.0.0.7:50000: begun");
    fake_arrive(1, "mine\n", 5);
    assert_string_equal(shown(), "\n10.0.0.7:50001: mine\n");
    fake_arrive(0, "again\n", 6);
    assert_string_equal(shown(), "10.0.0.7:50000: again\n");
}

static void a_client_cannot_steer_the_terminal(void **state)
{
    (void)state;
    start_chat(4);
    fake_accept(0, &chat.app);
    fake_arrive(0, "\x1b[2J\a\xc2\x9b\x9b\xc3\xa9\x7f\t|\n", 14);
    assert_string_equal(shown(), "10.0.0.7:50000: .[2J.\xc2..\xc3\xa9.\t|\n");
}

static void a_message_of_line_ends_only_fits(void **state)
{
    static uint8_t lines[2000];

    (void)state;
    memset(lines, '\n', sizeof(lines));
    start_chat(4);
    fake_accept(0, &chat.app);
    fake_arrive(0, lines, sizeof(lines));
    assert_int_equal(strlen(shown()), sizeof(lines) * strlen("10.0.0.7:50000: \n"));
}

static void what_is_typed_goes_to_every_client_by_reference(void **state)
{
    (void)state;
    start_chat(4);
    fake_accept(0, &chat.app);
    fake_accept(1, &chat.app);
    fake_accept(2, &chat.app)->space = 0; /* does not read: must not stop the others */
    chat.console.ops->push(&chat.console, &fake, typed("hi all\n"));
    assert_memory_equal(fake.conn[0].tx, "hi all\n", 7);
    assert_memory_equal(fake.conn[1].tx, "hi all\n", 7);
    assert_int_equal(chat.lost, 1);
    assert_int_equal(fake_pool.in_use, 1);
    fake_ack(0, 0);
    fake_ack(1, 0);
    assert_int_equal(fake_pool.in_use, 0);
}

static void the_end_of_the_operators_input_closes_all_and_all_who_come(void **state)
{
    (void)state;
    start_chat(4);
    fake_accept(0, &chat.app);
    chat.console.ops->end(&chat.console, &fake);
    assert_true(fake.conn[0].closed);
    assert_true(fake_accept(1, &chat.app)->closed);
    assert_false(chat.console.ops->wants(&chat.console));
}

static char noticed[256]; /* each notice: its number, the client, how many there are */

static void take_notice(void *arg, enum chat_notice what, const char *name, uint32_t clients)
{
    size_t n = strlen(noticed);

    assert_ptr_equal(arg, &chat);
    snprintf(noticed + n, sizeof(noticed) - n, "%d %s %u;", (int)what, name ? name : "-",
             (unsigned)clients);
}

static void assert_noticed(const char *what)
{
    assert_string_equal(noticed, what);
    noticed[0] = '\0';
}

static void the_operator_is_told_who_comes_and_goes(void **state)
{
    (void)state;
    start_chat(1);
    chat.notice = take_notice;
    chat.notice_arg = &chat;
    chat.console.ops->push(&chat.console, &fake, typed("anybody?\n"));
    chat.console.ops->push(&chat.console, &fake, typed("really?\n"));
    assert_noticed("3 - 0;"); /* CHAT_UNHEARD, once */
    fake_accept(0, &chat.app);
    assert_noticed("0 10.0.0.7:50000 1;");
    chat.console.ops->push(&chat.console, &fake, typed("hello\n"));
    assert_noticed("");
    fake_accept(1, &chat.app);
    assert_noticed("2 10.0.0.7:50001 1;");
    fake_ack(0, FAKE_TX);
    fake_tell(0, EV_CLOSED, REASON_END_ORDERLY);
    assert_noticed("1 10.0.0.7:50000 0;");
    chat.console.ops->push(&chat.console, &fake, typed("gone\n"));
    assert_noticed("3 - 0;");
    assert_int_equal(fake_pool.in_use, 0);
}

static void a_client_that_closes_is_closed_and_its_place_is_free(void **state)
{
    (void)state;
    start_chat(1);
    fake_accept(0, &chat.app);
    assert_true(fake_accept(1, &chat.app)->released);
    assert_int_equal(chat.full, 1);
    fake_arrive(0, "bye\n", 4);
    fake_eof(0);
    assert_string_equal(shown(), "10.0.0.7:50000: bye\n");
    assert_true(fake.conn[0].closed);
    fake_tell(0, EV_CLOSED, REASON_END_ORDERLY);
    assert_false(fake_accept(2, &chat.app)->released);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(netcat_wants_nothing_before_it_is_connected, setup),
        cmocka_unit_test_setup(netcat_marks_as_urgent_what_it_is_told_to, setup),
        cmocka_unit_test_setup(netcat_holds_one_slice_and_then_wants_no_more, setup),
        cmocka_unit_test_setup(the_end_of_input_closes_behind_what_is_held, setup),
        cmocka_unit_test_setup(input_that_ended_before_the_handshake_closes_after_it, setup),
        cmocka_unit_test_setup(bytes_stay_in_the_stack_until_they_are_pulled, setup),
        cmocka_unit_test_setup(what_came_before_the_end_can_be_pulled_after_it, setup),
        cmocka_unit_test_setup(a_reset_drops_what_is_held, setup),
        cmocka_unit_test_setup(each_line_of_a_client_has_its_address, setup),
        cmocka_unit_test_setup(two_clients_do_not_share_a_line, setup),
        cmocka_unit_test_setup(a_client_cannot_steer_the_terminal, setup),
        cmocka_unit_test_setup(a_message_of_line_ends_only_fits, setup),
        cmocka_unit_test_setup(what_is_typed_goes_to_every_client_by_reference, setup),
        cmocka_unit_test_setup(the_end_of_the_operators_input_closes_all_and_all_who_come, setup),
        cmocka_unit_test_setup(the_operator_is_told_who_comes_and_goes, setup),
        cmocka_unit_test_setup(a_client_that_closes_is_closed_and_its_place_is_free, setup),
    };

    return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
