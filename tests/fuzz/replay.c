/*
 * The main of a fuzzer where libFuzzer is not: every file of the corpus, then seeded mutations of
 * them, always the same for the same corpus and seed.
 *
 *   NAME [--runs N] [--seed N] [--keep FILE] CORPUS...
 *
 * CORPUS is a file or a directory of files, which count in the order of their names. The input that
 * is being tried stands in the file after --keep; it stays there when the program is stopped by it,
 * and is removed when all went well. Prints one line, "ok - ...", and says how fast it was.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "tests/fuzz/fuzz.h"

enum {
    FILES_MAX = 1 << 16,
    INPUT_MAX = 4096, /* bytes of a mutation */
};

struct input {
    uint8_t *b;
    size_t len;
};

static struct input corpus[FILES_MAX];
static size_t corpus_n;
static int kept_fd = -1; /* the file after --keep */

static void die(const char *what)
{
    fprintf(stderr, "fuzz: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void load_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    struct input *in = &corpus[corpus_n];

    if (fd < 0 || fstat(fd, &st) < 0 || corpus_n == FILES_MAX)
        die(path);
    in->len = (size_t)st.st_size;
    in->b = malloc(in->len + 1);
    if (!in->b || read(fd, in->b, in->len) != (ssize_t)in->len)
        die(path);
    close(fd);
    corpus_n++;
}

static int is_plain(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void load(const char *path)
{
    struct dirent **entry;
    struct stat st;
    int n;

    if (stat(path, &st) < 0)
        die(path);
    if (!S_ISDIR(st.st_mode)) {
        load_file(path);
        return;
    }
    n = scandir(path, &entry, is_plain, alphasort);
    if (n < 0)
        die(path);
    for (int i = 0; i < n; i++) {
        char file[4096];

        snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name);
        load_file(file);
        free(entry[i]);
    }
    free(entry);
}

static void keep(const char *path)
{
    kept_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (kept_fd < 0)
        die(path);
}

/* Try one input, in a block of exactly its size. */
static void try(const uint8_t *b, size_t len)
{
    uint8_t *exact = malloc(len);

    if (!exact && len > 0)
        die("no memory");
    if (len > 0)
        memcpy(exact, b, len);
    if (kept_fd >= 0 &&
        (pwrite(kept_fd, b, len, 0) != (ssize_t)len || ftruncate(kept_fd, (off_t)len) < 0))
        die("the input cannot be kept");
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

/* ---- mutations ---- */

static const uint32_t edges[] = {0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 1U << 31, ~0U};

/* Put a number at an edge somewhere, as one, two or four bytes. */
static void put_edge(struct rng *r, uint8_t *b, size_t len)
{
    uint32_t v = edges[rng_below(r, sizeof(edges) / sizeof(edges[0]))];
    size_t n = (size_t)1 << rng_below(r, 3), at;

    if (len < n)
        return;
    at = rng_below(r, (uint32_t)(len - n + 1));
    for (size_t i = 0; i < n; i++)
        b[at + i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

/* Make room for, or take away, up to 16 bytes. */
static size_t resize(struct rng *r, uint8_t *b, size_t len)
{
    size_t at = rng_below(r, (uint32_t)len + 1), n = 1 + rng_below(r, 16);

    if (rng_below(r, 2) == 0) {
        n = n < len - at ? n : len - at;
        memmove(b + at, b + at + n, len - at - n);
        return len - n;
    }
    if (len + n > INPUT_MAX)
        return len;
    memmove(b + at + n, b + at, len - at);
    for (size_t i = 0; i < n; i++)
        b[at + i] = (uint8_t)rng_next(r);
    return len + n;
}

/* Go on with the end of another file of the corpus. */
static size_t go_on_as(struct rng *r, uint8_t *b, size_t len)
{
    const struct input *other = &corpus[rng_below(r, (uint32_t)corpus_n)];
    size_t at = rng_below(r, (uint32_t)len + 1), from = rng_below(r, (uint32_t)other->len + 1);
    size_t n = other->len - from < INPUT_MAX - at ? other->len - from : INPUT_MAX - at;

    memcpy(b + at, other->b + from, n);
    return at + n;
}

static size_t mutate(struct rng *r, uint8_t *b, size_t len)
{
    switch (rng_below(r, 8)) {
    case 0:
        return resize(r, b, len);
    case 1:
        return go_on_as(r, b, len);
    case 2:
        put_edge(r, b, len);
        return len;
    case 3:
    case 4:
        if (len > 0)
            b[rng_below(r, (uint32_t)len)] ^= (uint8_t)(1U << rng_below(r, 8));
        return len;
    case 5:
    case 6:
        if (len > 0)
            b[rng_below(r, (uint32_t)len)] = (uint8_t)rng_next(r);
        return len;
    default: /* a byte a little more or less */
        if (len > 0)
            b[rng_below(r, (uint32_t)len)] += (uint8_t)(rng_below(r, 9) - 4);
        return len;
    }
}

static void try_mutation(struct rng *r)
{
    const struct input *from = &corpus[rng_below(r, (uint32_t)corpus_n)];
    size_t len = from->len < INPUT_MAX ? from->len : INPUT_MAX;
    uint8_t b[INPUT_MAX];

    memcpy(b, from->b, len);
    for (uint32_t i = 0, n = 1 + rng_below(r, 6); i < n; i++)
        len = mutate(r, b, len);
    try(b, len);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    unsigned long runs = 0, seed = 1;
    const char *keep_path = NULL;
    double began;
    struct rng r;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--keep") == 0 && i + 1 < argc)
            keep_path = argv[++i];
        else
            load(argv[i]);
    }
    if (corpus_n == 0) {
        fprintf(stderr, "usage: %s [--runs N] [--seed N] [--keep FILE] CORPUS...\n", argv[0]);
        return 2;
    }
    if (keep_path)
        keep(keep_path);
    began = seconds();
    for (size_t i = 0; i < corpus_n; i++)
        try(corpus[i].b, corpus[i].len);
    r.state = seed;
    for (unsigned long i = 0; i < runs; i++)
        try_mutation(&r);
    printf("ok - %s: %zu files and %lu mutations, %.0f a second\n", strrchr(argv[0], '/') + 1,
           corpus_n, runs, (double)(corpus_n + runs) / (seconds() - began));
    if (keep_path)
        unlink(keep_path);
    return 0;
}
