/*
 * A status as text and as JSON, both from one table (status.def), which docs/status.md explains.
 *
 * Text looks like a row of `ss -ti`: a line with state, queues and ends, then everything else as
 * name:value, wrapped for a terminal. JSON has one object for each connection with every value,
 * always, as plain numbers in the units of the table.
 */
#ifndef STACK_STATUS_H
#define STACK_STATUS_H

#include "base/text.h"
#include "stack/stack.h"

enum {
    STATUS_ROW_MAX = 2048, /* bytes of one connection, as text or as JSON, at most */
    STATUS_WIDTH = 79,     /* columns of the text */
};

enum status_kind {
    STATUS_STATE,  /* enum tcp_state */
    STATUS_ADDR,   /* struct addr */
    STATUS_FLAG,   /* bool; in text its name alone */
    STATUS_WORD,   /* const char *, or NULL: none */
    STATUS_REASON, /* enum reason, by its name */
    STATUS_U8,     /* uint8_t, and so on */
    STATUS_U16,
    STATUS_U32,
    STATUS_U64,
    STATUS_MS,   /* int64_t, ns: written in ms, with three digits behind the point */
    STATUS_RATE, /* uint64_t; in text with K, M or G */
    STATUS_GAIN, /* uint16_t, percent: written as a factor */
};

/* When text shows a value. */
enum status_when {
    STATUS_ALWAYS,
    STATUS_SET,  /* when it is not 0, false or NULL */
    STATUS_WITH, /* behind the one before it, if that is shown */
};

struct status_field {
    const char *name;   /* in JSON */
    const char *before; /* in text; NULL: it has its place in the first line */
    const char *after;
    enum status_kind kind;
    enum status_when when;
    size_t offset;        /* in struct stack_conn_status */
    const char *unit;     /* "" where it has none */
    const char *sentence; /* for people */
};

/* Row i of the table, or NULL behind its end. */
const struct status_field *status_field(unsigned i);

/* The heading above the first lines, and one connection. */
void status_text_heading(struct text *t);
void status_text(struct text *t, const struct stack_conn_status *c);

/* One connection as a JSON object. */
void status_json(struct text *t, const struct stack_conn_status *c);

/* The node's totals, and its counters that are not zero, by name, as a JSON object each. */
void status_json_totals(struct text *t, const struct stack *st);
void status_json_counters(struct text *t, const struct stack *st);

#endif
