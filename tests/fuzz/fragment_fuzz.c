/*
 * Fragments against the plainest model there is: a list of those that came for each packet, looked
 * at one by one. The script sends fragments of a few packets of both versions, lets time pass, and
 * keeps what has become whole or gives it back; there are few places, so that everything makes room
 * for something. The verdict on each fragment is the model's, what becomes whole has its bytes and
 * a header that can be parsed, and all memory comes back.
 */
#include <stdalign.h>
#include <string.h>

#include "base/time.h"
#include "ip/fragment.h"
#include "tests/fuzz/fuzz.h"
#include "wire/checksum.h"

enum {
    PLACES = 5,
    SHARE = 1, /* of them, for each source */
    SOURCES = 3,
    NEIGHBOUR = 2, /* in IPv6 one source with source 0 */
    PIECES_MAX = 64,
    STEPS_MAX = 64,
    LEN_MAX = 2048, /* bytes of data in a fragment */
};

/* A fragment: its bytes count up from `value`. */
struct piece {
    uint8_t family, source, proto, value, ecn;
    uint32_t id, options, off, len;
    bool last;
};

/* A packet of which something has come; the first of them is the oldest. */
struct packet {
    bool refused;
    int64_t until;
    unsigned n;
    struct piece piece[PIECES_MAX];
};

struct model {
    struct fragments f;
    uint64_t counts[REASON_COUNT];
    int64_t now;
    struct packet packet[PLACES];
    unsigned packets, keeps;
    struct buf *kept[PLACES];
    bool keep;         /* the next whole */
    struct piece last; /* that was sent */
};

static struct model m;
static alignas(16) uint8_t memory[512 * 1024];

/* ---- what should be ---- */

static bool is_same_packet(const struct piece *a, const struct piece *b)
{
    return a->family == b->family && a->source == b->source && a->id == b->id &&
           (a->family == 6 || a->proto == b->proto);
}

static void model_forget(unsigned i)
{
    m.packets--;
    memmove(&m.packet[i], &m.packet[i + 1], (m.packets - i) * sizeof(m.packet[0]));
}

static bool is_same_source(const struct piece *a, const struct piece *b)
{
    return a->family == b->family &&
           (a->source == b->source ||
            (a->family == 6 && a->source % NEIGHBOUR == b->source % NEIGHBOUR));
}

/* The oldest of the source that has most, if that is more than its share; else the oldest. */
static bool model_evict(bool with_buf)
{
    unsigned who = PLACES, most = 0;

    for (unsigned i = 0; i < m.packets; i++) {
        unsigned has = 0;

        for (unsigned k = 0; k < m.packets; k++)
            has += is_same_source(&m.packet[i].piece[0], &m.packet[k].piece[0]);
        if ((with_buf && m.packet[i].refused) || (who < PLACES && has <= most))
            continue;
        who = i;
        most = has > SHARE ? has : SHARE;
    }
    if (who == PLACES)
        return false;
    model_forget(who);
    return true;
}

static unsigned model_bufs(void)
{
    unsigned bufs = m.keeps;

    for (unsigned k = 0; k < m.packets; k++)
        bufs += !m.packet[k].refused;
    return bufs;
}

/* A place for a new packet, or NULL. */
static struct packet *model_begin(void)
{
    struct packet *p;

    while (model_bufs() == PLACES)
        if (!model_evict(true))
            return NULL;
    if (m.packets == PLACES)
        (void)model_evict(false);
    p = &m.packet[m.packets++];
    *p = (struct packet){.until = m.now + FRAGMENT_TIMEOUT};
    return p;
}

static uint32_t span(const struct piece *q)
{
    return q->family == 6 ? 65535 - q->options : 65535 - 20 - q->options;
}

static enum reason model_alone(const struct piece *q)
{
    if (q->len == 0 || (!q->last && q->len % 8))
        return REASON_FRAGMENT_LENGTH;
    if (q->off + q->len > span(q))
        return REASON_FRAGMENT_TOO_LARGE;
    if (q->proto == IP_PROTO_TCP && (q->off ? q->off : q->len) < 20)
        return REASON_FRAGMENT_TINY;
    return REASON_NONE;
}

/* Against one that came before. */
static enum reason model_meets(const struct piece *e, const struct piece *q)
{
    uint32_t e_end = e->off + e->len, q_end = q->off + q->len;

    if (e->last && q->last ? e_end != q_end : e->last ? q_end >= e_end : q->last && q_end <= e_end)
        return REASON_FRAGMENT_END;
    if (q_end <= e->off || e_end <= q->off)
        return REASON_NONE;
    if (e->off == q->off && e_end == q_end && e->value == q->value)
        return REASON_FRAGMENT_DUPLICATE;
    return REASON_FRAGMENT_OVERLAP;
}

/* Against all of them: that two disagree about the end is seen first. */
static enum reason model_judge(const struct packet *p, const struct piece *q)
{
    enum reason why = REASON_NONE;

