/*
 * Was it all for nothing? A loss was seen, cwnd was reduced and bytes were sent again; then it
 * turns out that nothing had been lost, only late or out of order. Then congestion control gets
 * back what it had. Two witnesses can tell; the third, F-RTO, has a file of its own.
 *
 * Timestamps: the Eifel detection (RFC 3522). The first acknowledgment of something new after the
 * first retransmission echoes the timestamp of the segment that it answers. Where that is older
 * than the retransmission, it answers the original, which so was not lost. One echo is enough, and
 * it comes a round trip earlier than any other witness.
 *
 * D-SACK (RFC 2883 section 5, RFC 3708): the remote end reports what it got twice. When it has so
 * reported every byte that was sent again, no retransmission was needed. Reports count in order of
 * sequence numbers only, so that one repeated, by the network or by malice, counts once; and what
 * was sent again twice cannot all be reported so. Where that is too strict, a reduction stays.
 *
 * An episode is one reduction of cwnd: from undo_begin to the verdict, to the next episode, or to a
 * flight after its end. It is undone at most once. Numbers only.
 *
 * The response is RFC 4015's: send new data from SND.NXT on, no go-back-N; cwnd and ssthresh as
 * they were, but without a burst of what was acknowledged meanwhile; and a retransmission timeout
 * that has learnt of the delay.
 */
#ifndef TCP_RECOVERY_UNDO_H
#define TCP_RECOVERY_UNDO_H

#include <stdbool.h>
#include <stdint.h>

struct undo {
    uint32_t start;     /* SND.UNA when the episode began */
    uint32_t end;       /* SND.NXT then, or later where more was found lost */
    uint32_t reported;  /* D-SACKs have reported [start, reported) as far as they did */
    uint32_t rtx_bytes; /* sent again in this episode, not yet reported to have come twice */
    uint32_t rtx_ts;    /* RetransmitTS: TSval of the first retransmission */
    uint32_t last;      /* SND.NXT when SND.UNA had reached `end`: one flight later it is over */
    bool active : 1;
    bool passed : 1;       /* SND.UNA has reached `end` */
    bool timeout : 1;      /* it is a timeout that would be undone */
    bool rtx_sent : 1;     /* something was sent again */
    bool echo_awaited : 1; /* RetransmitTS is set, and no ACK of something new has come since */
    bool dsack_seen : 1;   /* the remote end has sent a D-SACK in the life of the connection */
};

enum undo_verdict {
    UNDO_NONE,
    UNDO_BY_ECHO,    /* the original was acknowledged: its timestamp was echoed */
    UNDO_BY_DSACK,   /* each retransmission has come twice */
    UNDO_BY_ARRIVAL, /* everything has come, and nothing was sent again yet */
};

/* cwnd is about to be reduced for a loss in [una, nxt): by a timeout or by duplicates. */
void undo_begin(struct undo *u, uint32_t una, uint32_t nxt, bool timeout);

/* The same episode goes on, with a timeout for what lies up to `nxt`. */
void undo_extend(struct undo *u, uint32_t nxt);

/* No verdict any more: it was a loss. */
void undo_end(struct undo *u);

/*
 * SND.UNA has moved to `una`. A D-SACK may come a round trip after all was acknowledged, so the
 * episode ends when what was in flight then is acknowledged as well.
 */
void undo_progress(struct undo *u, uint32_t una, uint32_t nxt);

/*
 * `len` bytes at `seq` were sent again. tsval is the timestamp that this showed (RFC 3522 step 1),
 * where the connection has timestamps.
 */
void undo_retransmitted(struct undo *u, uint32_t seq, uint32_t len, bool ts, uint32_t tsval);

/*
 * RFC 3522 steps 3 to 6: SND.UNA moved, and the acknowledgment echoes tsecr. `all`: nothing is
 * outstanding after it. `dsack`: it has a D-SACK, and so may answer a retransmission after all.
 */
enum undo_verdict undo_on_echo(struct undo *u, uint32_t tsecr, bool all, bool dsack);

/* A D-SACK says that [start, end) arrived twice, modulo 2^32; both come from the remote end. */
enum undo_verdict undo_on_dsack(struct undo *u, uint32_t start, uint32_t end);

/* SND.UNA has moved to `una`. Before anything was sent again: then nothing can have been lost. */
enum undo_verdict undo_on_arrival(struct undo *u, uint32_t una);

#endif
