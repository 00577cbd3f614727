/* The UDP header: what udp_parse takes lies inside the packet and is built again to the same. */
#include "tests/fuzz/wire.h"
#include "wire/udp.h"

static void check_rebuilt(const struct ip_hdr *ip, const struct udp_hdr *udp, const uint8_t *b)
{
    uint8_t *again = wire_copy(b, udp->len);
    struct slice inside = {NULL, b + UDP_HEADER, (uint32_t)(udp->len - UDP_HEADER)};
    struct udp_hdr back;
    enum reason why;

    udp_build(again, &ip->src, &ip->dst, udp, &inside, 1);
    FUZZ_CHECK(get16(again + 6) != 0, "built a datagram without a checksum");
    why = udp_parse(ip, again, udp->len, 0, &back);
    FUZZ_CHECK(why == REASON_NONE, "what was built is refused: %s", reason_text(why)->sentence);
    FUZZ_CHECK(back.sport == udp->sport && back.dport == udp->dport && back.len == udp->len,
               "another header");
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};
    unsigned how = script_8(&s);
    uint8_t *b = wire_copy(s.b, s.len);
    struct ip_hdr ip = wire_ends(IP_PROTO_UDP, how);
    struct udp_hdr udp;
    enum reason why;

    if (how & REPAIR_LENGTHS && s.len >= UDP_HEADER && s.len <= UINT16_MAX)
        put16(b + 4, (uint16_t)s.len);
    if (how & REPAIR_CHECKSUM && s.len >= UDP_HEADER) {
        size_t len = get16(b + 4) < s.len ? get16(b + 4) : s.len;

        wire_repair_sum(b, len, 6, ip_pseudo_sum(&ip.src, &ip.dst, IP_PROTO_UDP, (uint32_t)len));
    }
    why = udp_parse(&ip, b, s.len, (uint16_t)(how >> WIRE_MARKS_SHIFT & 3), &udp);
    if (why == REASON_NONE) {
        FUZZ_CHECK(udp.len >= UDP_HEADER && udp.len <= s.len, "a datagram of %u bytes in %zu",
                   udp.len, s.len);
        FUZZ_CHECK(udp.sport && udp.dport, "a port is 0");
        check_rebuilt(&ip, &udp, b);
    } else {
        wire_check_refusal(why);
    }
    free(b);
    return 0;
}