    for (unsigned i = 0; i < p->n; i++) {
        enum reason met = model_meets(&p->piece[i], q);

        if (met == REASON_FRAGMENT_END)
            return met;
        why = met ? met : why;
    }
    return why;
}

/* Is all of it there? *ret_why is the verdict on the whole. */
static bool model_whole(const struct packet *p, enum reason *ret_why)
{
    const struct piece *first = NULL;
    uint32_t sum = 0, end = 0;
    unsigned ecn = 0;

    for (unsigned i = 0; i < p->n; i++) {
        const struct piece *e = &p->piece[i];

        sum += e->len;
        ecn |= 1u << e->ecn;
        end = e->last ? e->off + e->len : end;
        first = e->off == 0 ? e : first;
    }
    if (sum == 0 || sum != end)
        return false;
    FUZZ_CHECK(first, "a whole without its beginning");
    *ret_why = end > span(first)             ? REASON_FRAGMENT_TOO_LARGE
               : (ecn & 1) && (ecn & 1 << 3) ? REASON_FRAGMENT_ECN
                                             : REASON_NONE;
    return true;
}

/* ---- what is ---- */

static uint32_t build(const struct piece *q, uint8_t *b)
{
    uint32_t header = (q->family == 6 ? 48 : 20) + q->options, at = header - 8;

    memset(b, 0, header);
    if (q->family == 6) {
        put32(b, UINT32_C(6) << 28 | (uint32_t)q->ecn << 20);
        put16(b + 4, (uint16_t)(header - 40 + q->len));
        b[6] = q->options ? IP6_DESTINATION : IP6_FRAGMENT;
        b[7] = 64;
        b[8] = b[24] = 0xfd;
        b[15] = q->source == 1;
        b[23] = (uint8_t)(1 + q->source);
        b[39] = 2;
        if (q->options) {
            b[40] = IP6_FRAGMENT;
            b[41] = (uint8_t)(q->options / 8 - 1);
        }
        b[at] = q->proto;
        put16(b + at + 2, (uint16_t)(q->off | !q->last));
        put32(b + at + 4, q->id);
    } else {
        b[0] = (uint8_t)(0x40 | header / 4);
        b[1] = q->ecn;
        put16(b + 2, (uint16_t)(header + q->len));
        put16(b + 4, (uint16_t)q->id);
        put16(b + 6, (uint16_t)((q->last ? 0 : 0x2000) | q->off / 8));
        b[8] = 64;
        b[9] = q->proto;
        put32(b + 12, 0x0a000007U + q->source);
        put32(b + 16, 0x0a000105);
        memset(b + 20, IP_OPT_NOP, q->options);
        put16(b + 10, checksum_residue(0, b, header));
    }
    for (uint32_t i = 0; i < q->len; i++)
        b[header + i] = (uint8_t)(q->value + i);
    return header;
}

static void check_whole(const struct packet *p, struct slice whole)
{
    struct ip_hdr ip;
    enum reason why;

    FUZZ_CHECK(whole.base, "all of it has come, and nothing came out");
    why = ip_parse(whole.base, whole.len, &ip);
    /* behind the first fragment's header anything may stand, which ends a chain of headers */
    FUZZ_CHECK(why == REASON_NONE, "what came out: %s", reason_text(why)->name);
    FUZZ_CHECK(!ip_is_fragment(&ip) && ip.total_len == whole.len, "it is not whole");
    for (unsigned i = 0; i < p->n; i++) {
        const struct piece *e = &p->piece[i];

        FUZZ_CHECK(ip.header_len + e->off + e->len <= whole.len, "a fragment is missing");
        for (uint32_t k = 0; k < e->len; k++)
            FUZZ_CHECK(whole.base[ip.header_len + e->off + k] == (uint8_t)(e->value + k),
                       "another byte at %u", e->off + k);
        FUZZ_CHECK(e->off || e->options + (e->family == 6 ? 40 : 20) == ip.header_len,
                   "a header of %u bytes", ip.header_len);
        FUZZ_CHECK(e->ecn == (ip.tos & 3) || p->n > 1, "its mark is gone");
        FUZZ_CHECK(e->ecn != 3 || (ip.tos & 3) == 3, "a mark is lost");
    }
    if (m.keep)
        m.kept[m.keeps++] = whole.buf;
    else
        buf_unref(whole.buf);
    m.keep = false;
}

static void same(enum reason got, enum reason want)
{
    FUZZ_CHECK(got == want, "the verdict is %s, not %s", reason_text(got)->name,
               reason_text(want)->name);
}

static struct packet *model_find(const struct piece *q)
{
    for (unsigned i = 0; i < m.packets; i++)
        if (is_same_packet(&m.packet[i].piece[0], q))
            return &m.packet[i];
    return NULL;
}

