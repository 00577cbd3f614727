/*
 * The trace of a node: its file, what of it survives when there is no room, and what it shows of
 * two real stacks on a wire, read back from the JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdalign.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link/wire.h"
#include "run/exit.h"
#include "run/memory.h"
#include "run/trace.h"
#include "run/trace_join.h"
#include "run/trace_packet.h"
#include "tests/unit/packet_kit.h"
#include "tests/unit/trace_check.h"

enum {
    PORT = 8000,
};

static char folder[] = "/tmp/trace_test.XXXXXX";
static char path[3][64]; /* of two traces, and of what is made of them */
static struct trace_file file[2];

static int begin_group(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    for (unsigned i = 0; i < 3; i++)
        snprintf(path[i], sizeof(path[i]), "%s/%u.json", folder, i);
    return 0;
}

static int end_group(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        unlink(path[i]);
    return rmdir(folder);
}

/* ---- two nodes on a wire ---- */

struct side {
    struct buf_pool packets, small;
    struct trace trace;
    struct stack *st;
    struct conn_id conn;
    bool up, peer_closed;
    unsigned got; /* bytes read */
};

/* A device that loses one packet of those that are written. */
struct loser {
    struct device dev;
    struct device *inner;
    unsigned lose, count; /* which one, from 1; 0: none */
};

static struct side side[2]; /* the host, the peer */
static struct loser loser[2];
static struct wire_pair wire;
static int64_t instant_now;

/* It never stands still, as real ones do not. */
static int64_t test_clock(void)
{
    return instant_now += 100;
}

static int lose_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    return device_read(((struct loser *)d)->inner, now, ret_pkt);
}

static int lose_write(struct device *d, int64_t now, const struct pkt *p)
{
    struct loser *l = (struct loser *)d;

    return ++l->count == l->lose ? 0 : device_write(l->inner, now, p);
}

static int64_t lose_deadline(const struct device *d)
{
    return device_deadline(((const struct loser *)d)->inner);
}

static int lose_fd(const struct device *d)
{
    (void)d;
    return -1;
}

static void lose_close(struct device *d)
{
    device_close(((struct loser *)d)->inner);
}

static const struct device_ops lose_ops = {
    .kind = "loser",
    .read = lose_read,
    .write = lose_write,
    .deadline = lose_deadline,
    .fd = lose_fd,
    .close = lose_close,
};

static void make_side(unsigned i)
{
    struct side *s = &side[i];
    struct stack_config cfg;
    size_t bytes;

    stack_config_default(&cfg);
    cfg.local[0] = addr_v4(i ? KIT_PEER : KIT_HOST);
    cfg.locals = 1;
    cfg.small = &s->small;
    cfg.seed = i;
    cfg.tcp.tlp = false; /* one test is about RTX */
    memset(cfg.secret, (int)i + 1, sizeof(cfg.secret));
    bytes = stack_bytes(&cfg);
    s->st = stack_create(&cfg, memory_reserve(bytes), bytes);
    assert_non_null(s->st);
    loser[i] = (struct loser){.dev = {.ops = &lose_ops, .mtu = 1500}, .inner = &wire.side[i].dev};
    assert_int_equal(trace_file_open(&file[i], path[i]), 0);
    assert_int_equal(trace_init(&s->trace, &loser[i].dev, &file[i], i ? "peer" : "host",
                                &cfg.local[0], test_clock),
                     0);
    trace_watch(&s->trace, s->st);
}

static void make_pair(void)
{
    static alignas(16) uint8_t memory[1 << 18];
    struct wire_config cfg = {.mtu = 1500, .queue = 64, .name = {"tun0", "tun1"}};

    memset(side, 0, sizeof(side));
    instant_now = SEC;
    for (unsigned i = 0; i < 2; i++) {
        kit_pool(&side[i].packets, 64, 4096);
        kit_pool(&side[i].small, 64, 2048);
        cfg.pool[i] = &side[i].packets;
    }
    assert_in_range(wire_pair_bytes(&cfg), 1, sizeof(memory));
    assert_int_equal(wire_pair_create(&wire, &cfg, memory), 0);
    for (unsigned i = 0; i < 2; i++)
        make_side(i);
}

static void act(struct side *s)
{
    struct stack_event ev;
    struct slice got;

    while (stack_event(s->st, &ev)) {
        if (ev.kind == EV_ACCEPTED || ev.kind == EV_CONNECTED) {
            s->conn = ev.conn;
            s->up = true;
        }
        s->peer_closed |= ev.kind == EV_PEER_CLOSED;
        while (s->up && stack_receive(s->st, s->conn, UINT32_MAX, &got) > 0) {
            s->got += got.len;
            buf_unref(got.buf);
        }
    }
}

