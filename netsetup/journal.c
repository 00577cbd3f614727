/*
 * Where the journal lies and how it is written. See journal.h.
 *
 * /run/twintun is used where it can be written, which is the machine's root's case, and root's in a
 * namespace that root made. Everybody else gets a folder of their own that nobody else can write
 * to, in a place where anybody may make one; because others could have made it first, its owner and
 * mode are checked, and links are not followed. The places depend on nothing but who asks: what the
 * environment says may differ between `up` and `down`.
 *
 * The lock is on the folder itself, which may be removed by the one who held the lock before: then
 * the lock is on a folder that has no name any more, and everything starts again. Programs that we
 * run inherit the lock: if we are killed while iptables works for us, the next netsetup waits for
 * that iptables and then sees what it did.
 */
#include "journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holder.h"
#include "journal_text.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

enum {
    FOLDERS = 3,
    LOCK_TRIES = 100,
};

/* ---- which namespace, which folder ---- */

static int read_netns_id(struct netns_id *ret)
{
    struct netns_id id = {0};
    socklen_t len = sizeof(id.cookie);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct stat st;
    FILE *f;

    if (fd >= 0) {
        if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &id.cookie, &len) < 0)
            id.cookie = 0;
        close(fd);
    }
    if (stat("/proc/self/ns/net", &st) < 0)
        return -errno;
    id.inode = st.st_ino;
    f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (f) {
        if (!fgets(id.boot, sizeof(id.boot), f))
            id.boot[0] = '\0';
        id.boot[strcspn(id.boot, "\n")] = '\0';
        fclose(f);
    }
    *ret = id;
    return 0;
}

/*
 * Our user id outside of the user namespace, so that two people's namespaces do not want the same
 * folder in /tmp: /proc/self/uid_map says "0 1000 1" for root of a namespace made by user 1000.
 */
static unsigned outer_uid(void)
{
    unsigned long inside, outside, count, uid = geteuid(), result = uid;
    FILE *f = fopen("/proc/self/uid_map", "re");

    while (f && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3)
        if (uid >= inside && uid - inside < count)
            result = outside + (uid - inside);
    if (f)
        fclose(f);
    return (unsigned)result;
}

/* The folders in the order of preference. */
static void list_folders(char out[FOLDERS][JOURNAL_PATH_MAX])
{
    snprintf(out[0], JOURNAL_PATH_MAX, "/run/twintun");
    snprintf(out[1], JOURNAL_PATH_MAX, "/tmp/twintun-%u", outer_uid());
    snprintf(out[2], JOURNAL_PATH_MAX, "/dev/shm/twintun-%u", outer_uid());
}

/* A folder that only we, or root, can write to. */
static bool is_trusted(const struct stat *st)
{
    return S_ISDIR(st->st_mode) && (st->st_uid == geteuid() || st->st_uid == 0) &&
           !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* ---- opening ---- */

/* Make `dir` if it is not there, and lock it. The descriptor; -EAGAIN if it was removed meanwhile.
 */
static int try_lock(const char *dir)
{
    mode_t mode = strcmp(dir, "/run/twintun") == 0 ? 0755 : 0700;
    bool made = mkdir(dir, mode) == 0;
    struct stat at_path, at_fd;
    int fd, r;

    if (!made && errno != EEXIST)
        return -errno;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW); /* inherited: see above */
    if (fd < 0)
        return errno == ENOENT ? -EAGAIN : -errno;
    r = -EIO;
    if ((made && fchmod(fd, mode) < 0) || flock(fd, LOCK_EX) < 0 || fstat(fd, &at_fd) < 0)
        goto err;
    r = -EAGAIN;
    if (stat(dir, &at_path) < 0 || at_fd.st_ino != at_path.st_ino || at_fd.st_dev != at_path.st_dev)
        goto err;
    r = -EACCES;
    if (!is_trusted(&at_fd) || faccessat(fd, ".", W_OK, AT_EACCESS) < 0)
        goto err;
    return fd;
err:
    close(fd);
    return r;
}

