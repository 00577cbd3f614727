#include "link/printer.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "wire/reason.h"

enum {
    PRINTER_PAGE = 8192, /* bytes written at once: a line, and its rows of hex */
};

/* "HH:MM:SS.uuuuuu"; the part in front of the point is made anew only when the second changes. */
static void add_time(struct printer *p, struct text *t, int64_t now)
{
    int64_t wall = now + p->wall;
    time_t second = (time_t)(wall / SEC);

    if (second != p->second || p->clock[0] == '\0') {
        struct tm tm;

        p->second = second;
        strftime(p->clock, sizeof(p->clock), "%H:%M:%S", localtime_r(&second, &tm));
    }
    text_add(t, "%s.%06d", p->clock, (int)(wall % SEC / USEC));
}

/*
 * Whether there is room for all that there is to say about a packet of `len` bytes. If not, it is
 * counted.
 */
static bool has_room(struct printer *p, size_t len)
{
    size_t rows = p->level >= 2 ? (len + PRINT_HEX_ROW - 1) / PRINT_HEX_ROW : 0;

    if (outlet_room(p->out) >= PRINTER_SPARE + PRINTER_PAGE + rows * PRINT_HEX_MAX)
        return true;
    p->dropped++;
    p->missed++;
    return false;
}

static void put_text(struct printer *p, struct text *t)
{
    outlet_put(p->out, t->out, t->len);
    text_init(t, t->out, t->size);
}

static void add_hex(struct printer *p, struct text *t, const uint8_t *bytes, size_t len)
{
    char row[PRINT_HEX_MAX];

    for (size_t off = 0; off < len; off += PRINT_HEX_ROW) {
        if (t->size - t->len < PRINT_HEX_MAX + 2)
            put_text(p, t);
        print_hex(bytes, len, off, row);
        text_add(t, "%s\n", row);
    }
}

static void put_packet(struct printer *p, int64_t now, const struct pkt *pkt, const uint8_t *bytes,
                       bool outgoing)
{
    uint32_t len = pkt->len < PRINTER_PACKET_MAX ? pkt->len : PRINTER_PACKET_MAX;
    char line[PRINT_LINE_MAX], page[PRINTER_PAGE];
    struct text t;

    if (!has_room(p, len))
        return;
    text_init(&t, page, sizeof(page));
    if (p->missed)
        text_add(&t, "(%" PRIu64 " packets not printed: the reader is too slow)\n", p->missed);
    p->missed = 0;
    print_packet(&p->flows, bytes, len, pkt->marks, line, sizeof(line));
    add_time(p, &t, now);
    text_add(&t, " %s %-3s %s", p->dev.name, outgoing ? "Out" : "In", line);
    if (outgoing && pkt->why != REASON_NONE)
        text_add(&t, "  (%s)", reason_text((enum reason)pkt->why)->name);
    if (pkt->marks & PKT_DATAGRAMS) /* their number is nowhere in the packet */
        text_add(&t, "  (datagrams of %u bytes)", pkt->gso_size);
    else if (pkt->gso_size)
        text_add(&t, "  (super-segment, cut every %u bytes)", pkt->gso_size);
    for (unsigned i = 0; p->verdict && i < p->verdict->n; i++)
        text_add(&t, "  (%s)", reason_text(p->verdict->why[i])->name);
    text_add(&t, "\n");
    if (p->level >= 2)
        add_hex(p, &t, bytes, len);
    put_text(p, &t);
    outlet_flush(p->out);
}

static int printer_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    struct printer *p = (struct printer *)d;
    int got = outlet_hold(p->out, now) ? 0 : device_read(p->inner, now, ret_pkt);

    d->mtu = p->inner->mtu;
    if (got > 0)
        put_packet(p, now, ret_pkt, ret_pkt->part[0].base, false);
    return got;
}

static int printer_write(struct device *d, int64_t now, const struct pkt *pkt)
{
    struct printer *p = (struct printer *)d;
    int err = device_write(p->inner, now, pkt);

    if (err == 0) {
        pkt_flatten(pkt, p->flat, sizeof(p->flat));
        put_packet(p, now, pkt, p->flat, true);
    }
    return err;
}

static int64_t printer_deadline(const struct device *d)
{
    return device_deadline(((const struct printer *)d)->inner);
}

static int printer_fd(const struct device *d)
{
    return device_fd(((const struct printer *)d)->inner);
}

static void printer_close(struct device *d)
{
    device_close(((struct printer *)d)->inner);
}

static const struct device_ops printer_ops = {
    .kind = "printer",
    .read = printer_read,
    .write = printer_write,
    .deadline = printer_deadline,
    .fd = printer_fd,
    .close = printer_close,
};

void printer_init(struct printer *p, struct device *inner, struct outlet *out, int64_t wall,
                  unsigned level)
{
    memset(p, 0, sizeof(*p));
    p->dev.ops = &printer_ops;
    p->dev.mtu = inner->mtu;
    p->dev.offload = inner->offload;
    memcpy(p->dev.name, inner->name, sizeof(p->dev.name));
    p->inner = inner;
    p->out = out;
    p->wall = wall;
    p->level = level;
}
