/* Fragments of IPv6 through a whole node, both ways, and the errors that they owe. */
#include "tcp_kit.h"

#include "packet6_kit.h"

enum {
    ECHO_MAX = 65535 - 8, /* bytes of data in the largest echo */
    MTU = 1500,
};

static uint8_t sent[65535]; /* what is taken apart: all behind the fixed header */
static uint32_t sent_len, sent_id;
static uint8_t sent_proto;

static void begin_node(void)
{
    defaults();
    rig.cfg.local[0] = KIT6_PEER;
    rig.cfg.prefix_len[0] = 64;
    begin();
}

/* The checksum of all of it, whose field is at b[at]. */
static void fix(uint32_t at)
{
    struct addr src = KIT6_HOST, dst = KIT6_PEER;

    put16(sent + at, 0);
    put16(sent + at,
          checksum_residue(ip_pseudo_sum(&src, &dst, sent_proto, sent_len), sent, sent_len));
}

static void echo(uint32_t len)
{
    sent_len = 8 + len;
    sent_proto = IP_PROTO_ICMP6;
    sent_id++;
    memset(sent, 0, 8);
    sent[0] = ICMP6_ECHO;
    put32(sent + 4, 0x12340000 + (len & 0xffff));
    pattern_fill(sent + 8, 0, len);
    fix(2);
}

static void datagram(uint16_t port, uint32_t len)
{
    sent_len = 8 + len;
    sent_proto = IP_PROTO_UDP;
    sent_id++;
    put16(sent, 5000);
    put16(sent + 2, port);
    put16(sent + 4, (uint16_t)sent_len);
    pattern_fill(sent + 8, 0, len);
    fix(6);
}

/* A fragment with these bytes of it. */
static enum reason part(uint32_t off, uint32_t len, bool more)
{
    uint8_t body[8 + 2000] = {sent_proto};
    struct kit_packet p;

    put16(body + 2, (uint16_t)(off | more));
    put32(body + 4, sent_id);
    memcpy(body + 8, sent + min32(off, sizeof(sent) - len), len);
    p = kit6(KIT6_HOST, KIT6_PEER, IP6_FRAGMENT, body, 8 + len);
    return rig_input(p.b, p.len);
}

/* All of it in fragments of `step` bytes; the verdict on the last. */
static enum reason pieces(uint32_t step)
{
    uint32_t off = 0;

    for (; off + step < sent_len; off += step)
        rig_reason("a fragment", part(off, step, true), REASON_NONE);
    return part(off, sent_len - off, false);
}

/* ---- what leaves, put together again ---- */

static uint8_t got[65535];
static uint32_t got_len;
static unsigned got_pieces;
static struct ip_hdr got_ip;

static void take_in_pieces(enum reason why)
{
    got_len = got_pieces = 0;
    do {
        if (!rig_take())
            fail_msg("%s: a fragment is missing", rig_where());
        rig_reason("its reason", rig.why, got_pieces ? REASON_SEND_FRAGMENT : why);
        if (got_pieces == 0)
            got_ip = rig.ip;
        rig_same("its version", rig.ip.version, 6);
        rig_same("its offset", rig.ip.frag_off, got_len);
        rig_same("its identification", rig.ip.id, got_ip.id);
        rig_same("its flow label", rig.ip.flow, got_ip.flow);
        assert_true(rig.ip.total_len <= MTU);
        assert_true(!rig.ip.mf || rig.len % 8 == 0);
        memcpy(got + got_len, rig.data, rig.len);
        got_len += rig.len;
        got_pieces++;
    } while (rig.ip.mf);
}

/* RFC 8200 4.5: the answer to an echo of any size, in fragments that the next link takes.
 * RFC 8200 4.5-b, 4.5-c, 4.5-d, RFC 8504 5.1-a, 5.1-b, 5.1-c. */
