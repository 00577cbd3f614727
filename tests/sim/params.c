/*
 * Every value of a scenario under a name: "calm_after", "A.nagle" of node A, "AB.delay" of the path
 * from A to B, "c3.open_at" of connection 3, "c3a.total" of its end at the opener and c3b of the
 * other. One table per kind of thing; the rest follows from it. Times are in ns.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/scenario.h"

struct param {
    const char *name;
    size_t off, size; /* in the struct; size in bytes */
    int64_t plain;
};

#define PARAM(type, field, name, plain)                                                            \
    {                                                                                              \
        name, offsetof(type, field), sizeof(((type *)0)->field), plain                             \
    }
#define OF_SCENARIO(field, plain) PARAM(struct scenario, field, #field, plain)
#define OF_NODE(field, plain)     PARAM(struct node_config, field, #field, plain)
#define OF_STACK(field, plain)    PARAM(struct node_config, stack.field, #field, plain)
#define OF_TCP(field, plain)      PARAM(struct node_config, stack.tcp.field, #field, plain)
#define OF_PATH(field, plain)     PARAM(struct path_config, field, #field, plain)
#define OF_CONN(field, plain)     PARAM(struct conn_plan, field, #field, plain)
#define OF_END(field, plain)      PARAM(struct end_plan, field, #field, plain)

static const struct param of_scenario[] = {
    OF_SCENARIO(vanish, 0),       OF_SCENARIO(vanish_at, 0),    OF_SCENARIO(strikes, 0),
    OF_SCENARIO(strike_gap, SEC), OF_SCENARIO(calm_after, SEC), OF_SCENARIO(wrap, 0),
    OF_SCENARIO(backlog, 64),     OF_SCENARIO(cut, 0),          OF_SCENARIO(listed, 0),
    OF_SCENARIO(v6, 0),
};

static const struct param of_node[] = {
    OF_STACK(mtu, 1500),
    OF_STACK(max_conns, CHECK_CONNS + 8),
    OF_STACK(max_chunks, 16384),
    OF_STACK(max_fragmented, PIECES_WAITING),
    OF_STACK(path_mtu_age, 600 * SEC),
    OF_STACK(leave_checksum, 0),
    OF_STACK(super4, 0),
    OF_STACK(super6, 0),
    OF_TCP(snd_buf, 65536),
    OF_TCP(snd_buf_max, 0),
    OF_TCP(rcv_buf, 65536),
    OF_TCP(rcv_buf_max, 0),
    OF_TCP(wscale, 1),
    OF_TCP(timestamps, 1),
    OF_TCP(sack, 1),
    OF_TCP(dsack, 1),
    OF_TCP(rack, 1),
    OF_TCP(tlp, 1),
    OF_TCP(prr, 1),
    OF_TCP(frto, 1),
    OF_TCP(undo, 1),
    OF_TCP(limited_transmit, 1),
    OF_TCP(hystart, 1),
    OF_TCP(pacing, 1),
    OF_TCP(cwv, 1),
    OF_TCP(plpmtud, 1),
    OF_TCP(ecn, 0),
    OF_TCP(syn_cookies, 1),
    OF_TCP(syn_queue, 64),
    OF_TCP(conn.nagle, 1),
    OF_TCP(conn.soft_errors, 1),
    OF_TCP(conn.keepalive, 0),
    OF_TCP(conn.keepalive_octet, 0),
    OF_TCP(conn.keepalive_ns, 7200 * SEC),
    OF_TCP(conn.keepalive_interval_ns, 75 * SEC),
    OF_TCP(conn.keepalive_max, 9),
    OF_TCP(conn.dscp, 0),
    OF_TCP(conn.ttl, 0),
    OF_TCP(conn.linger_ns, TIME_NEVER),
    OF_TCP(delayed_ack, 1),
    OF_TCP(msl_ns, 30 * SEC),
    OF_NODE(cc, 0),
    OF_NODE(grain, 0),
    OF_NODE(batch, 64),
    OF_NODE(lend, 1),
    OF_NODE(join, 0),
};

