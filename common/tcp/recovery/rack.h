/*
 * RACK (RFC 8985 section 6): losses found by time. Of what flies, all that left before something
 * that has arrived should have arrived as well; what has not after a little more time, the
 * reordering window, is lost. It does not matter what was sent again and what was not, so a lost
 * retransmission is found like any other loss, and no number of duplicates is needed.
 *
 * The window is for packets that overtake each other: a quarter of the shortest round trip, and
 * more for each round in which the remote end reports that it got something twice (D-SACK). It is
 * counted from when a packet was due by the latest round trip, but not from before it was first
 * overtaken: what left in the burst that made a queue waits longer than what left behind that, and
 * may be displaced besides. Where
 * packets are known to keep their order there is none, once as many pieces have arrived behind the
 * gap as would make three duplicates, or where a loss is being repaired already (section 6.2 step
 * 4). To the RFC a connection begins so. Ours has to see a recovery first that reordering did not
 * cause: else the first packet that is overtaken by three would be sent again for nothing. That
 * costs the first loss of a connection a quarter of a round trip.
 *
 * Arithmetic over the board; who asks marks what is lost, and waits for what may be so soon.
 */
#ifndef TCP_RECOVERY_RACK_H
#define TCP_RECOVERY_RACK_H

#include <stdbool.h>
#include <stdint.h>

#include "tcp/recovery/board.h"

struct rack {
    int64_t xmit_ts;         /* RACK.xmit_ts: ns, when the latest sent of what arrived had left */
    int64_t rtt;             /* RACK.rtt: ns, its round trip; 0: nothing has arrived yet */
    uint32_t end_seq;        /* RACK.end_seq: where it ends */
    uint32_t dsack_round;    /* RACK.dsack_round: SND.NXT when the window last grew, ... */
    bool in_dsack_round;     /* ... as long as that is not acknowledged */
    uint32_t reord_seen;     /* RACK.reordering_seen, and how often; stays at the largest */
    uint32_t reordering;     /* bytes: by how much of what had arrived something was overtaken */
    uint8_t reo_wnd_mult;    /* RACK.reo_wnd_mult */
    uint8_t reo_wnd_persist; /* RACK.reo_wnd_persist: recoveries until it is 1 again */
    bool order_kept;         /* a recovery ended without a sign of reordering */
};

/* What one acknowledgment says, beside what it delivers. */
struct rack_ack {
    uint32_t una, nxt; /* SND.UNA after it, SND.NXT */
    bool dsack;        /* it reports that something arrived twice (and no probe was the cause) */
    bool finished;     /* a recovery ends with it */
};

void rack_init(struct rack *r);

/*
 * Step 2 and 3: a range has arrived, at `now`. echo_at is when the segment had left that the
 * acknowledgment's timestamp answers, to the millisecond, or -1: the echo speaks of what moved
 * SND.UNA, and says nothing of what lies behind a gap (RFC 7323 section 4.3). fack is up to where
 * anything had arrived before. Returns true if it answers an earlier sending of what was sent
 * again, and so says nothing here.
 */
bool rack_delivered(struct rack *r, const struct range *g, int64_t now, int64_t min_rtt,
                    int64_t echo_at, uint32_t fack);

/*
 * What was sent again was not needed: it was the first sending that arrived, so that what had been
 * taken for the latest delivered is not. The next that is delivered counts.
 */
void rack_forget(struct rack *r);

/* Step 4, the part that remembers: before the window is asked for. */
void rack_adapt(struct rack *r, const struct rack_ack *a);

/* Round trips so far, ns; 0: not known. */
struct rack_path {
    int64_t min_rtt, srtt;
};

/* Step 4: the reordering window, ns. `pieces` have arrived behind a gap. */
int64_t rack_window(const struct rack *r, const struct rack_path *p, bool in_recovery,
                    uint32_t pieces);

/*
 * Step 5: a range that is lost, or NULL; then *ret_deadline is when the next may be, or TIME_NEVER.
 */
struct range *rack_lost(const struct rack *r, const struct board *b, int64_t now, int64_t window,
                        int64_t *ret_deadline);

#endif
