/*
 * What the bounds (bounds.h) have in common: the link they are mostly tried on, and how one says
 * what it found.
 */
#ifndef SIM_BOUND_H
#define SIM_BOUND_H

#include "tests/sim/lab.h"

#define BOUND_RTT  (40 * MSEC)
#define BOUND_RATE 12500000 /* bytes/s: 100 Mbit/s */

struct verdict {
    bool holds;
    char figure[160];
};

/* The figure; a run that the checker did not like is bad whatever the figure is. */
void bound_say(struct verdict *v, const struct lab *l, bool holds, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void bound_play(struct lab *l);

/* ---- bounds_share.c ---- */

void bound_fair_cubic(struct verdict *v);
void bound_fair_cubic_reno(struct verdict *v);
void bound_fill_reno(struct verdict *v);
void bound_fill_cubic(struct verdict *v);
void bound_fill_bbr(struct verdict *v);
void bound_lossy_bbr(struct verdict *v);
void bound_slow_start_ends(struct verdict *v);
void bound_marks_not_losses(struct verdict *v);

/* ---- bounds_mtu.c ---- */

void bound_mtu_icmp(struct verdict *v);
void bound_mtu_black_hole(struct verdict *v);
void bound_mtu_outage(struct verdict *v);
void bound_mtu_raised(struct verdict *v);

#endif
