/*
 * Proportional Rate Reduction (RFC 9937, which follows RFC 6937): how much may be sent on each
 * acknowledgment while a loss is being repaired.
 *
 * Congestion control has said what the flight shall shrink to, ssthresh. To get there at once means
 * silence for half a round trip, and then a burst. Instead, each byte that the network delivers
 * releases its share: ssthresh / RecoverFS of a byte, where RecoverFS was in flight at the start.
 * So sending goes on evenly, and the flight is ssthresh when all of RecoverFS has been delivered.
 *
 * Where losses have brought the flight below ssthresh already, what has left the network may be
 * replaced, and no more: the conservative reduction bound (CRB). Where an acknowledgment shows that
 * the repair goes well (a "safe ACK": SND.UNA moved, and nothing more was found lost), one segment
 * is added, so that the flight grows as in slow start: the slow-start reduction bound (SSRB).
 *
 * Acknowledgments come in batches, and nothing is sent until all of one are processed. So what one
 * of them releases is kept until it is sent, and to the next it is as good as sent.
 *
 * It is arithmetic over bytes: whoever asks counts what is delivered, lost and in flight.
 */
#ifndef TCP_RECOVERY_PRR_H
#define TCP_RECOVERY_PRR_H

#include <stdbool.h>
#include <stdint.h>

struct prr {
    uint64_t delivered;  /* prr_delivered: bytes that arrived since the recovery began */
    uint64_t out;        /* prr_out: bytes sent since then */
    uint32_t unspent;    /* of SndCnt: bytes released, and not sent yet */
    uint32_t recover_fs; /* RecoverFS: bytes in flight when it began; 0: no recovery */
};

/* What was outstanding when a recovery begins; all in bytes, as the ACK that began it left it. */
struct prr_start {
    uint32_t outstanding;  /* SND.NXT - SND.UNA */
    uint32_t sacked;       /* of it, by selective acknowledgments */
    uint32_t newly_sacked; /* of that, by this ACK */
    uint32_t newly_acked;  /* that SND.UNA moved over by this ACK */
};

/* What one acknowledgment in a recovery says; bytes. */
struct prr_ack {
    uint32_t delivered; /* DeliveredData: newly acknowledged, cumulatively or selectively */
    uint32_t inflight;  /* what is believed to be in the network after it */
    uint32_t ssthresh;
    uint32_t mss;
    bool safe; /* SND.UNA advanced, and this ACK marked nothing else as lost */
};

/* RFC 9937 section 6: at the start of a recovery. */
void prr_begin(struct prr *p, const struct prr_start *s);

/* The recovery is over, in whatever way. */
void prr_end(struct prr *p);

static inline bool prr_active(const struct prr *p)
{
    return p->recover_fs > 0;
}

/*
 * On each ACK from the one that began the recovery: cwnd until the next one, bytes; that is what is
 * in flight, and SndCnt and what earlier ones have released more. Without delivered data nothing is
 * released.
 */
uint32_t prr_on_ack(struct prr *p, const struct prr_ack *a);

/* `len` bytes were sent, for the first time or again. */
void prr_sent(struct prr *p, uint32_t len);

#endif