static void echo_of_large_sizes(void **state)
{
    static const uint32_t sizes[] = {0, 1440, 1452, 1453, 1500, 2888, 2889, 9000, ECHO_MAX};

    (void)state;
    begin_node();
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct icmp_hdr icmp;
        uint32_t all = 8 + sizes[i];

        echo(sizes[i]);
        rig_reason("the last one", pieces(1448), REASON_NONE);
        take_in_pieces(REASON_SEND_ECHO_REPLY);
        rig_same("its length", got_len, all);
        /* the last one may be as long as its link takes, whatever that is by 8 */
        rig_same("fragments", got_pieces, all <= MTU - 40 ? 1 : 1 + (all - 1452 + 1447) / 1448);
        rig_reason("the answer", icmp6_parse(&got_ip, got, got_len, 0, &icmp), REASON_NONE);
        rig_same("its type", icmp.type, ICMP6_ECHO_REPLY);
        rig_same("its number", icmp.rest, 0x12340000 + (sizes[i] & 0xffff));
        pattern_check(got + 8, 0, sizes[i]);
        expect_nothing();
    }
    assert_int_equal(rig.st->fragments.bufs.in_use, 0);
    end();
}

/* The largest datagram there and back, by the same bytes.
 * RFC 8504 5.1-b. */
static void the_largest_datagram(void **state)
{
    struct stack_datagram d;
    struct udp_hdr udp;
    uint32_t last = 0;
    int s;

    (void)state;
    begin_node();
    s = stack_udp_bind(rig.st, 6000, NULL);
    for (unsigned i = 0; i < 3; i++) {
        datagram(6000, 65507);
        rig_reason("the last one", pieces(1448), REASON_NONE);
        assert_int_equal(stack_udp_receive(rig.st, s, &d), 0);
        assert_int_equal(d.data.len, 65507);
        assert_int_equal(stack_udp_send(rig.st, s, &d), 0);
        take_in_pieces(REASON_SEND_UDP);
        rig_reason("it", udp_parse(&got_ip, got, got_len, 0, &udp), REASON_NONE);
        assert_true(udp.sport == 6000 && udp.dport == 5000 && udp.len == got_len);
        pattern_check(got + 8, 0, 65507);
        expect_nothing();
        assert_true(got_ip.id > 65535 || last > 65535 || i < 2); /* of 32 bits */
        assert_int_not_equal(got_ip.id, last);
        last = got_ip.id;
    }
    end();
}

/* Sends a datagram of 1453 bytes, which is two fragments; returns their identification. */
static uint32_t identification(int socket)
{
    static uint8_t data[1453];
    struct stack_datagram d = {.addr = KIT6_HOST, .port = 5000, .data = {NULL, data, sizeof(data)}};

    assert_int_equal(stack_udp_send(rig.st, socket, &d), 0);
    take_in_pieces(REASON_SEND_UDP);
    assert_int_equal(got_pieces, 2);
    return got_ip.id;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* RFC 7739 5: of 32 bits, each once, near none that came before, and other ones in another node.
 * RFC 8200 4.5-a, RFC 8504 5.1-d. */
static void rfc7739_5_identifications(void **state)
{
    enum { N = 20000 };
    static uint32_t ids[2][N];
    unsigned close = 0, high = 0, alike = 0;

    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        int s;

        begin_node();
        rig.st->ip.random.key[0] ^= (uint8_t)k;
        s = stack_udp_bind(rig.st, 6000, NULL);
        for (unsigned i = 0; i < N; i++)
            ids[k][i] = identification(s);
        end();
    }
    for (unsigned i = 1; i < N; i++) {
        close += ids[0][i] - ids[0][i - 1] < UINT32_C(1) << 24;
        high += ids[0][i] >> 31;
        alike += ids[0][i] == ids[1][i];
    }
    assert_in_range(close, 30, 140); /* one in 256 is chance */
    assert_in_range(high, N / 2 - 700, N / 2 + 700);
    assert_true(alike < 3);
    qsort(ids[0], N, sizeof(ids[0][0]), by_value);
    for (unsigned i = 1; i < N; i++)
        assert_int_not_equal(ids[0][i], ids[0][i - 1]);
}

