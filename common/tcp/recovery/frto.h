/*
 * Forward RTO-Recovery (RFC 5682): was a retransmission timeout spurious? It was, if what was in
 * flight had only been late: a path that stood still for a moment, and then delivered everything.
 * To send all of it again would double the load of that path, and the reduced window would be for
 * nothing.
 *
 * After the timeout the first unacknowledged segment is sent again, as always. When that is
 * acknowledged, two segments that were never sent before leave instead of the next lost ones. The
 * acknowledgment that follows decides: if it covers something that was in flight at the timeout and
 * was not sent again since, then that had not been lost, and the timeout was spurious. If it says
 * that only what was sent after the timeout arrives (a duplicate, or a block above `recover`), the
 * loss is real.
 *
 *      timeout --> FIRST: the retransmission is out; wait for its acknowledgment
 *                    |  it covers the retransmission, and not all that was in flight
 *                    v
 *                  SECOND: two new segments are out instead of lost ones
 *                    |
 *                    +--> something never sent again arrived: spurious, undo
 *                    +--> only later things arrive: real, go on with what is lost
 *
 * It needs no option of the remote end. Without SACK (section 2.1) duplicates end it; with SACK
 * (section 3.1) a duplicate in FIRST says nothing yet, and the blocks in SECOND say exactly what
 * arrived. Numbers only: who asks knows what was sent again.
 */
#ifndef TCP_RECOVERY_FRTO_H
#define TCP_RECOVERY_FRTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"

enum frto_step {
    FRTO_OFF,
    FRTO_FIRST,
    FRTO_SECOND,
};

enum {
    FRTO_REAL_SEGMENTS =
        3, /* cwnd where the loss was real: slow start would be as far (step 3.a) */
};

struct frto {
    uint32_t recover; /* SND.NXT at the timeout */
    uint32_t rtx_end; /* behind what the timeout sent again */
    uint8_t step;     /* enum frto_step */
};

/* What one acknowledgment says. */
struct frto_ack {
    uint32_t una;   /* SND.UNA after it */
    bool advances;  /* SND.UNA moved */
    bool duplicate; /* by the definition of RFC 5681; with SACK it may have blocks, no D-SACK */
    bool sack;      /* the connection speaks SACK */
    bool original;  /* it is the first to say, cumulatively or selectively, that bytes arrived which
                     * were in flight at the timeout and were not sent again since */
    bool above;     /* it is the first to say selectively that bytes from `recover` on arrived */
    bool new_data;  /* there is unsent data, and the remote end's window has room for it */
};

enum frto_verdict {
    FRTO_GO_ON,    /* nothing is decided */
    FRTO_TRY,      /* SECOND begins: send up to two new segments before anything lost */
    FRTO_SPURIOUS, /* the timeout was for nothing */
    FRTO_REAL,     /* conventional recovery from here, with a cwnd of 3 segments (3.a) */
    FRTO_GIVE_UP,  /* conventional recovery from here: it cannot be told */
};

/*
 * Step 1: the timer expired with [una, nxt) in flight, and [una, rtx_end) was sent again already.
 * Nothing is begun where this timeout follows an earlier one whose repair has not come to its end
 * (section 2.1 step 1, 3.1 step 1), which `in_recovery` says.
 */
void frto_begin(struct frto *f, uint32_t una, uint32_t rtx_end, uint32_t nxt, bool in_recovery);

/* Step 2 and 3. After each verdict but GO_ON and TRY it is over. */
enum frto_verdict frto_on_ack(struct frto *f, const struct frto_ack *a);

/* What lies before `end` was sent again. */
static inline void frto_resent(struct frto *f, uint32_t end)
{
    if (f->step == FRTO_FIRST && seq_gt(end, f->rtx_end))
        f->rtx_end = end;
}

static inline void frto_end(struct frto *f)
{
    f->step = FRTO_OFF;
}

static inline bool frto_active(const struct frto *f)
{
    return f->step != FRTO_OFF;
}

/* Is new data to be sent before what is lost? Up to two segments (3.1 step 2.b). */
static inline bool frto_prefers_new(const struct frto *f, uint32_t snd_nxt, uint32_t mss)
{
    return f->step == FRTO_SECOND && snd_nxt - f->recover < 2 * mss;
}

#endif
