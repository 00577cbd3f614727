/*
 * The path MTUs of a node against the plainest model there is: an array of destinations in the
 * order in which they were learnt, and another of the large packets that left last. The script
 * sends packets, reports errors about them and about others, one or hundreds at once, and lets time
 * pass. Each verdict is the model's, so is what each path takes and when something gets old, and no
 * error ever makes a path take more, or less than the least of its version.
 */
#include <string.h>

#include "base/time.h"
#include "ip/pmtu.h"
#include "tests/fuzz/fuzz.h"

enum {
    DEVICES = 4,
    STEPS_MAX = 64,
    MANY_MAX = 2 * PMTU_PATHS + 8, /* destinations in one script that come in rows */
};

struct path {
    struct addr to;
    uint32_t mtu;
    int64_t old_at; /* ns */
    bool old;
};

struct model {
    struct pmtu p;
    struct path path[PMTU_PATHS]; /* the one that was learnt first at the front */
    unsigned paths;
    struct pmtu_sent sent[PMTU_SENT]; /* the last at the front */
    unsigned sents;
    uint32_t mtu;
    int64_t age, now;
    unsigned many;
};

static struct model m;

/* ---- what should be ---- */

static struct path *model_find(const struct addr *to)
{
    for (unsigned i = 0; i < m.paths; i++)
        if (addr_eq(&m.path[i].to, to))
            return &m.path[i];
    return NULL;
}

static uint32_t model_of(const struct addr *to)
{
    const struct path *k = model_find(to);

    return k && !k->old ? min32(k->mtu, m.mtu) : m.mtu;
}

static uint32_t least(const struct addr *to)
{
    return addr_is_v4(to) ? 552 : 1280;
}

static void model_sent(const struct addr *to, uint32_t size, uint32_t id)
{
    if (size <= least(to))
        return;
    m.sents = min32(m.sents + 1, PMTU_SENT);
    memmove(&m.sent[1], &m.sent[0], (m.sents - 1) * sizeof(m.sent[0]));
    m.sent[0] = (struct pmtu_sent){*to, size, id};
}

static bool model_left(const struct addr *to, uint32_t size, uint32_t id)
{
    for (unsigned i = 0; i < m.sents; i++)
        if (m.sent[i].size == size && m.sent[i].id == id && addr_eq(&m.sent[i].to, to))
            return true;
    return false;
}

static enum reason model_heed(const struct addr *to, uint32_t size, uint32_t id, uint32_t mtu)
{
    struct path *k = model_find(to);

    if (mtu == 0 && addr_is_v4(to))
        mtu = path_mtu_plateau_under(size);
    mtu = max32(mtu, least(to));
    if (mtu >= size || mtu >= model_of(to) || !model_left(to, size, id))
        return REASON_ICMP_MTU;
    if (!k && m.paths == PMTU_PATHS)
        memmove(&m.path[0], &m.path[1], --m.paths * sizeof(m.path[0]));
    if (!k)
        k = &m.path[m.paths++];
    *k = (struct path){.to = *to, .mtu = mtu, .old_at = time_after(m.now, m.age)};
    return REASON_NONE;
}

/* ---- steps ---- */

static void check(const struct addr *to)
{
    uint32_t is = pmtu_of(&m.p, to), should = model_of(to);

    FUZZ_CHECK(is == should, "a path takes %u, not %u", is, should);
    FUZZ_CHECK(!pmtu_find(&m.p, to) == !model_find(to), "a path is known, or is not");
}

static void check_deadline(void)
{
    int64_t due = TIME_NEVER;

    for (unsigned i = 0; i < m.paths; i++)
        if (!m.path[i].old)
            due = time_min(due, m.path[i].old_at);
    FUZZ_CHECK(pmtu_deadline(&m.p) == due, "the deadline is another");
}

static struct addr address(bool v6, uint32_t number)
{
    struct addr a = {{0xfd}};

    put16(a.b + 14, (uint16_t)number);
    return v6 ? a : addr_v4(UINT32_C(0x0a000000) + number);
}

static void heed(const struct addr *to, uint32_t size, uint32_t id, uint32_t mtu)
{
    struct ip_hdr quote = {.dst = *to, .total_len = size, .id = id};
    uint16_t changes = m.p.changes;
    enum reason got = pmtu_heed(&m.p, m.now, &quote, mtu), want = model_heed(to, size, id, mtu);

    FUZZ_CHECK(got == want, "the verdict is %s, not %s", reason_text(got)->name,
               reason_text(want)->name);
    FUZZ_CHECK((got == REASON_NONE) == (changes != m.p.changes), "who follows is told wrongly");
    check(to);
}

static void send(const struct addr *to, uint32_t size, uint32_t id)
{
    pmtu_note_sent(&m.p, to, size, id);
    model_sent(to, size, id);
}

/* A packet leaves, or an error comes, perhaps about one that has left just like that. */
static void step_packet(struct script *s, bool error)
{
    unsigned how = script_8(s);
    struct addr to = address(how & 1, how >> 1 & 7);
    uint32_t size = script_8(s) * 8u, id = how >> 4 & 3;

    if (error)
        heed(&to, size, id, script_8(s) * 8u);
    else
        send(&to, size, id);
}

/* As many destinations in a row as there are places, and more. */
static void step_many(struct script *s)
{
    unsigned how = script_8(s), n = script_8(s) * 2u, first = script_8(s);

    for (unsigned i = 0; i < n && m.many < MANY_MAX; i++, m.many++) {
        struct addr to = address(how & 1, first + i);

        send(&to, 1500, 0);
        heed(&to, 1500, 0, 1280 + (how >> 1));
    }
}

static void step_time(struct script *s)
{
    const struct path_mtu *path;

    m.now += (int64_t)script_8(s) * SEC;
    while ((path = pmtu_expire(&m.p, m.now))) {
        struct path *k = model_find(&path->to);

        FUZZ_CHECK(k && !k->old && k->old_at <= m.now, "its time is not over");
        FUZZ_CHECK(path->searching && path->mtu == k->mtu && path->high == max32(m.mtu, k->mtu),
                   "what is to be searched");
        k->old = true;
    }
    for (unsigned i = 0; i < m.paths; i++)
        FUZZ_CHECK(m.path[i].old || m.path[i].old_at > m.now, "one is old and was not told");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t mtus[DEVICES] = {1500, 1280, 9000, 576};
    static const struct unguessable key = {.key = "a path that fits"};
    struct script s = {data, size};
    unsigned how = script_8(&s);

    memset(&m, 0, sizeof(m));
    m.mtu = mtus[how % DEVICES];
    m.age = (1 + how / DEVICES) * SEC;
    pmtu_init(&m.p, &key, m.mtu, m.age);
    for (unsigned step = 0; step < STEPS_MAX && !script_ended(&s); step++) {
        unsigned op = script_8(&s);

        if (op < 96)
            step_packet(&s, false);
        else if (op < 208)
            step_packet(&s, true);
        else if (op < 224)
            step_many(&s);
        else
            step_time(&s);
        check_deadline();
    }
    for (unsigned i = 0; i < m.paths; i++)
        check(&m.path[i].to);
    return 0;
}
