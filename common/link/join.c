#include "link/join.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum {
    FRAGMENT = 0x3fff, /* MF, and the offset */
    CE = 3,            /* both ECN bits */
    SEQ = 4,           /* where fields stand in a TCP header */
    ACK = 8,
    OFFSET = 12,
    FLAGS = 13,
    WINDOW = 14,
    URGENT = 18,
    PACKET_MAX = 65535, /* bytes */
};

static uint32_t ip_len(const uint8_t *b)
{
    return b[0] >> 4 == 4 ? IPV4_HEADER_MIN : IPV6_HEADER;
}

/* Bytes of the headers if it is TCP in a packet of the usual form, all `len` bytes of it; or 0. */
static uint32_t headers_of(const uint8_t *b, uint32_t len)
{
    uint32_t ip = ip_len(b), tcp;
    bool v4 = b[0] == 0x45;

    if (len < ip + TCP_HEADER_PLAIN || (!v4 && b[0] >> 4 != 6))
        return 0;
    if (v4 ? get16(b + 2) != len || get16(b + 6) & FRAGMENT || b[9] != IP_PROTO_TCP
           : get16(b + 4) != len - IPV6_HEADER || b[6] != IP_PROTO_TCP)
        return 0;
    tcp = (b[ip + OFFSET] >> 4U) * 4;
    return tcp == TCP_HEADER_MIN || (tcp == TCP_HEADER_PLAIN && tcp_is_plain(b + ip)) ? ip + tcp
                                                                                      : 0;
}

static unsigned ecn_of(const uint8_t *b)
{
    return (b[0] >> 4 == 4 ? b[1] : b[1] >> 4U) & CE;
}

/* Nothing but an acknowledgment with text, which no router has marked. */
static bool is_usual(const uint8_t *b)
{
    const uint8_t *tcp = b + ip_len(b);

    return (tcp[FLAGS] | TCP_PSH) == (TCP_ACK | TCP_PSH) && get16(tcp + URGENT) == 0 &&
           ecn_of(b) != CE;
}

/* Do both sums come out right? `head` are all headers, `len` bytes of the packet in all. */
static bool sums_good(const struct join *j, const uint8_t *head, const uint8_t *text, uint32_t len,
                      bool vouched)
{
    uint32_t ip = ip_len(head), sum = IP_PROTO_TCP + len - ip;

    if (head[0] >> 4 == 4 && !checksum_plain_good(head))
        return false;
    if (vouched)
        return true;
    sum = head[0] >> 4 == 4 ? checksum_add(sum, head + 12, 8) : checksum_add(sum, head + 8, 32);
    sum = checksum_add(sum, head + ip, j->headers - ip);
    return checksum_residue(sum, text, len - j->headers) == 0;
}

static bool same(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t to)
{
    return memcmp(a + from, b + from, to - from) == 0;
}

/* Is all the same but lengths, sums, identification, number and PSH? */
static bool same_headers(const struct join *j, const uint8_t *a, const uint8_t *b)
{
    uint32_t tcp = ip_len(a);

    if (tcp == IPV4_HEADER_MIN ? !same(a, b, 0, 2) || !same(a, b, 6, 10) || !same(a, b, 12, 20)
                               : !same(a, b, 0, 4) || !same(a, b, 6, 40))
        return false;
    a += tcp;
    b += tcp;
    return same(a, b, 0, SEQ) && same(a, b, ACK, FLAGS) && same(a, b, WINDOW, WINDOW + 2) &&
           same(a, b, URGENT, j->headers - tcp);
}

bool join_begin(struct join *j, const uint8_t *b, uint32_t len, uint32_t mtu, bool vouched)
{
    j->headers = 0;
    if (len < mtu / 2 + 1)
        return false; /* not in bulk */
    if (j->wait > 0) {
        j->wait--;
        return false;
    }
    j->headers = headers_of(b, len);
    if (!j->headers || len == j->headers || !is_usual(b))
        return false;
    j->size = len - j->headers;
    j->len = len;
    j->n = 1;
    j->summed = !vouched;
    j->ended = b[ip_len(b) + FLAGS] & TCP_PSH;
    return !j->ended;
}

bool join_add(struct join *j, uint8_t *b, const uint8_t *head, uint32_t len, bool vouched)
{
    uint32_t tcp = ip_len(b), text = len - j->headers;

    if (len <= j->headers || text > j->size || j->len + text > PACKET_MAX ||
        headers_of(head, len) != j->headers || !is_usual(head) || !same_headers(j, b, head) ||
        get32(head + tcp + SEQ) != get32(b + tcp + SEQ) + (j->len - j->headers))
        return false;
    if (j->n == 1 && !sums_good(j, b, b + j->headers, j->len, !j->summed))
        return false;
    if (!sums_good(j, head, b + j->len, len, vouched))
        return false;
    b[tcp + FLAGS] |= head[tcp + FLAGS] & TCP_PSH;
    j->ended = text < j->size || head[tcp + FLAGS] & TCP_PSH;
    j->len += text;
    j->n++;
    return true;
}

bool join_end(struct join *j, uint8_t *b)
{
    if (j->n == 1) {
        j->pause = min32(2 * j->pause + 1, JOIN_PAUSE_MAX);
        j->wait = j->pause;
        return false;
    }
    j->pause = 0;
    if (b[0] >> 4 == 6) {
        put16(b + 4, (uint16_t)(j->len - IPV6_HEADER));
        return true;
    }
    put16(b + 2, (uint16_t)j->len);
    put16(b + 10, 0);
    put16(b + 10, checksum_residue(0, b, IPV4_HEADER_MIN));
    return true;
}
