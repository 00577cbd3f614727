/*
 * Capture: a wrapper around any device that writes what passes into a pcapng file.
 *
 * The file is its own thing, apart from the wrapper, so that several devices can share one: each
 * is an interface of its own in it, named, with link type "raw IP". Every packet carries its
 * direction, seen from the node (outbound is what the node sends), and every packet that the node
 * sends carries as a comment why it was sent. Only what a device took or gave is captured: a write
 * that was refused is not.
 *
 * The file is brought up to date whenever the wrapped device has nothing more to read, which is
 * once in a batch; so a reader at the other end of a pipe sees packets as they pass, and a node
 * that dies leaves what it saw. To that end the wrapper's deadline is in the past while packets are
 * not written out: its owner then comes back and reads before it sleeps.
 *
 * A capture that cannot be written (the disk is full, the reader of the pipe has gone) ends; the
 * node goes on. SIGPIPE must be ignored by the program.
 */
#ifndef LINK_CAPTURE_H
#define LINK_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/device.h"

enum {
    CAPTURE_BUFFER = 128 * 1024, /* bytes written out at once; holds the largest packet's block */
    CAPTURE_COMMENT_MAX = 256,   /* bytes of one comment */
};

struct capture_file {
    int fd;           /* -1: closed, or given up */
    bool is_stdout;   /* not ours to close */
    uint32_t ifaces;  /* interfaces described so far */
    int64_t wall;     /* ns to add to an instant to get the time since 1970 */
    uint8_t *buf;     /* CAPTURE_BUFFER bytes */
    size_t used;      /* bytes in buf */
    uint64_t packets; /* in the file or on their way */
    int error;        /* negative errno that ended it, or 0 */
    bool error_told;  /* capture_file_error has returned it */
};

/*
 * Create or empty the file `path`, or take standard output for "-", and begin a capture in it.
 * `wall` is what to add to the instants that devices are given (ns) to get the time since 1970.
 * Returns 0 or what the system said.
 */
int capture_file_open(struct capture_file *f, const char *path, int64_t wall);

/* Write out what is in memory. Errors are kept for capture_file_error. */
void capture_file_flush(struct capture_file *f);

/* The error that ended the capture (-ENOSPC, -EPIPE, ...), the first time it is asked; else 0. */
int capture_file_error(struct capture_file *f);

/* Write out and close. Returns an error that was not told yet, or 0. */
int capture_file_close(struct capture_file *f);

struct capture {
    struct device dev;
    struct device *inner;
    struct capture_file *file;
    uint32_t iface; /* its number in the file */
};

/*
 * Make *c a device in the place of `inner`, which it closes when it is closed. The file, shared or
 * not, stays the caller's and is closed after all its captures.
 */
void capture_init(struct capture *c, struct device *inner, struct capture_file *file);

#endif