static int lock_folder(const char *dir)
{
    int r = -EAGAIN;

    for (int i = 0; i < LOCK_TRIES && r == -EAGAIN; i++)
        r = try_lock(dir);
    return r;
}

/* Read the file of j->path. 0, also when there is none or it is about a namespace that is gone. */
static int load(struct journal *j)
{
    int fd = open(j->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    json_t *root;
    int r;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fstat(fd, &st) < 0 || (st.st_uid != geteuid() && st.st_uid != 0)) {
        close(fd);
        return -EACCES;
    }
    root = json_loadfd(fd, 0, NULL);
    close(fd);
    r = root ? journal_from_json(j, root) : -EBADMSG;
    json_decref(root);
    return r == -ESTALE ? 0 : r;
}

/* Whether a journal in the folder `dir_fd` is of an earlier boot than ours. */
static bool is_outlived(int dir_fd, const char *name, const char *our_boot)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    const char *boot;
    json_t *root;
    bool outlived;

    if (fd < 0)
        return false;
    root = json_loadfd(fd, 0, NULL);
    boot = json_string_value(json_object_get(root, "boot"));
    outlived = boot && *boot && *our_boot && strcmp(boot, our_boot) != 0;
    json_decref(root);
    close(fd);
    return outlived;
}

/* Whether the name is that of a journal with this ending, of any namespace. */
static bool is_named(const char *name, const char *ending)
{
    unsigned long long inode;
    int end = 0;

    return sscanf(name, "net-%llu%n", &inode, &end) == 1 && strcmp(name + end, ending) == 0;
}

/*
 * Remove the journals of earlier boots, whose namespaces are certainly gone. Of this boot's, nobody
 * can tell for sure: a namespace without a process may be held by a mount or a descriptor, and the
 * processes of others cannot be seen. And remove what a netsetup was writing when it was killed:
 * nobody writes now, because we hold the lock.
 */
static void tidy_up(const struct journal *j)
{
    DIR *d = opendir(j->dir);
    struct dirent *e;
    struct stat st;

    while (d && (e = readdir(d)) != NULL) {
        bool written = is_named(e->d_name, ".tmp") &&
                       fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                       S_ISREG(st.st_mode);

        if (written ||
            (is_named(e->d_name, ".json") && is_outlived(dirfd(d), e->d_name, j->netns.boot)))
            unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d)
        closedir(d);
}

/* "DIR/net-INODE.json", or with another ending. */
static void set_path(const struct netns_id *netns, const char *dir, const char *ending,
                     char out[JOURNAL_PATH_MAX])
{
    snprintf(out, JOURNAL_PATH_MAX, "%.200s/net-%" PRIu64 "%s", dir, netns->inode, ending);
}

int journal_open_in(const char *dir, const struct netns_id *netns, bool for_change,
                    struct journal **ret)
{
    struct journal *j = calloc(1, sizeof(*j));
    struct stat st;
    int r;

    if (!j)
        return -ENOMEM;
    j->netns = *netns;
    j->lock_fd = -1;
    snprintf(j->dir, sizeof(j->dir), "%s", dir);
    set_path(netns, dir, ".json", j->path);
    set_path(netns, dir, ".tmp", j->temporary);
    if (for_change) {
        r = lock_folder(dir);
        if (r < 0)
            goto err;
        j->lock_fd = r;
        tidy_up(j);
    } else {
        r = lstat(dir, &st) < 0 ? -errno : is_trusted(&st) ? 0 : -EACCES;
        if (r < 0)
            goto err;
    }
    r = load(j);
    if (r < 0 && r != -EBADMSG)
        goto err;
    *ret = j;
    return r;
err:
    journal_close(j);
    return r;
}

/* Whether `dir` is to be trusted and holds a file for this namespace. */
static bool has_journal(const char *dir, const struct netns_id *netns)
{
    char path[JOURNAL_PATH_MAX];
    struct stat st;

    set_path(netns, dir, ".json", path);
    return lstat(dir, &st) == 0 && is_trusted(&st) && lstat(path, &st) == 0;
}