static const struct param of_path[] = {
    OF_PATH(delay, 10 * MSEC),
    OF_PATH(jitter, 0),
    OF_PATH(in_order, 1),
    OF_PATH(loss, 0),
    OF_PATH(duplicate, 0),
    OF_PATH(reorder, 0),
    OF_PATH(corrupt, 0),
    OF_PATH(burst_enter, 0),
    OF_PATH(burst_leave, 0),
    OF_PATH(burst_loss, 0),
    OF_PATH(reorder_by, 1),
    OF_PATH(rate, 0),
    OF_PATH(queue, 0),
    OF_PATH(mark, 0),
    OF_PATH(mark_bytes, 0),
    OF_PATH(down_from, 0),
    OF_PATH(down_until, 0),
    OF_PATH(mtu, 0),
    OF_PATH(narrow_from, 0),
    OF_PATH(narrow_until, 0),
    OF_PATH(mute, 0),
    PARAM(struct path_config, mask[0].kind, "mask_kind", 0),
    PARAM(struct path_config, mask[0].first, "mask_first", 0),
    PARAM(struct path_config, mask[0].last, "mask_last", 0),
    PARAM(struct path_config, mask[1].kind, "mask2_kind", 0),
    PARAM(struct path_config, mask[1].first, "mask2_first", 0),
    PARAM(struct path_config, mask[1].last, "mask2_last", 0),
};

static const struct param of_conn[] = {
    OF_CONN(on, 0),
    OF_CONN(both_open, 0),
    OF_CONN(open_at, 0),
};

