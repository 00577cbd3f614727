/*
 * Bounds of path MTUs: at 3 s the path from A to B takes packets of 1,280 bytes only, and says so,
 * or does not; and later it may be as wide as before.
 */
#include "base/bytes.h"
#include "tests/sim/bound.h"
#include "wire/path_mtu.h"

enum {
    WINDOW = 100,  /* segments */
    NARROW = 1280, /* bytes */
    SEGMENTS = 60000,
};

static const int64_t narrow_at = 3 * SEC, wide_at = 8 * SEC;

static struct lab lab;
static uint64_t heard;    /* bytes that B had read when ... */
static int64_t heard_at;  /* ... it read last, ns */
static int64_t stalled;   /* ns: the longest that it waited for more */
static uint32_t pmtu;     /* the path's MTU as A knows it */
static int64_t raised_at; /* ns: when that was 1,500 again, after wide_at */

static void watch(struct lab *l, unsigned node)
{
    struct stack_conn_status s;

    if (node == LAB_A && lab_status(l, 0, &s)) {
        pmtu = s.pmtu;
        if (l->now > wide_at && pmtu == 1500 && !raised_at)
            raised_at = l->now;
    }
    if (l->read[0] == heard)
        return;
    stalled = time_max(stalled, l->now - heard_at);
    heard = l->read[0];
    heard_at = l->now;
}

/* One flow of 87 MB through a window of WINDOW segments at most: 24 s. */
static struct path_config *begin(bool mute)
{
    struct path_config *p;

    heard = 0;
    heard_at = stalled = raised_at = 0;
    lab_init(&lab, 0, BOUND_RTT, 0);
    lab_tcp(&lab, LAB_B)->rcv_buf = WINDOW * LAB_MSS;
    lab_flow(&lab, LAB_A, SEGMENTS * (uint64_t)LAB_MSS, 0);
    p = &lab.sc.path[LAB_A][LAB_B];
    p->mtu = NARROW;
    p->narrow_from = narrow_at;
    p->mute = mute;
    lab.ran = watch;
    return p;
}

static uint64_t twice(void)
{
    return lab.sent[LAB_A].text - SEGMENTS * (uint64_t)LAB_MSS;
}

static unsigned timeouts(void)
{
    return (unsigned)lab_timeouts(&lab, LAB_A);
}

void bound_mtu_icmp(struct verdict *v)
{
    (void)begin(false);
    bound_play(&lab);
    bound_say(v, &lab,
              timeouts() == 0 && lab_again(&lab, LAB_A) == 0 &&
                  twice() <= (uint64_t)WINDOW * LAB_MSS && pmtu == NARROW,
              "%u timeouts, %u losses, %u kB of a window of %u sent again, silence %.0f ms",
              timeouts(), (unsigned)lab_again(&lab, LAB_A), (unsigned)(twice() / 1000),
              WINDOW * LAB_MSS / 1000, (double)stalled / (double)MSEC);
}

void bound_mtu_black_hole(struct verdict *v)
{
    (void)begin(true);
    bound_play(&lab);
    bound_say(v, &lab,
              stalled < 5 * SEC && lab_again(&lab, LAB_A) == lab_timeouts(&lab, LAB_A) &&
                  pmtu <= NARROW && pmtu + PATH_MTU_STEP > NARROW,
              "silence %.1f s, then %u probes to find %u, and no other loss",
              (double)stalled / (double)SEC, (unsigned)lab.sent[LAB_A].why[REASON_SEND_MTU_PROBE],
              pmtu);
}

/* What only looks like a black hole: nothing passes for six seconds. */
void bound_mtu_outage(struct verdict *v)
{
    struct path_config *p = begin(true);

    p->mtu = 0;
    p->down_from = narrow_at;
    p->down_until = narrow_at + 6 * SEC;
    bound_play(&lab);
    bound_say(v, &lab,
              pmtu == 1500 && lab.sent[LAB_A].why[REASON_SEND_MTU_PROBE] == 1 &&
                  raised_at < 11 * SEC,
              "%u probe, full segments again %.1f s after the outage",
              (unsigned)lab.sent[LAB_A].why[REASON_SEND_MTU_PROBE],
              (double)(raised_at - 9 * SEC) / (double)SEC);
}

/* What is known gets old after 10 s, and the path is as before since 8 s. */
void bound_mtu_raised(struct verdict *v)
{
    struct path_config *p = begin(false);

    p->narrow_until = wide_at;
    lab.sc.node[LAB_A].stack.path_mtu_age = 10 * SEC;
    bound_play(&lab);
    bound_say(v, &lab,
              raised_at > 13 * SEC && raised_at < 14 * SEC && timeouts() == 0 &&
                  lab_again(&lab, LAB_A) == 0,
              "found %.1f s after the error, by %u probe; %u timeouts, %u losses",
              (double)(raised_at - narrow_at) / (double)SEC,
              (unsigned)lab.sent[LAB_A].why[REASON_SEND_MTU_PROBE], timeouts(),
              (unsigned)lab_again(&lab, LAB_A));
}
