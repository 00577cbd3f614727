/* The status service: requests of every kind, limits, and what becomes of the buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "app/http.h"
#include "fake_stack.h"

enum {
    CONNS = 3,
};

static struct http http;
static struct buf_pool pages;
static alignas(16) uint8_t mem[CONNS * sizeof(struct http_conn)];

static int setup_pages(uint32_t count)
{
    static void *pages_mem;
    size_t size = buf_pool_bytes(count, HTTP_PAGE);

    fake_reset();
    free(pages_mem);
    pages_mem = aligned_alloc(64, (size + 63) / 64 * 64);
    buf_pool_init(&pages, pages_mem, size, HTTP_PAGE);
    http_init(&http, "a node", &pages, mem, sizeof(mem));
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_pages(4);
}

/* What the service answers to this request on a connection of its own. */
static const char *ask(const char *request)
{
    struct fake_conn *c = fake_accept(0, &http.app);

    fake_arrive(0, request, strlen(request));
    fake_ack(0, FAKE_TX);
    c->tx[c->tx_n] = '\0';
    if (!c->released)
        fake_tell(0, EV_CLOSED, REASON_END_RESET);
    return (const char *)c->tx;
}

static const char *body(const char *answer)
{
    const char *p = strstr(answer, "\r\n\r\n");

    assert_non_null(p);
    return p + 4;
}

/* "HTTP/1.1 404 " and so on is how the answer begins. */
static void assert_answer(const char *request, int code)
{
    char begin[16];

    snprintf(begin, sizeof(begin), "HTTP/1.1 %d ", code);
    assert_memory_equal(ask(request), begin, strlen(begin));
}

static void a_get_is_answered_and_our_side_closed(void **state)
{
    const char *answer;
    unsigned long len;

    (void)state;
    answer = ask("GET / HTTP/1.1\r\nHost: node\r\n\r\n");
    assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_non_null(strstr(answer, "<title>a node</title>"));
    len = strtoul(strstr(answer, "Content-Length: ") + 16, NULL, 10);
    assert_int_equal(len, strlen(body(answer)));
    assert_true(fake.conn[0].closed);
    assert_false(fake.conn[0].released); /* its place is held as long as its buffer may be */
    assert_int_equal(pages.in_use, 0);
    assert_int_equal(fake_pool.in_use, 0);
}

static void head_has_the_header_alone(void **state)
{
    const char *answer;

    (void)state;
    answer = ask("HEAD / HTTP/1.0\r\n\r\n");
    assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
    assert_null(strstr(answer, "Content-Length: 0\r\n"));
    assert_string_equal(body(answer), "");
}

static void each_mistake_has_its_code(void **state)
{
    (void)state;
    assert_answer("GET /other HTTP/1.0\r\n\r\n", 404);
    assert_answer("GET /statusXjson HTTP/1.0\r\n\r\n", 404);
    assert_answer("POST / HTTP/1.0\r\n\r\n", 405);
    assert_non_null(strstr(ask("DELETE / HTTP/1.0\r\n\r\n"), "Allow: GET, HEAD\r\n"));
    assert_answer("GET /\r\n\r\n", 400);
    assert_answer("GET / HTTP/2.0\r\n\r\n", 400);
    assert_answer("GET / HTTP/1.1\r\n\r\n", 400); /* no Host */
    assert_answer("GET / HTTP/1.0 more\r\n\r\n", 400);
    assert_answer("GET  / HTTP/1.0\r\n\r\n", 400);
    assert_answer("\r\n\r\n", 400);
    assert_answer("\x16\x03\x01 hello TLS\r\n\r\n", 400);
    assert_int_equal(pages.in_use, 0);
}

