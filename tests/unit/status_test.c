/* STATUS: the values, how they are written, and that each of them is explained. */
#include <jansson.h>

#include "flight_kit.h"
#include "stack/status.h"

static struct stack_conn_status now_is(void)
{
    struct stack_conn_status s;

    assert_int_equal(stack_status(rig.st, flow.id, &s), 0);
    return s;
}

#define is(field, want) AT(rig_same(#field, (long long)now_is().field, (long long)(want)))

static void timer_is(const char *want)
{
    const char *got = now_is().timer;

    if ((got == NULL) != (want == NULL) || (want && strcmp(got, want) != 0))
        fail_msg("%s: the timer is %s, expected %s", rig_where(), got, want);
}

#define expect_timer(want) AT(timer_is(want))

/* The handshake, over a path whose round trip takes 8 ms. */
static void open_slowly(void)
{
    app_listen(1);
    inject_opt(SYN, 0, 0, FULL_WND, .has_mss = true, .mss = MSS);
    expect_syn_ack();
    advance(8 * MSEC);
    inject(ACK, 1, 1, FULL_WND, 0);
    expect_event(EV_ACCEPTED);
}

/* ---- The values ---- */

static void what_was_sent_is_told(void **state)
{
    (void)state;
    defaults();
    begin();
    open_slowly();
    is(bytes_sent, 0);
    is(data_segs_out, 0);
    expect_timer(NULL);
    app_send(MSS + 10);
    is(send_queued, MSS + 10);
    is(not_sent, MSS + 10);
    is(unacked, 0);
    expect(ACK, 1, 1, MSS);
    is(unacked, MSS);
    is(not_sent, 10);
    expect_timer("on");
    advance(7 * MSEC);
    is(last_sent, 7 * MSEC);
    is(timer_left, rig.cfg.tcp.rto_min_ns - 7 * MSEC);
    inject(ACK, 1, 1 + MSS, FULL_WND, 0);
    is(bytes_acked, MSS);
    is(last_ack, 0);
    expect(ACK, 1 + MSS, 1, 10);
    is(bytes_sent, MSS + 10);
    is(bytes_retrans, 0);
    is(data_segs_out, 2);
    is(segs_out, 3); /* the SYN-ACK, too */
    is(min_rtt, 7 * MSEC);
    is(srtt, 7875 * USEC);
    is(send_rate, (uint64_t)now_is().cwnd * 8 * 1000000 / 7875);
    advance(9 * MSEC);
    inject(ACK, 1, 1 + MSS + 10, FULL_WND, 0);
    is(min_rtt, 7 * MSEC); /* that was a longer one */
    end();
}

static void what_was_sent_again_is_told(void **state)
{
    (void)state;
    defaults();
    begin();
    open_slowly();
    app_send(2 * MSS);
    expect(ACK, 1, 1, MSS);
    expect(ACK, 1 + MSS, 1, MSS);
    is(ssthresh, 0);
    advance(rig.cfg.tcp.rto_min_ns);
    is(lost, 2 * MSS);
    is(backoff, 1);
    expect(ACK, 1, 1, MSS);
    is(lost, MSS);
    is(bytes_retrans, MSS);
    is(retransmits, 1);
    is(ssthresh, 2 * MSS);
    is(cwnd, MSS);
    is(cwnd_limited, 0);
    expect_nothing();
    is(cwnd_limited, 1);
    end();
}

/* A repair by blocks: what arrived behind a gap, what is lost, what was sent again. */
static void a_repair_is_told(void **state)
{
    (void)state;
    ten_in_flight(0);
    is(sacked, 0);
    heard(0, SEGS(4, 7), SEGS(1, 2)); /* 0, 2 and 3 are lost */
    is(sacked, 4 * MSS);
    is(lost, 3 * MSS);
    is(resent, 0);
    again(0, SACK);
    again(2, SACK);
    is(lost, MSS);
    is(resent, 2 * MSS);
    is(retransmits, 2);
    ack_segments(2);
    is(sacked, 3 * MSS);
    is(resent, MSS);
    is(reord_seen, 0);
    end();
}

/* What left together and comes behind others was overtaken by as much as had arrived before it. */
static void reordering_is_told(void **state)
{
    (void)state;
    ten_with_rack();
    advance(50 * MSEC);
    heard(1, SEGS(5, 7));
    is(reord_seen, 0);
    heard(1, SEGS(2, 4), SEGS(5, 7));
    is(reord_seen, 1);
    is(reordering, 5 * MSS);
    heard(4, SEGS(5, 7));
    is(reord_seen, 2);
    is(reordering, 6 * MSS);
    end();
}