static int open_empty(const struct netns_id *netns, struct journal **ret)
{
    *ret = calloc(1, sizeof(**ret));
    if (!*ret)
        return -ENOMEM;
    (*ret)->netns = *netns;
    (*ret)->lock_fd = -1;
    return 0;
}

int journal_open(bool for_change, struct journal **ret)
{
    char folder[FOLDERS][JOURNAL_PATH_MAX];
    struct netns_id netns;
    int r = read_netns_id(&netns);

    if (r < 0)
        return r;
    list_folders(folder);
    for (int i = 0; i < FOLDERS; i++)
        if (has_journal(folder[i], &netns))
            return journal_open_in(folder[i], &netns, for_change, ret);
    if (!for_change)
        return open_empty(&netns, ret);
    for (int i = 0; i < FOLDERS; i++) {
        r = journal_open_in(folder[i], &netns, true, ret);
        if (r == 0 || r == -EBADMSG)
            return r;
    }
    return -EACCES;
}

void journal_tidy(void)
{
    char folder[FOLDERS][JOURNAL_PATH_MAX];
    struct netns_id netns;
    struct stat st;

    if (read_netns_id(&netns) < 0)
        return;
    list_folders(folder);
    for (int i = 0; i < FOLDERS; i++) {
        struct journal *j = NULL;

        if (lstat(folder[i], &st) < 0 || !is_trusted(&st))
            continue;
        journal_open_in(folder[i], &netns, true, &j);
        journal_close(j);
    }
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (j->lock_fd >= 0) {
        if (j->ops == 0)
            rmdir(j->dir); /* stays if another namespace has a journal in it */
        close(j->lock_fd);
    }
    free(j);
}

/* ---- contents ---- */

int journal_put(struct journal *j, const struct op *op)
{
    unsigned i = 0;

    while (i < j->ops && !op_same_thing(&j->op[i], op))
        i++;
    if (i == JOURNAL_OPS_MAX)
        return -E2BIG;
    if (i == j->ops) {
        j->op[j->ops++] = *op;
    } else {
        const struct op before = j->op[i];

        j->op[i] = *op;
        j->op[i].table_too |= before.table_too; /* neither was there before us */
        for (unsigned h = 0; h < before.holders; h++)
            if (op_hold(&j->op[i], before.holder[h]) < 0)
                return -E2BIG;
    }
    return 0;
}

void journal_drop(struct journal *j, unsigned i)
{
    j->ops--;
    memmove(&j->op[i], &j->op[i + 1], (j->ops - i) * sizeof(j->op[0]));
}

const struct op *journal_find(const struct journal *j, const struct op *like)
{
    for (unsigned i = 0; i < j->ops; i++)
        if (op_same_thing(&j->op[i], like))
            return &j->op[i];
    return NULL;
}

bool journal_made_device(const struct journal *j, const char *ifname, int index)
{
    for (unsigned i = 0; i < j->ops; i++)
        if (j->op[i].kind == OP_DEVICE && strcmp(j->op[i].ifname, ifname) == 0 &&
            j->op[i].index == index)
            return true;
    return false;
}

/* ---- writing ---- */

/* Write `text` to the file `path` and have it on disk. Of a failure, no file is left. */
static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    size_t len = strlen(text), at = 0;
    int r = 0;

    if (fd < 0)
        return -errno;
    while (at < len && r == 0) {
        ssize_t n = write(fd, text + at, len - at);

        if (n < 0 && errno != EINTR)
            r = -errno;
        at += n > 0 ? (size_t)n : 0;
    }
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r < 0)
        unlink(path);
    return r;
}

int journal_save(const struct journal *j)
{
    json_t *root;
    char *text;
    int r;

    if (j->ops == 0)
        return unlink(j->path) < 0 && errno != ENOENT ? -errno : 0;
    root = journal_to_json(j);
    text = root ? json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    json_decref(root);
    if (!text)
        return -ENOMEM;
    r = write_file(j->temporary, text);
    free(text);
    if (r < 0)
        return r;
    if (rename(j->temporary, j->path) < 0) {
        r = -errno;
        unlink(j->temporary);
        return r;
    }
    return fsync(j->lock_fd) < 0 && errno != EINVAL ? -errno : 0;
}
