/*
 * Attaching to a TUN and moving packets through it.
 *
 * Whether the interface existed is asked of the kernel in the same breath as the request: with
 * IFF_TUN_EXCL it creates the interface or says EBUSY, and only then do we attach to what is there.
 * Looking first and asking afterwards would leave a moment in between.
 *
 * Packets leave as super-segments whatever the kernel says to TUNSETOFFLOAD, which is about what it
 * hands us. Both are switched together all the same: a kernel that refuses to hand such packets out
 * is too old to be asked to take them.
 */
#include "link/tun.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "link/cause.h"
#include "link/vnet.h"

enum {
    WHOLE_MAX = 256, /* bytes of a packet that is put together before it is written */
};

_Static_assert(sizeof(((struct device *)0)->name) == IFNAMSIZ, "a device's name is an interface's");

/* Could `name` be an interface's? As dev_valid_name in the kernel has it. 0, or an error. */
static int check_name(const char *name)
{
    size_t len = strlen(name);

    if (len >= IFNAMSIZ)
        return -ENAMETOOLONG;
    if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EILSEQ;
    for (const char *c = name; *c; c++)
        if (*c == '/' || *c == ':' || *c == '%' || isspace((unsigned char)*c))
            return -EILSEQ;
    return 0;
}

/* The MTU of interface `name` in bytes, or an error. */
static int read_mtu(const char *name)
{
    struct ifreq req = {0};
    int sock, err = 0;

    sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return -errno;
    memcpy(req.ifr_name, name, strlen(name) + 1);
    if (ioctl(sock, SIOCGIFMTU, &req) < 0)
        err = -errno;
    close(sock);
    return err ? err : req.ifr_mtu;
}

/* Bind the open descriptor to the interface. 0 and *ret_created, or an error. */
static int attach(int fd, const char *name, int flags, bool *ret_created)
{
    struct ifreq req = {0};

    memcpy(req.ifr_name, name, strlen(name) + 1);
    req.ifr_flags = (short)(flags | IFF_TUN_EXCL);
    if (ioctl(fd, TUNSETIFF, &req) == 0) {
        *ret_created = true;
        return 0;
    }
    if (errno != EBUSY)
        return -errno;
    req.ifr_flags = (short)flags;
    if (ioctl(fd, TUNSETIFF, &req) < 0)
        return -errno;
    *ret_created = false;
    return 0;
}

/* ---- Offload ---- */

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20 /* in the system's headers since Linux 6.2 */
#define TUN_F_USO6 0x40
#endif

/* What of `offload` is left to be asked for without the feature that is the first to be doubted. */
static unsigned with_less(unsigned offload)
{
    if (offload & DEVICE_USO)
        return offload & ~(unsigned)DEVICE_USO;
    if (offload & DEVICE_TSO6)
        return offload & ~(unsigned)DEVICE_TSO6;
    if (offload & DEVICE_TSO4)
        return offload & ~(unsigned)DEVICE_TSO4;
    return 0;
}

/* The kernel's word for these. */
static unsigned long kernel_flags(unsigned offload)
{
    return (offload & DEVICE_CSUM ? TUN_F_CSUM : 0UL) | (offload & DEVICE_TSO4 ? TUN_F_TSO4 : 0UL) |
           (offload & DEVICE_TSO6 ? TUN_F_TSO6 : 0UL) |
           (offload & DEVICE_USO ? (unsigned long)(TUN_F_USO4 | TUN_F_USO6) : 0UL);
}

/* Say what we take; what the kernel refuses, we do without. Returns what is agreed. */
static unsigned agree(int fd, unsigned wanted)
{
    while (wanted && ioctl(fd, TUNSETOFFLOAD, kernel_flags(wanted)) < 0)
        wanted = with_less(wanted);
    if (!wanted)
        (void)ioctl(fd, TUNSETOFFLOAD, 0UL); /* what the last reader has left behind */
    return wanted;
}

/* Does the driver know virtio-net headers? */
static bool knows_headers(int fd)
{
    unsigned features = 0;

    return ioctl(fd, TUNGETFEATURES, &features) == 0 && features & IFF_VNET_HDR;
}

