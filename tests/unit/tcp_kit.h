/*
 * One real stack, driven by hand: virtual time, segments injected as bytes, outputs parsed.
 *
 * A test is a list of steps that read like a packet ladder:
 *
 *     open_passive();                         the handshake, checked
 *     inject(ACK, 1, 1, 65535, 100);          the remote node sends 100 bytes
 *     expect_nothing();                       the acknowledgment waits ...
 *     advance(40 * MSEC);
 *     expect(ACK, 1, 101, 0);                 ... and leaves: flags, seq, ack, payload bytes
 *
 * Sequence numbers are relative, each to its sender's SYN, which has number 0; so the first byte of
 * data is number 1. The stack's initial number is learned from its SYN. The payload of both sides
 * is a pattern over the relative number, so every byte's place is checked without being stated.
 * PSH is left out of comparisons. `flow` says which connection the steps speak of.
 *
 * end() aborts what is left and demands all memory back.
 */
#ifndef TESTS_UNIT_TCP_KIT_H
#define TESTS_UNIT_TCP_KIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "stack/internal.h"
#include "wire/checksum.h"
#include "wire/print.h"

enum {
    FIN = TCP_FIN,
    SYN = TCP_SYN,
    RST = TCP_RST,
    PSH = TCP_PSH,
    ACK = TCP_ACK,

    LOCAL_PORT = 8000,   /* of the stack, where it listens */
    REMOTE_PORT = 40000, /* of the remote node, where the stack does not choose */
    REMOTE_ISS = 1000,
    FULL_WND = 65535,
    MSS = 1460,             /* bytes, what both sides announce unless a test says otherwise */
    DEVICE_BUF = 2048,      /* bytes */
    DEVICE_BUFS = 4096,     /* in the pool that packets are read into */
    SMALL_BUFS = 2048,      /* in the pool for copies */
    RIG_OUT_MAX = 65536,    /* bytes of the largest packet */
    RIG_DRAIN_MAX = 100000, /* packets: more are a livelock */
};

/* A test file that defines this before it includes another's tests runs them over IPv6. */
#ifdef RIG_IPV6
enum { RIG_V6 = true };
#else
enum { RIG_V6 = false };
#endif

/* 10.0.1.5 and 10.0.0.7, or fd00:0:0:1::5 and fd00::7 */
#define LOCAL_ADDR                                                                                 \
    (rig.v6 ? (struct addr){.b = {0xfd, [7] = 1, [15] = 5}} : addr_v4(UINT32_C(0x0a000105)))
#define REMOTE_ADDR (rig.v6 ? (struct addr){.b = {0xfd, [15] = 7}} : addr_v4(UINT32_C(0x0a000007)))

/* A connection as a test speaks of it. */
struct flow {
    uint16_t local_port, remote_port;
    uint32_t iss, irs; /* of the stack and of the remote node */
    uint32_t written;  /* bytes that the application has sent ... */
    uint32_t read;     /* ... and received */
    struct conn_id id;
};

static struct rig {
    struct stack *st;
    struct stack_config cfg;
    struct buf_pool small, device;
    void *stack_mem, *small_mem, *device_mem;
    int64_t now; /* ns */
    bool v6;
    int listener;
    int line;         /* of the test, for messages */
    const char *what; /* is being tested, where a table says so */
    /* the packet that the last expect took */
    uint8_t bytes[RIG_OUT_MAX];
    struct ip_hdr ip;
    struct tcp_hdr seg;
    const uint8_t *data;
    uint32_t len;
    uint16_t marks, seg_size, csum_start; /* what is left to the device */
    enum reason why;
} rig;

static struct flow flow;

/* ---- saying what is wrong ---- */

static inline const char *rig_where(void)
{
    static char text[128];

    snprintf(text, sizeof(text), "line %d%s%s", rig.line, rig.what ? ", " : "",
             rig.what ? rig.what : "");
    return text;
}

static inline void rig_same(const char *what, long long got, long long want)
{
    char line[PRINT_LINE_MAX];
    static struct print_flows nobody;

    if (got == want)
        return;
    print_packet(&nobody, rig.bytes, sizeof(rig.bytes), 0, line, sizeof(line));
    print_error("the last packet taken: %s\n", line);
    fail_msg("%s: %s is %lld, expected %lld", rig_where(), what, got, want);
}

static inline void rig_reason(const char *what, enum reason got, enum reason want)
{
    if (got != want)
        fail_msg("%s: %s is %s, expected %s", rig_where(), what, reason_text(got)->name,
                 reason_text(want)->name);
}

#define AT(call) (rig.line = __LINE__, call)

