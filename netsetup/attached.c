/*
 * /proc/PID/fdinfo/FD of a TUN's descriptor says "iff: tun0". An interface of that name may be in
 * another network, so the process has to be in ours. See attached.h.
 */
#include "attached.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/netlink.h"

/* Whether that descriptor is one of a TUN called `ifname`. */
static bool is_tun_of(const char *pid, const char *fd, const char *ifname)
{
    char path[64], line[128], name[NETLINK_NAME_MAX];
    bool found = false;
    ssize_t n;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%.12s/fd/%.12s", pid, fd);
    n = readlink(path, line, sizeof(line) - 1);
    line[n < 0 ? 0 : n] = '\0';
    if (!strstr(line, "tun")) /* most are not even called so */
        return false;
    snprintf(path, sizeof(path), "/proc/%.12s/fdinfo/%.12s", pid, fd);
    f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof(line), f))
        found = sscanf(line, "iff: %15s", name) == 1 && strcmp(name, ifname) == 0;
    if (f)
        fclose(f);
    return found;
}

static bool in_our_network(const char *pid)
{
    struct stat ours, its;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%.12s/ns/net", pid);
    return stat(path, &its) == 0 && stat("/proc/self/ns/net", &ours) == 0 &&
           its.st_ino == ours.st_ino;
}

static bool find_in(const char *pid, const char *ifname, struct attached *ret)
{
    char path[64];
    struct dirent *e;
    bool found = false;
    DIR *dir;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%.12s/fd", pid);
    dir = opendir(path);
    while (dir && !found && (e = readdir(dir)) != NULL) {
        found = e->d_name[0] != '.' && is_tun_of(pid, e->d_name, ifname) && in_our_network(pid);
        if (found)
            *ret = (struct attached){.pid = atoi(pid), .fd = atoi(e->d_name)};
    }
    if (dir)
        closedir(dir);
    if (!found)
        return false;
    snprintf(path, sizeof(path), "/proc/%.12s/comm", pid);
    f = fopen(path, "re");
    if (f && fgets(ret->name, sizeof(ret->name), f))
        ret->name[strcspn(ret->name, "\n")] = '\0';
    if (f)
        fclose(f);
    return true;
}

bool attached_find(const char *ifname, struct attached *ret)
{
    DIR *proc = opendir("/proc");
    bool found = false;
    struct dirent *e;

    while (proc && !found && (e = readdir(proc)) != NULL)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
            found = find_in(e->d_name, ifname, ret);
    if (proc)
        closedir(proc);
    return found;
}
