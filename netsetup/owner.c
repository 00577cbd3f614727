/* Whose the TUNs shall be. See owner.h. */
#include "owner.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Digits only, as a user id; -1 for anything else. */
static int64_t parse_id(const char *text)
{
    char *end;
    unsigned long long v;

    if (*text < '0' || *text > '9')
        return -1;
    errno = 0;
    v = strtoull(text, &end, 10);
    return errno || *end || v >= UINT32_MAX ? -1 : (int64_t)v; /* the last one means "nobody" */
}

/* Whether this user namespace knows the id: one made under sudo does not know who called sudo. */
static bool is_mapped(int64_t id)
{
    long long inside, outside, count;
    bool found = false;
    FILE *f = fopen("/proc/self/uid_map", "re");

    while (f && !found && fscanf(f, "%lld %lld %lld", &inside, &outside, &count) == 3)
        found = id >= inside && id - inside < count;
    if (f)
        fclose(f);
    return found;
}

int64_t owner_invoking(void)
{
    const char *sudo = geteuid() == 0 ? secure_getenv("SUDO_UID") : NULL;
    int64_t id = sudo ? parse_id(sudo) : -1;

    return id >= 0 && is_mapped(id) ? id : (int64_t)getuid();
}

int owner_named(const char *name, int64_t *ret)
{
    const struct passwd *pw = getpwnam(name);
    int64_t id = pw ? (int64_t)pw->pw_uid : parse_id(name);

    if (id < 0)
        return -ENOENT;
    *ret = id;
    return 0;
}

int owner_group_named(const char *name, int64_t *ret)
{
    const struct group *gr = getgrnam(name);
    int64_t id = gr ? (int64_t)gr->gr_gid : parse_id(name);

    if (id < 0)
        return -ENOENT;
    *ret = id;
    return 0;
}
