#include "wire/plain.h"

#include "wire/checksum.h"

enum {
    BEGINS = 4 << 4 | IPV4_HEADER_MIN / 4, /* the version, and a header without options */
    FRAGMENT = 0x3fff,                     /* MF, and the offset */
};

bool plain_is(const uint8_t *b, size_t len)
{
    size_t total_len;

    if (len < PLAIN_TEXT || b[0] != BEGINS || b[9] != IP_PROTO_TCP)
        return false;
    total_len = get16(b + 2);
    return total_len >= PLAIN_TEXT && total_len <= len && !(get16(b + 6) & FRAGMENT) &&
           tcp_is_plain(b + IPV4_HEADER_MIN);
}

bool plain_sums_good(const uint8_t *b, uint16_t marks)
{
    if (marks & (PKT_CSUM_VALID | PKT_CSUM_PARTIAL))
        return checksum_plain_good(b);
    return checksum_segment_good(b, get16(b + 2));
}
