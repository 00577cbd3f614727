/*
 * pcapng, as far as we write it (draft-ietf-opsawg-pcapng): a section header, an interface
 * description for each device, and an enhanced packet block for each packet. Every block is its
 * type, its length, its contents padded to 32 bits, and its length again. The file is little-endian
 * on every machine; readers learn that from the magic number.
 *
 * A block is put together in memory where it is complete or absent; it is written out with its
 * neighbours in one go.
 */
#include "link/capture.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
};

enum {
    LINKTYPE_RAW = 101, /* packets begin with their IP header */
    TSRESOL_NS = 9,     /* time stamps count 10^-9 seconds */
    FLAG_INBOUND = 1,
    FLAG_OUTBOUND = 2,
    /* everything in a packet's block but the packet: fixed fields, two comments, flags, paddings */
    BLOCK_OVERHEAD = 64 + 2 * CAPTURE_COMMENT_MAX,
    PACKET_MAX = CAPTURE_BUFFER - BLOCK_OVERHEAD, /* bytes of a packet that are kept */
};

/* ---- bytes into the buffer; the room has been made before ---- */

static void add(struct capture_file *f, const void *bytes, size_t n)
{
    assert(n <= CAPTURE_BUFFER - f->used);
    memcpy(f->buf + f->used, bytes, n);
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

/* Blocks begin at multiples of 4 bytes in the buffer, so its fill says how much is missing. */
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

/* Begin a block, with `room` bytes for all of it; returns where it began, for block_end. */
static size_t block_begin(struct capture_file *f, uint32_t type, size_t room)
{
    size_t start;

    if (room > CAPTURE_BUFFER - f->used)
        capture_file_flush(f);
    start = f->used;
    add32(f, type);
    add32(f, 0); /* the length, when it is known */
    return start;
}

static void block_end(struct capture_file *f, size_t start)
{
    uint32_t len;

    add32(f, OPT_END);
    len = (uint32_t)(f->used + 4 - start);
    add32(f, len);
    for (unsigned i = 0; i < 4; i++)
        f->buf[start + 4 + i] = (uint8_t)(len >> (8 * i));
}

/* ---- the file ---- */

static void give_up(struct capture_file *f, int error)
{
    f->error = error;
    if (f->fd >= 0 && !f->is_stdout)
        close(f->fd);
    f->fd = -1;
    f->used = 0;
}

/* Standard output may be non-blocking, for somebody else's sake; a capture must not have holes. */
static void wait_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    poll(&p, 1, -1);
}

void capture_file_flush(struct capture_file *f)
{
    size_t done = 0;

    while (f->fd >= 0 && done < f->used) {
        ssize_t n = write(f->fd, f->buf + done, f->used - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN)
            wait_writable(f->fd);
        else if (errno != EINTR)
            give_up(f, -errno);
    }
    f->used = 0;
}

int capture_file_open(struct capture_file *f, const char *path, int64_t wall)
{
    static const char program[] = "twintun";
    size_t start;

    *f = (struct capture_file){.fd = -1, .wall = wall, .is_stdout = strcmp(path, "-") == 0};
    f->buf = malloc(CAPTURE_BUFFER);
    if (!f->buf)
        return -ENOMEM;
    f->fd =
        f->is_stdout ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (f->fd < 0) {
        int err = -errno;

        free(f->buf);
        f->buf = NULL;
        return err;
    }
    start = block_begin(f, BLOCK_SECTION, 64);
    add32(f, 0x1a2b3c4d); /* tells the byte order */
    add16(f, 1);          /* version 1.0 */
    add16(f, 0);
    add32(f, UINT32_MAX); /* the section's length, 64 bits: not said */
    add32(f, UINT32_MAX);
    add_option(f, OPT_USERAPPL, program, sizeof(program) - 1);
    block_end(f, start);
    return 0;
}

int capture_file_error(struct capture_file *f)
{
    if (f->error_told)
        return 0;
    f->error_told = f->error != 0;
    return f->error;
}

int capture_file_close(struct capture_file *f)
{
    if (f->fd >= 0)
        capture_file_flush(f);
    if (f->fd >= 0 && !f->is_stdout && close(f->fd) < 0)
        f->error = -errno;
    f->fd = -1;
    free(f->buf);
    f->buf = NULL;
    return capture_file_error(f);
}

static uint32_t add_interface(struct capture_file *f, const char *name)
{
    static const uint8_t resolution = TSRESOL_NS;
    size_t start;

    if (f->fd < 0)
        return 0;
    start = block_begin(f, BLOCK_INTERFACE, 128);
    add16(f, LINKTYPE_RAW);
    add16(f, 0);
    add32(f, 0); /* packets are not cut off */
    add_option(f, OPT_IF_NAME, name, strlen(name));
    add_option(f, OPT_IF_TSRESOL, &resolution, 1);
    block_end(f, start);
    return f->ifaces++;
}

/* ---- packets ---- */

/* What there is to say about a packet: why it left, and what it still lacks or stands for. */
static void add_comments(struct capture_file *f, const struct pkt *p, uint32_t flags)
{
    const struct reason_text *why = reason_text((enum reason)p->why);
    char text[CAPTURE_COMMENT_MAX - 4];

    if (flags == FLAG_OUTBOUND && p->why != REASON_NONE) {
        snprintf(text, sizeof(text), "%s: %s (%s)", why->name, why->sentence, why->source);
        add_option(f, OPT_COMMENT, text, strlen(text));
    }
    if (p->gso_size) {
        snprintf(text, sizeof(text), "super-segment: the device cuts it every %u bytes",
                 p->gso_size);
        add_option(f, OPT_COMMENT, text, strlen(text));
    } else if (p->marks & PKT_CSUM_PARTIAL) {
        static const char partial[] = "the transport checksum is left to the device";

        add_option(f, OPT_COMMENT, partial, sizeof(partial) - 1);
    }
}

static void add_packet(struct capture *c, int64_t now, const struct pkt *p, uint32_t flags)
{
    struct capture_file *f = c->file;
    uint64_t ns = (uint64_t)(now + f->wall);
    uint32_t kept = p->len < PACKET_MAX ? p->len : PACKET_MAX;
    uint8_t le_flags[4] = {(uint8_t)flags, 0, 0, 0};
    size_t start;

    if (f->fd < 0)
        return;
    start = block_begin(f, BLOCK_PACKET, kept + BLOCK_OVERHEAD);
    if (f->fd < 0) {
        f->used = 0; /* writing out what was there to make room has failed */
        return;
    }
    add32(f, c->iface);
    add32(f, (uint32_t)(ns >> 32));
    add32(f, (uint32_t)ns);
    add32(f, kept);
    add32(f, p->len);
    f->used += pkt_flatten(p, f->buf + f->used, kept);
    pad(f);
    add_comments(f, p, flags);
    add_option(f, OPT_FLAGS, le_flags, sizeof(le_flags));
    block_end(f, start);
    f->packets++;
}

static int capture_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    struct capture *c = (struct capture *)d;
    int got = device_read(c->inner, now, ret_pkt);

    d->mtu = c->inner->mtu;
    if (got == 1)
        add_packet(c, now, ret_pkt, FLAG_INBOUND);
    else
        capture_file_flush(c->file);
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

    return c->file->used ? 0 : device_deadline(c->inner);
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
        .dev = {.ops = &capture_ops, .mtu = inner->mtu},
        .inner = inner,
        .file = file,
    };
    memcpy(c->dev.name, inner->name, sizeof(c->dev.name));
    c->iface = add_interface(file, inner->name);
}
