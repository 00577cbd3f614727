/*
 * Keep-alives (RFC 9293 section 3.8.4, MAY-5): where nothing is outstanding, nothing tells a remote
 * end that is silent from one that is gone. So, if the application wants it (MUST-24, MUST-25), a
 * connection that was quiet for long enough asks with a segment that has to be answered.
 */
#ifndef TCP_KEEPALIVE_H
#define TCP_KEEPALIVE_H

#include "tcp/tcb.h"

/* An acknowledgment came that may well be the remote end's: silence begins anew. */
static inline void keepalive_heard(struct tcb *c, int64_t now)
{
    c->quiet_since = now;
    c->keepalives = 0;
    c->keepalive_due = false;
}

/* When to ask, or when to give up; TIME_NEVER: not as things are. */
int64_t keepalive_deadline(const struct tcb *c);

/* Is a keep-alive to be sent now? To be asked when there is nothing else to send. */
bool keepalive_owed(struct tcb *c);

#endif