/* Attach, with headers if something is wanted that needs them. 0, or an error. */
static int attach_for(struct tun *t, const char *name, unsigned wanted, bool several)
{
    int size = sizeof(struct virtio_net_hdr), flags, err;

    t->headers = wanted && knows_headers(t->fd);
    flags = IFF_TUN | IFF_NO_PI | (t->headers ? IFF_VNET_HDR : 0);
    err = attach(t->fd, name, flags | (several ? IFF_MULTI_QUEUE : 0), &t->created);
    t->several = several;
    if (err == -EINVAL && !several) { /* it may be one for several: then we have one of them */
        err = attach(t->fd, name, flags | IFF_MULTI_QUEUE, &t->created);
        t->several = err == 0;
    }
    if (err < 0)
        return err;
    if (t->headers && ioctl(t->fd, TUNSETVNETHDRSZ, &size) < 0)
        return -errno;
    t->dev.offload = agree(t->fd, t->headers ? wanted : 0);
    return 0;
}

static bool cuts(const struct device *d)
{
    return d->offload & (DEVICE_TSO4 | DEVICE_TSO6 | DEVICE_USO);
}

/* ---- Reading ---- */

/*
 * One packet of `len` bytes has come. If it is longer than the MTU, somebody raised that: from now
 * on leave that much room, as far as a buffer goes; what is cut off beyond that fails the IP length
 * check, and is counted.
 */
static void follow_mtu(struct tun *t, uint32_t len)
{
    int mtu = len > t->dev.mtu ? read_mtu(t->dev.name) : 0;

    if (mtu > 0)
        t->dev.mtu = (uint32_t)mtu < t->intake.pool->size ? (uint32_t)mtu : t->intake.pool->size;
}

/* What a failed read means for the caller. */
static int read_error(int error)
{
    switch (error) {
    case EAGAIN:
    case EINTR:
        return 0;
    case EBADFD:
        return -ENODEV; /* the driver's word for an interface that was deleted */
    default:
        return -error;
    }
}

/* Read one packet, with its header if there is one. Bytes of the packet, or as read(2). */
static ssize_t read_packet(const struct tun *t, uint8_t *at, uint32_t room,
                           struct virtio_net_hdr *ret_hdr)
{
    struct iovec iov[] = {{ret_hdr, sizeof(*ret_hdr)}, {at, room}};
    ssize_t n;

    if (!t->headers)
        return read(t->fd, at, room);
    n = readv(t->fd, iov, 2);
    if (n >= 0 && (size_t)n < sizeof(*ret_hdr)) {
        errno = EIO;
        return -1;
    }
    return n < 0 ? n : n - (ssize_t)sizeof(*ret_hdr);
}

/* Bytes of the largest packet that may come. */
static uint32_t largest(const struct tun *t)
{
    return cuts(&t->dev) ? (uint32_t)DEVICE_PACKET_MAX : t->dev.mtu;
}

/* It is one packet. */
static bool is_single(const struct virtio_net_hdr *hdr)
{
    return hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE;
}

/* Nobody has to look at its checksum, or somebody has. */
static bool is_vouched(const struct virtio_net_hdr *hdr)
{
    return hdr->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
}

/* One that was read behind others and is none of theirs: its bytes lie in two places. */
static void put_by(struct tun *t, const struct virtio_net_hdr *hdr, const uint8_t *head,
                   const uint8_t *rest, uint32_t len)
{
    uint32_t front = min32(len, t->join.headers), room;
    uint8_t *at = intake_room(&t->intake, len, &room);

    memmove(at + front, rest, len - front);
    memcpy(at, head, front);
    t->intake.pool->copied += len;
    intake_take(&t->intake, len, &t->next);
    vnet_take(hdr, &t->next);
}

/*
 * What was read at `at` with the header `first` may be the first of some that belong together; read
 * on as long as they do. *ret_pkt is all of them.
 */
static void read_on(struct tun *t, uint8_t *at, uint32_t room, const struct virtio_net_hdr *first,
                    struct pkt *ret_pkt)
{
    uint8_t head[JOIN_HEADERS] = {0};
    struct virtio_net_hdr hdr;
    struct join *j = &t->join;
    ssize_t n = -1;

