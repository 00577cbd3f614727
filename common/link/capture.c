/*
 * pcapng, as far as we write it (draft-ietf-opsawg-pcapng): a section header, an interface
 * description for each device, and an enhanced packet block for each packet. Every block is its
 * type, its length, its contents padded to 32 bits, and its length again. The file is little-endian
 * on every machine; readers learn that from the magic number.
 *
 * A block is put together apart and goes into the outlet whole or not at all, so the file has whole
 * blocks only; it is written out with its neighbours in one go.
 */
#include "link/capture.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/reason.h"

enum pcapng_block {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
};

enum pcapng_option {
    OPT_END = 0,
    OPT_COMMENT = 1,
    OPT_USERAPPL = 4, /* in a section */
    OPT_IF_NAME = 2,  /* in an interface */
    OPT_IF_TSRESOL = 9,
    OPT_FLAGS = 2, /* in a packet */
    OPT_DROPCOUNT = 4,
};

enum {
    LINKTYPE_RAW = 101, /* packets begin with their IP header */
    TSRESOL_NS = 9,     /* time stamps count 10^-9 seconds */
    FLAG_INBOUND = 1,
    FLAG_OUTBOUND = 2,
    /* everything in a packet's block but the packet: fixed fields, options, paddings */
    BLOCK_OVERHEAD = 80 + 2 * CAPTURE_COMMENT_MAX + VERDICT_REASONS * (VERDICT_TEXT + 8),
    PACKET_MAX = CAPTURE_BLOCK - BLOCK_OVERHEAD, /* bytes of a packet that are kept */
};

/* ---- bytes into the block ---- */

static void add(struct capture_file *f, const void *bytes, size_t n)
{
    assert(n <= CAPTURE_BLOCK - f->used);
    memcpy(f->block + f->used, bytes, n);
    f->used += n;
}