/* ---- begin and end ---- */

/* Which version the test speaks; segments are as large in both. Before begin(). */
static inline void over_ipv6(bool v6)
{
    rig.v6 = v6;
    rig.cfg.local[0] = LOCAL_ADDR;
    rig.cfg.prefix_len[0] = v6 ? 64 : 24;
    rig.cfg.mtu = MSS + (v6 ? IPV6_HEADER : IPV4_HEADER_MIN) + TCP_HEADER_MIN;
}

/* Everything by default, but small. A test may change rig.cfg before begin(). */
static inline void defaults(void)
{
    rig = (struct rig){.listener = -1, .now = SEC};
    flow = (struct flow){.local_port = LOCAL_PORT, .remote_port = REMOTE_PORT, .irs = REMOTE_ISS};
    stack_config_default(&rig.cfg);
    over_ipv6(RIG_V6);
    rig.cfg.locals = 1;
    rig.cfg.max_conns = 16;
    rig.cfg.max_chunks = 4096;
    rig.cfg.max_fragmented = 4;
    memset(rig.cfg.secret, 7, sizeof(rig.cfg.secret));
    rig.cfg.seed = 1;
    rig.cfg.tcp.cc = &cc_reno; /* whose numbers are easily told */
    rig.cfg.tcp.hystart = false;
    rig.cfg.tcp.snd_buf_max = rig.cfg.tcp.rcv_buf_max = 0;
    rig.cfg.tcp.plpmtud = rig.cfg.tcp.timestamps = rig.cfg.tcp.sack = rig.cfg.tcp.ecn =
        false; /* unless a test says so */
}

static inline void *rig_pool(struct buf_pool *pool, uint32_t count, uint32_t size)
{
    void *mem = aligned_alloc(64, (buf_pool_bytes(count, size) + 63) / 64 * 64);

    assert_non_null(mem);
    buf_pool_init(pool, mem, buf_pool_bytes(count, size), size);
    return mem;
}

static inline void begin(void)
{
    size_t size;

    rig.small_mem = rig_pool(&rig.small, SMALL_BUFS, 512);
    rig.device_mem = rig_pool(&rig.device, DEVICE_BUFS, DEVICE_BUF);
    rig.cfg.small = &rig.small;
    size = (stack_bytes(&rig.cfg) + 63) / 64 * 64;
    rig.stack_mem = aligned_alloc(64, size);
    assert_non_null(rig.stack_mem);
    memset(rig.stack_mem, 0, size);
    rig.st = stack_create(&rig.cfg, rig.stack_mem, size);
    assert_non_null(rig.st);
    stack_tick(rig.st, rig.now);
}

/* Pull all events and output, and forget them. */
static inline void drain(void)
{
    static struct pkt p;
    struct stack_event e;

    for (unsigned i = 0; stack_output(rig.st, rig.now, &p); i++)
        assert_true(i < RIG_DRAIN_MAX);
    while (stack_event(rig.st, &e))
        continue;
    while (stack_output(rig.st, rig.now, &p))
        continue;
    stack_tick(rig.st, rig.now);
}

/* Abort what is left, whoever holds it; all memory has come back then. */
static inline void end(void)
{
    struct slice first;

    drain();
    for (uint32_t i = 0; i < rig.st->fresh_slots; i++) {
        struct conn *c = &rig.st->conns[i];

        if (c->in_use)
            stack_abort(rig.st, (struct conn_id){i, c->generation});
    }
    drain();
    assert_int_equal(stack_totals(rig.st)->conns, 0);
    assert_int_equal(rig.st->cells.in_use, 0);
    assert_int_equal(rig.st->flights.in_use, 0);
    assert_int_equal(rig.st->ranges.in_use, 0);
    while (fragment_expire(&rig.st->fragments, TIME_NEVER, &first))
        buf_unref(first.buf);
    assert_int_equal(rig.st->fragments.partials.in_use, 0);
    assert_int_equal(rig.st->fragments.bufs.in_use, 0);
    assert_int_equal(rig.small.in_use, 0);
    assert_int_equal(rig.device.in_use, 0);
    free(rig.stack_mem);
    free(rig.small_mem);
    free(rig.device_mem);
}

/* ---- payload ---- */

static inline uint8_t pattern(uint32_t number)
{
    return (uint8_t)(number * 7 + (number >> 8) * 3 + (number >> 16));
}

static inline void pattern_fill(uint8_t *b, uint32_t number, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        b[i] = pattern(number + i);
}

static inline void pattern_check(const uint8_t *b, uint32_t number, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if (b[i] != pattern(number + i))
            fail_msg("%s: byte %u of the stream is wrong", rig_where(), number + i);
}

