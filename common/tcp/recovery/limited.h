/*
 * Limited transmit (RFC 3042): new data on the first two duplicate acknowledgments.
 *
 * A duplicate says that a segment has left the network, so one may enter it. Three of them are
 * needed before a loss is believed; a small window does not have so many segments behind the lost
 * one, and would wait for the timer. So the first two release a new segment each, which in turn
 * cause further duplicates. cwnd stays as it is; what is outstanding may exceed it by two segments,
 * and no more, however many duplicates come. Without limited transmit everything that is not yet
 * cumulatively acknowledged stands against cwnd, until a loss is believed.
 *
 * With SACK a duplicate counts by what it newly reports (RFC 3042 section 2): the caller's pipe
 * does not shrink by one that reports nothing.
 */
#ifndef TCP_RECOVERY_LIMITED_H
#define TCP_RECOVERY_LIMITED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    LIMITED_SEGMENTS = 2,
};

/*
 * How much new data may be sent while no loss is believed. All in bytes: `pipe` is what is in the
 * network, `outstanding` what is not acknowledged cumulatively, at least as much. `on`: the switch.
 */
static inline uint32_t limited_transmit(bool on, uint32_t cwnd, uint32_t pipe, uint32_t outstanding,
                                        uint32_t mss)
{
    uint32_t most = on ? cwnd + LIMITED_SEGMENTS * mss : cwnd;
    uint32_t room = most > outstanding ? most - outstanding : 0;

    return min32(room, cwnd > pipe ? cwnd - pipe : 0);
}

#endif
