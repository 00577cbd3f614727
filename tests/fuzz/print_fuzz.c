/*
 * Packets as lines of text. An input is a few packets for one observer, each with two bytes in
 * front: what to repair, and how long it is. Whatever they are, a line ends in time, in whatever
 * room it is given, and holds nothing that a terminal would take for a command.
 */
#include "tests/fuzz/wire.h"
#include "wire/print.h"

enum {
    PACKETS_MAX = 16, /* in one input */
    LONG = 8,         /* a unit of length, for packets that need more than a byte says */
};

static struct print_flows flows;

static void check_text(const char *line, size_t len, size_t size)
{
    FUZZ_CHECK(len < size && line[len] == '\0', "a line of %zu in %zu bytes", len, size);
    for (size_t i = 0; i < len; i++)
        FUZZ_CHECK((line[i] >= ' ' && line[i] < 0x7f) || line[i] == '\t',
                   "byte %02x stands in a line", (uint8_t)line[i]);
}

static void check_hex(const uint8_t *b, size_t len)
{
    char row[PRINT_HEX_MAX];
    size_t rows = 0, n;

    while ((n = print_hex(b, len, rows * PRINT_HEX_ROW, row)) > 0) {
        check_text(row, n, sizeof(row));
        rows++;
    }
    FUZZ_CHECK(rows == (len + PRINT_HEX_ROW - 1) / PRINT_HEX_ROW, "%zu rows for %zu bytes", rows,
               len);
}

static void print_one(const uint8_t *b, size_t len, unsigned how)
{
    char line[PRINT_LINE_MAX], shorter[PRINT_LINE_MAX];
    size_t n =
        print_packet(&flows, b, len, (uint16_t)(how >> WIRE_MARKS_SHIFT & 3), line, sizeof(line));
    size_t size = (how >> 4) * 16 + 1;

    check_text(line, n, sizeof(line));
    FUZZ_CHECK(n > 0, "an empty line");
    n = print_packet(&flows, b, len, 0, shorter, size);
    check_text(shorter, n, size);
    check_hex(b, len < 256 ? len : 256);
}

/* Make the checksums of what the packet carries right, too. */
static void repair_inside(uint8_t *b, size_t len)
{
    struct ip_hdr ip;
    uint8_t *l4;
    size_t n;

    if (ip_parse(b, len, &ip) != REASON_NONE)
        return;
    l4 = b + ip.header_len;
    n = (size_t)ip.total_len - ip.header_len;
    if (ip.proto == IP_PROTO_TCP)
        wire_repair_sum(l4, n, 16, ip_pseudo_sum(&ip.src, &ip.dst, ip.proto, (uint32_t)n));
    else if (ip.proto == IP_PROTO_UDP)
        wire_repair_sum(l4, n, 6, ip_pseudo_sum(&ip.src, &ip.dst, ip.proto, (uint32_t)n));
    else if (ip.proto == IP_PROTO_ICMP)
        wire_repair_sum(l4, n, 2, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};

    memset(&flows, 0, sizeof(flows));
    for (unsigned i = 0; i < PACKETS_MAX && !script_ended(&s); i++) {
        unsigned how = script_8(&s), want = script_8(&s);
        size_t len;
        const uint8_t *from = script_bytes(&s, want < 128 ? want : (want - 112) * LONG, &len);
        uint8_t *b = wire_copy(from, len);

        wire_repair_ip(b, len, how);
        if (how & REPAIR_CHECKSUM)
            repair_inside(b, len);
        print_one(b, len, how);
        free(b);
    }
    return 0;
}
