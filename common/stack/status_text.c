/*
 * How a status is written; the table is status.def, the values come from status.c.
 *
 * Numbers are written by hand from integers: the core has no floating point.
 */
#include <inttypes.h>
#include <string.h>

#include "base/time.h"
#include "stack/status.h"

enum {
    ITEM_MAX = 96,     /* bytes of one value with what stands around it */
    NUMBER_MAX = 32,   /* bytes of a number */
    INDENT = 4,        /* columns before the second and further lines */
    COLUMN_STATE = 12, /* of the first line */
    COLUMN_QUEUE = 8,
    COLUMN_END = 22,
};

static const struct status_field fields[] = {
#define STATUS(name, before, after, field, kind, when, unit, sentence)                             \
    {                                                                                              \
        #name,         before,        after,                                                       \
        STATUS_##kind, STATUS_##when, offsetof(struct stack_conn_status, field),                   \
        unit,          sentence},
#include "stack/status.def"
#undef STATUS
};

enum {
    FIELDS = sizeof(fields) / sizeof(fields[0]),
};

const struct status_field *status_field(unsigned i)
{
    return i < FIELDS ? &fields[i] : NULL;
}

/* ---- One value ---- */

static const void *member(const struct status_field *f, const struct stack_conn_status *c)
{
    return (const char *)c + f->offset;
}

/* A value of a kind that is a whole number. */
static uint64_t whole(const struct status_field *f, const struct stack_conn_status *c)
{
    const void *p = member(f, c);

    switch (f->kind) {
    case STATUS_FLAG:
        return *(const bool *)p;
    case STATUS_U8:
        return *(const uint8_t *)p;
    case STATUS_U16:
    case STATUS_GAIN:
        return *(const uint16_t *)p;
    case STATUS_U32:
        return *(const uint32_t *)p;
    case STATUS_U64:
    case STATUS_RATE:
        return *(const uint64_t *)p;
    case STATUS_MS:
        return (uint64_t) * (const int64_t *)p;
    case STATUS_WORD:
        return *(const char *const *)p != NULL;
    case STATUS_REASON:
        return (uint64_t) * (const enum reason *)p;
    case STATUS_STATE:
    case STATUS_ADDR:
        break;
    }
    return 1;
}

/* "12.34": n thousandths, without zeros at the end. */
static void add_thousandths(struct text *t, uint64_t n)
{
    static const struct {
        uint64_t unit;
        int digits;
    } places[] = {{1000, 0}, {100, 1}, {10, 2}, {1, 3}};
    unsigned i = 0;

    while (n % places[i].unit)
        i++;
    text_add(t, "%" PRIu64, n / 1000);
    if (places[i].digits)
        text_add(t, ".%0*" PRIu64, places[i].digits, n % 1000 / places[i].unit);
}

/* "950", "1.2K", "23.4G": for people. */
static void add_scaled(struct text *t, uint64_t n)
{
    static const char units[] = {'K', 'M', 'G', 'T'};
    unsigned i = 0;

    if (n < 1000) {
        text_add(t, "%" PRIu64, n);
        return;
    }
    while (n >= 1000000 && i + 1 < sizeof(units)) {
        n /= 1000;
        i++;
    }
    text_add(t, "%" PRIu64 ".%" PRIu64 "%c", n / 1000, n % 1000 / 100, units[i]);
}

/* A value of a kind that is a word, or NULL. */
static const char *word(const struct status_field *f, const struct stack_conn_status *c)
{
    if (f->kind == STATUS_REASON)
        return whole(f, c) ? reason_text((enum reason)whole(f, c))->name : NULL;
    return *(const char *const *)member(f, c);
}

static void add_addr(struct text *t, const struct status_field *f,
                     const struct stack_conn_status *c)
{
    char out[ADDR_TEXT_MAX];

    text_add(t, "%s", addr_format(member(f, c), out));
}

static const char *state_name(const struct status_field *f, const struct stack_conn_status *c)
{
    return tcp_state_name(*(const enum tcp_state *)member(f, c));
}

/* ---- Text ---- */

/* The value alone, as people read it. */
static void add_value(struct text *t, const struct status_field *f,
                      const struct stack_conn_status *c)
{
    switch (f->kind) {
    case STATUS_STATE:
        text_add(t, "%s", state_name(f, c));
        break;
    case STATUS_ADDR:
        add_addr(t, f, c);
        break;
    case STATUS_FLAG:
        break; /* what stands before it says it all */
    case STATUS_REASON:
    case STATUS_WORD:
        text_add(t, "%s", word(f, c) ? word(f, c) : "-");
        break;
    case STATUS_U8:
    case STATUS_U16:
    case STATUS_U32:
    case STATUS_U64:
        text_add(t, "%" PRIu64, whole(f, c));
        break;
    case STATUS_MS:
        add_thousandths(t, whole(f, c) / (uint64_t)USEC);
        break;
    case STATUS_RATE:
        add_scaled(t, whole(f, c));
        break;
    case STATUS_GAIN:
        add_thousandths(t, whole(f, c) * 10);
        break;
    }
}

