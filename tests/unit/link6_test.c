/* What the paths and the in-memory wire do to packets of IPv6: as to those of IPv4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "link/identity.h"
#include "link/inbox.h"
#include "link/path.h"
#include "packet6_kit.h"
#include "wire/tcp.h"

/* A segment with these flags and 'x' as text. */
static struct kit_packet segment(uint8_t flags, uint32_t seq, uint32_t text)
{
    uint8_t b[120] = {0xc0, 0, 0x1f, 0x40};
    struct kit_packet p;

    put32(b + 4, seq);
    b[12] = 0x50;
    b[13] = flags;
    memset(b + 20, 'x', text);
    p = kit6(KIT6_HOST, KIT6_PEER, 6, b, 20 + text);
    kit6_l4_fix(&p, 6, 0, 16);
    return p;
}

static void kinds_are_told_apart(void **state)
{
    static const struct {
        uint8_t flags;
        uint32_t text;
        enum packet_kind kind;
    } cases[] = {
        {TCP_SYN, 0, PACKET_SYN},  {TCP_SYN | TCP_ACK, 0, PACKET_SYN_ACK}, {TCP_ACK, 0, PACKET_ACK},
        {TCP_ACK, 1, PACKET_DATA}, {TCP_ACK | TCP_FIN, 1, PACKET_FIN},     {TCP_RST, 0, PACKET_RST},
    };
    struct kit_packet p = kit6_udp(KIT6_HOST, KIT6_PEER, 1, 2, NULL, 40);

    (void)state;
    assert_int_equal(packet_classify(p.b, p.len), PACKET_OTHER);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        p = segment(cases[i].flags, 1, cases[i].text);
        assert_int_equal(packet_classify(p.b, p.len), cases[i].kind);
        assert_int_equal(packet_classify(p.b, 59), PACKET_OTHER);
        assert_int_equal(packet_classify(p.b, 0), PACKET_OTHER);
    }
}

/* The same packet again is another, and one of another connection too; both ways belong together.
 */
static void packets_have_identities(void **state)
{
    static struct identity one, other;
    struct kit_packet syn = segment(TCP_SYN, 7, 0), far = syn;
    uint64_t first;

    (void)state;
    first = identity_of(&one, 0, syn.b, syn.len);
    assert_true(identity_of(&one, 0, syn.b, syn.len) != first);
    far.b[39] ^= 1;
    assert_true(identity_of(&other, 0, syn.b, syn.len) == first);
    assert_true(identity_of(&other, 0, far.b, far.len) != first);
    assert_int_equal(other.flows, 2);
    memcpy(far.b, syn.b, syn.len);
    memcpy(far.b + 8, syn.b + 24, 16);
    memcpy(far.b + 24, syn.b + 8, 16);
    memcpy(far.b + 40, syn.b + 42, 2);
    memcpy(far.b + 42, syn.b + 40, 2);
    far.b[53] = TCP_SYN | TCP_ACK;
    identity_of(&other, 1, far.b, far.len);
    assert_int_equal(other.flows, 2);
}

static void a_router_marks(void **state)
{
    struct kit_packet p = segment(TCP_ACK, 1, 10);
    uint8_t mem[sizeof(struct path_packet) + 200];
    struct path_packet *k = (void *)mem;
    struct ip_hdr ip;

    (void)state;
    memset(mem, 0, sizeof(mem));
    for (unsigned tos = 0; tos < 256; tos++) {
        p.b[0] = (uint8_t)(0x60 | tos >> 4);
        p.b[1] = (uint8_t)(tos << 4 | 5);
        memcpy(k->bytes, p.b, p.len);
        k->len = p.len;
        assert_int_equal(packet_mark(k), (tos & 3) != 0);
        assert_int_equal(ip_parse(k->bytes, k->len, &ip), REASON_NONE);
        assert_int_equal(ip.tos, tos & 3 ? tos | 3 : tos);
        assert_int_equal(ip.flow >> 16, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(packets_have_identities),
        cmocka_unit_test(a_router_marks),
    };

    return cmocka_run_group_tests_name("link6", tests, NULL, NULL);
}
