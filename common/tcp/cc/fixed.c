/*
 * No congestion control: the window stays as it began, whatever happens. It is for teaching: too
 * small, it wastes the path; too large, it overflows the path's queue and sends most things twice.
 * Never use it on a network that is not yours.
 *
 * It is also the smallest module there can be. An own one begins as a copy of it, with a line in
 * cc.c and one in cc.h; what it is told, and when, stands in cc.h.
 */
#include "tcp/cc/cc.h"

static void fixed_init(struct cc *cc, uint32_t mss)
{
    *cc = (struct cc){.cwnd = cc_initial_window(mss), .ssthresh = CC_WINDOW_MAX};
}

static void fixed_stays(struct cc *cc, const struct cc_sample *s)
{
    (void)cc;
    (void)s;
}

const struct cc_ops cc_fixed = {
    .name = "fixed",
    .help = "a window that stays as it begins (--cwnd); for teaching only",
    .own_window = true,
    .init = fixed_init,
    .on_ack = fixed_stays,
    .on_loss = fixed_stays,
    .on_recovered = fixed_stays,
    .on_rto = fixed_stays,
};
