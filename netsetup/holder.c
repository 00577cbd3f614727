/* Names of who needs a change, and what an operation knows of them. See holder.h. */
#include "holder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* When process `pid` started, in ticks since the boot. 0 or -ENOENT, if there is none. */
static int started_at(int pid, uint64_t *ret)
{
    char path[32], text[512];
    const char *at;
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "re");
    if (!f)
        return -ENOENT;
    n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    at = strrchr(text, ')'); /* the name in front of it may hold anything; the 3rd field follows */
    for (int field = 3; at && field <= 22; field++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, " %" SCNu64, ret) == 1 ? 0 : -ENOENT;
}

static unsigned long long process_namespace(void)
{
    struct stat st;

    return stat("/proc/self/ns/pid", &st) < 0 ? 0 : (unsigned long long)st.st_ino;
}

void holder_of_run(char out[HOLDER_MAX])
{
    uint64_t start = 0;

    started_at(getpid(), &start);
    snprintf(out, HOLDER_MAX, "run %d %" PRIu64 " %llu", getpid(), start, process_namespace());
}

int holder_pid(const char *holder)
{
    int pid;

    return sscanf(holder, "run %d ", &pid) == 1 ? pid : 0;
}

bool holder_is_gone(const char *holder)
{
    unsigned long long space;
    uint64_t start, now;
    int pid;

    if (sscanf(holder, "run %d %" SCNu64 " %llu", &pid, &start, &space) != 3 ||
        space != process_namespace())
        return false;
    return started_at(pid, &now) < 0 || now != start;
}

const char *holder_text(const char *holder, char out[HOLDER_MAX])
{
    int pid = holder_pid(holder);

    if (pid)
        snprintf(out, HOLDER_MAX, "'netsetup run', process %d", pid);
    else
        snprintf(out, HOLDER_MAX, "the lab '%.40s'", holder);
    return out;
}

static unsigned find(const struct op *op, const char *holder)
{
    unsigned i = 0;

    while (i < op->holders && strcmp(op->holder[i], holder) != 0)
        i++;
    return i;
}

static void forget(struct op *op, unsigned i)
{
    op->holders--;
    memmove(op->holder[i], op->holder[i + 1], (op->holders - i) * sizeof(op->holder[0]));
}

int op_hold(struct op *op, const char *holder)
{
    if (find(op, holder) < op->holders)
        return 0;
    if (op->holders == HOLDERS_MAX)
        return -E2BIG;
    snprintf(op->holder[op->holders++], HOLDER_MAX, "%s", holder);
    return 0;
}

bool op_release(struct op *op, const char *holder)
{
    unsigned i = find(op, holder);

    if (i == op->holders)
        return false;
    forget(op, i);
    return true;
}

bool op_is_held_by(const struct op *op, const char *holder)
{
    return find(op, holder) < op->holders;
}

bool op_release_gone(struct op *op)
{
    unsigned before = op->holders;

    for (unsigned i = op->holders; i > 0; i--)
        if (holder_is_gone(op->holder[i - 1]))
            forget(op, i - 1);
    return op->holders < before;
}
