/*
 * A reader of traces that believes nothing: it loads the JSON as a viewer does, and looks for what
 * is wrong with it. For trace_test.c and for tests/tools/tracecheck.c.
 */
#ifndef TESTS_UNIT_TRACE_CHECK_H
#define TESTS_UNIT_TRACE_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcp/state.h"

enum {
    TC_TRACKS_MAX = 1 << 15,
    TC_DEPTH_MAX = 8,
    TC_FLOWS_MAX = 1 << 20,
};

/* A track while its events are read in the order in which they stand in the file. */
struct tc_track {
    bool used;
    long long pid, tid;
    double last;                    /* the instant of its last begin, end or instant */
    double slice_from, slice_until; /* its last whole slice ... */
    bool kernels;                   /* ... is of a packet that no node has sent */
    const char *open[TC_DEPTH_MAX];
    unsigned depth;
    bool is_state;
    int state; /* of enum tcp_state, on a track of states: the last one shown */
};

/* What is found in a trace. */
struct tc_seen {
    unsigned long events, sent, received, arrows, joined;
    unsigned long states, timers, counters, instants, open;
    long long lost, said; /* as its last event says; -1: it has none */
};

static struct tc_track tc_track[TC_TRACKS_MAX]; /* a hash table, by tid */
static unsigned tc_tracks;                      /* of it, in use */
static char tc_text[256];                       /* what is wrong */

#define TC_WRONG(...) (snprintf(tc_text, sizeof(tc_text), __VA_ARGS__), tc_text)

/* ---- loading ---- */

/* The whole file with a zero behind it; NULL: it cannot be read. */
static inline char *tc_read(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t size = 0, len = 0, n;

    if (!f)
        return NULL;
    do {
        size += 1 << 20;
        text = realloc(text, size + 1);
        n = text ? fread(text + len, 1, size - len, f) : 0;
        len += n;
    } while (n > 0 && len == size);
    fclose(f);
    if (text)
        text[len] = '\0';
    *ret_len = len;
    return text;
}

/*
 * The events of a file, as an array. One that ends in the middle is taken as viewers take it: up to
 * its last whole line.
 */
static inline json_t *tc_load(const char *path, bool *ret_whole)
{
    json_error_t error;
    size_t len = 0;
    char *text = tc_read(path, &len);
    json_t *events = text ? json_loadb(text, len, 0, &error) : NULL;

    *ret_whole = events != NULL;
    if (text && !events) {
        while (len > 0 && text[len - 1] != '\n')
            len--;
        while (len > 0 && strchr(",\n", text[len - 1]))
            len--;
        text[len] = ']';
        events = json_loadb(text, len + 1, 0, &error);
        if (!events)
            TC_WRONG("line %d: %s", error.line, error.text);
    }
    free(text);
    return events;
}

static inline const char *tc_string(const json_t *e, const char *key)
{
    const char *s = json_string_value(json_object_get(e, key));

    return s ? s : "";
}

static inline double tc_number(const json_t *e, const char *key)
{
    return json_number_value(json_object_get(e, key));
}

static inline const json_t *tc_arg(const json_t *e, const char *key)
{
    return json_object_get(json_object_get(e, "args"), key);
}

/* ---- looking ---- */

/* Viewers find a track by its tid alone, so it must belong to one process. NULL: it does not. */
static inline struct tc_track *tc_track_of(const json_t *e)
{
    long long pid = json_integer_value(json_object_get(e, "pid"));
    long long tid = json_integer_value(json_object_get(e, "tid"));
    unsigned long long at = (unsigned long long)tid * 0x9e3779b97f4a7c15u >> 49;

    while (tc_track[at].used && tc_track[at].tid != tid)
        at = (at + 1) % TC_TRACKS_MAX;
    if (!tc_track[at].used && ++tc_tracks < TC_TRACKS_MAX)
        tc_track[at] = (struct tc_track){.used = true, .pid = pid, .tid = tid, .state = TCP_CLOSED};
    return tc_track[at].pid == pid ? &tc_track[at] : NULL;
}

