#include "ip/pmtu.h"

#include "base/bytes.h"
#include "base/time.h"

void pmtu_init(struct pmtu *p, const struct unguessable *key, uint32_t mtu, int64_t age)
{
    p->key = key;
    p->mtu = mtu;
    p->age = age;
    p->due = TIME_NEVER;
}

static uint32_t bucket_of(const struct pmtu *p, const struct addr *to)
{
    return unguessable_hash(p->key, to->b, sizeof(to->b)) % PMTU_BUCKETS;
}

/* Place + 1, or 0. */
static uint16_t place_of(const struct pmtu *p, const struct addr *to)
{
    uint16_t i = p->taken ? p->bucket[bucket_of(p, to)] : 0;

    while (i && !addr_eq(&p->path[i - 1].to, to))
        i = p->next[i - 1];
    return i;
}

struct path_mtu *pmtu_find(struct pmtu *p, const struct addr *to)
{
    uint16_t i = place_of(p, to);

    return i ? &p->path[i - 1] : NULL;
}

/* The place is about to be another destination's. */
static void leave(struct pmtu *p, uint16_t place)
{
    uint16_t *at = &p->bucket[bucket_of(p, &p->path[place].to)];

    while (*at != place + 1)
        at = &p->next[*at - 1];
    *at = p->next[place];
}

struct path_mtu *pmtu_make(struct pmtu *p, const struct addr *to)
{
    struct path_mtu *path = pmtu_find(p, to);
    uint16_t place = (uint16_t)(p->taken % PMTU_PATHS);
    uint16_t *bucket = &p->bucket[bucket_of(p, to)];

    if (path)
        return path;
    if (p->taken >= PMTU_PATHS)
        leave(p, place);
    p->taken++;
    if (p->taken == 2 * PMTU_PATHS)
        p->taken = PMTU_PATHS;
    path = &p->path[place];
    *path = (struct path_mtu){.to = *to, .mtu = p->mtu, .high = p->mtu, .raise_at = TIME_NEVER};
    p->next[place] = *bucket;
    *bucket = (uint16_t)(place + 1);
    return path;
}

static void schedule(struct pmtu *p)
{
    p->due = TIME_NEVER;
    for (uint32_t i = 0; i < PMTU_PATHS && i < p->taken; i++)
        if (!p->path[i].aged)
            p->due = time_min(p->due, p->path[i].raise_at);
}

void pmtu_changed(struct pmtu *p)
{
    p->changes = p->changes == UINT16_MAX ? 1 : (uint16_t)(p->changes + 1);
    schedule(p);
}

uint32_t pmtu_of(const struct pmtu *p, const struct addr *to)
{
    uint16_t i = place_of(p, to);

    return i && !p->path[i - 1].aged ? min32(p->path[i - 1].mtu, p->mtu) : p->mtu;
}

void pmtu_note_sent(struct pmtu *p, const struct addr *to, uint32_t size, uint32_t id)
{
    if (size > (addr_is_v4(to) ? (uint32_t)PATH_MTU_DOUBTFUL4 : path_mtu_least(to)))
        p->sent[p->sent_n++ % PMTU_SENT] = (struct pmtu_sent){*to, size, id};
}

static bool was_sent(const struct pmtu *p, const struct ip_hdr *quote)
{
    for (uint32_t i = 0; i < PMTU_SENT && i < p->sent_n; i++)
        if (p->sent[i].size == quote->total_len && p->sent[i].id == quote->id &&
            addr_eq(&p->sent[i].to, &quote->dst))
            return true;
    return false;
}

enum reason pmtu_heed(struct pmtu *p, int64_t now, const struct ip_hdr *quote, uint32_t mtu)
{
    bool v4 = addr_is_v4(&quote->dst);

    mtu = mtu || !v4 ? mtu : path_mtu_plateau_under(quote->total_len);
    mtu = max32(mtu, v4 ? (uint32_t)PATH_MTU_DOUBTFUL4 : path_mtu_least(&quote->dst));
    if (mtu >= quote->total_len || mtu >= pmtu_of(p, &quote->dst) || !was_sent(p, quote))
        return REASON_ICMP_MTU;
    path_mtu_lower(pmtu_make(p, &quote->dst), now, mtu, p->age);
    pmtu_changed(p);
    return REASON_NONE;
}

/* UDP and ICMP try what the device takes, TCP searches. */
static void grow_old(struct pmtu *p, struct path_mtu *path)
{
    path->aged = true;
    path->raise_at = TIME_NEVER;
    path_mtu_search(path, p->mtu);
    pmtu_changed(p);
}

struct path_mtu *pmtu_expire(struct pmtu *p, int64_t now)
{
    if (now < p->due)
        return NULL;
    for (uint32_t i = 0; i < PMTU_PATHS && i < p->taken; i++)
        if (!p->path[i].aged && p->path[i].raise_at <= now) {
            grow_old(p, &p->path[i]);
            return &p->path[i];
        }
    schedule(p);
    return NULL;
}

int64_t pmtu_deadline(const struct pmtu *p)
{
    return p->due;
}
