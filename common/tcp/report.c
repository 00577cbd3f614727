/*
 * Soft errors (RFC 9293 section 3.9.1.8): something is wrong, and may come right again. Each is
 * counted and noted. The application is told by an event, unless it does not want to be (SHLD-20),
 * and the last one stays in the TCB until the remote end makes progress: it may be what explains
 * the time-out that follows.
 */
#include "tcp/tcp.h"

/* One way for all kinds of soft errors (U-2, MUST-47). */
void tcp_report(struct tcp *t, struct tcb *c, int64_t now, enum reason why)
{
    bool embryo = c->passive && c->state == TCP_SYN_RECEIVED; /* nobody was told of it */

    tcp_note(t, c, now, why, 0);
    if (why != REASON_REPORT_R1)
        c->soft_error = (uint8_t)why;
    if (embryo || !c->set->soft_errors)
        return;
    c->report = (uint8_t)why;
    c->events |= TCP_EVENT_ERROR;
}