static void what_is_right_though_unusual(void **state)
{
    (void)state;
    assert_answer("\r\nGET / HTTP/1.0\r\n\r\n", 200);
    assert_answer("GET / HTTP/1.0\n\n", 200);
    assert_answer("GET /index.html HTTP/1.0\r\n\r\n", 200);
    assert_answer("GET /?refresh=1 HTTP/1.0\r\n\r\n", 200);
    assert_answer("GET / HTTP/1.1\r\naccept: */*\r\nhOsT:x\r\n\r\n", 200);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    const char *request = "GET / HTTP/1.0\r\n\r\n";
    struct fake_conn *c;

    (void)state;
    c = fake_accept(0, &http.app);
    for (size_t i = 0; i < strlen(request); i++) {
        assert_int_equal(c->tx_n, 0);
        fake_arrive(0, request + i, 1);
    }
    assert_memory_equal(c->tx, "HTTP/1.1 200", 12);
}

static void a_request_may_fill_4_kib_and_no_more(void **state)
{
    static char request[HTTP_REQUEST_MAX + 2];
    static const char begin[] = "GET / HTTP/1.0\r\nX: ";

    (void)state;
    memset(request, 'x', sizeof(request));
    memcpy(request, begin, sizeof(begin) - 1);
    memcpy(request + HTTP_REQUEST_MAX - 4, "\r\n\r\n", 5);
    assert_int_equal(strlen(request), HTTP_REQUEST_MAX);
    assert_answer(request, 200);
    fake_accept(0, &http.app);
    fake_arrive(0, request, HTTP_REQUEST_MAX - 1);
    assert_int_equal(fake.conn[0].tx_n, 0); /* there is room for one byte more */
    fake_arrive(0, "\n", 1);
    assert_memory_equal(fake.conn[0].tx, "HTTP/1.1 200", 12);
    memcpy(request + HTTP_REQUEST_MAX - 4, "x\r\n\r\n", 6);
    assert_answer(request, 400);
}

static void a_refused_client_is_heard_out_but_not_for_ever(void **state)
{
    static char junk[HTTP_LINGER];
    struct fake_conn *c;

    (void)state;
    memset(junk, 'x', sizeof(junk));
    c = fake_accept(0, &http.app);
    fake_arrive(0, junk, HTTP_REQUEST_MAX + 100);
    assert_true(c->closed);
    assert_false(c->released); /* or the answer might be destroyed by a reset */
    fake_arrive(0, junk, sizeof(junk));
    assert_true(c->aborted && c->released);
    c = fake_accept(1, &http.app);
    fake_arrive(1, "BAD\r\n\r\n", 7);
    assert_true(c->closed);
    fake_eof(1);
    assert_false(c->aborted);
}