/* The model takes the fragment, and the verdict and what came out are as it says. */
static void compare(const struct piece *q, enum reason got, struct slice whole)
{
    enum reason want = model_alone(q), made;
    struct packet *p;

    if (want) {
        same(got, want);
        return;
    }
    p = model_find(q);
    if (p && p->refused) {
        same(got, REASON_FRAGMENT_REFUSED);
        return;
    }
    if (!p && !(p = model_begin())) {
        same(got, REASON_FRAGMENT_BUFFER);
        return;
    }
    want = model_judge(p, q);
    if (want == REASON_NONE) {
        FUZZ_CHECK(p->n < PIECES_MAX, "too many fragments for the model");
        p->piece[p->n++] = *q;
        if (model_whole(p, &made)) {
            want = made;
            if (made == REASON_NONE) {
                same(got, want);
                check_whole(p, whole);
                model_forget((unsigned)(p - m.packet));
                return;
            }
        }
    }
    same(got, want);
    FUZZ_CHECK(!whole.base, "something came out that is not whole");
    if (want && want != REASON_FRAGMENT_DUPLICATE)
        p->refused = true;
}

/* ---- steps ---- */

static void give(const struct piece *q)
{
    static uint8_t b[60 + 256 + LEN_MAX];
    uint32_t header = build(q, b);
    struct slice whole, packet = {NULL, b, header + q->len};
    struct ip_hdr ip;
    enum reason why;

    if (ip_parse(b, packet.len, &ip) != REASON_NONE)
        return; /* a first fragment of IPv6 that does not hold TCP's header */
    if (!ip_is_fragment(&ip))
        return;
    m.last = *q;
    why = fragment_input(&m.f, m.now, &ip, packet, &whole);
    (void)fragment_problem(&ip, why);
    compare(q, why, whole);
}

static void step_fragment(struct script *s)
{
    unsigned how = script_8(s), where = script_8(s), len = script_8(s);
    struct piece q = {
        .family = how & 1 ? 6 : 4,
        .source = (uint8_t)(where / 32 % SOURCES),
        .proto = how & 2 ? IP_PROTO_TCP : IP_PROTO_UDP,
        .id = how >> 2 & 3,
        .last = how & 16,
        .options = how & 32 ? 8 : 0,
        .ecn = (uint8_t)(how >> 6),
        .off = where < 240 ? where % 32 * 8 : 65536 - 8 * (256 - where),
        .len = len < 64    ? len * 8
               : len < 128 ? len - 64
                           : (len - 127) * 16,
    };

    q.value = (uint8_t)(q.off + (len == 255)); /* so that the same place has the same bytes */
    give(&q);
}

/* The last one again, perhaps not quite. */
static void step_again(struct script *s)
{
    unsigned how = script_8(s);
    struct piece q = m.last;

    if (!q.family)
        return;
    q.value = (uint8_t)(q.value + (how & 1));
    q.last ^= how >> 1 & 1;
    q.off = (q.off + (how >> 2 & 1) * q.len) & 0xfff8; /* what comes behind it */
    give(&q);
}

static void step_time(struct script *s)
{
    struct slice first;
    int64_t until = m.now + (int64_t)script_8(s) * SEC / 4;

    m.now = until;
    FUZZ_CHECK(fragment_deadline(&m.f) == (m.packets ? m.packet[0].until : TIME_NEVER),
               "the deadline is another");
    while (m.packets > 0 && m.packet[0].until <= until) {
        struct packet *p = &m.packet[0];
        bool has_first = false;

        for (unsigned i = 0; i < p->n; i++)
            has_first |= p->piece[i].off == 0;
        if (!p->refused) {
            FUZZ_CHECK(fragment_expire(&m.f, until, &first), "its time is not over");
            FUZZ_CHECK(has_first == (first.base != NULL), "the first fragment");
            buf_unref(first.buf);
        }
        model_forget(0);
    }
    FUZZ_CHECK(!fragment_expire(&m.f, until, &first), "something else is over");
}

static void step_keep(struct script *s)
{
    unsigned how = script_8(s);

    if (how & 1)
        m.keep = true;
    else if (m.keeps > 0)
        buf_unref(m.kept[--m.keeps]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, size};
    struct slice first;

    FUZZ_CHECK(fragment_bytes(PLACES) <= sizeof(memory), "%zu bytes", fragment_bytes(PLACES));
    m.packets = m.keeps = 0;
    m.keep = false;
    m.last = (struct piece){0};
    m.now = SEC;
    fragment_init(&m.f, memory, PLACES, m.counts);
    for (unsigned i = 0; i < STEPS_MAX && !script_ended(&s); i++) {
        unsigned op = script_8(&s) % 8;

        if (op < 4)
            step_fragment(&s);
        else if (op < 6)
            step_again(&s);
        else if (op == 6)
            step_time(&s);
        else
            step_keep(&s);
        FUZZ_CHECK(m.f.partials.in_use == m.packets, "%u places are taken, not %u",
                   m.f.partials.in_use, m.packets);
    }
    while (m.keeps > 0)
        buf_unref(m.kept[--m.keeps]);
    while (fragment_expire(&m.f, TIME_NEVER, &first))
        buf_unref(first.buf);
    FUZZ_CHECK(!m.f.partials.in_use && !m.f.bufs.in_use, "something was not returned");
    return 0;
}
