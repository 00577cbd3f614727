/* Making TUN devices, and sysctls: the two things that are not asked for over netlink. */
#ifndef NETSETUP_DEVICE_H
#define NETSETUP_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan.h"

/*
 * Make TUN `ifname` for user `owner` and `group` (-1: for none in particular), to which, with
 * `queues`, several descriptors may be attached. It lasts as long as the descriptor that is
 * returned, until device_keep(); so whoever dies between the two leaves nothing behind. A negative
 * errno: -ENOENT without /dev/net/tun, -EBUSY if the name is taken, -EPERM, -EINVAL for an owner
 * that this user namespace does not know.
 */
int device_make(const char *ifname, int64_t owner, int64_t group, bool queues);
/* Let it stay when the descriptor is closed. */
int device_keep(int fd);

/* Read or write the value of a sysctl, given as its path below /proc/sys. 0 or a negative errno. */
int sysctl_read(const char *name, char value[SYSCTL_VALUE_MAX]);
int sysctl_write(const char *name, const char *value);

/* Whether a sysctl lies on a file system that nobody may write to, as in many containers. */
bool sysctl_is_read_only(const char *name);

/*
 * What writing `op->want` would change, to be put back by writing op->saved in order. Turning
 * ip_forward on overwrites the forwarding switch of every interface and accept_redirects, and
 * turning it off again sets them to the kernel's defaults, not to what they were. IPv6's
 * all/forwarding does so with every interface's forwarding, and on the way back with
 * force_forwarding, which newer kernels have.
 */
int sysctl_save(struct op *op);

/* 1 if the value is still the one that the operation wrote, 0 if not, or a negative errno. */
int sysctl_is_ours(const struct op *op);

/* Put back what was saved. The first error, after trying everything. */
int sysctl_restore(const struct op *op);

#endif
