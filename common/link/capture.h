/*
 * Capture: a wrapper around any device that writes what passes into a pcapng file.
 *
 * The file is its own thing, apart from the wrapper, so that several devices can share one: each
 * is an interface of its own in it, named, with link type "raw IP". Every packet carries its
 * direction, seen from the node (outbound is what the node sends), and every packet that the node
 * sends carries as a comment why it was sent. An impairment below (link/impair.h) adds what it did
 * to the packet, and what it took on its way in is captured with that comment. Only what a device
 * took or gave is captured: a write that was refused is not.
 *
 * The file is brought up to date whenever the wrapped device has nothing more to read, which is
 * once in a batch; so a reader at the other end of a pipe sees packets as they pass, and a node
 * that dies leaves what it saw. To that end the wrapper's deadline is in the past while packets are
 * not written out: its owner then comes back and reads before it sleeps.
 *
 * A reader that is slower than the packets slows the node down a little, within the bounds of
 * outlet.h; what then still finds no room is left out and counted, and the next packet in the file
 * says how many are missing before it (epb_dropcount). A reader that has stopped stops nothing.
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
#include "link/outlet.h"
#include "link/verdict.h"

enum {
    CAPTURE_BUFFER = 4 * 1024 * 1024, /* bytes that may wait for the reader */
    CAPTURE_BLOCK = 128 * 1024,       /* bytes of a block; the largest packet's fits */
    CAPTURE_COMMENT_MAX = 256,        /* bytes of one comment */
    CAPTURE_RETRY = 10, /* ms after which a reader that takes nothing is tried again */
};

struct capture_file {
    struct outlet out;
    uint32_t ifaces;  /* interfaces described so far */
    int64_t wall;     /* ns to add to an instant to get the time since 1970 */
    int64_t retry_at; /* when to try again to write out what is pending */
    uint8_t *block;   /* CAPTURE_BLOCK bytes: a block in the making */
    size_t used;      /* bytes in it */
    uint64_t packets; /* in the file or on their way */
    uint64_t dropped; /* packets left out because the reader was too slow */
    size_t unread;    /* bytes that the reader had not taken when the capture was closed */
    bool error_told;  /* capture_file_error has returned it */
};

/*
 * Create or empty the file `path`, or take standard output for "-", and begin a capture in it.
 * `wall` is what to add to the instants that devices are given (ns) to get the time since 1970.
 * Returns 0 or what the system said.
 */
int capture_file_open(struct capture_file *f, const char *path, int64_t wall);

/* Write out what is in memory, as far as that does not wait for a reader. Errors are kept for
 * capture_file_error. */
void capture_file_flush(struct capture_file *f);

/* The error that ended the capture (-ENOSPC, -EPIPE, ...), the first time it is asked; else 0. */
int capture_file_error(struct capture_file *f);

/* Write out, waiting for the reader a little, and close; see `dropped` and `unread`. Returns an
 * error that was not told yet, or 0. */
int capture_file_close(struct capture_file *f);

struct capture {
    struct device dev;
    struct device *inner;
    struct capture_file *file;
    uint32_t iface;                /* its number in the file */
    uint64_t missed;               /* packets left out since the last that is in the file */
    const struct verdict *verdict; /* what an impairment below says of each packet, or NULL */
};

/*
 * Make *c a device in the place of `inner`, which it closes when it is closed. The file, shared or
 * not, stays the caller's and is closed after all its captures.
 */
void capture_init(struct capture *c, struct device *inner, struct capture_file *file);

#endif