/* Neither the SYN nor the FIN is payload, wherever they stand. */
static void controls_are_no_bytes(void **state)
{
    (void)state;
    defaults();
    begin();
    app_open();
    expect_syn();
    is(unacked, 0);
    is(bytes_retrans, 0);
    expect_timer("on");
    inject(RST | ACK, 0, 1, 0, 0);
    is(bytes_retrans, 0);
    is(unacked, 0);
    drain();
    open_active();
    app_send(5);
    app_close();
    expect(FIN | ACK, 1, 1, 5);
    is(unacked, 5);
    is(not_sent, 0);
    is(bytes_retrans, 0);
    inject(ACK, 1, 7, FULL_WND, 0);
    is(unacked, 0);
    is(bytes_acked, 5);
    is(bytes_retrans, 0);
    inject(FIN | ACK, 1, 7, FULL_WND, 0);
    expect_timer("timewait");
    is(timer_left, 2 * rig.cfg.tcp.msl_ns);
    end();
}

static void what_arrived_is_told(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive();
    is(data_segs_in, 0);
    advance(5 * MSEC);
    is(last_received, 5 * MSEC);
    inject(ACK, 1, 1, FULL_WND, 100);
    inject(ACK, 201, 1, FULL_WND, 50);
    advance(3 * MSEC);
    is(receive_queued, 100);
    is(bytes_received, 100);
    is(out_of_order, 1);
    is(data_segs_in, 2);
    is(segs_in, 4);
    is(last_received, 3 * MSEC);
    inject(ACK, 151, 1, FULL_WND, 0);
    is(last_received, 3 * MSEC);
    is(last_ack, 0);
    is(data_segs_in, 2);
    is(rcv_mss, 536);
    is(pmtu, 1500);
    is(adv_mss, 1460);
    is(ato, 40 * MSEC);
    end();
}

static void a_closed_window_is_probed(void **state)
{
    (void)state;
    defaults();
    begin();
    open_passive_with(&mss_only, FULL_WND, 0);
    app_send(10);
    expect_nothing();
    expect_timer("persist");
    is(snd_wnd, 0);
    is(not_sent, 10);
    end();
}

/* Asking changes nothing: no packet, no event, no deadline. */
static void asking_disturbs_nothing(void **state)
{
    struct tcb before;

    (void)state;
    defaults();
    begin();
    open_passive();
    app_send(10);
    before = *tcb();
    now_is();
    assert_memory_equal(&before, tcb(), sizeof(before));
    end();
}

/* ---- How they are written ---- */

static struct stack_conn_status sample(void)
{
    return (struct stack_conn_status){
        .state = TCP_ESTABLISHED,
        .local = LOCAL_ADDR,
        .remote = REMOTE_ADDR,
        .local_port = 8000,
        .remote_port = 51234,
        .send_queued = 12,
        .timer = "on",
        .timer_left = 200 * MSEC,
        .backoff = 3,
        .cc = "reno",
        .snd_wscale = 7,
        .rto = 204 * MSEC,
        .srtt = 5 * MSEC + 70 * USEC + 3,
        .rttvar = 100 * USEC,
        .mss = 1448,
        .cwnd = 14480,
        .bytes_sent = UINT64_C(5000000000),
        .send_rate = UINT64_C(23456789),
        .pacing_rate = 950,
        .bbr_bw = 8000000,
        .bbr_min_rtt = 40 * MSEC,
        .bbr_pacing_gain = 277,
        .bbr_cwnd_gain = 200,
        .cwnd_limited = true,
    };
}

static void text_is_like_that_of_ss(void **state)
{
    char out[STATUS_ROW_MAX];
    struct stack_conn_status s = sample();
    struct text t;

    (void)state;
    text_init(&t, out, sizeof(out));
    status_text_heading(&t);
    status_text(&t, &s);
    assert_string_equal(
        out, "State         Recv-Q  Send-Q            Local:Port           Remote:Port\n"
             "ESTABLISHED        0      12         10.0.1.5:8000        10.0.0.7:51234\n"
             "    timer:(on,200ms,3) reno wscale:7,0 rto:204 rtt:5.07/0.1 ato:0 mss:1448\n"
             "    pmtu:0 rcvmss:0 advmss:0 cwnd:14480 bytes_sent:5000000000\n"
             "    bbr:(bw:8.0Mbps,mrtt:40,pacing_gain:2.77,cwnd_gain:2) send 23.4Mbps\n"
             "    pacing_rate 950bps lastsnd:0 lastrcv:0 lastack:0 cwnd_limited snd_wnd:0\n"
             "    rcv_wnd:0 age:0\n");
}