static const struct param of_end[] = {
    OF_END(total, 0),         OF_END(write_max, 1460), OF_END(read_max, 65536),
    OF_END(pause, 0),         OF_END(pause_max, MSEC), OF_END(read_after, 0),
    OF_END(close_delay, 0),   OF_END(wait_for_eof, 0), OF_END(release, 0),
    OF_END(early, 0),         OF_END(urgent, 0),       OF_END(fiddle, 0),
    OF_END(quit, QUIT_NEVER), OF_END(quit_after, 0),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Where value i lies. */
struct place {
    char prefix[16];
    const struct param *p;
    size_t off; /* of the struct that p belongs to, in struct scenario */
};

static size_t pairs(const struct scenario *sc)
{
    return (size_t)sc->nodes * (sc->nodes - 1);
}

enum {
    PER_CONN = COUNT(of_conn) + 2 * COUNT(of_end),
};

size_t params_count(const struct scenario *sc)
{
    return COUNT(of_scenario) + sc->nodes * COUNT(of_node) + pairs(sc) * COUNT(of_path) +
           sc->conns * PER_CONN;
}

static struct place place_of_path(const struct scenario *sc, size_t i)
{
    size_t pair = i / COUNT(of_path), from = pair / (sc->nodes - 1), to = pair % (sc->nodes - 1);
    struct place at = {.p = &of_path[i % COUNT(of_path)]};

    to += to >= from;
    at.off = offsetof(struct scenario, path) + (from * NET_NODES + to) * sizeof(struct path_config);
    snprintf(at.prefix, sizeof(at.prefix), "%c%c.", (int)('A' + from), (int)('A' + to));
    return at;
}

static struct place place_of_conn(size_t i)
{
    size_t conn = i / PER_CONN, field = i % PER_CONN;
    struct place at = {.off = offsetof(struct scenario, conn) + conn * sizeof(struct conn_plan)};

    if (field < COUNT(of_conn)) {
        at.p = &of_conn[field];
        snprintf(at.prefix, sizeof(at.prefix), "c%u.", (unsigned)conn);
        return at;
    }
    field -= COUNT(of_conn);
    at.p = &of_end[field % COUNT(of_end)];
    at.off += offsetof(struct conn_plan, end) + field / COUNT(of_end) * sizeof(struct end_plan);
    snprintf(at.prefix, sizeof(at.prefix), "c%u%c.", (unsigned)conn,
             field / COUNT(of_end) ? 'b' : 'a');
    return at;
}

static struct place place_of(const struct scenario *sc, size_t i)
{
    struct place at = {.off = 0};

    if (i < COUNT(of_scenario)) {
        at.p = &of_scenario[i];
        return at;
    }
    i -= COUNT(of_scenario);
    if (i < sc->nodes * COUNT(of_node)) {
        at.p = &of_node[i % COUNT(of_node)];
        at.off = offsetof(struct scenario, node) + i / COUNT(of_node) * sizeof(struct node_config);
        snprintf(at.prefix, sizeof(at.prefix), "%c.", (int)('A' + i / COUNT(of_node)));
        return at;
    }
    i -= sc->nodes * COUNT(of_node);
    if (i < pairs(sc) * COUNT(of_path))
        return place_of_path(sc, i);
    return place_of_conn(i - pairs(sc) * COUNT(of_path));
}

/* Values are unsigned or not negative, so that widening needs no sign. */
int64_t params_get(const struct scenario *sc, size_t i)
{
    struct place at = place_of(sc, i);
    const char *from = (const char *)sc + at.off + at.p->off;
    uint8_t v8;
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;

    switch (at.p->size) {
    case 1:
        memcpy(&v8, from, 1);
        return v8;
    case 2:
        memcpy(&v16, from, 2);
        return v16;
    case 4:
        memcpy(&v32, from, 4);
        return v32;
    default:
        memcpy(&v64, from, 8);
        return (int64_t)v64;
    }
}

void params_set(struct scenario *sc, size_t i, int64_t value)
{
    struct place at = place_of(sc, i);
    char *to = (char *)sc + at.off + at.p->off;
    uint8_t v8 = (uint8_t)value;
    uint16_t v16 = (uint16_t)value;
    uint32_t v32 = (uint32_t)value;

    switch (at.p->size) {
    case 1:
        memcpy(to, &v8, 1);
        break;
    case 2:
        memcpy(to, &v16, 2);
        break;
    case 4:
        memcpy(to, &v32, 4);
        break;
    default:
        memcpy(to, &value, 8);
        break;
    }
}

int64_t params_plain(const struct scenario *sc, size_t i)
{
    return place_of(sc, i).p->plain;
}

void params_name(const struct scenario *sc, size_t i, char *out, size_t size)
{
    struct place at = place_of(sc, i);

    snprintf(out, size, "%s%s", at.prefix, at.p->name);
}

bool params_idle(const struct scenario *sc, size_t i)
{
    struct place at = place_of(sc, i);
    unsigned conn;

    if (strcmp(at.p->name, "on") == 0 || sscanf(at.prefix, "c%u", &conn) != 1)
        return at.p->off == offsetof(struct scenario, listed) && at.prefix[0] == '\0';
    return !sc->conn[conn].on;
}

/* ---- As text ---- */

static bool apply_value(struct scenario *sc, const char *word)
{
    char name[64];
    const char *eq = strchr(word, '=');
    char *end;
    int64_t v;

    if (!eq)
        return false;
    v = strtoll(eq + 1, &end, 10);
    if (end == eq + 1 || *end)
        return false;
    for (size_t i = 0; i < params_count(sc); i++) {
        params_name(sc, i, name, sizeof(name));
        if (strlen(name) == (size_t)(eq - word) && strncmp(name, word, strlen(name)) == 0) {
            params_set(sc, i, v);
            return true;
        }
    }
    return false;
}

/* "AB#12:lost", or after the colon some of over, mark, late=NS, again=NS, bit=N with commas between
 */
static bool apply_fault(struct faults *faults, char *word)
{
    struct fault f = {.fate = {.copies = 1}};
    char *colon = strchr(word, ':'), *save = NULL;
    unsigned number;

    if (!colon || sscanf(word + 2, "#%u:", &number) != 1)
        return false;
    f.from = (uint8_t)(word[0] - 'A');
    f.to = (uint8_t)(word[1] - 'A');
    if (f.from >= NET_NODES || f.to >= NET_NODES)
        return false;
    f.number = number;
    for (char *t = strtok_r(colon + 1, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
        if (strcmp(t, "lost") == 0)
            f.fate.copies = 0;
        else if (strcmp(t, "mark") == 0)
            f.fate.marked = true;
        else if (strcmp(t, "over") == 0)
            f.fate.overtaken = true;
        else if (sscanf(t, "late=%" SCNd64, &f.fate.late[0]) == 1)
            ;
        else if (sscanf(t, "again=%" SCNd64, &f.fate.late[1]) == 1)
            f.fate.copies = 2;
        else if (sscanf(t, "bit=%" SCNu32, &f.fate.bit) == 1)
            f.fate.corrupt = true;
        else
            return false;
    }
    faults_add(faults, &f);
    return true;
}

static void all_plain(struct scenario *sc)
{
    for (size_t i = 0; i < params_count(sc); i++)
        params_set(sc, i, params_plain(sc, i));
}

const char *params_apply(struct scenario *sc, struct faults *faults, const char *text)
{
    static char wrong[64];
    char *copy = strdup(text), *save = NULL;
    const char *bad = NULL;

    if (!copy)
        abort();
    for (char *w = strtok_r(copy, " ", &save); w && !bad; w = strtok_r(NULL, " ", &save)) {
        snprintf(wrong, sizeof(wrong), "%s", w);
        if (strcmp(w, "plain") == 0)
            all_plain(sc);
        else if (!(strlen(w) > 3 && w[2] == '#' ? apply_fault(faults, w) : apply_value(sc, w)))
            bad = wrong;
    }
    free(copy);
    return bad;
}

static void print_fault(const struct fault *f, char *out, size_t size)
{
    const struct fate *t = &f->fate;
    char late[40] = "", again[40] = "", bit[24] = "";

    if (t->late[0])
        snprintf(late, sizeof(late), "%slate=%" PRId64, t->overtaken ? "," : "", t->late[0]);
    if (t->copies == 2)
        snprintf(again, sizeof(again), ",again=%" PRId64, t->late[1]);
    if (t->corrupt)
        snprintf(bit, sizeof(bit), ",bit=%" PRIu32, t->bit);
    snprintf(out, size, "%c%c#%" PRIu32 ":%s%s%s%s%s", 'A' + f->from, 'A' + f->to, f->number,
             t->copies == 0 ? "lost"
             : t->overtaken ? "over"
                            : "",
             late, again, bit, t->marked ? ",mark" : "");
}

/* Write the values by which *sc differs from *base; returns the length. */
static size_t print_values(const struct scenario *sc, const struct scenario *base, char *out,
                           size_t size)
{
    char name[64];
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < params_count(sc) && at < size; i++) {
        if (params_get(sc, i) == params_get(base, i) ||
            (params_idle(sc, i) && i >= COUNT(of_scenario)))
            continue;
        params_name(sc, i, name, sizeof(name));
        at += (size_t)snprintf(out + at, size - at, " %s=%" PRId64, name, params_get(sc, i));
    }
    return at;
}

void params_print(const struct scenario *sc, const struct faults *faults, char *out, size_t size)
{
    static struct scenario base;
    size_t from_drawn, at;

    scenario_draw(sc->seed, &base);
    from_drawn = print_values(sc, &base, out, size);
    all_plain(&base);
    if (print_values(sc, &base, out, size) + strlen("plain") < from_drawn) {
        at = (size_t)snprintf(out, size, "plain");
    } else {
        scenario_draw(sc->seed, &base);
        at = 0;
    }
    at += print_values(sc, &base, out + at, size - at);
    for (size_t i = 0; i < faults->n && at < size; i++) {
        char word[160];
        print_fault(&faults->list[i], word, sizeof(word));
        at += (size_t)snprintf(out + at, size - at, " %s", word);
    }
}