static inline int tc_state(const char *name)
{
    for (int s = TCP_CLOSED; s <= TCP_TIME_WAIT; s++) {
        if (strcmp(tcp_state_name((enum tcp_state)s), name) == 0)
            return s;
    }
    return -1;
}

#define TC_TO(state) (1U << TCP_##state)

/* RFC 9293 figure 5, as far as a slice can show it: CLOSED and LISTEN have none. */
static inline bool tc_is_step(int from, int to)
{
    static const unsigned next[] = {
        [TCP_CLOSED] = TC_TO(SYN_SENT) | TC_TO(SYN_RECEIVED),
        [TCP_SYN_SENT] = TC_TO(SYN_RECEIVED) | TC_TO(ESTABLISHED),
        [TCP_SYN_RECEIVED] = TC_TO(ESTABLISHED) | TC_TO(FIN_WAIT_1) | TC_TO(CLOSE_WAIT),
        [TCP_ESTABLISHED] = TC_TO(FIN_WAIT_1) | TC_TO(CLOSE_WAIT),
        [TCP_FIN_WAIT_1] = TC_TO(FIN_WAIT_2) | TC_TO(CLOSING) | TC_TO(TIME_WAIT),
        [TCP_FIN_WAIT_2] = TC_TO(TIME_WAIT),
        [TCP_CLOSE_WAIT] = TC_TO(LAST_ACK),
        [TCP_CLOSING] = TC_TO(TIME_WAIT),
        [TCP_TIME_WAIT] = 0,
    };

    return to >= 0 && (next[from] & 1U << to);
}

static inline const char *tc_begin(struct tc_track *t, const json_t *e, struct tc_seen *seen)
{
    const char *name = tc_string(e, "name");
    int state = tc_state(name);

    if (t->depth == TC_DEPTH_MAX)
        return TC_WRONG("%s: slices are nested too deeply", name);
    t->open[t->depth++] = name;
    if (!t->is_state) {
        seen->timers++;
        return NULL;
    }
    seen->states++;
    if (!tc_is_step(t->state, state))
        return TC_WRONG("%s follows %s", name, tcp_state_name((enum tcp_state)t->state));
    t->state = state;
    return NULL;
}

static inline const char *tc_end(struct tc_track *t, const json_t *e)
{
    if (t->depth == 0)
        return TC_WRONG("%s ends and has not begun", tc_string(e, "name"));
    if (strcmp(t->open[--t->depth], tc_string(e, "name")) != 0)
        return TC_WRONG("%s ends inside %s", tc_string(e, "name"), t->open[t->depth]);
    return NULL;
}

/* What a kernel says by itself when a device comes up, and no node has sent. */
static inline bool tc_is_kernels(const json_t *e)
{
    const json_t *dropped = tc_arg(e, "dropped");

    return strcmp(tc_string(e, "name"), "recv.other") == 0 ||
           (dropped && strncmp(json_string_value(dropped), "drop.icmp6.", 11) == 0);
}

static inline const char *tc_slice(struct tc_track *t, const json_t *e, struct tc_seen *seen)
{
    double at = tc_number(e, "ts"), dur = tc_number(e, "dur");
    bool sent = strncmp(tc_string(e, "name"), "send.", 5) == 0;

    if (dur <= 0 || at + 0.0005 < t->slice_until)
        return TC_WRONG("%s at %.3f overlaps the one before it", tc_string(e, "name"), at);
    t->slice_from = at;
    t->slice_until = at + dur;
    seen->sent += sent;
    t->kernels = tc_is_kernels(e);
    seen->received += !sent && !t->kernels;
    if (sent && (!*json_string_value(tc_arg(e, "reason")) || !tc_arg(e, "source")))
        return TC_WRONG("%s says no reason", tc_string(e, "name"));
    return NULL;
}

static inline const char *tc_counters(const json_t *e, struct tc_seen *seen)
{
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(e, "args"), key, value)
    {
        if (!json_is_number(value))
            return TC_WRONG("the counter %s is no number", key);
        seen->counters++;
    }
    return NULL;
}

