/*
 * Options are negotiated by the two SYNs: what we offer and find in the remote end's SYN is spoken.
 * A SYN-ACK offers only what the SYN did (RFC 7323 sections 2.2 and 3.2).
 *
 *   MSS             in each SYN and nowhere else (MAY-3, MUST-65)
 *   window scale    in each SYN; the window in it is not scaled itself
 *   timestamps      in each SYN, and if spoken in every segment
 *   SACK permitted  in each SYN
 *   SACK            if spoken, in each acknowledgment while something lies behind a gap
 */
#include "tcp/option.h"

#include "base/bytes.h"
#include "tcp/mss.h"
#include "tcp/sack.h"
#include "tcp/timestamp.h"

/* What every SYN offers (MUST-14, SHLD-5). */
static void fill_syn(const struct tcp *t, const struct tcb *c, struct tcp_options *opt)
{
    const struct tcp_config *cfg = &t->cfg;
    bool answers = c->state == TCP_SYN_RECEIVED;

    opt->has_mss = true;
    opt->mss = mss_announce(t, c);
    opt->has_wscale = cfg->wscale && (!answers || c->rcv_wscale || c->snd_wscale);
    opt->wscale = tcp_window_scale(max32(cfg->rcv_buf, cfg->rcv_buf_max));
    opt->has_timestamp = answers ? c->ts_ok : cfg->timestamps;
    opt->sack_ok = answers ? c->sack_ok : cfg->sack;
}

void option_fill(const struct tcp *t, const struct tcb *c, int64_t now, uint8_t flags,
                 struct tcp_options *ret_opt)
{
    ret_opt->has_timestamp = c->ts_ok;
    if (flags & TCP_SYN)
        fill_syn(t, c, ret_opt);
    else if (!(flags & TCP_RST) && sack_any(c))
        sack_fill(c, ret_opt);
    if (!ret_opt->has_timestamp)
        return;
    ret_opt->ts_val = timestamp_clock(c, now);
    ret_opt->ts_ecr = c->ts_recent; /* 0 in the first SYN, as RFC 7323 section 3.2 asks */
}

uint32_t option_always(const struct tcb *c)
{
    const struct tcp_options opt = {.has_timestamp = c->ts_ok};

    return (uint32_t)tcp_header_len(&opt) - TCP_HEADER_MIN;
}

uint32_t option_text_max(const struct tcb *c)
{
    struct tcp_options opt = {.has_timestamp = c->ts_ok};

    if (!sack_any(c))
        return c->snd_mss;
    opt.sack_n = (uint8_t)sack_blocks(c);
    return c->snd_mss + option_always(c) + TCP_HEADER_MIN - (uint32_t)tcp_header_len(&opt);
}

void option_take_syn(const struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *syn)
{
    if (t->cfg.wscale && syn->opt.has_wscale) {
        c->snd_wscale = syn->opt.wscale & 0x0fu;
        c->rcv_wscale = tcp_window_scale(max32(t->cfg.rcv_buf, t->cfg.rcv_buf_max)) & 0x0fu;
    }
    timestamp_take_syn(t, c, now, syn);
    c->sack_ok = t->cfg.sack && syn->opt.sack_ok;
    mss_take_syn(t, c, syn);
}

void option_take_syn_again(struct tcb *c, const struct tcp_hdr *syn)
{
    if (!syn->opt.has_timestamp)
        c->ts_ok = false;
    if (!syn->opt.sack_ok)
        c->sack_ok = false;
    if (!syn->opt.has_wscale)
        c->snd_wscale = c->rcv_wscale = 0;
}
