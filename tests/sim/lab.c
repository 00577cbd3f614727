#include "tests/sim/lab.h"

#include <string.h>

#include "base/bytes.h"
#include "tcp/cc/cc.h"
#include "tcp/reasm.h"

enum {
    SEED = 1,             /* any: what is random here is the order of losses, and numbers */
    BUFFER_MIN = 1 << 18, /* bytes */
    BUFFER_MAX = REASM_CHUNKS_MAX * LAB_MSS, /* bytes: all of it may come out of order */
};

/* Buffers must not be what limits: four windows of all that fits into path and queue, because so
 * much is sent while what is lost twice is repaired. */
static uint32_t buffer_for(uint64_t rate, int64_t rtt, uint32_t queue)
{
    uint64_t bdp = rate * (uint64_t)rtt / (uint64_t)SEC;

    return max32(BUFFER_MIN, min32((uint32_t)(4 * (bdp + queue)), BUFFER_MAX));
}

void lab_init(struct lab *lab, uint64_t rate, int64_t rtt, uint32_t queue)
{
    struct scenario *sc = &lab->sc;

    memset(lab, 0, sizeof(*lab));
    lab->until = TIME_NEVER;
    lab->done_at = TIME_NEVER;
    scenario_draw(SEED, sc);
    sc->v6 = false;
    sc->name = "lab";
    sc->nodes = 2;
    sc->conns = 0;
    sc->shared = false;
    for (size_t i = 0; i < params_count(sc); i++)
        params_set(sc, i, params_plain(sc, i));
    for (unsigned i = 0; i < NET_NODES; i++) {
        sc->node[i] = sc->node[0];
        sc->node[i].stack.local[0] = addr_v4(0x0a000007U + i * 0xfeU);
        lab_tcp(lab, i)->snd_buf = lab_tcp(lab, i)->rcv_buf = buffer_for(rate, rtt, queue);
        for (unsigned j = 0; j < NET_NODES; j++) {
            sc->path[i][j] = sc->path[0][1];
            sc->path[i][j].delay = rtt / 2;
        }
    }
    sc->path[LAB_A][LAB_B].rate = rate;
    sc->path[LAB_A][LAB_B].queue = queue;
    sc->funnel = true;
    sc->calm_after = 1000000 * SEC;
}

struct tcp_config *lab_tcp(struct lab *lab, unsigned node)
{
    return &lab->sc.node[node].stack.tcp;
}

void lab_flow(struct lab *lab, unsigned node, uint64_t bytes, int64_t at)
{
    unsigned i = lab->sc.conns++;
    struct conn_plan *c = &lab->sc.conn[i];
    struct end_plan plain = {.write_max = 16384, .read_max = 65536, .pause_max = 1};

    *c = (struct conn_plan){.on = true, .open_at = at};
    c->node[0] = node;
    c->node[1] = LAB_B;
    c->end[0] = c->end[1] = plain;
    c->end[0].total = bytes;
    c->end[0].key = i + 1;
    c->end[0].luck = i + 1;
    c->end[1].wait_for_eof = true;
    lab->sc.nodes = max32(node + 1, lab->sc.nodes);
}

void lab_use(struct lab *lab, const char *cc)
{
    for (unsigned i = 0; i < NET_NODES; i++)
        lab_tcp(lab, i)->cc = cc_find(cc);
}

void lab_bulk(struct lab *lab, const char *cc, uint64_t rate, int64_t rtt, uint32_t queue)
{
    lab_init(lab, rate, rtt, queue);
    lab_use(lab, cc);
    lab_flow(lab, LAB_A, UINT32_MAX, 0);
}

void lab_change32(uint8_t *tcp, uint8_t *at, uint32_t value)
{
    uint32_t old = get32(at), sum = 0xffffU & ~(uint32_t)get16(tcp + 16);

    sum += (0xffffU & ~old) + (0xffffU & ~(old >> 16)) + (value & 0xffffU) + (value >> 16);
    for (; sum >> 16; sum = (sum & 0xffffU) + (sum >> 16))
        continue;
    put16(tcp + 16, (uint16_t)~sum);
    put32(at, value);
}

/* ---- While it runs ---- */

static uint32_t payload(const uint8_t *b, uint32_t len)
{
    uint32_t ip = (b[0] & 15U) * 4;

    return len - ip - (b[ip + 12] >> 4) * 4U;
}

static bool on_leaves(void *arg, struct world *w, unsigned from, const uint8_t *b, uint32_t len,
                      enum reason why)
{
    struct lab *lab = arg;
    struct lab_counts *n = &lab->sent[from];
    uint32_t text = payload(b, len);

    lab->world = w;
    lab->now = w->now - w->origin;
    n->packets++;
    n->text += text;
    n->why[why]++;
    if (from == LAB_A && text > 0)
        lab->data_packets++;
    return !lab->leaves || lab->leaves(lab, from, b, len, why);
}

static void on_ran(void *arg, struct world *w, unsigned node)
{
    struct lab *lab = arg;

    lab->world = w;
    lab->now = w->now - w->origin;
    for (unsigned i = 0; i < lab->sc.conns && node == LAB_B; i++) {
        lab->read[i] = w->end[i][1].read;
        if (lab->now <= lab->count_from)
            lab->read_first[i] = lab->read[i];
    }
    if (lab->read[0] == lab->sc.conn[0].end[0].total && lab->done_at == TIME_NEVER)
        lab->done_at = lab->now;
    if (lab->ran)
        lab->ran(lab, node);
}

void lab_play(struct lab *lab)
{
    struct world_watch watch = {lab, on_leaves, on_ran, lab->until};
    struct world_options how = {.watch = &watch, .verbose = lab->verbose};

    world_play(&lab->sc, &how, &lab->result);
    lab->now = lab->result.lasted;
}

/* ---- What was measured ---- */

double lab_goodput(const struct lab *lab, unsigned i)
{
    int64_t end = lab->until == TIME_NEVER ? lab->done_at : lab->until;
    int64_t time = end - lab->count_from;

    return (double)(lab->read[i] - lab->read_first[i]) * (double)SEC / (double)time;
}

bool lab_status(const struct lab *lab, unsigned i, struct stack_conn_status *ret_status)
{
    const struct end *e = &lab->world->end[i][0];

    return e->has_conn && stack_status(e->node->st, e->conn, ret_status) == 0;
}

bool lab_is_repair(enum reason why)
{
    switch (why) {
    case REASON_SEND_RTO:
    case REASON_SEND_FAST_RETRANSMIT:
    case REASON_SEND_RECOVERY:
    case REASON_SEND_SACK:
    case REASON_SEND_RESCUE:
    case REASON_SEND_RACK:
        return true;
    default:
        return false;
    }
}

uint64_t lab_again(const struct lab *lab, unsigned node)
{
    uint64_t n = 0;

    for (unsigned why = 0; why < REASON_COUNT; why++)
        n += lab_is_repair((enum reason)why) ? lab->sent[node].why[why] : 0;
    return n;
}

uint64_t lab_timeouts(const struct lab *lab, unsigned node)
{
    return lab->sent[node].why[REASON_SEND_RTO];
}

uint64_t lab_probes(const struct lab *lab, unsigned node)
{
    return lab->sent[node].why[REASON_SEND_TLP];
}
