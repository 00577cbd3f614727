/*
 * The usual acknowledgment where segments are small: all that flies is one range, sent once, and
 * all of it has arrived. What recovery_on_ack finds out step by step is known beforehand then:
 * nothing is left on the board that could be late, lost or sent again.
 */
#include "tcp/recovery/recovery.h"

#include "base/time.h"
#include "tcp/flight.h"

bool recovery_is_whole(const struct flight *f, uint32_t una)
{
    return board_is_whole(&f->board, una) && rate_is_unasked(&f->rate);
}

uint32_t recovery_on_whole(struct flight *f, int64_t now, int64_t *ret_rtt,
                           struct rate_sample *ret_rate)
{
    uint32_t fack = f->board.fack;
    const struct range *g = board_ack_whole(&f->board);

    f->recovery.resorted = false;
    f->recovery.dupacks = 0;
    rate_on_whole(&f->rate, &g->mark, now, range_len(g), ret_rate);
    rack_delivered(&f->rack, g, now, 0, -1, fack);
    f->timer[FLIGHT_REO] = TIME_NEVER;
    recovery_drag(&f->recovery, g->end);
    *ret_rtt = time_max(1, now - g->sent_at);
    return range_len(g);
}