static void owes(uint8_t type, uint8_t code, uint32_t rest, enum reason why)
{
    struct icmp_hdr icmp;

    assert_true(rig_take());
    rig_reason("what is said", rig.why, why);
    rig_reason("the error", icmp6_parse(&rig.ip, rig.data, rig.len, 0, &icmp), REASON_NONE);
    rig_same("its type", icmp.type, type);
    rig_same("its code", icmp.code, code);
    rig_same("its pointer", icmp.rest, rest);
    assert_true(rig.ip.total_len <= 1280);
    rig_expect_nothing();
}

/* RFC 8200 4.5: lengths that cannot be are answered by a parameter problem that points at them.
 * RFC 8200 4.5-i, 4.5-j, 4.5-l, RFC 4443 2.4e-a. */
static void parameter_problems(void **state)
{
    (void)state;
    begin_node();
    datagram(6000, 4000);
    rig_reason("of 15 bytes", part(0, 15, true), REASON_FRAGMENT_LENGTH);
    owes(ICMP6_PARAM_PROBLEM, 0, 4, REASON_SEND_PARAM_PROBLEM);
    rig_reason("beyond", part(65528, 8, false), REASON_FRAGMENT_TOO_LARGE);
    owes(ICMP6_PARAM_PROBLEM, 0, 42, REASON_SEND_PARAM_PROBLEM);
    rig_reason("a good one", part(0, 1000, true), REASON_NONE);
    rig_reason("overlapping", part(992, 16, true), REASON_FRAGMENT_OVERLAP);
    expect_nothing(); /* RFC 5722 4: in silence */
    echo(4000);
    sent[8] = ICMP6_ECHO; /* which stands where a whole message has its type */
    rig_reason("perhaps of an error", part(8, 15, true), REASON_FRAGMENT_LENGTH);
    expect_nothing();
    end();
}

/* RFC 8200 4.5: after 60 s the sender of the first fragment is told, with as much as has room.
 * RFC 8200 4.5-g, 4.5-h. */
static void time_exceeded(void **state)
{
    (void)state;
    begin_node();
    datagram(6000, 4000);
    rig_reason("the second", part(1448, 1448, true), REASON_NONE);
    expect_silence(60 * SEC);
    expect_nothing();
    rig_reason("the first", part(0, 1448, true), REASON_NONE);
    expect_silence(60 * SEC);
    owes(ICMP6_TIME_EXCEEDED, 1, 0, REASON_SEND_TIME_EXCEEDED);
    counted(FRAGMENT_EXPIRED, 2);
    end();
}

/* RFC 6946 4: a fragment that is the whole packet meets no others, whatever its identification.
 * RFC 8200 4.5-f. */
static void atomic_fragments(void **state)
{
    (void)state;
    begin_node();
    datagram(6000, 2000);
    rig_reason("a first one", part(0, 1448, true), REASON_NONE);
    sent_proto = IP_PROTO_ICMP6;
    echo(8);
    sent_id--;
    rig_reason("an atomic one", part(0, sent_len, false), REASON_NONE);
    take_in_pieces(REASON_SEND_ECHO_REPLY);
    datagram(6000, 2000);
    sent_id -= 1;
    rig_reason("the second one", part(1448, sent_len - 1448, false), REASON_UDP_NO_SOCKET);
    owes(ICMP6_UNREACHABLE, ICMP6_UNREACH_PORT, 0, REASON_SEND_UNREACHABLE);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_of_large_sizes),
        cmocka_unit_test(the_largest_datagram),
        cmocka_unit_test(rfc7739_5_identifications),
        cmocka_unit_test(parameter_problems),
        cmocka_unit_test(time_exceeded),
        cmocka_unit_test(atomic_fragments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
