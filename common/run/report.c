#include "run/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "run/offload.h"

enum {
    READY_MAX = 512,       /* bytes of the services' ports and names in a line */
    READY_ADDRS = 4,       /* of a node's addresses that are named there */
    REPORT_TEXT = 1024,    /* bytes of a line without the program's name */
    REPORT_MUCH = 1 << 20, /* bytes from which on it is of interest how fast they went */
};

const char *report_duration(int64_t ns, char out[REPORT_DURATION])
{
    double ms = (double)ns / (double)MSEC;

    if (ns >= SEC)
        snprintf(out, REPORT_DURATION, "%.2f s", ms / 1000);
    else
        snprintf(out, REPORT_DURATION, ns >= 10 * MSEC ? "%.1f ms" : "%.2f ms", ms);
    return out;
}

const char *report_rate(uint64_t bytes, int64_t ns, char out[REPORT_RATE])
{
    static const char prefix[] = {'k', 'M', 'G'};
    double rate = (double)bytes * 8 / 1000 / ((double)time_max(ns, 1) / (double)SEC);
    unsigned i = 0;

    for (; rate >= 1000 && i + 1 < sizeof(prefix); i++)
        rate /= 1000;
    out[0] = '\0';
    if (bytes >= REPORT_MUCH)
        snprintf(out, REPORT_RATE, " (%.3g %cbit/s)", rate, prefix[i]);
    return out;
}

/* ---- Lines ---- */

static pthread_mutex_t talking = PTHREAD_MUTEX_INITIALIZER; /* a node may be several threads */

/* What is said, whole and at once. */
static void put(const struct report *r, const char *text, size_t n)
{
    pthread_mutex_lock(&talking);
    outlet_put(r->out, text, n);
    outlet_flush(r->out);
    pthread_mutex_unlock(&talking);
}

bool report_flush(struct outlet *out)
{
    bool pending;

    pthread_mutex_lock(&talking);
    outlet_flush(out);
    pending = outlet_pending(out);
    pthread_mutex_unlock(&talking);
    return pending;
}

static void put_line(const struct report *r, const char *text)
{
    char line[REPORT_TEXT + 64];
    int n = snprintf(line, sizeof(line), "%s: %s\n", r->program, text);

    put(r, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

void report_line(const struct report *r, const char *format, ...)
{
    char text[REPORT_TEXT];
    va_list ap;

    if (r->json || r->quiet)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    put_line(r, text);
}

/* ---- JSON ---- */

/* Begin an object of this event. */
static json_t *object(const struct report *r, const char *event)
{
    return json_pack("{s:s, s:s}", "event", event, "program", r->program);
}

static void add_int(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key, json_integer((json_int_t)v));
}

static void add_text(json_t *o, const char *key, const char *v)
{
    json_object_set_new(o, key, json_string(v));
}

static void add_addr(json_t *o, const char *key, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];

    add_text(o, key, addr_format(a, text));
}

static void add_ms(json_t *o, const char *key, int64_t ns)
{
    json_object_set_new(o, key, json_real((double)ns / (double)MSEC));
}

/* Print the object on a line of its own and drop it. */
static void print(const struct report *r, json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
    size_t len = text ? strlen(text) : 0;

    if (text) {
        text[len] = '\n'; /* in the place of the final zero */
        put(r, text, len + 1);
    }
    free(text);
    json_decref(o);
}

void report_error(const struct report *r, const char *format, ...)
{
    char text[REPORT_TEXT];
    va_list ap;
    json_t *o;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (!r->json) {
        put_line(r, text);
        return;
    }
    o = object(r, "error");
    add_text(o, "text", text);
    print(r, o);
}

static void add_conn(json_t *o, const struct stack_conn_status *c)
{
    add_addr(o, "local", &c->local);
    add_int(o, "local_port", c->local_port);
    add_addr(o, "remote", &c->remote);
    add_int(o, "remote_port", c->remote_port);
}

/* ---- Events ---- */

