/*
 * The search of RFC 4821 section 7.3 as arithmetic: two limits that come closer. Below is what is
 * known to pass, above is what is not known not to.
 */
#include "wire/path_mtu.h"

#include "base/bytes.h"
#include "base/time.h"
#include "wire/ip.h"

static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};

enum {
    PLATEAUS = sizeof(plateaus) / sizeof(plateaus[0]),
};

uint32_t path_mtu_least(const struct addr *to)
{
    return addr_is_v4(to) ? PATH_MTU_LEAST4 : IPV6_MTU_MIN;
}

uint32_t path_mtu_plateau_under(uint32_t size)
{
    unsigned i = 0;

    while (i < PLATEAUS - 1 && plateaus[i] >= size)
        i++;
    return plateaus[i];
}

void path_mtu_lower(struct path_mtu *p, int64_t now, uint32_t mtu, int64_t age)
{
    p->mtu = p->high = max32(mtu, path_mtu_least(&p->to));
    path_mtu_found(p, now, age);
}

void path_mtu_search(struct path_mtu *p, uint32_t high)
{
    p->high = max32(high, p->mtu);
    p->searching = true;
    p->halving = false;
    p->lost = 0;
    p->probing_until = 0;
}

uint32_t path_mtu_next(const struct path_mtu *p, uint32_t most)
{
    uint32_t high = min32(p->high, most);

    if (!p->searching || high <= p->mtu)
        return 0;
    if (!p->halving || most < p->high)
        return high;
    return high - p->mtu < PATH_MTU_STEP ? 0 : p->mtu + (high - p->mtu + 1) / 2;
}

void path_mtu_passed(struct path_mtu *p, uint32_t size)
{
    p->mtu = max32(p->mtu, size);
    p->high = max32(p->high, size);
    p->lost = 0;
    p->probing_until = 0;
}

void path_mtu_lost(struct path_mtu *p, uint32_t size)
{
    p->probing_until = 0;
    if (++p->lost < PATH_MTU_PROBES)
        return;
    p->lost = 0;
    p->halving = true;
    if (size <= p->high)
        p->high = max32(size - 1, p->mtu);
}

void path_mtu_refused(struct path_mtu *p, uint32_t mtu)
{
    p->high = min32(p->high, max32(mtu, p->mtu));
    p->lost = 0;
    p->halving = false; /* what a router says is exact */
    p->probing_until = 0;
}

void path_mtu_found(struct path_mtu *p, int64_t now, int64_t age)
{
    p->raise_at = time_after(now, age);
    p->searching = p->halving = p->aged = false;
    p->lost = 0;
    p->probing_until = 0;
}
