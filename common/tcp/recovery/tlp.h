/*
 * Tail loss probes (RFC 8985 section 7). When the last segments of a flight are lost, nothing
 * arrives behind them that would show it, and only the retransmission timer is left. So after two
 * round trips without a word one more segment is sent: new data if there is some, else the last
 * segment again. What it is answered shows what is missing, and RACK finds the loss by it.
 *
 * Where the probe is the lost segment itself and repairs the loss, nothing would be found: then its
 * acknowledgment comes without a report that it arrived twice (D-SACK), and that is a loss, too
 * (section 7.4.2).
 */
#ifndef TCP_RECOVERY_TLP_H
#define TCP_RECOVERY_TLP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

/* TLP.max_ack_delay: how long a lone segment's acknowledgment may wait at the remote end. */
#define TLP_ACK_DELAY (200 * MSEC)

struct tlp {
    uint32_t end_seq; /* TLP.end_seq: SND.NXT when the probe left, ... */
    bool probing;     /* ... if it is not answered yet */
    bool is_retrans;  /* TLP.is_retrans: the probe was the last segment again */
    bool due;         /* one is to be sent */
};

/* What one acknowledgment says. */
struct tlp_ack {
    uint32_t una;       /* SND.UNA after it */
    bool duplicate;     /* a duplicate that names no block */
    bool dsack;         /* it reports that something arrived twice, ... */
    uint32_t dsack_end; /* ... up to here */
};

enum tlp_verdict {
    TLP_NOTHING,
    TLP_FOR_NOTHING, /* the probe arrived twice: nothing was lost */
    TLP_REPAIRED,    /* the probe repaired a loss: congestion control is to be told */
};

/* TLP_calc_PTO: ns from now on. srtt is 0 if it is not known; `lone`: one segment is in flight. */
int64_t tlp_timeout(int64_t srtt, bool lone);

/* A probe has left, and what is sent now ends at `nxt`. */
void tlp_sent(struct tlp *p, uint32_t nxt, bool is_retrans);

/* Section 7.4.2. */
enum tlp_verdict tlp_on_ack(struct tlp *p, const struct tlp_ack *a);

/* A loss is known: what the probe repairs has been told already, and none that is due is needed. It
 * flies on, and the tail with it. */
void tlp_overtaken(struct tlp *p);

/* Something left again, and its answer tells more: there is another tail. */
void tlp_end(struct tlp *p);

#endif
