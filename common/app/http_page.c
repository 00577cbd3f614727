/*
 * What the status page says. The table of connections takes the room that everything else leaves,
 * so that a node with many connections still tells its counters. On the page for people it comes
 * first all the same: the counters are written, measured, and written again behind it.
 */
#include <inttypes.h>

#include "app/http.h"
#include "base/time.h"
#include "stack/status.h"

/* A duration for people, in milliseconds with three digits behind the point. */
#define MS_FORMAT   "%" PRId64 ".%03" PRId64
#define MS_ARGS(ns) (ns) / MSEC, (ns) % MSEC / USEC
/* The same in seconds, with one digit. */
#define S_FORMAT    "%" PRId64 ".%" PRId64
#define S_ARGS(ns)  (ns) / SEC, (ns) % SEC / (SEC / 10)

/* `behind`: bytes that must have room behind the table, besides its end. */
static bool room_for_row(const struct text *t, size_t behind)
{
    return text_room(t) > STATUS_ROW_MAX + HTTP_TABLE_TAIL + behind;
}

static void html_totals(struct text *t, const struct stack *st)
{
    const struct stack_totals *n = stack_totals(st);

    text_add(t,
             "<p>%" PRIu64 " packets in (%" PRIu64 " bytes), %" PRIu64 " packets out (%" PRIu64
             " bytes); %" PRIu64 " connections opened, %" PRIu64 " accepted, %" PRIu32
             " now, %" PRIu32 " at most.</p>\n",
             n->packets_in, n->bytes_in, n->packets_out, n->bytes_out, n->opened, n->accepted,
             n->conns, n->conns_peak);
}

static void html_counters(struct text *t, const struct stack *st)
{
    text_add(t, "<h2>Counters</h2>\n<div><table>\n<tr><th>count<th>reason<th>meaning<th>source\n");
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++) {
        const struct reason_text *why = reason_text((enum reason)r);
        uint64_t n = stack_count(st, (enum reason)r);

        if (n)
            text_add(t, "<tr><td class=n>%" PRIu64 "<td>%s<td>%s<td>%s\n", n, why->name,
                     why->sentence, why->source);
    }
    text_add(t, "</table></div>\n");
}

static void html_row(struct text *t, const struct stack_conn_status *c)
{
    char local[ADDR_PORT_TEXT_MAX], remote[ADDR_PORT_TEXT_MAX];

    text_add(t,
             "<tr><td>%s<td>%s<td>%s<td class=n>%" PRIu64 "<td class=n>%" PRIu64
             "<td class=n>%" PRIu32 "<td class=n>" MS_FORMAT "<td class=n>" S_FORMAT "\n",
             addr_port_format(&c->local, c->local_port, local),
             addr_port_format(&c->remote, c->remote_port, remote), tcp_state_name(c->state),
             c->bytes_received, c->bytes_acked, c->retransmits, MS_ARGS(c->srtt), S_ARGS(c->age));
}

/* `behind` as for room_for_row. */
static void html_conns(struct text *t, const struct stack *st, size_t behind)
{
    struct stack_conn_status c;
    uint32_t cursor = 0, shown = 0, all = stack_totals(st)->conns;

    text_add(t, "<h2>Connections</h2>\n<div><table>\n<tr><th>local<th>remote<th>state<th>bytes in"
                "<th>bytes out<th>retransmits<th>srtt, ms<th>age, s\n");
    while (room_for_row(t, behind) && stack_next_conn(st, &cursor, &c)) {
        html_row(t, &c);
        shown++;
    }
    text_add(t, "</table></div>\n");
    if (shown < all)
        text_add(t, "<p>and %" PRIu32 " more</p>\n", all - shown);
}

void http_page_html(struct text *t, const char *node, const struct stack *st)
{
    struct text before;

    text_add(t,
             "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
             "<meta name=viewport content=\"width=device-width\"><title>%s</title>\n"
             "<style>body{font:14px "
             "sans-serif;margin:1em}div{overflow-x:auto}table{border-collapse:collapse}"
             "td,th{border:1px solid #ccc;padding:2px 8px;text-align:left}.n{text-align:right}"
             "</style></head>\n<body>\n<h1>%s</h1>\n",
             node, node);
    html_totals(t, st);
    before = *t;
    html_counters(t, st);
    html_conns(&before, st, t->len - before.len);
    *t = before;
    html_counters(t, st);
    text_add(t, "</body></html>\n");
}

void http_page_json(struct text *t, const char *node, const struct stack *st)
{
    struct stack_conn_status c;
    uint32_t cursor = 0, shown = 0;

    text_add(t, "{\"node\":\"%s\",\"totals\":", node);
    status_json_totals(t, st);
    text_add(t, ",\"counters\":");
    status_json_counters(t, st);
    text_add(t, ",\"connections\":[");
    while (room_for_row(t, 0) && stack_next_conn(st, &cursor, &c)) {
        text_add(t, "%s", shown ? "," : "");
        status_json(t, &c);
        shown++;
    }
    text_add(t, "],\"left_out\":%" PRIu32 "}\n", stack_totals(st)->conns - shown);
}