static inline const char *tc_named(struct tc_track *t, const json_t *e)
{
    const char *name = json_string_value(tc_arg(e, "name"));
    size_t n = name ? strlen(name) : 0;

    t->is_state |= n > 6 && strcmp(name + n - 6, " state") == 0;
    return NULL;
}

/* Begins, ends and instants stand in the order of their time. */
static inline const char *tc_in_order(struct tc_track *t, const json_t *e)
{
    double at = tc_number(e, "ts");

    if (at < t->last)
        return TC_WRONG("%s at %.3f stands behind %.3f", tc_string(e, "name"), at, t->last);
    t->last = at;
    return NULL;
}

static inline void tc_last_words(const json_t *e, struct tc_seen *seen)
{
    if (strcmp(tc_string(e, "name"), "trace.end") != 0)
        return;
    seen->lost += json_integer_value(tc_arg(e, "lost")) + (seen->lost < 0);
    seen->said += json_integer_value(tc_arg(e, "events")) + (seen->said < 0);
}

static inline const char *tc_event(struct tc_track *t, const json_t *e, struct tc_seen *seen)
{
    const char *wrong;

    seen->events++;
    switch (tc_string(e, "ph")[0]) {
    case 'B':
        wrong = tc_in_order(t, e);
        return wrong ? wrong : tc_begin(t, e, seen);
    case 'E':
        wrong = tc_in_order(t, e);
        return wrong ? wrong : tc_end(t, e);
    case 'X':
        return tc_slice(t, e, seen);
    case 'i':
        seen->instants++;
        tc_last_words(e, seen);
        return NULL;
    case 'C':
        return tc_counters(e, seen);
    case 's':
    case 'f':
        seen->arrows += tc_string(e, "ph")[0] == 'f' && !t->kernels;
        if (tc_number(e, "ts") != t->slice_from)
            return TC_WRONG("an arrow at %.3f has no slice", tc_number(e, "ts"));
        return NULL;
    case 'M':
        return tc_named(t, e);
    }
    return TC_WRONG("'%s' is no kind of event that we write", tc_string(e, "ph"));
}

/* ---- arrows ---- */

static inline int tc_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How many arrows that arrive have left somewhere. */
static inline unsigned long tc_joined(const json_t *events)
{
    const char **id = calloc(TC_FLOWS_MAX, sizeof(*id));
    unsigned long joined = 0;
    size_t n = 0, i;
    json_t *e;

    json_array_foreach(events, i, e)
    {
        if (tc_string(e, "ph")[0] == 's' && id && n < TC_FLOWS_MAX)
            id[n++] = tc_string(e, "id");
    }
    if (!id)
        return 0;
    qsort(id, n, sizeof(*id), tc_compare);
    json_array_foreach(events, i, e)
    {
        const char *want = tc_string(e, "id");

        joined += tc_string(e, "ph")[0] == 'f' && bsearch(&want, id, n, sizeof(*id), tc_compare);
    }
    free(id);
    return joined;
}

/* Look at all events. NULL, or what is wrong with the first that is. */
static inline const char *tc_wrong(const json_t *events, struct tc_seen *seen)
{
    const char *wrong = NULL;
    size_t i;
    json_t *e;

    *seen = (struct tc_seen){.lost = -1, .said = -1};
    tc_tracks = 0;
    memset(tc_track, 0, sizeof(tc_track));
    json_array_foreach(events, i, e)
    {
        struct tc_track *t = tc_track_of(e);

        if (!t)
            return TC_WRONG("two processes have a track %.0f", tc_number(e, "tid"));
        if (!json_is_integer(json_object_get(e, "pid")) ||
            !json_is_number(json_object_get(e, "ts")))
            return TC_WRONG("event %zu has no process or no time", i);
        wrong = tc_event(t, e, seen);
        if (wrong)
            return wrong;
    }
    for (unsigned k = 0; k < TC_TRACKS_MAX; k++)
        seen->open += tc_track[k].depth;
    seen->joined = tc_joined(events);
    return NULL;
}

#endif
