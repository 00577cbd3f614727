#include "tests/fuzz/forge.h"

#include <string.h>

#include "base/bytes.h"
#include "tests/fuzz/subject.h"

static uint32_t sum_bytes(uint32_t sum, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += get16(b + i);
    return len % 2 ? sum + ((uint32_t)b[len - 1] << 8) : sum;
}

static uint16_t sum_end(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

void forge_bytes(struct forge *f, const uint8_t *data, size_t len)
{
    size_t n = len < FORGE_MAX - f->len ? len : FORGE_MAX - f->len;

    if (n > 0)
        memcpy(f->b + f->len, data, n);
    f->len += (uint32_t)n;
}

static void forge_ip6(struct forge *f, uint32_t src, uint32_t dst, uint8_t proto)
{
    memset(f->b, 0, 40);
    f->b[0] = 0x60;
    f->b[6] = f->proto = proto;
    f->b[7] = 64;
    f->b[8] = f->b[24] = 0xfd;
    put32(f->b + 20, src);
    put32(f->b + 36, dst);
    f->len = f->l4 = 40;
}

void forge_ip(struct forge *f, uint32_t src, uint32_t dst, uint8_t proto)
{
    if (f->v6) {
        forge_ip6(f, src, dst, proto);
        return;
    }
    memset(f->b, 0, 20);
    f->b[0] = 0x45;
    f->b[8] = 64;
    f->b[9] = proto;
    put32(f->b + 12, src);
    put32(f->b + 16, dst);
    f->len = f->l4 = 20;
}

static void forge_ip6_options(struct forge *f, const uint8_t *opt, size_t len)
{
    static const uint8_t zeros[7];
    const uint8_t begin[2] = {f->proto, (uint8_t)((len + 2 + 7) / 8 - 1)};

    f->b[6] = 60;
    forge_bytes(f, begin, sizeof(begin));
    forge_bytes(f, opt, len);
    forge_bytes(f, zeros, (8 - (len + 2) % 8) % 8);
    f->l4 = f->len;
}

void forge_ip_options(struct forge *f, const uint8_t *opt, size_t len)
{
    static const uint8_t zeros[3];

    if (len > FORGE_OPTIONS_MAX)
        len = FORGE_OPTIONS_MAX;
    if (f->v6) {
        forge_ip6_options(f, opt, len);
        return;
    }
    forge_bytes(f, opt, len);
    forge_bytes(f, zeros, (4 - len % 4) % 4);
    f->l4 = f->len;
    f->b[0] = (uint8_t)(0x40 | f->l4 / 4);
}

void forge_tcp(struct forge *f, const struct forge_tcp *t)
{
    unsigned opt_len = t->opt_len < FORGE_OPTIONS_MAX ? t->opt_len : FORGE_OPTIONS_MAX;
    unsigned header = 20 + (opt_len + 3) / 4 * 4;
    uint8_t h[60] = {0};
    uint32_t data;

    put16(h, t->sport);
    put16(h + 2, t->dport);
    put32(h + 4, t->seq);
    put32(h + 8, t->ack);
    h[12] = (uint8_t)(header / 4 << 4);
    h[13] = t->flags;
    put16(h + 14, t->wnd);
    put16(h + 18, t->urg);
    memcpy(h + 20, t->opt, opt_len);
    forge_bytes(f, h, header);
    data = min32(t->data, FORGE_MAX - f->len);
    subject_fill(f->b + f->len, t->seq + (t->flags & TCP_SYN ? 1 : 0), data);
    f->len += data;
}

void forge_udp(struct forge *f, uint16_t sport, uint16_t dport, const uint8_t *data, size_t len)
{
    uint8_t h[8] = {0};

    put16(h, sport);
    put16(h + 2, dport);
    put16(h + 4, (uint16_t)(8 + len));
    forge_bytes(f, h, sizeof(h));
    forge_bytes(f, data, len);
}

void forge_icmp(struct forge *f, uint8_t type, uint8_t code, uint32_t rest, const uint8_t *data,
                size_t len)
{
    uint8_t h[8] = {type, code};

    put32(h + 4, rest);
    forge_bytes(f, h, sizeof(h));
    forge_bytes(f, data, len);
}

/* Where the checksum stands behind the IP header, or 0: there is none. */
static uint32_t sum_at(const struct forge *f)
{
    switch (f->v6 ? f->proto : f->b[9]) {
    case IP_PROTO_TCP:
        return FORGE_TCP_SUM;
    case IP_PROTO_UDP:
        return FORGE_UDP_SUM;
    case IP_PROTO_ICMP:
    case IP_PROTO_ICMP6:
        return FORGE_ICMP_SUM;
    default: /* a byte of the script */
        return 0;
    }
}

void forge_sum(struct forge *f)
{
    uint32_t at = sum_at(f), len = f->len - f->l4, sum = 0;

    if (at == 0 || len < at + 2)
        return;
    if (f->v6)
        sum = sum_bytes(f->proto + len, f->b + 8, 32);
    else if (f->b[9] != IP_PROTO_ICMP)
        sum = sum_bytes(f->b[9] + len, f->b + 12, 8);
    put16(f->b + f->l4 + at, 0);
    put16(f->b + f->l4 + at, sum_end(sum_bytes(sum, f->b + f->l4, len)));
}

/* A fragment header behind the others. */
static void piece_header6(struct forge *f, uint32_t off, bool more, uint16_t id)
{
    uint8_t h[8] = {f->proto};

    if (f->l4 == 40)
        f->b[6] = 44;
    else
        f->b[40] = 44; /* the only other header that forge_ip_options writes */
    put16(h + 2, (uint16_t)(off | more));
    put32(h + 4, id);
    forge_bytes(f, h, sizeof(h));
    f->l4 = f->len;
}

void forge_piece(struct forge *f, const struct forge *whole, uint32_t off, uint32_t len,
                 uint16_t id)
{
    bool more = whole->l4 + off + len < whole->len;

    f->len = f->l4 = whole->l4;
    f->proto = whole->proto;
    memcpy(f->b, whole->b, f->l4);
    if (f->v6)
        piece_header6(f, off, more, id);
    forge_bytes(f, whole->b + whole->l4 + off, len);
    if (f->v6) {
        put16(f->b + 4, (uint16_t)(f->len - 40));
        return;
    }
    put16(f->b + 2, (uint16_t)f->len);
    put16(f->b + 4, id);
    put16(f->b + 6, (uint16_t)((more ? 0x2000 : 0) | off / 8));
    put16(f->b + 10, 0);
    put16(f->b + 10, sum_end(sum_bytes(0, f->b, f->l4)));
}

void forge_end(struct forge *f)
{
    if (f->v6) {
        put16(f->b + 4, (uint16_t)(f->len - 40));
    } else {
        put16(f->b + 2, (uint16_t)f->len);
        put16(f->b + 10, 0);
        put16(f->b + 10, sum_end(sum_bytes(0, f->b, f->l4)));
    }
    forge_sum(f);
}