/* Is this row the first of an item of the lower lines that is shown? */
static bool shown(const struct status_field *f, const struct stack_conn_status *c)
{
    return f->before && f->when != STATUS_WITH && (f->when == STATUS_ALWAYS || whole(f, c) > 0);
}

/* One item: row i, and those behind it that go with it. */
static void compose(struct text *t, unsigned i, const struct stack_conn_status *c)
{
    do {
        text_add(t, "%s", fields[i].before);
        add_value(t, &fields[i], c);
        text_add(t, "%s", fields[i].after);
    } while (++i < FIELDS && fields[i].when == STATUS_WITH);
}

void status_text_heading(struct text *t)
{
    text_add(t, "%-*s%*s%*s%*s%*s\n", COLUMN_STATE, "State", COLUMN_QUEUE, "Recv-Q", COLUMN_QUEUE,
             "Send-Q", COLUMN_END, "Local:Port", COLUMN_END, "Remote:Port");
}

static void add_end(struct text *t, const struct addr *a, uint16_t port)
{
    char end[ADDR_PORT_TEXT_MAX];

    text_add(t, "%*s", COLUMN_END, addr_port_format(a, port, end));
}

void status_text(struct text *t, const struct stack_conn_status *c)
{
    size_t column = STATUS_WIDTH; /* the first item begins a line */
    char out[ITEM_MAX];
    struct text item;

    text_add(t, "%-*s%*" PRIu32 "%*" PRIu32, COLUMN_STATE, tcp_state_name(c->state), COLUMN_QUEUE,
             c->receive_queued, COLUMN_QUEUE, c->send_queued);
    add_end(t, &c->local, c->local_port);
    add_end(t, &c->remote, c->remote_port);
    for (unsigned i = 0; i < FIELDS; i++) {
        if (!shown(&fields[i], c))
            continue;
        text_init(&item, out, sizeof(out));
        compose(&item, i, c);
        if (column + 1 + item.len > STATUS_WIDTH) {
            text_add(t, "\n%*s%s", INDENT, "", out);
            column = INDENT + item.len;
        } else {
            text_add(t, " %s", out);
            column += 1 + item.len;
        }
    }
    text_add(t, "\n");
}

/* ---- JSON ---- */

static void json_value(struct text *t, const struct status_field *f,
                       const struct stack_conn_status *c)
{
    switch (f->kind) {
    case STATUS_STATE:
        text_add(t, "\"%s\"", state_name(f, c));
        break;
    case STATUS_ADDR:
        text_add(t, "\"");
        add_addr(t, f, c);
        text_add(t, "\"");
        break;
    case STATUS_FLAG:
        text_add(t, "%s", whole(f, c) ? "true" : "false");
        break;
    case STATUS_REASON:
    case STATUS_WORD:
        if (word(f, c))
            text_add(t, "\"%s\"", word(f, c));
        else
            text_add(t, "null");
        break;
    case STATUS_U8:
    case STATUS_U16:
    case STATUS_U32:
    case STATUS_U64:
    case STATUS_RATE:
        text_add(t, "%" PRIu64, whole(f, c));
        break;
    case STATUS_MS:
        add_thousandths(t, whole(f, c) / (uint64_t)USEC);
        break;
    case STATUS_GAIN:
        add_thousandths(t, whole(f, c) * 10);
        break;
    }
}

void status_json(struct text *t, const struct stack_conn_status *c)
{
    for (unsigned i = 0; i < FIELDS; i++) {
        text_add(t, "%s\"%s\":", i ? "," : "{", fields[i].name);
        json_value(t, &fields[i], c);
    }
    text_add(t, "}");
}

void status_json_totals(struct text *t, const struct stack *st)
{
    const struct stack_totals *n = stack_totals(st);

    text_add(t,
             "{\"packets_in\":%" PRIu64 ",\"bytes_in\":%" PRIu64 ",\"packets_out\":%" PRIu64
             ",\"bytes_out\":%" PRIu64 ",\"bytes_copied\":%" PRIu64 ",\"opened\":%" PRIu64
             ",\"accepted\":%" PRIu64 ",\"connections\":%" PRIu32 ",\"connections_peak\":%" PRIu32
             "}",
             n->packets_in, n->bytes_in, n->packets_out, n->bytes_out, stack_copied(st), n->opened,
             n->accepted, n->conns, n->conns_peak);
}

void status_json_counters(struct text *t, const struct stack *st)
{
    const char *before = "";

    text_add(t, "{");
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++) {
        uint64_t n = stack_count(st, (enum reason)r);

        if (!n)
            continue;
        text_add(t, "%s\"%s\":%" PRIu64, before, reason_text((enum reason)r)->name, n);
        before = ",";
    }
    text_add(t, "}");
}
