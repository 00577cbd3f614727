/*
 * How many bytes does a program copy? Loaded in front of the C library (LD_PRELOAD), this stands in
 * for the functions that copy, counts, and has the library do it. At the end of program NAME the
 * number is in the file $COPIES_TO.NAME. What the C library copies for itself is not seen.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *(*move)(void *to, const void *from, size_t n);
static uint64_t copied;
static FILE *out;

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memmove_chk(void *to, const void *from, size_t n, size_t room);

__attribute__((constructor)) static void begin(void)
{
    const char *to = getenv("COPIES_TO");
    char path[4096];

    *(void **)&move = dlsym(RTLD_NEXT, "memmove");
    if (to && snprintf(path, sizeof(path), "%s.%s", to, program_invocation_short_name) > 0)
        out = fopen(path, "we");
}

__attribute__((destructor)) static void end(void)
{
    if (!out)
        return;
    fprintf(out, "%llu\n", (unsigned long long)copied);
    fclose(out);
}

/* The dynamic linker may call this before anything is set up. */
static void *slowly(void *to, const void *from, size_t n)
{
    volatile uint8_t *t = to;
    const volatile uint8_t *f = from;

    if (t > f)
        while (n-- > 0)
            t[n] = f[n];
    else
        for (size_t i = 0; i < n; i++)
            t[i] = f[i];
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    copied += n;
    return move ? move(to, from, n) : slowly(to, from, n);
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    return memmove(to, from, n);
}

void *mempcpy(void *restrict to, const void *restrict from, size_t n)
{
    return (uint8_t *)memmove(to, from, n) + n;
}

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    return n <= room ? memmove(to, from, n) : (abort(), NULL);
}

void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
    return __memcpy_chk(to, from, n, room);
}
