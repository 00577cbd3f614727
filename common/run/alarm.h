/*
 * When to be woken at the latest: a timer of the system that stays set.
 *
 * A wait that is given its own time sets a timer when it begins and takes it back when it ends. If
 * that is the processor's next one, as it is with a deadline of a millisecond or two, each is a
 * word to the clock's hardware, which costs a virtual machine more than all else in a round trip
 * but the waking itself. So this one is set for a deadline once, and left alone when the deadline
 * is put off, as most are: then it rings too early, once, and is set anew.
 */
#ifndef RUN_ALARM_H
#define RUN_ALARM_H

#include <stdbool.h>
#include <stdint.h>

struct alarm_clock {
    int fd;          /* readable when it has rung; -1: there is none */
    int64_t set_for; /* ns of the monotonic clock; TIME_NEVER: it is not set */
};

/* Where the system has none to give, the others may be called all the same. */
void alarm_open(struct alarm_clock *a);

/* Let it ring at `at` (more than 0) or before. False if it cannot: then the caller has to keep the
 * time. */
bool alarm_set(struct alarm_clock *a, int64_t at);

/* It has rung. */
void alarm_rung(struct alarm_clock *a);

void alarm_close(struct alarm_clock *a);

#endif