static void ready_line(const struct report *r, const struct cidr_list *at, const char *tun,
                       const struct report_service *service, unsigned n)
{
    char node[READY_ADDRS * (ADDR_TEXT_MAX + 2) + 16], list[READY_MAX], text[ADDR_TEXT_MAX];
    struct text t;

    text_init(&t, node, sizeof(node));
    for (unsigned i = 0; i < at->n && i < READY_ADDRS; i++)
        text_add(&t, "%s%s", i ? ", " : "", addr_format(&at->at[i].addr, text));
    if (at->n > READY_ADDRS)
        text_add(&t, " and %u more", at->n - READY_ADDRS);
    text_init(&t, list, sizeof(list));
    for (unsigned i = 0; i < n; i++)
        text_add(&t, "%s %u%s %s", i ? "," : "", (unsigned)service[i].port,
                 service[i].udp ? "/udp" : "", service[i].name);
    report_line(r, "%s ready on %s:%s", node, tun, list);
}

void report_ready(const struct report *r, const struct cidr_list *at, const char *tun,
                  const struct report_service *service, unsigned n)
{
    char offload[OFFLOAD_TEXT], text[ADDR_TEXT_MAX];
    json_t *o, *list;

    if (!r->json) {
        if (n > 0)
            ready_line(r, at, tun, service, n);
        return;
    }
    o = object(r, "ready");
    add_addr(o, "node", &at->at[0].addr);
    list = json_array();
    for (unsigned i = 0; i < at->n; i++)
        json_array_append_new(list, json_string(addr_format(&at->at[i].addr, text)));
    json_object_set_new(o, "addresses", list);
    add_text(o, "tun", tun);
    add_text(o, "offload", offload_text(r->offload, offload));
    list = json_array();
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "name", service[i].name, "port",
                                              (int)service[i].port, "protocol",
                                              service[i].udp ? "udp" : "tcp"));
    json_object_set_new(o, "services", list);
    print(r, o);
}

void report_connected(const struct report *r, const struct stack_conn_status *c, int64_t took)
{
    char local[ADDR_PORT_TEXT_MAX], remote[ADDR_PORT_TEXT_MAX], time[REPORT_DURATION];
    json_t *o;

    if (!r->json) {
        report_line(r, "connected to %s from %s in %s",
                    addr_port_format(&c->remote, c->remote_port, remote),
                    addr_port_format(&c->local, c->local_port, local), report_duration(took, time));
        return;
    }
    o = object(r, "connected");
    add_conn(o, c);
    add_ms(o, "took_ms", took);
    print(r, o);
}

void report_accepted(const struct report *r, const struct stack_conn_status *c)
{
    char remote[ADDR_PORT_TEXT_MAX];
    json_t *o;

    if (!r->json) {
        report_line(r, "%s connected to port %u",
                    addr_port_format(&c->remote, c->remote_port, remote), (unsigned)c->local_port);
        return;
    }
    o = object(r, "connected");
    add_conn(o, c);
    print(r, o);
}

void report_on_the_way(const struct report *r, const struct stack_conn_status *c,
                       const struct stack_event *ev)
{
    bool urgent = ev->kind == EV_URGENT;
    char remote[ADDR_PORT_TEXT_MAX];
    json_t *o;

    addr_port_format(&c->remote, c->remote_port, remote);
    if (!r->json && urgent) {
        report_line(r, "%s: urgent data, up to %" PRIu32 " byte%s from here", remote,
                    c->receive_urgent, report_s(c->receive_urgent));
        return;
    }
    if (!r->json) {
        report_line(r, "%s: %s", remote, reason_text(ev->why)->sentence);
        return;
    }
    o = object(r, urgent ? "urgent" : "trouble");
    add_conn(o, c);
    if (urgent)
        add_int(o, "bytes", c->receive_urgent);
    else
        add_text(o, "why", reason_text(ev->why)->name);
    print(r, o);
}

static void closed_line(const struct report *r, const struct stack_conn_status *c, enum reason why)
{
    char local[ADDR_PORT_TEXT_MAX], remote[ADDR_PORT_TEXT_MAX];
    char age[REPORT_DURATION], srtt[REPORT_DURATION], rate[REPORT_RATE];

    report_line(r,
                "%s - %s: %s; sent %" PRIu64 " byte%s, received %" PRIu64
                " byte%s in %s%s, %" PRIu32 " retransmit%s, srtt %s",
                addr_port_format(&c->local, c->local_port, local),
                addr_port_format(&c->remote, c->remote_port, remote), reason_text(why)->sentence,
                c->bytes_acked, report_s(c->bytes_acked), c->bytes_received,
                report_s(c->bytes_received), report_duration(c->age, age),
                report_rate(c->bytes_acked + c->bytes_received, c->age, rate), c->retransmits,
                report_s(c->retransmits), report_duration(c->srtt, srtt));
}

