/* TUN devices through /dev/net/tun, and sysctls through /proc/sys. See device.h. */
#include "device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int device_make(const char *ifname, int64_t owner, int64_t group, bool queues)
{
    struct ifreq ifr = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL)};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    int r;

    if (fd < 0)
        return -errno;
    if (queues)
        ifr.ifr_flags |= IFF_MULTI_QUEUE;
    memcpy(ifr.ifr_name, ifname, strlen(ifname));
    if (ioctl(fd, TUNSETIFF, &ifr) < 0 ||
        (owner >= 0 && ioctl(fd, TUNSETOWNER, (unsigned long)owner) < 0) ||
        (group >= 0 && ioctl(fd, TUNSETGROUP, (unsigned long)group) < 0)) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

int device_keep(int fd)
{
    return ioctl(fd, TUNSETPERSIST, 1UL) < 0 ? -errno : 0;
}

/* ---- sysctls ---- */

static int sysctl_open(const char *name, int flags)
{
    char path[SYSCTL_NAME_MAX + 16];
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *name, char value[SYSCTL_VALUE_MAX])
{
    int fd = sysctl_open(name, O_RDONLY);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = read(fd, value, SYSCTL_VALUE_MAX - 1);
    close(fd);
    if (n < 0)
        return -EIO;
    value[n] = '\0';
    value[strcspn(value, "\n")] = '\0';
    return 0;
}

int sysctl_write(const char *name, const char *value)
{
    int fd = sysctl_open(name, O_WRONLY);
    int r = 0;

    if (fd < 0)
        return fd;
    if (write(fd, value, strlen(value)) < 0)
        r = -errno;
    close(fd);
    return r;
}

bool sysctl_is_read_only(const char *name)
{
    char path[SYSCTL_NAME_MAX + 16];

    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    return access(path, W_OK) < 0 && errno == EROFS;
}

/* Append a sysctl's value to op->saved; one that is not there needs no saving. */
static int save_one(struct op *op, const char *name)
{
    struct saved_value *v = &op->saved[op->saved_count];
    int r;

    if (op->saved_count == OP_SAVED_MAX)
        return -E2BIG;
    snprintf(v->name, sizeof(v->name), "%s", name);
    r = sysctl_read(name, v->value);
    if (r == 0)
        op->saved_count++;
    return r == -ENOENT ? 0 : r;
}

/*
 * Those below net/`family`/conf whose `key` is not `value`: the interfaces and, unless `real` says
 * interfaces only, "default". "all" is the machine's own.
 */
static int save_others(struct op *op, const char *family, const char *key, const char *value,
                       bool real)
{
    char path[SYSCTL_NAME_MAX];
    struct dirent *e;
    DIR *dir;
    int r = 0;

    snprintf(path, sizeof(path), "/proc/sys/net/%s/conf", family);
    dir = opendir(path);
    if (!dir)
        return -errno;
    while (r == 0 && (e = readdir(dir)) != NULL) {
        char name[SYSCTL_NAME_MAX], now[SYSCTL_VALUE_MAX];

        if (e->d_name[0] == '.' || strcmp(e->d_name, "all") == 0 ||
            (real && strcmp(e->d_name, "default") == 0))
            continue;
        snprintf(name, sizeof(name), "net/%s/conf/%.15s/%s", family, e->d_name, key);
        if (sysctl_read(name, now) == 0 && strcmp(now, value) != 0)
            r = save_one(op, name);
    }
    closedir(dir);
    return r;
}

int sysctl_save(struct op *op)
{
    int r;

    op->saved_count = 0;
    r = save_one(op, op->want.name);
    if (r == 0 && op->saved_count == 0)
        return -ENOENT;
    if (r == 0 && strcmp(op->want.name, "net/ipv4/ip_forward") == 0) {
        r = save_one(op, "net/ipv4/conf/all/accept_redirects");
        if (r == 0)
            r = save_others(op, "ipv4", "forwarding", op->saved[0].value, false);
    } else if (r == 0 && strcmp(op->want.name, "net/ipv6/conf/all/forwarding") == 0) {
        r = save_others(op, "ipv6", "forwarding", op->saved[0].value, false);
        if (r == 0)
            r = save_others(op, "ipv6", "force_forwarding", "0", true);
    }
    return r;
}

int sysctl_is_ours(const struct op *op)
{
    char value[SYSCTL_VALUE_MAX];
    int r = sysctl_read(op->want.name, value);

    return r < 0 ? r : strcmp(value, op->want.value) == 0;
}

int sysctl_restore(const struct op *op)
{
    char value[SYSCTL_VALUE_MAX];
    int r, failed = 0;

    for (unsigned i = 0; i < op->saved_count; i++) {
        const struct saved_value *v = &op->saved[i];

        if (sysctl_read(v->name, value) < 0 || strcmp(value, v->value) == 0)
            continue; /* the interface is gone, or nothing to do */
        r = sysctl_write(v->name, v->value);
        if (r < 0 && failed == 0)
            failed = r;
    }
    return failed;
}