/* ---- the remote node ---- */

/* Hand over one packet as a device does: in a buf of its own, one reference dropped afterwards. */
static inline enum reason rig_input(const uint8_t *b, uint32_t len)
{
    struct buf *buf = buf_get(&rig.device);
    static struct pkt p;
    enum reason why;

    assert_non_null(buf);
    assert_true(len <= DEVICE_BUF);
    memcpy(buf->data, b, len);
    p = (struct pkt){.len = len, .parts = 1};
    p.part[0] = (struct slice){buf, buf->data, len};
    why = stack_input(rig.st, rig.now, &p);
    buf_unref(buf);
    return why;
}

/* A segment with absolute numbers from any address; its payload is given. */
static inline enum reason rig_segment(const struct addr *src, const struct addr *dst,
                                      const struct tcp_hdr *hdr, const uint8_t *data, uint32_t len)
{
    uint8_t b[DEVICE_BUF];
    struct slice s = {NULL, data, len};
    struct ip_hdr ip = {.src = *src,
                        .dst = *dst,
                        .version = addr_is_v4(src) ? 4 : 6,
                        .ttl = 64,
                        .proto = IP_PROTO_TCP,
                        .df = true};
    size_t ip_len = ip_build_len(&ip);
    size_t tcp_len = tcp_build(b + ip_len, src, dst, hdr, 0, &s, len ? 1 : 0);

    ip_build(b, &ip, tcp_len + len);
    if (len)
        memcpy(b + ip_len + tcp_len, data, len);
    return rig_input(b, (uint32_t)(ip_len + tcp_len) + len);
}

static inline enum reason rig_inject(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t wnd,
                                     uint32_t len, const struct tcp_options *opt)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    uint8_t data[DEVICE_BUF];
    struct tcp_hdr hdr = {
        .sport = flow.remote_port,
        .dport = flow.local_port,
        .seq = flow.irs + seq,
        .ack = flags & ACK ? flow.iss + ack : 0,
        .wnd = (uint16_t)wnd,
        .flags = flags,
    };

    if (opt)
        hdr.opt = *opt;
    pattern_fill(data, seq + (flags & SYN ? 1 : 0), len);
    return rig_segment(&remote, &local, &hdr, data, len);
}

/* The remote node sends: flags, seq, ack, the window's field, bytes of payload. */
#define inject(flags, seq, ack, wnd, len) AT(rig_inject(flags, seq, ack, wnd, len, NULL))
#define inject_opt(flags, seq, ack, wnd, ...)                                                      \
    AT(rig_inject(flags, seq, ack, wnd, 0, &(struct tcp_options){__VA_ARGS__}))
/* ... and the stack drops it for this reason. */
#define inject_drop(why, flags, seq, ack, wnd, len)                                                \
    AT(rig_reason("the verdict", rig_inject(flags, seq, ack, wnd, len, NULL), why))

/* ---- what the stack sends ---- */

/* Take the next packet, whatever it is: rig.ip, rig.data and rig.len are its payload. */
static inline bool rig_take(void)
{
    static struct pkt p;
    uint32_t len;

    if (!stack_output(rig.st, rig.now, &p))
        return false;
    len = pkt_flatten(&p, rig.bytes, sizeof(rig.bytes));
    rig_same("the packet's length", len, p.len);
    rig_reason("what left", ip_parse(rig.bytes, len, &rig.ip), REASON_NONE);
    rig_same("the total length", rig.ip.total_len, len);
    rig.marks = p.marks;
    rig.seg_size = p.gso_size;
    rig.csum_start = p.csum_start;
    rig.why = (enum reason)p.why;
    rig_same("reason's kind", reason_text(rig.why)->kind, REASON_KIND_SEND);
    rig.data = rig.bytes + rig.ip.header_len;
    rig.len = len - rig.ip.header_len;
    return true;
}

/* The same for a TCP segment of this flow. */
static inline bool rig_take_tcp(void)
{
    if (!rig_take())
        return false;
    rig_same("the protocol", rig.ip.proto, IP_PROTO_TCP);
    rig_reason("what left", tcp_parse(&rig.ip, rig.data, rig.len, rig.marks, &rig.seg),
               REASON_NONE);
    rig.data += rig.seg.header_len;
    rig.len -= rig.seg.header_len;
    rig_same("the source port", rig.seg.sport, flow.local_port);
    rig_same("the destination port", rig.seg.dport, flow.remote_port);
    return true;
}

