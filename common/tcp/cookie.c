#include "tcp/cookie.h"

#include <assert.h>

#include "base/seq.h"

enum {
    MEMO_TS_MASK = (1 << MEMO_TS_BITS) - 1,
};

/* What is usual (Ethernet, with PPPoE, with IPv6, with tunnels, jumbo frames), and two small ones.
 */
static const uint16_t mss_table[1 << MEMO_MSS_BITS] = {48, 256, 536, 1220, 1380, 1440, 1460, 8960};

static uint8_t mss_index(const struct tcp_options *opt)
{
    uint32_t mss = opt->has_mss ? opt->mss : TCP_MSS_DEFAULT4;
    uint8_t i = 0;

    while (i + 1 < 1 << MEMO_MSS_BITS && mss_table[i + 1] <= mss)
        i++;
    return i;
}

/* A timestamp that says `bits` in its lowest bits, and is at most as much older than `now`. */
static uint32_t stamp(uint32_t now, uint8_t bits)
{
    uint32_t ts = (now & ~(uint32_t)MEMO_TS_MASK) | bits;

    return seq_gt(ts, now) ? ts - (1 << MEMO_TS_BITS) : ts;
}

struct tcp_memo tcp_memo_keep(const struct tcp_hdr *syn, struct tcp_hdr *syn_ack)
{
    struct tcp_options *opt = &syn_ack->opt;
    struct tcp_memo memo = {.mss = mss_index(&syn->opt), .options = MEMO_NO_WSCALE};

    if (!opt->has_timestamp) {
        opt->has_wscale = opt->sack_ok = false;
        syn_ack->flags &= (uint8_t)~TCP_ECE;
        return memo;
    }
    if (opt->has_wscale)
        memo.options = syn->opt.wscale;
    assert(memo.options <= MEMO_NO_WSCALE);
    if (opt->sack_ok)
        memo.options |= MEMO_SACK;
    if (syn_ack->flags & TCP_ECE)
        memo.options |= MEMO_ECN;
    opt->ts_val = stamp(opt->ts_val, memo.options);
    memo.options |= MEMO_TIMESTAMPS;
    return memo;
}

struct tcp_memo tcp_memo_recall(const struct tcp_hdr *ack, uint8_t mss)
{
    struct tcp_memo memo = {.mss = mss, .options = MEMO_NO_WSCALE};

    if (ack->opt.has_timestamp)
        memo.options = (uint8_t)((ack->opt.ts_ecr & MEMO_TS_MASK) | MEMO_TIMESTAMPS);
    return memo;
}

void tcp_memo_syn(struct tcp_memo memo, const struct tcp_hdr *ack, struct tcp_hdr *ret_syn)
{
    uint8_t wscale = memo.options & MEMO_NO_WSCALE;

    assert(memo.mss < 1 << MEMO_MSS_BITS);
    *ret_syn = (struct tcp_hdr){
        .sport = ack->sport,
        .dport = ack->dport,
        .seq = ack->seq - 1,
        .wnd = ack->wnd,
        .flags = memo.options & MEMO_ECN ? TCP_SYN | TCP_ECE | TCP_CWR : TCP_SYN,
        .opt =
            {
                .has_mss = true,
                .mss = mss_table[memo.mss],
                .has_wscale = wscale <= TCP_WSCALE_MAX,
                .wscale = wscale <= TCP_WSCALE_MAX ? wscale : 0,
                .sack_ok = memo.options & MEMO_SACK,
                .has_timestamp = memo.options & MEMO_TIMESTAMPS,
                .ts_val = ack->opt.ts_val,
            },
    };
}