    while (!j->ended && j->n < JOIN_MAX && j->len + largest(t) <= room) {
        struct iovec iov[] = {{&hdr, sizeof(hdr)},
                              {head, j->headers},
                              {at + j->len, room - j->len}};

        n = readv(t->fd, iov, 3) - (ssize_t)sizeof(hdr);
        if (n < 0 || !is_single(&hdr) || !join_add(j, at, head, (uint32_t)n, is_vouched(&hdr)))
            break;
        n = -1;
    }
    intake_take(&t->intake, j->len, ret_pkt);
    if (join_end(j, at)) {
        ret_pkt->marks = PKT_CSUM_VALID;
        ret_pkt->gso_size = (uint16_t)j->size;
    } else {
        vnet_take(first, ret_pkt);
    }
    if (n >= 0)
        put_by(t, &hdr, head, at + j->len, (uint32_t)n);
}

/*
 * May what was read so be the first of several? Between super-segments, whose last ones stand
 * alone, it is not looked for: the next would be a large one, and all of it would have to be moved.
 */
static bool begins(struct tun *t, const uint8_t *at, ssize_t n, const struct virtio_net_hdr *hdr)
{
    if (!(t->dev.offload & DEVICE_JOIN) || !t->intake.cur)
        return false;
    if (!is_single(hdr))
        t->join.wait = JOIN_PAUSE_MAX;
    return is_single(hdr) && join_begin(&t->join, at, (uint32_t)n, t->dev.mtu, is_vouched(hdr));
}

static int tun_read(struct device *d, int64_t now, struct pkt *ret_pkt)
{
    struct tun *t = (struct tun *)d;
    struct virtio_net_hdr hdr;
    uint32_t room;
    uint8_t *at;
    ssize_t n;

    (void)now;
    if (t->next.parts) {
        *ret_pkt = t->next;
        t->next.parts = 0;
        return 1;
    }
    at = intake_room(&t->intake, largest(t), &room);
    n = read_packet(t, at, room, &hdr);
    if (n < 0)
        return read_error(errno);
    if (!t->headers || is_single(&hdr))
        follow_mtu(t, (uint32_t)n);
    if (begins(t, at, n, &hdr)) {
        read_on(t, at, room, &hdr, ret_pkt);
        return 1;
    }
    intake_take(&t->intake, (uint32_t)n, ret_pkt);
    if (t->headers)
        vnet_take(&hdr, ret_pkt);
    return 1;
}

/* ---- Writing ---- */

/* What a failed write means for the caller. */
static int write_error(int error)
{
    switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
    case EINTR:
        return -EAGAIN;
    case EIO:
        return -ENETDOWN; /* the driver's word for an interface that is not up */
    case EBADFD:
        return -ENODEV;
    default:
        return -error;
    }
}

/*
 * The system takes longer over a list of pieces than we over a few bytes, so a small packet is put
 * together here, and leaves by a plain write.
 */
static ssize_t write_whole(const struct tun *t, const struct virtio_net_hdr *hdr, size_t hdr_len,
                           const struct pkt *p)
{
    uint8_t whole[sizeof(*hdr) + WHOLE_MAX];

    memcpy(whole, hdr, hdr_len);
    t->intake.pool->copied += p->len - p->part[0].len;
    return write(t->fd, whole, hdr_len + pkt_flatten(p, whole + hdr_len, WHOLE_MAX));
}

/* As the pieces lie. */
static ssize_t write_parts(int fd, struct virtio_net_hdr *hdr, size_t hdr_len, const struct pkt *p)
{
    struct iovec iov[1 + PKT_PARTS_MAX] = {{hdr, hdr_len}};
    int k = 1;

    for (unsigned i = 0; i < p->parts; i++) {
        /* writev only reads, but its iovec, shared with readv, has no const */
        iov[k].iov_base = (void *)(uintptr_t)p->part[i].base;
        iov[k++].iov_len = p->part[i].len;
    }
    return hdr_len ? writev(fd, iov, k) : writev(fd, iov + 1, k - 1);
}