static inline void rig_expect(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
    if (!rig_take_tcp())
        fail_msg("%s: nothing was sent", rig_where());
    rig_same("flags", rig.seg.flags & ~PSH, flags & ~PSH);
    rig_same("seq", (int32_t)(rig.seg.seq - flow.iss), (int32_t)seq);
    if (flags & ACK)
        rig_same("ack", (int32_t)(rig.seg.ack - flow.irs), (int32_t)ack);
    rig_same("payload", rig.len, len);
    pattern_check(rig.data, seq, len);
}

/* The stack's SYN or SYN-ACK: its initial number is learned. */
static inline void rig_expect_syn(uint8_t flags)
{
    if (!rig_take_tcp())
        fail_msg("%s: nothing was sent", rig_where());
    rig_same("flags", rig.seg.flags, flags);
    flow.iss = rig.seg.seq;
    if (flags & ACK)
        rig_same("ack", (int32_t)(rig.seg.ack - flow.irs), 1);
    rig_same("payload", rig.len, 0);
}

static inline void rig_expect_nothing(void)
{
    if (rig_take())
        rig_same("a packet was sent, because", rig.why, 0);
}

/* The next packet is this segment: flags, seq, ack, bytes of payload. */
#define expect(flags, seq, ack, len) AT(rig_expect(flags, seq, ack, len))
#define expect_syn()                 AT(rig_expect_syn(SYN))
#define expect_syn_ack()             AT(rig_expect_syn(SYN | ACK))
#define expect_nothing()             AT(rig_expect_nothing())
/* ... and it left for this reason; its window's field says so much. */
#define expect_why(r)                AT(rig_reason("the reason", rig.why, r))
#define expect_wnd(n)                AT(rig_same("window", rig.seg.wnd, n))

/* ---- time ---- */

/* Let time pass, as a loop would: timers run at their deadlines. */
static inline void advance(int64_t ns)
{
    int64_t until = rig.now + ns;

    for (unsigned i = 0; rig.now < until; i++) {
        int64_t next = stack_deadline(rig.st);

        assert_true(i < RIG_DRAIN_MAX);
        rig.now = next > rig.now && next < until ? next : until;
        stack_tick(rig.st, rig.now);
    }
}

/* Nothing is sent until one nanosecond before `ns` have passed; then it is the instant. */
#define expect_silence(ns) (advance((ns)-1), AT(rig_expect_nothing()), advance(1))

/* ---- the application ---- */

static inline void rig_event(enum stack_event_kind kind)
{
    struct stack_event e;

    if (!stack_event(rig.st, &e))
        fail_msg("%s: there is no event", rig_where());
    rig_same("event", e.kind, kind);
    if (kind == EV_ACCEPTED)
        flow.id = e.conn;
    rig_same("the event's slot", e.conn.slot, flow.id.slot);
    rig_same("the event's generation", e.conn.generation, flow.id.generation);
}

static inline void rig_closed(enum reason why)
{
    struct stack_event e;

    if (!stack_event(rig.st, &e))
        fail_msg("%s: there is no event", rig_where());
    rig_same("event", e.kind, EV_CLOSED);
    rig_reason("the end", e.why, why);
}

static inline void rig_no_event(void)
{
    struct stack_event e;

    if (stack_event(rig.st, &e))
        fail_msg("%s: there is an event: %d", rig_where(), (int)e.kind);
}

#define expect_event(kind) AT(rig_event(kind))
#define expect_closed(why) AT(rig_closed(why))
#define expect_no_event()  AT(rig_no_event())

/* The flow's TCB, or NULL once its addresses and ports are free. */
static inline const struct tcb *tcb(void)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    const struct conn *c = flow_find(rig.st, &local, flow.local_port, &remote, flow.remote_port);

    return c ? &c->tcb : NULL;
}

static inline void rig_state(enum tcp_state want)
{
    enum tcp_state got = tcb() ? (enum tcp_state)tcb()->state : TCP_CLOSED;

    if (got != want)
        fail_msg("%s: the state is %s, expected %s", rig_where(), tcp_state_name(got),
                 tcp_state_name(want));
}

#define expect_state(s) AT(rig_state(s))

static inline void app_listen(uint32_t backlog)
{
    rig.listener = stack_listen(rig.st, NULL, flow.local_port, backlog, NULL);
    assert_true(rig.listener >= 0);
}

static inline void app_open(void)
{
    struct stack_open how = {.remote = REMOTE_ADDR, .remote_port = flow.remote_port};

    how.local_port = flow.local_port;
    assert_int_equal(stack_open(rig.st, &how, &flow.id), 0);
}

