#include "tcp/recovery/frto.h"

#include "base/seq.h"

void frto_begin(struct frto *f, uint32_t una, uint32_t rtx_end, uint32_t nxt, bool in_recovery)
{
    *f = (struct frto){.recover = nxt, .rtx_end = rtx_end};
    if (!in_recovery && una != nxt)
        f->step = FRTO_FIRST;
}

static enum frto_verdict end_with(struct frto *f, enum frto_verdict verdict)
{
    f->step = FRTO_OFF;
    return verdict;
}

/*
 * Step 2: the acknowledgment of the retransmission. One that covers all that was in flight leaves
 * nothing to be told apart (2.a); without new data there is nothing to try with.
 */
static enum frto_verdict first(struct frto *f, const struct frto_ack *a)
{
    if (!a->advances) {
        bool ends = a->duplicate && !a->sack; /* section 2.1 (2.a); 3.1 waits */

        return ends ? end_with(f, FRTO_GIVE_UP) : FRTO_GO_ON;
    }
    if (seq_geq(a->una, f->recover) || seq_lt(a->una, f->rtx_end) || !a->new_data)
        return end_with(f, FRTO_GIVE_UP);
    f->step = FRTO_SECOND;
    return FRTO_TRY;
}

/*
 * Step 3. What lies above `recover` left after the timeout: where only that arrives, what is below
 * was lost (3.a). An acknowledgment that moves over all of it at once proves nothing less than one
 * that moves over a part.
 */
static enum frto_verdict second(struct frto *f, const struct frto_ack *a)
{
    if (a->above)
        return end_with(f, FRTO_REAL);
    if (a->original)
        return end_with(f, FRTO_SPURIOUS);
    if (a->duplicate)
        return end_with(f, FRTO_REAL);
    return a->advances ? end_with(f, FRTO_GIVE_UP) : FRTO_GO_ON;
}

enum frto_verdict frto_on_ack(struct frto *f, const struct frto_ack *a)
{
    switch ((enum frto_step)f->step) {
    case FRTO_OFF:
        break;
    case FRTO_FIRST:
        return first(f, a);
    case FRTO_SECOND:
        return second(f, a);
    }
    return FRTO_GO_ON;
}