static void add16(struct capture_file *f, uint32_t v)
{
    uint8_t b[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

    add(f, b, sizeof(b));
}

static void add32(struct capture_file *f, uint32_t v)
{
    add16(f, v & 0xffff);
    add16(f, v >> 16);
}

static void pad(struct capture_file *f)
{
    static const uint8_t zero[4];

    add(f, zero, (4 - f->used % 4) % 4);
}

static void add_option(struct capture_file *f, uint16_t code, const void *value, size_t len)
{
    add16(f, code);
    add16(f, (uint32_t)len);
    add(f, value, len);
    pad(f);
}

static void block_begin(struct capture_file *f, uint32_t type)
{
    f->used = 0;
    add32(f, type);
    add32(f, 0); /* the length, when it is known */
}

/* End the block and send it on its way. 0, or what outlet_put says. */
static int block_end(struct capture_file *f)
{
    uint32_t len;

    add32(f, OPT_END);
    len = (uint32_t)(f->used + 4);
    add32(f, len);
    for (unsigned i = 0; i < 4; i++)
        f->block[4 + i] = (uint8_t)(len >> (8 * i));
    return outlet_put(&f->out, f->block, f->used);
}

/* ---- the file ---- */

void capture_file_flush(struct capture_file *f)
{
    outlet_flush(&f->out);
}

/* The descriptor to write to: standard output for "-". */
static int open_target(const char *path)
{
    int fd;

    if (strcmp(path, "-") == 0)
        return STDOUT_FILENO;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd < 0 ? -errno : fd;
}

static void add_section(struct capture_file *f)
{
    static const char program[] = "twintun";

    block_begin(f, BLOCK_SECTION);
    add32(f, 0x1a2b3c4d); /* tells the byte order */
    add16(f, 1);          /* version 1.0 */
    add16(f, 0);
    add32(f, UINT32_MAX); /* the section's length, 64 bits: not said */
    add32(f, UINT32_MAX);
    add_option(f, OPT_USERAPPL, program, sizeof(program) - 1);
    block_end(f);
}

int capture_file_open(struct capture_file *f, const char *path, int64_t wall)
{
    int fd = open_target(path);
    int r;

    if (fd < 0)
        return fd;
    *f = (struct capture_file){.wall = wall, .block = malloc(CAPTURE_BLOCK)};
    r = outlet_open(&f->out, fd, strcmp(path, "-") != 0, false, CAPTURE_BUFFER);
    if (r < 0 || !f->block) {
        outlet_close(&f->out);
        free(f->block);
        return -ENOMEM;
    }
    outlet_widen(&f->out);
    add_section(f);
    return 0;
}

int capture_file_error(struct capture_file *f)
{
    if (f->error_told)
        return 0;
    f->error_told = f->out.error != 0;
    return f->out.error;
}

int capture_file_close(struct capture_file *f)
{
    int r;

    f->unread = outlet_drain(&f->out);
    r = outlet_close(&f->out);
    if (f->out.error == 0)
        f->out.error = r;
    free(f->block);
    f->block = NULL;
    return capture_file_error(f);
}

static uint32_t add_interface(struct capture_file *f, const char *name)
{
    static const uint8_t resolution = TSRESOL_NS;

    block_begin(f, BLOCK_INTERFACE);
    add16(f, LINKTYPE_RAW);
    add16(f, 0);
    add32(f, 0); /* packets are not cut off */
    add_option(f, OPT_IF_NAME, name, strlen(name));
    add_option(f, OPT_IF_TSRESOL, &resolution, 1);
    block_end(f);
    return f->ifaces++;
}

/* ---- packets ---- */

/* What there is to say about a packet: why it left, and what it still lacks or stands for. */
static void add_comments(const struct capture *c, const struct pkt *p, uint32_t flags)
{
    struct capture_file *f = c->file;
    const struct reason_text *why = reason_text((enum reason)p->why);
    char text[CAPTURE_COMMENT_MAX - 4];

    if (flags == FLAG_OUTBOUND && p->why != REASON_NONE) {
        snprintf(text, sizeof(text), "%s: %s (%s)", why->name, why->sentence, why->source);
        add_option(f, OPT_COMMENT, text, strlen(text));
    }
    for (unsigned i = 0; c->verdict && i < c->verdict->n; i++) {
        char line[VERDICT_TEXT];

        verdict_line(c->verdict, i, line);
        add_option(f, OPT_COMMENT, line, strlen(line));
    }
    if (p->gso_size) {
        snprintf(text, sizeof(text), "super-%s: the device cuts it every %u bytes",
                 p->marks & PKT_DATAGRAMS ? "datagram" : "segment", p->gso_size);
        add_option(f, OPT_COMMENT, text, strlen(text));
    } else if (p->marks & PKT_CSUM_PARTIAL) {
        static const char partial[] = "the transport checksum is left to the device";

        add_option(f, OPT_COMMENT, partial, sizeof(partial) - 1);
    }
}

/* What a block says behind its packet. */
static void add_options(struct capture *c, const struct pkt *p, uint32_t flags)
{
    const uint8_t le_flags[4] = {(uint8_t)flags};
    uint8_t le_missed[8];

    add_comments(c, p, flags);
    add_option(c->file, OPT_FLAGS, le_flags, sizeof(le_flags));
    if (c->missed == 0)
        return;
    for (unsigned i = 0; i < sizeof(le_missed); i++)
        le_missed[i] = (uint8_t)(c->missed >> (8 * i));
    add_option(c->file, OPT_DROPCOUNT, le_missed, sizeof(le_missed));
}

static void count(struct capture *c, int put)
{
    if (put == 0) {
        c->file->packets++;
        c->missed = 0;
    } else if (put == -EAGAIN) {
        c->file->dropped++;
        c->missed++;
    }
}

static void add_packet(struct capture *c, int64_t now, const struct pkt *p, uint32_t flags)
{
    struct capture_file *f = c->file;
    uint64_t ns = (uint64_t)(now + f->wall);
    uint32_t kept = p->len < PACKET_MAX ? p->len : PACKET_MAX;

    if (f->out.fd < 0)
        return;
    block_begin(f, BLOCK_PACKET);
    add32(f, c->iface);
    add32(f, (uint32_t)(ns >> 32));
    add32(f, (uint32_t)ns);
    add32(f, kept);
    add32(f, p->len);
    f->used += pkt_flatten(p, f->block + f->used, kept);
    pad(f);
    add_options(c, p, flags);
    count(c, block_end(f));
}

static int capture_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    struct capture *c = (struct capture *)d;
    struct capture_file *f = c->file;
    int got = outlet_hold(&f->out, now) ? 0 : device_read(c->inner, now, ret_pkt);

    d->mtu = c->inner->mtu;
    if (got > 0) {
        add_packet(c, now, ret_pkt, FLAG_INBOUND);
        return got;
    }
    capture_file_flush(f);
    f->retry_at = outlet_pending(&f->out) ? now + CAPTURE_RETRY * MSEC : 0;
    return got;
}

static int capture_write(struct device *d, int64_t now, const struct pkt *p)
{
    struct capture *c = (struct capture *)d;
    int err = device_write(c->inner, now, p);

    if (err == 0)
        add_packet(c, now, p, FLAG_OUTBOUND);
    return err;
}

static int64_t capture_deadline(const struct device *d)
{
    const struct capture *c = (const struct capture *)d;

    int64_t at = device_deadline(c->inner);

    return outlet_pending(&c->file->out) ? time_min(c->file->retry_at, at) : at;
}

static int capture_fd(const struct device *d)
{
    return device_fd(((const struct capture *)d)->inner);
}

static void capture_close(struct device *d)
{
    struct capture *c = (struct capture *)d;

    capture_file_flush(c->file);
    device_close(c->inner);
}

static const struct device_ops capture_ops = {
    .kind = "capture",
    .read = capture_read,
    .write = capture_write,
    .deadline = capture_deadline,
    .fd = capture_fd,
    .close = capture_close,
};

void capture_init(struct capture *c, struct device *inner, struct capture_file *file)
{
    *c = (struct capture){
        .dev = {.ops = &capture_ops, .mtu = inner->mtu, .offload = inner->offload},
        .inner = inner,
        .file = file,
    };
    memcpy(c->dev.name, inner->name, sizeof(c->dev.name));
    c->iface = add_interface(file, inner->name);
}