static void turn(struct side *s)
{
    int64_t now = test_clock();
    struct pkt p;

    while (device_read(&s->trace.dev, now, &p) == 1) {
        stack_input(s->st, now, &p);
        buf_unref(p.part[0].buf);
    }
    stack_tick(s->st, now);
    act(s);
    while (stack_output(s->st, now, &p))
        device_write(&s->trace.dev, now, &p);
}

/* Let so much time pass, in turns of half a millisecond. */
static void pass(int64_t ns)
{
    for (int64_t until = instant_now + ns; instant_now < until; instant_now += MSEC / 2) {
        turn(&side[0]);
        turn(&side[1]);
    }
}

static void finish_pair(void)
{
    for (unsigned i = 0; i < 2; i++) {
        trace_finish(&side[i].trace);
        device_close(&side[i].trace.dev);
        assert_int_equal(trace_file_close(&file[i], side[i].trace.pid, test_clock()), 0);
        assert_int_equal(file[i].lost, 0);
    }
}

static void send_bytes(struct side *s, uint32_t n)
{
    static const uint8_t zeros[20000];

    assert_int_equal(stack_send(s->st, s->conn, (struct slice){.base = zeros, .len = n}), 0);
}

/* The host sends 20,000 bytes, the packet `lose` of which is lost; both close. */
static void play(unsigned lose)
{
    struct stack_open how = {.remote = addr_v4(KIT_PEER), .remote_port = PORT};

    make_pair();
    loser[0].lose = lose;
    assert_true(stack_listen(side[1].st, NULL, PORT, 4, NULL) >= 0);
    stack_tick(side[0].st, test_clock());
    assert_int_equal(stack_open(side[0].st, &how, &side[0].conn), 0);
    pass(20 * MSEC);
    assert_true(side[0].up && side[1].up);
    send_bytes(&side[0], 20000);
    pass(SEC);
    assert_int_equal(side[1].got, 20000);
    stack_close(side[0].st, side[0].conn);
    pass(20 * MSEC);
    stack_close(side[1].st, side[1].conn);
    pass(130 * SEC);
    finish_pair();
}

static json_t *load(unsigned i)
{
    bool whole;
    json_t *events = tc_load(path[i], &whole);

    assert_true(whole);
    return events;
}

static int join(char *const *what, int n)
{
    struct outlet err;
    struct report r = {.program = "test", .out = &err};
    FILE *out = fopen(path[2], "w");
    int null = open("/dev/null", O_WRONLY), code;

    assert_int_equal(outlet_open(&err, null, true, true, OUTLET_BATCH), 0);
    code = trace_join(&r, what, n, out);
    fclose(out);
    outlet_close(&err);
    return code;
}

/* The name of the event that was the first of this phase with this name, or NULL. */
static const json_t *find(const json_t *events, const char *phase, const char *name)
{
    size_t i;
    json_t *e;

    json_array_foreach(events, i, e)
    {
        if (strcmp(tc_string(e, "ph"), phase) == 0 && strcmp(tc_string(e, "name"), name) == 0)
            return e;
    }
    return NULL;
}

/* The first segment with text that was sent and had been sent before, or NULL. */
static const json_t *find_again(const json_t *events)
{
    json_int_t end = 1; /* behind what was sent so far */
    size_t i;
    json_t *e;

    json_array_foreach(events, i, e)
    {
        json_int_t seq = json_integer_value(tc_arg(e, "seq"));
        json_int_t len = json_integer_value(tc_arg(e, "len"));

        if (strncmp(tc_string(e, "name"), "send.", 5) != 0 || len == 0)
            continue;
        if (seq < end)
            return e;
        end = seq + len;
    }
    return NULL;
}

/* How many timer slices of this name ended like that. */
static unsigned ended(const json_t *events, const char *timer, const char *how)
{
    unsigned n = 0;
    size_t i;
    json_t *e;

    json_array_foreach(events, i, e)
    {
        const char *end = json_string_value(tc_arg(e, "end"));

        n += end && strcmp(end, how) == 0 && strcmp(tc_string(e, "name"), timer) == 0;
    }
    return n;
}

/* Each packet that came has an arrow from its sender; the one that was lost has none. */
static void two_traces_join(void **state)
{
    char *both[] = {path[0], path[1]};
    struct tc_seen seen, each[2];
    json_t *events;

    (void)state;
    play(8);
    for (unsigned i = 0; i < 2; i++) {
        events = load(i);
        assert_null(tc_wrong(events, &each[i]));
        assert_int_equal(each[i].joined, 0);
        assert_int_equal(each[i].lost, 0);
        assert_int_equal(each[i].said, each[i].events);
        assert_int_equal(each[i].open, 0);
        json_decref(events);
    }
    assert_int_equal(each[0].sent, each[1].received + 1);
    assert_int_equal(each[1].sent, each[0].received);
    assert_int_equal(join(both, 2), EXIT_DONE);
    events = load(2);
    assert_null(tc_wrong(events, &seen));
    assert_int_equal(seen.events, each[0].events + each[1].events);
    assert_int_equal(seen.joined, seen.arrows);
    assert_int_equal(seen.arrows, seen.received);
    assert_int_equal(seen.received, each[0].received + each[1].received);
    json_decref(events);
}

