/*
 * The file of a trace: events as JSON, in the Chrome trace event format, which ui.perfetto.dev and
 * other viewers open.
 *
 * It is one array, with one event to a line, each line but the last ending with a comma; so tools
 * for lines work on it, two of them are easily joined (trace_join.h), and a file that ends in the
 * middle, because its program was killed, lacks its last lines and nothing else. Viewers take it
 * like that.
 *
 * Events are put together as text and go through an outlet: a reader or a disk that is stuck stops
 * nobody, as far as outlet.h says. Events that find no room are left out and counted; the next that
 * finds some is preceded by an event that says how many are missing there, and the last event of
 * each file says how many there were and how many were lost.
 *
 * Events that belong together are put together, all or none, so a slice that has begun and could
 * not be ended stays open in the file until its owner has tried again; for these some room is kept
 * that others do not get.
 */
#ifndef RUN_TRACE_FILE_H
#define RUN_TRACE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "link/outlet.h"

enum {
    TRACE_BUFFER = 4 * 1024 * 1024, /* bytes that may wait for the reader */
    TRACE_KEPT = 64 * 1024,         /* of these, bytes that are for TRACE_NEEDED only */
    TRACE_PIECE = 8192,             /* bytes of the events that are put together */
    TRACE_FLUSH = 50,               /* ms after which what waits is written out */
};

/* The kinds of events, by their letter in the format. */
enum trace_phase {
    TRACE_BEGIN = 'B',    /* a slice begins on a track, ... */
    TRACE_END = 'E',      /* ... and the last that began there ends */
    TRACE_SLICE = 'X',    /* a whole slice: with trace_duration */
    TRACE_INSTANT = 'i',  /* something happened */
    TRACE_COUNTER = 'C',  /* values, each an argument */
    TRACE_FLOW_OUT = 's', /* an arrow leaves the slice at this instant, ... */
    TRACE_FLOW_IN = 'f',  /* ... and arrives at one: with trace_flow */
    TRACE_NAME = 'M',     /* the name of a track or process */
};

/* How much an event matters when room is short. */
enum trace_need {
    TRACE_LOSABLE, /* it may be left out */
    TRACE_NEEDED,  /* others make no sense without it */
};

struct trace_file {
    struct outlet out;
    char piece[TRACE_PIECE]; /* events in the making */
    struct text text;        /* what stands there */
    unsigned making;         /* how many these are */
    bool in_args;            /* in the arguments of the last */
    uint64_t events;         /* in the file or on their way */
    uint64_t lost;           /* left out */
    uint64_t told;           /* of these, said in the file */
    size_t unread;           /* bytes that the reader had not taken at the end */
    int64_t flush_at;        /* ns: when to write out what waits */
    bool error_told;         /* trace_file_error has returned it */
};

/* Create or empty the file and begin. 0, or what the system said. */
int trace_file_open(struct trace_file *f, const char *path);

/*
 * An event, and what it says: first the event itself, then what belongs to its kind, then its
 * arguments, then whatever further events are to go together with it, then trace_put. `at` is the
 * instant in ns; pid and tid say on which track.
 */
void trace_event(struct trace_file *f, enum trace_phase phase, const char *name, uint32_t pid,
                 uint32_t tid, int64_t at);
void trace_duration(struct trace_file *f, int64_t ns);
void trace_flow(struct trace_file *f, uint64_t id);
void trace_arg_text(struct trace_file *f, const char *key, const char *value);
void trace_arg_number(struct trace_file *f, const char *key, int64_t value);
/* A time in ns, written in ms. */
void trace_arg_ms(struct trace_file *f, const char *key, int64_t ns);

/* Put the events in the making into the file; `now` in ns. False if there was no room for them. */
bool trace_put(struct trace_file *f, enum trace_need need, uint32_t pid, int64_t now);

/* Write out what waits, if it is time. */
void trace_file_flush(struct trace_file *f, int64_t now);

/* The error that ended the trace (-ENOSPC, ...), the first time it is asked; else 0. */
int trace_file_error(struct trace_file *f);

/*
 * The last event, which says how many there were and how many were lost, and the array's end. Then
 * write out, waiting for the reader a little, and close. Returns an error that was not told yet, or
 * 0; see `lost` and `unread`.
 */
int trace_file_close(struct trace_file *f, uint32_t pid, int64_t now);

#endif