static int tun_write(struct device *d, int64_t now, const struct pkt *p)
{
    struct tun *t = (struct tun *)d;
    struct virtio_net_hdr hdr = {0};
    size_t front = t->headers ? sizeof(hdr) : 0;
    ssize_t n;

    (void)now;
    assert(p->parts <= PKT_PARTS_MAX);
    assert(p->gso_size == 0 || cuts(d));
    assert(!(p->marks & PKT_CSUM_PARTIAL) || d->offload & DEVICE_CSUM);
    if (t->headers)
        vnet_fill(&hdr, p);
    n = p->len <= WHOLE_MAX ? write_whole(t, &hdr, front, p) : write_parts(t->fd, &hdr, front, p);
    if (n < 0)
        return write_error(errno);
    return (size_t)n == p->len + front ? 0 : -EIO;
}

/* ---- The device ---- */

/* What is here already is due. */
static int64_t tun_deadline(const struct device *d)
{
    return ((const struct tun *)d)->next.parts ? 0 : TIME_NEVER;
}

static int tun_fd(const struct device *d)
{
    return ((const struct tun *)d)->fd;
}

static void tun_close(struct device *d)
{
    struct tun *t = (struct tun *)d;

    if (t->next.parts)
        buf_unref(t->next.part[0].buf);
    t->next.parts = 0;
    intake_close(&t->intake);
    if (t->fd >= 0 && d->offload)
        (void)ioctl(t->fd, TUNSETOFFLOAD, 0UL); /* whoever attaches next may not know of it */
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

static const struct device_ops tun_ops = {
    .kind = "tun",
    .read = tun_read,
    .write = tun_write,
    .deadline = tun_deadline,
    .fd = tun_fd,
    .close = tun_close,
};

/* Can a buffer hold all that may come? 0, or an error; the MTU is in t->dev. */
static int measure(struct tun *t)
{
    int mtu = read_mtu(t->dev.name);

    if (mtu < 0)
        return mtu;
    if ((uint32_t)mtu > t->intake.pool->size ||
        (cuts(&t->dev) && t->intake.pool->size < DEVICE_PACKET_MAX))
        return -EMSGSIZE;
    t->dev.mtu = (uint32_t)mtu;
    return 0;
}

static int open_one(struct tun *t, const char *name, unsigned offload, bool several,
                    struct buf_pool *pool)
{
    int err;

    assert(offload == 0 || offload & DEVICE_CSUM);
    *t = (struct tun){.dev.ops = &tun_ops, .fd = -1};
    err = check_name(name);
    if (err < 0)
        return err;
    err = intake_init(&t->intake, pool);
    if (err < 0)
        return err;
    memcpy(t->dev.name, name, strlen(name) + 1);
    t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0)
        err = errno == EPERM ? -EACCES : -errno; /* EPERM: a container's list of devices */
    else
        err = attach_for(t, name, offload, several);
    if (err == 0)
        err = measure(t);
    if (err < 0)
        tun_close(&t->dev);
    return err;
}

int tun_open(struct tun *t, const char *name, unsigned offload, struct buf_pool *pool)
{
    return open_one(t, name, offload, false, pool);
}

int tun_open_queue(struct tun *t, const char *name, unsigned offload, struct buf_pool *pool)
{
    return open_one(t, name, offload, true, pool);
}

const char *tun_explain(int error)
{
    switch (-error) {
    case ENAMETOOLONG:
        return "the name is longer than 15 bytes; choose a shorter one";
    case EILSEQ:
        return "no interface can have that name; use letters and digits, as in tun0";
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return "there is no /dev/net/tun; load the driver with 'modprobe tun', or give the "
               "container that device";
    case EACCES:
        return "/dev/net/tun may not be opened by this user; as root: chmod 666 /dev/net/tun "
               "(which gives no power over TUNs that are someone else's), or give the container "
               "that device";
    case EPERM:
        return "no privilege to attach to it or to create it; run this as root, or let root make "
               "you its owner";
    case EBUSY:
        return "another process has it open; stop that one, or name another TUN";
    case EINVAL:
        return "an interface of another kind has that name; name another TUN";
    case EMSGSIZE:
        return "its MTU is larger than a buffer; lower it with 'ip link set mtu'";
    default:
        return cause_text(-error);
    }
}