/* Send the next `len` bytes of the pattern; all of them are taken. */
static inline void rig_send(uint32_t len)
{
    uint8_t b[4096];

    while (len > 0) {
        uint32_t n = min32(len, sizeof(b));

        pattern_fill(b, flow.written + 1, n);
        rig_same("bytes taken", stack_send_copy(rig.st, flow.id, b, n), n);
        flow.written += n;
        len -= n;
    }
}

/* Receive `len` bytes and check them; then there may be more. */
static inline void rig_read(uint32_t len)
{
    while (len > 0) {
        struct slice s;
        int r = stack_receive(rig.st, flow.id, len, &s);

        if (r <= 0)
            fail_msg("%s: receive says %d, %u bytes are missing", rig_where(), r, len);
        pattern_check(s.base, flow.read + 1, (uint32_t)r);
        buf_unref(s.buf);
        flow.read += (uint32_t)r;
        len -= (uint32_t)r;
    }
}

static inline void rig_read_says(int want)
{
    struct slice s;

    rig_same("receive", stack_receive(rig.st, flow.id, 1, &s), want);
}

#define app_send(len)      AT(rig_send(len))
#define app_read(len)      AT(rig_read(len))
#define app_read_says(r)   AT(rig_read_says(r)) /* 0 at the end, -EAGAIN, -EBADF */
#define app_close()        assert_int_equal(stack_close(rig.st, flow.id), 0)
#define app_abort()        assert_int_equal(stack_abort(rig.st, flow.id), 0)
#define app_release()      assert_int_equal(stack_release(rig.st, flow.id), 0)
#define counted(reason, n) assert_int_equal(stack_count(rig.st, REASON_##reason), n)

/* ---- ways to ESTABLISHED ---- */

static const struct tcp_options mss_only = {.has_mss = true, .mss = MSS};

/* The remote node opens, with these options and windows; one listener serves all flows. */
static inline void rig_open_passive(const struct tcp_options *opt, uint16_t syn_wnd, uint16_t wnd)
{
    if (rig.listener < 0)
        app_listen(16);
    rig_reason("the SYN's verdict", rig_inject(SYN, 0, 0, syn_wnd, 0, opt), REASON_NONE);
    rig_expect_syn(SYN | ACK);
    rig_inject(ACK, 1, 1, wnd, 0, NULL);
    rig_event(EV_ACCEPTED);
    rig_state(TCP_ESTABLISHED);
}

/* The stack opens. */
static inline void rig_open_active(const struct tcp_options *opt, uint16_t wnd)
{
    app_open();
    rig_expect_syn(SYN);
    rig_reason("the SYN-ACK's verdict", rig_inject(SYN | ACK, 0, 1, wnd, 0, opt), REASON_NONE);
    rig_expect(ACK, 1, 1, 0);
    rig_event(EV_CONNECTED);
    rig_state(TCP_ESTABLISHED);
}

#define open_passive()             AT(rig_open_passive(&mss_only, FULL_WND, FULL_WND))
#define open_passive_with(o, s, w) AT(rig_open_passive(o, s, w))
#define open_active()              AT(rig_open_active(&mss_only, FULL_WND))

/* ---- ways on from there; the remote node has sent nothing but controls, we nothing at all ---- */

/* Bring the connection from ESTABLISHED to `s`; nothing is owed then. */
static inline void rig_go(enum tcp_state s)
{
    if (s == TCP_ESTABLISHED)
        return;
    if (s == TCP_CLOSE_WAIT || s == TCP_LAST_ACK) {
        rig_inject(FIN | ACK, 1, 1, FULL_WND, 0, NULL);
        rig_expect(ACK, 1, 2, 0);
        rig_event(EV_PEER_CLOSED);
        if (s == TCP_CLOSE_WAIT)
            return;
    }
    app_close();
    rig_expect(FIN | ACK, 1, s == TCP_LAST_ACK ? 2 : 1, 0);
    if (s == TCP_CLOSING) {
        rig_inject(FIN | ACK, 1, 1, FULL_WND, 0, NULL);
        rig_expect(ACK, 2, 2, 0);
        rig_event(EV_PEER_CLOSED);
    } else if (s == TCP_FIN_WAIT_2 || s == TCP_TIME_WAIT) {
        rig_inject(ACK, 1, 2, FULL_WND, 0, NULL);
    }
    if (s == TCP_TIME_WAIT) {
        rig_inject(FIN | ACK, 1, 2, FULL_WND, 0, NULL);
        rig_expect(ACK, 2, 2, 0);
        rig_event(EV_PEER_CLOSED);
    }
    rig_state(s);
}

#define go(s) AT(rig_go(s))

#endif