static void an_answer_waits_for_room(void **state)
{
    struct fake_conn *c;

    (void)state;
    c = fake_accept(0, &http.app);
    c->space = 10;
    fake_arrive(0, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_int_equal(c->tx_n, 0);
    assert_int_equal(pages.in_use, 1);
    fake_ack(0, FAKE_TX);
    assert_memory_equal(c->tx, "HTTP/1.1 200", 12);
    assert_true(c->closed);
}

static void a_client_that_leaves_gives_back_what_it_had(void **state)
{
    struct fake_conn *c;

    (void)state;
    c = fake_accept(0, &http.app);
    c->space = 0;
    fake_arrive(0, "GET / HTTP/1.0\r\n\r\n", 18);
    fake_tell(0, EV_CLOSED, REASON_END_RESET);
    assert_int_equal(pages.in_use, 0);
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < CONNS; i++)
        fake_accept(i, &http.app);
    fake_accept(CONNS, &http.app);
    assert_true(fake.conn[0].released);
    assert_false(fake.conn[1].released);
    fake_accept(CONNS + 1, &http.app);
    assert_true(fake.conn[1].released);
    assert_int_equal(http.evicted, 2);
    fake_arrive(CONNS + 1, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_memory_equal(fake.conn[CONNS + 1].tx, "HTTP/1.1 200", 12);
}

static void without_a_page_it_says_so(void **state)
{
    struct fake_conn *c;

    (void)state;
    setup_pages(1);
    c = fake_accept(0, &http.app);
    c->space = 0;
    fake_arrive(0, "GET / HTTP/1.0\r\n\r\n", 18);
    fake_accept(1, &http.app);
    fake_arrive(1, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_memory_equal(fake.conn[1].tx, "HTTP/1.1 503", 12);
}

/* ---- The pages ---- */

static void the_json_is_json_and_tells_all(void **state)
{
    json_t *o;
    const char *answer;

    (void)state;
    fake.listed = fake.totals.conns = 2;
    fake.totals.packets_in = 17;
    fake.counts[REASON_IP_CHECKSUM] = 3;
    answer = ask("GET /status.json HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
    o = json_loads(body(answer), 0, NULL);
    assert_non_null(o);
    assert_int_equal(json_array_size(json_object_get(o, "connections")), 2);
    assert_int_equal(json_integer_value(
                         json_object_get(json_object_get(o, "totals"), "packets_in")),
                     17);
    assert_int_equal(json_integer_value(
                         json_object_get(json_object_get(o, "counters"), "drop.ip.checksum")),
                     3);
    assert_int_equal(json_object_size(json_object_get(o, "counters")), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "left_out")), 0);
    json_decref(o);
}

static void ten_thousand_connections_are_cut_and_counted(void **state)
{
    const char *answer;
    json_t *o;
    size_t shown;

    (void)state;
    fake.listed = fake.totals.conns = 10000;
    for (int r = 1; r < REASON_COUNT; r++)
        fake.counts[r] = UINT64_MAX / 2;
    o = json_loads(body(ask("GET /status.json HTTP/1.0\r\n\r\n")), 0, NULL);
    assert_non_null(o);
    shown = json_array_size(json_object_get(o, "connections"));
    assert_true(shown > 100);
    assert_int_equal(json_integer_value(json_object_get(o, "left_out")) + (json_int_t)shown, 10000);
    json_decref(o);
    answer = ask("GET / HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(answer, " more</p>"));
    assert_non_null(strstr(answer, reason_text(REASON_COUNT - 1)->name)); /* the last counter */
    assert_non_null(strstr(answer, "</html>"));
}

static void the_page_for_people_begins_with_the_connections(void **state)
{
    const char *answer, *conns, *counters;

    (void)state;
    fake.listed = fake.totals.conns = 1;
    fake.counts[REASON_IP_CHECKSUM] = 3;
    answer = ask("GET / HTTP/1.0\r\n\r\n");
    conns = strstr(answer, "10.0.0.7:50000");
    counters = strstr(answer, "drop.ip.checksum");
    assert_non_null(conns);
    assert_true(conns < counters);
    assert_null(strstr(counters + 1, "drop.ip.checksum"));
    assert_non_null(strstr(answer, "<td class=n>12.3\n")); /* its age, in seconds */
    assert_non_null(strstr(answer, "div{overflow-x:auto}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_get_is_answered_and_our_side_closed, setup),
        cmocka_unit_test_setup(head_has_the_header_alone, setup),
        cmocka_unit_test_setup(each_mistake_has_its_code, setup),
        cmocka_unit_test_setup(what_is_right_though_unusual, setup),
        cmocka_unit_test_setup(a_request_may_come_byte_by_byte, setup),
        cmocka_unit_test_setup(a_request_may_fill_4_kib_and_no_more, setup),
        cmocka_unit_test_setup(a_refused_client_is_heard_out_but_not_for_ever, setup),
        cmocka_unit_test_setup(an_answer_waits_for_room, setup),
        cmocka_unit_test_setup(a_client_that_leaves_gives_back_what_it_had, setup),
        cmocka_unit_test_setup(the_oldest_makes_room, setup),
        cmocka_unit_test_setup(without_a_page_it_says_so, setup),
        cmocka_unit_test_setup(the_json_is_json_and_tells_all, setup),
        cmocka_unit_test_setup(the_page_for_people_begins_with_the_connections, setup),
        cmocka_unit_test_setup(ten_thousand_connections_are_cut_and_counted, setup),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