void report_closed(const struct report *r, const struct stack_conn_status *c, enum reason why)
{
    json_t *o;

    if (!r->json) {
        closed_line(r, c, why);
        return;
    }
    o = object(r, "closed");
    add_conn(o, c);
    add_text(o, "why", reason_text(why)->name);
    add_int(o, "bytes_sent", c->bytes_sent);
    add_int(o, "bytes_acked", c->bytes_acked);
    add_int(o, "bytes_received", c->bytes_received);
    add_int(o, "segments_out", c->segs_out);
    add_int(o, "segments_in", c->segs_in);
    add_int(o, "retransmits", c->retransmits);
    add_ms(o, "duration_ms", c->age);
    add_ms(o, "srtt_ms", c->srtt);
    print(r, o);
}

void report_found(const struct report *r, const char *event, const struct addr *remote,
                  const struct report_value *v, unsigned n)
{
    json_t *o;

    if (!r->json)
        return;
    o = object(r, event);
    add_addr(o, "remote", remote);
    for (unsigned i = 0; i < n; i++) {
        if (v[i].text)
            add_text(o, v[i].key, v[i].text);
        else if (v[i].is_ms)
            add_ms(o, v[i].key, v[i].ns);
        else
            add_int(o, v[i].key, v[i].number);
    }
    print(r, o);
}

void report_impaired(const struct report *r, const char *way, uint64_t packets,
                     const uint64_t *count)
{
    char line[REPORT_TEXT];
    struct text t;
    json_t *o = object(r, "impaired"), *reasons = json_object();

    text_init(&t, line, sizeof(line));
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        if (count[i] == 0)
            continue;
        text_add(&t, ", %" PRIu64 " %s", count[i], reason_text((enum reason)i)->name);
        add_int(reasons, reason_text((enum reason)i)->name, count[i]);
    }
    report_line(r, "impaired, %s: %" PRIu64 " packet%s%s", way, packets, report_s(packets), line);
    add_text(o, "direction", way);
    add_int(o, "packets", packets);
    json_object_set_new(o, "counters", reasons);
    if (r->json)
        print(r, o);
    else
        json_decref(o);
}

/* ---- Summary ---- */

static void summary_lines(const struct report *r, const struct stack *st)
{
    const struct stack_totals *n = stack_totals(st);

    report_line(r,
                "%" PRIu64 " packet%s in, %" PRIu64 " out; %" PRIu64
                " connection%s opened, %" PRIu64 " accepted",
                n->packets_in, report_s(n->packets_in), n->packets_out, n->opened,
                report_s(n->opened), n->accepted);
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        const struct reason_text *why = reason_text((enum reason)i);
        uint64_t count = stack_count(st, (enum reason)i);

        if (count && why->kind == REASON_KIND_DROP)
            report_line(r, "%s %" PRIu64 ": %s", why->name, count, why->sentence);
    }
}

void report_summary(const struct report *r, const struct stack *st, const char *tun, int exit_code)
{
    const struct stack_totals *n = stack_totals(st);
    json_t *o, *counters;

    if (!r->json) {
        if (r->verbose)
            summary_lines(r, st);
        return;
    }
    o = object(r, "summary");
    add_text(o, "tun", tun);
    add_int(o, "exit", (uint64_t)exit_code);
    add_int(o, "packets_in", n->packets_in);
    add_int(o, "bytes_in", n->bytes_in);
    add_int(o, "packets_out", n->packets_out);
    add_int(o, "bytes_out", n->bytes_out);
    add_int(o, "bytes_copied", stack_copied(st));
    add_int(o, "opened", n->opened);
    add_int(o, "accepted", n->accepted);
    add_int(o, "connections_peak", n->conns_peak);
    counters = json_object();
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        uint64_t count = stack_count(st, (enum reason)i);

        if (count)
            add_int(counters, reason_text((enum reason)i)->name, count);
    }
    json_object_set_new(o, "counters", counters);
    print(r, o);
}
