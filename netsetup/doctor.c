/*
 * `netsetup doctor`: why do my packets vanish?
 *
 * It walks the way of a packet from node to node and back, and notes for each hop what is there.
 * The devices and the kernel's settings are looked at one by one; then one marked packet is sent
 * each way, and counters tell at which hop it was last seen, which finds what no list of settings
 * has: the rules of whoever else filters here. Each finding has a command that mends it.
 *
 * Nothing is changed by looking. What the packet needs (probe.c) is gone when the doctor is, also
 * if it is killed.
 */
#include "doctor.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

/* ---- notes ---- */

struct hop *exam_hop(struct exam *e, const char *name, const char *way)
{
    struct hop *h = &e->hop[e->hops < HOPS_MAX ? e->hops++ : HOPS_MAX - 1];

    memset(h, 0, sizeof(*h));
    snprintf(h->name, sizeof(h->name), "%s", name);
    snprintf(h->way, sizeof(h->way), "%s", way);
    return h;
}

void hop_ok(struct hop *h, const char *format, ...)
{
    va_list ap;

    h->verdict = HOP_OK;
    va_start(ap, format);
    vsnprintf(h->text, sizeof(h->text), format, ap);
    va_end(ap);
}

void hop_note(struct hop *h, const char *format, ...)
{
    va_list ap;

    h->verdict = HOP_NOTE;
    va_start(ap, format);
    vsnprintf(h->text, sizeof(h->text), format, ap);
    va_end(ap);
}

void hop_broken(struct hop *h, const char *format, ...)
{
    va_list ap;

    h->verdict = HOP_BROKEN;
    va_start(ap, format);
    vsnprintf(h->text, sizeof(h->text), format, ap);
    va_end(ap);
}

void hop_mend(struct hop *h, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(h->mend, sizeof(h->mend), format, ap);
    va_end(ap);
}

void hop_mend_up(const struct exam *e, struct hop *h)
{
    if (e->s->owner_chosen)
        hop_mend(h, "%s up --user %lld", say_self(), (long long)e->s->lab.owner);
    else
        hop_mend(h, "%s up", say_self());
}

bool exam_is_broken(const struct exam *e, const char *name, const char *way)
{
    for (unsigned i = 0; i < e->hops; i++)
        if (e->hop[i].verdict == HOP_BROKEN && strcmp(e->hop[i].name, name) == 0 &&
            strcmp(e->hop[i].way, way) == 0)
            return true;
    return false;
}

/* ---- the walk ---- */

static void examine(struct exam *e)
{
    const struct lab *lab = &e->s->lab;

    examine_devices(e);
    examine_rules(e);
    examine_forwarding(e);
    for (unsigned i = 1; i < lab->nodes; i++) {
        examine_way(e, 0, i);
        examine_way(e, i, 0);
    }
    examine_outside(e);
    examine_probes(e);
}

static unsigned broken(const struct exam *e)
{
    unsigned n = 0;

    for (unsigned i = 0; i < e->hops; i++)
        n += e->hop[i].verdict == HOP_BROKEN;
    return n;
}

static const char *verdict_text(enum verdict verdict)
{
    switch (verdict) {
    case HOP_OK:
        return "ok";
    case HOP_NOTE:
        return "note";
    case HOP_BROKEN:
        return "BROKEN";
    }
    return "";
}

/* Whether an earlier hop has that command, too. */
static bool is_said(const struct exam *e, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (strcmp(e->hop[k].mend, e->hop[i].mend) == 0)
            return true;
    return false;
}

static void print_json(const struct exam *e)
{
    json_t *hops = json_array(), *mend = json_array(), *root;

    for (unsigned i = 0; i < e->hops; i++) {
        const struct hop *h = &e->hop[i];

        json_array_append_new(hops, json_pack("{ss ss ss ss ss*}", "hop", h->name, "way", h->way,
                                              "verdict", verdict_text(h->verdict), "text", h->text,
                                              "mend", h->mend[0] ? h->mend : NULL));
        if (h->mend[0] && !is_said(e, i))
            json_array_append_new(mend, json_string(h->mend));
    }
    root = json_pack("{sb si so so}", "healthy", broken(e) == 0, "broken", (int)broken(e), "hops",
                     hops, "mend", mend);
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
}

static void print_text(const struct exam *e)
{
    for (unsigned i = 0; i < e->hops; i++) {
        const struct hop *h = &e->hop[i];

        printf("%-7s %-12s %-12s %s\n", verdict_text(h->verdict), h->name, h->way, h->text);
    }
    if (!broken(e)) {
        puts("healthy");
        return;
    }
    printf("not healthy: %u of %u hops; this mends %s:\n", broken(e), e->hops,
           broken(e) == 1 ? "it" : "them");
    for (unsigned i = 0; i < e->hops; i++)
        if (e->hop[i].mend[0] && !is_said(e, i))
            printf("  %s\n", e->hop[i].mend);
}

int command_doctor(struct setup *s)
{
    static struct exam exam;
    int code = need_privilege("doctor");

    if (!code)
        code = open_to_look(s);
    if (code)
        return code;
    exam.s = s;
    examine(&exam);
    if (s->json)
        print_json(&exam);
    else
        print_text(&exam);
    return broken(&exam) ? EXIT_FAILED : EXIT_DONE;
}
