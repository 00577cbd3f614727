#include "run/trace_join.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "run/exit.h"

struct join {
    FILE *out;
    uint64_t events; /* written so far */
    char *line;      /* the line that was read, ... */
    size_t size;     /* ... and the bytes of its memory */
};

/*
 * A whole event on a line: an object, perhaps with a comma behind it. Returns its length without
 * comma and newline, or 0: the array's brackets, or a line in whose middle the file ends.
 */
static size_t event_length(const char *line, size_t len)
{
    while (len > 0 && strchr("\n\r,", line[len - 1]))
        len--;
    return len > 1 && line[0] == '{' && line[len - 1] == '}' ? len : 0;
}

/* The events of one file. 0, or a negative errno; -EINVAL: it is no trace of ours. */
static int join_file(struct join *j, FILE *in)
{
    ssize_t n = getline(&j->line, &j->size, in);

    if (n < 0)
        return ferror(in) ? -errno : -EINVAL;
    if (strcmp(j->line, "[\n") != 0)
        return -EINVAL;
    while ((n = getline(&j->line, &j->size, in)) > 0) {
        bool whole = j->line[n - 1] == '\n';
        size_t len = whole ? event_length(j->line, (size_t)n) : 0;

        if (len > 0 &&
            fprintf(j->out, "%s%.*s", j->events++ ? ",\n" : "[\n", (int)len, j->line) < 0)
            return -errno;
    }
    return ferror(in) ? -errno : 0;
}

static int join_path(struct join *j, const char *path)
{
    FILE *in = fopen(path, "re");
    int r;

    if (!in)
        return -errno;
    r = join_file(j, in);
    fclose(in);
    return r;
}

int trace_join(const struct report *r, char *const *path, int n, FILE *out)
{
    struct join j = {.out = out};
    int code = EXIT_DONE;

    for (int i = 0; i < n && code == EXIT_DONE; i++) {
        int error = join_path(&j, path[i]);

        if (error == 0)
            continue;
        code = EXIT_FAILED;
        report_error(r, "%s: %s", path[i],
                     error == -EINVAL ? "no trace; --trace FILE writes one" : strerror(-error));
    }
    if (code == EXIT_DONE)
        fputs(j.events ? "\n]\n" : "[\n]\n", out);
    if (code == EXIT_DONE && (ferror(out) || fflush(out) != 0)) {
        report_error(r, "writing the joined trace failed: %s", strerror(errno));
        code = EXIT_FAILED;
    }
    free(j.line);
    return code;
}
