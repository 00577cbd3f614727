#include "run/nearest.h"

#include <string.h>

enum {
    NAME_MAX_LEN = 40, /* characters of a name that are compared */
};

/* How many insertions, deletions and replacements of a character turn `a` into `b`. */
static size_t edit_distance(const char *a, size_t a_len, const char *b)
{
    size_t row[NAME_MAX_LEN + 1], b_len = strlen(b);

    if (a_len > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_len];
}

const char *nearest_name(const char *name, size_t len,
                         const char *(*name_at)(const void *arg, unsigned i), const void *arg)
{
    const char *best = NULL, *candidate;
    size_t best_distance = len < 4 ? 2 : 3;

    for (unsigned i = 0; (candidate = name_at(arg, i)); i++) {
        size_t d = strncmp(candidate, name, len) == 0 ? 0 : edit_distance(name, len, candidate);

        if (d < best_distance) {
            best_distance = d;
            best = candidate;
        }
    }
    return best;
}
