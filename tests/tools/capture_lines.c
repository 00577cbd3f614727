/*
 * capture_lines FILE: each packet of one of our captures as a line without its time, so that two
 * runs can be compared:
 *
 *   out 4500003c... 5f3a09c1: send.data: new data (RFC 9293 3.10.2) | impair.lost: ...
 *
 * the direction, the headers, a hash over the rest, and the comments. In the headers of TCP both
 * values of the timestamps option are zeros, and the checksum, which covers them. With --v4 in
 * front of FILE, what is not IPv4 is left out: the kernel sends some IPv6 of its own, when it
 * likes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_MAX = 256 * 1024 * 1024,
    BLOCK_PACKET = 6,
    OPT_COMMENT = 1,
    OPT_FLAGS = 2,
    IPV4_MIN = 20,
    TCP_MIN = 20,
    PROTO_TCP = 6,
    TCP_OPT_END = 0,
    TCP_OPT_NOP = 1,
    TCP_OPT_TIMESTAMP = 8,
};

static uint32_t le32(const uint8_t *b)
{
    return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

static unsigned le16(const uint8_t *b)
{
    return b[0] | (unsigned)b[1] << 8;
}

/* Take the time out of a TCP header of `len` bytes. */
static void blank_time(uint8_t *tcp, size_t len)
{
    for (size_t i = TCP_MIN; i < len && tcp[i] != TCP_OPT_END;) {
        size_t n = tcp[i] == TCP_OPT_NOP ? 1 : i + 1 < len ? tcp[i + 1] : 0;

        if (n == 0 || n > len - i)
            return;
        if (tcp[i] == TCP_OPT_TIMESTAMP && n == 10) {
            memset(tcp + i + 2, 0, 8);
            memset(tcp + 16, 0, 2);
        }
        i += n;
    }
}

/* How many bytes of b[len] are headers. */
static size_t headers(uint8_t *b, size_t len)
{
    size_t ip = len >= IPV4_MIN ? (b[0] & 15U) * 4 : 0, tcp;

    if (len < IPV4_MIN || b[0] >> 4 != 4 || b[9] != PROTO_TCP || len < ip + TCP_MIN)
        return len < IPV4_MIN ? len : IPV4_MIN;
    tcp = (b[ip + 12] >> 4) * 4U;
    if (tcp < TCP_MIN || ip + tcp > len)
        return ip;
    blank_time(b + ip, tcp);
    return ip + tcp;
}

static void print_packet(uint8_t *b, size_t len, const uint8_t *opt, const uint8_t *end)
{
    size_t n = headers(b, len);
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    unsigned flags = 0;
    const char *between = ": ";

    for (size_t i = n; i < len; i++)
        h = (h ^ b[i]) * UINT64_C(0x100000001b3);
    for (const uint8_t *o = opt; o + 4 <= end && le16(o); o += 4 + (le16(o + 2) + 3) / 4 * 4)
        if (le16(o) == OPT_FLAGS)
            flags = le32(o + 4);
    printf("%s ", (flags & 3) == 2 ? "out" : "in");
    for (size_t i = 0; i < n; i++)
        printf("%02x", b[i]);
    printf(" %zu %016" PRIx64, len - n, h);
    for (const uint8_t *o = opt; o + 4 <= end && le16(o); o += 4 + (le16(o + 2) + 3) / 4 * 4) {
        if (le16(o) != OPT_COMMENT)
            continue;
        printf("%s%.*s", between, (int)le16(o + 2), (const char *)o + 4);
        between = " | ";
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    int v4 = argc == 3 && strcmp(argv[1], "--v4") == 0;
    FILE *f = argc == 2 + v4 ? fopen(argv[1 + v4], "r") : NULL;
    uint8_t *all = malloc(FILE_MAX);
    size_t len;

    if (!f || !all) {
        fprintf(stderr, "capture_lines: usage: capture_lines [--v4] FILE\n");
        return 2;
    }
    len = fread(all, 1, FILE_MAX, f);
    fclose(f);
    for (size_t at = 0; at + 12 <= len;) {
        uint8_t *b = all + at;
        size_t block = le32(b + 4), kept;

        if (block < 12 || block > len - at) {
            fprintf(stderr, "capture_lines: a block is cut off\n");
            return 1;
        }
        kept = le32(b) == BLOCK_PACKET ? le32(b + 20) : 0;
        if (kept && kept <= block - 32 && (!v4 || b[28] >> 4 == 4))
            print_packet(b + 28, kept, b + 28 + (kept + 3) / 4 * 4, b + block - 4);
        at += block;
    }
    free(all);
    return 0;
}