/* States in their order, timers by name with how they ended, losses, the application's calls. */
static void what_happened_is_shown_with_its_reason(void **state)
{
    static const char *const host[] = {"SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
                                       "TIME-WAIT"};
    static const char *const peer[] = {"SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK"};
    struct tc_seen seen;
    const json_t *e;
    json_t *events;

    (void)state;
    play(8);
    events = load(0);
    assert_null(tc_wrong(events, &seen));
    assert_int_equal(seen.states, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_non_null(find(events, "B", host[i]));
    assert_non_null(find(events, "i", "recovery.enter"));
    assert_non_null(find(events, "i", "recovery.exit"));
    assert_non_null(find(events, "i", "end.orderly"));
    e = find(events, "i", "user.send");
    assert_int_equal(json_integer_value(tc_arg(e, "value")), 20000);
    assert_string_equal(json_string_value(tc_arg(e, "source")), "RFC 9293 3.9.1.2");
    e = find(events, "E", "LINGER");
    assert_string_equal(json_string_value(tc_arg(e, "end")), "expired");
    e = find(events, "E", "RTX");
    assert_string_equal(json_string_value(tc_arg(e, "end")), "cleared");
    e = find_again(events);
    assert_non_null(e);
    assert_string_not_equal(tc_string(e, "name"), "send.data");
    assert_string_not_equal(tc_string(e, "name"), "send.rto");
    assert_int_equal(json_integer_value(tc_arg(e, "len")), 1448);
    assert_int_equal(json_integer_value(tc_arg(e, "seq")) % 1448, 1);
    assert_string_equal(json_string_value(tc_arg(e, "flags")), ".");
    json_decref(events);
    events = load(1);
    assert_null(tc_wrong(events, &seen));
    assert_int_equal(seen.states, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(find(events, "B", peer[i]));
    assert_non_null(find(events, "i", "user.receive"));
    assert_non_null(find(events, "X", "send.ack.duplicate"));
    json_decref(events);
}

/* The last segment is lost: the timer that expires is followed by another, and says why. */
static void a_timer_that_expires_is_a_slice_of_its_own(void **state)
{
    const json_t *e;
    json_t *events;

    (void)state;
    play(2 + 14); /* the handshake, and 14 segments */
    events = load(0);
    e = find(events, "i", "timer.rto");
    assert_non_null(e);
    assert_non_null(find(events, "X", "send.rto"));
    assert_int_equal(ended(events, "RTX", "expired"), 1);
    assert_true(ended(events, "RTX", "cleared") >= 2);
    assert_int_equal(ended(events, "IDLE", "expired"), 0);
    assert_true(ended(events, "IDLE", "cleared") >= 1);
    assert_string_equal(json_string_value(tc_arg(e, "source")), "RFC 6298 5");
    json_decref(events);
}

/*
 * RFC 1122 3.1-b: a packet that the stack drops is shown with the reason, on the tracks of no
 * connection.
 */
static void a_drop_is_shown(void **state)
{
    struct kit_packet p = kit_tcp((struct kit_tcp){.flags = 2, .seq = 5, .data = 10});
    struct tc_seen seen;
    struct pkt out;
    const json_t *e;
    json_t *events;

    (void)state;
    make_pair();
    p.b[36] ^= 1; /* the checksum */
    kit_pkt(&p, &out);
    assert_int_equal(device_write(&wire.side[0].dev, instant_now, &out), 0);
    pass(MSEC);
    finish_pair();
    events = load(1);
    assert_null(tc_wrong(events, &seen));
    assert_int_equal(seen.received, 1);
    e = find(events, "X", "recv.syn");
    assert_string_equal(json_string_value(tc_arg(e, "dropped")), "drop.tcp.checksum");
    assert_string_equal(json_string_value(tc_arg(e, "source")), "RFC 9293 3.1 MUST-3");
    assert_non_null(find(events, "i", "drop.tcp.checksum"));
    json_decref(events);
}

/* However a file ends, what stands before is read, by viewers and by trace_join. */
static void a_file_may_end_anywhere(void **state)
{
    char *cut[] = {path[1], NULL};
    struct tc_seen seen;
    size_t len = 0;
    char *text;

    (void)state;
    play(0);
    text = tc_read(path[0], &len);
    for (size_t n = 2; n < len; n += 997) {
        FILE *f = fopen(path[1], "w");
        json_t *events;
        bool whole;

        fwrite(text, 1, n, f);
        fclose(f);
        assert_int_equal(join(cut, 1), EXIT_DONE);
        events = tc_load(path[2], &whole);
        assert_true(whole);
        assert_null(tc_wrong(events, &seen));
        json_decref(events);
        if (n < 200)
            continue;
        events = tc_load(path[1], &whole);
        assert_false(whole);
        assert_null(tc_wrong(events, &seen));
        assert_int_equal(seen.lost, -1);
        json_decref(events);
    }
    free(text);
}

/* An event whose last brace alone is missing looks whole, and is not. */
static void an_event_that_lacks_its_last_brace_is_left_out(void **state)
{
    char *cut[] = {path[1], NULL};
    size_t len = 0;
    json_t *events;
    bool whole;
    char *text, *at;
    FILE *f;

    (void)state;
    play(0);
    text = tc_read(path[0], &len);
    at = strstr(strstr(text, "}},") + 3, "}},"); /* behind the second event */
    f = fopen(path[1], "w");
    fwrite(text, 1, (size_t)(at + 1 - text), f);
    fclose(f);
    free(text);
    assert_int_equal(join(cut, 1), EXIT_DONE);
    events = tc_load(path[2], &whole);
    assert_true(whole);
    assert_int_equal(json_array_size(events), 1);
    json_decref(events);
}

/* A node that ends while its connections live leaves no slice open. */
static void the_end_of_a_node_ends_all(void **state)
{
    struct stack_open how = {.remote = addr_v4(KIT_PEER), .remote_port = PORT};
    struct tc_seen seen;
    json_t *events;

    (void)state;
    make_pair();
    stack_tick(side[0].st, test_clock());
    assert_int_equal(stack_open(side[0].st, &how, &side[0].conn), 0);
    assert_int_equal(stack_listen(side[1].st, NULL, PORT, 4, NULL) < 0, 0);
    pass(20 * MSEC);
    loser[0].lose = loser[0].count + 1;
    send_bytes(&side[0], 100); /* lost: RTX runs */
    pass(20 * MSEC);
    finish_pair();
    events = load(0);
    assert_null(tc_wrong(events, &seen));
    assert_int_equal(seen.states, 2);
    assert_int_equal(seen.open, 0);
    assert_int_equal(ended(events, "RTX", "cleared"), 2);
    json_decref(events);
}

/* Nothing is written then, lest it be taken for a trace in which nothing happened. */
static void what_is_no_trace_is_not_joined(void **state)
{
    char *none[] = {path[0], NULL};
    struct stat joined;
    FILE *f;

    (void)state;
    unlink(path[0]);
    assert_int_equal(join(none, 1), EXIT_FAILED);
    assert_int_equal(stat(path[2], &joined), 0);
    assert_int_equal(joined.st_size, 0);
    f = fopen(path[0], "w");
    fputs("{\"traceEvents\":[]}\n", f);
    fclose(f);
    assert_int_equal(join(none, 1), EXIT_FAILED);
    assert_int_equal(stat(path[2], &joined), 0);
    assert_int_equal(joined.st_size, 0);
}

/* Fragments of one packet have its identification, and are told apart by where they belong. */
static void fragments_are_told_apart(void **state)
{
    struct kit_packet p = kit_ip4(KIT_HOST, KIT_PEER, 17, NULL, 64);
    struct trace_packet first, second, same;
    struct pkt pkt;

    (void)state;
    put16(p.b + 6, 0x2000);
    kit_pkt(&p, &pkt);
    trace_packet_read(&first, &pkt, true);
    trace_packet_read(&same, &pkt, false);
    put16(p.b + 6, 0x2008);
    kit_pkt(&p, &pkt);
    trace_packet_read(&second, &pkt, true);
    assert_true(first.id == same.id);
    assert_true(first.id != second.id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_traces_join),
        cmocka_unit_test(what_happened_is_shown_with_its_reason),
        cmocka_unit_test(a_timer_that_expires_is_a_slice_of_its_own),
        cmocka_unit_test(a_drop_is_shown),
        cmocka_unit_test(a_file_may_end_anywhere),
        cmocka_unit_test(an_event_that_lacks_its_last_brace_is_left_out),
        cmocka_unit_test(the_end_of_a_node_ends_all),
        cmocka_unit_test(what_is_no_trace_is_not_joined),
        cmocka_unit_test(fragments_are_told_apart),
    };

    return cmocka_run_group_tests(tests, begin_group, end_group);
}