/* Every value as large as it can be: a row has room, and no line is wider than a terminal. */
static void the_largest_has_room(void **state)
{
    char out[STATUS_ROW_MAX];
    struct stack_conn_status s;
    struct text t;

    (void)state;
    memset(&s, 0xff, sizeof(s));
    s.state = TCP_SYN_RECEIVED;
    s.local = s.remote = addr_v4(0xdfffffff);
    s.timer = "keepalive";
    s.cc = "congestion";
    s.soft_error = REASON_TCP_SYN_CHALLENGED;
    for (unsigned i = 0; status_field(i); i++)
        if (status_field(i)->kind == STATUS_MS)
            *(int64_t *)((char *)&s + status_field(i)->offset) = INT64_MAX;
        else if (status_field(i)->kind == STATUS_FLAG)
            *((char *)&s + status_field(i)->offset) = 1;
    s.bbr_min_rtt = 24 * 3600 * SEC - 1;
    s.bbr_pacing_gain = s.bbr_cwnd_gain = 299;
    text_init(&t, out, sizeof(out));
    status_json(&t, &s);
    assert_false(t.cut);
    text_init(&t, out, sizeof(out));
    status_text(&t, &s);
    assert_false(t.cut);
    for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= STATUS_WIDTH);
}

/* Each value of the table is in the object, once, and nothing else. */
static void json_has_every_value(void **state)
{
    char out[STATUS_ROW_MAX];
    struct stack_conn_status s = sample();
    struct text t;
    unsigned n = 0;
    json_t *o;

    (void)state;
    text_init(&t, out, sizeof(out));
    status_json(&t, &s);
    o = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    while (status_field(n))
        assert_non_null(json_object_get(o, status_field(n++)->name));
    assert_int_equal(json_object_size(o), n);
    assert_string_equal(json_string_value(json_object_get(o, "state")), "ESTABLISHED");
    assert_string_equal(json_string_value(json_object_get(o, "remote")), "10.0.0.7");
    assert_int_equal(json_integer_value(json_object_get(o, "remote_port")), 51234);
    assert_int_equal(json_integer_value(json_object_get(o, "send_rate")), 23456789);
    assert_true(json_real_value(json_object_get(o, "rtt")) == 5.07);
    assert_true(json_real_value(json_object_get(o, "bbr_pacing_gain")) == 2.77);
    assert_int_equal(json_integer_value(json_object_get(o, "bbr_bw")), 8000000);
    assert_true(json_is_true(json_object_get(o, "cwnd_limited")));
    json_decref(o);
    s.timer = NULL;
    s.soft_error = REASON_ICMP_SOFT_HOST;
    text_init(&t, out, sizeof(out));
    status_json(&t, &s);
    o = json_loads(out, 0, NULL);
    assert_true(json_is_null(json_object_get(o, "timer")));
    assert_string_equal(json_string_value(json_object_get(o, "soft_error")),
                        reason_text(REASON_ICMP_SOFT_HOST)->name);
    json_decref(o);
}

/* ---- That they are explained: docs/status.md has the table's rows, in order, and no others ----
 */

static void doc_row(struct text *t, const struct status_field *f)
{
    text_init(t, t->out, t->size);
    text_add(t, "| `%s` | %s | %s |\n", f->name, f->unit, f->sentence);
}

static void the_page_explains_each(void **state)
{
    char line[1024], want[1024];
    struct text t = {.out = want, .size = sizeof(want)};
    FILE *doc = fopen("docs/status.md", "r");
    unsigned i = 0;
    bool good = true;

    (void)state;
    assert_non_null(doc);
    while (fgets(line, sizeof(line), doc)) {
        if (strncmp(line, "| `", 3) != 0)
            continue;
        want[0] = '\0';
        if (status_field(i))
            doc_row(&t, status_field(i++));
        good = good && strcmp(line, want) == 0;
    }
    fclose(doc);
    if (good && !status_field(i))
        return;
    print_error("docs/status.md: the table should be\n");
    for (i = 0; status_field(i); i++) {
        doc_row(&t, status_field(i));
        print_error("%s", want);
    }
    fail_msg("docs/status.md does not have the rows of status.def");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sent_is_told),     cmocka_unit_test(what_was_sent_again_is_told),
        cmocka_unit_test(a_repair_is_told),          cmocka_unit_test(reordering_is_told),
        cmocka_unit_test(controls_are_no_bytes),     cmocka_unit_test(what_arrived_is_told),
        cmocka_unit_test(a_closed_window_is_probed), cmocka_unit_test(asking_disturbs_nothing),
        cmocka_unit_test(text_is_like_that_of_ss),   cmocka_unit_test(the_largest_has_room),
        cmocka_unit_test(json_has_every_value),      cmocka_unit_test(the_page_explains_each),
    };

    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
