/*
 * Each bound is a function that sets up an experiment (lab.h), plays it, and says what it found:
 * a figure for people and whether it holds. Congestion control is CUBIC where none is named.
 */
#include "tests/sim/bounds.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "run/exit.h"
#include "tcp/cc/cc.h"
#include "tests/sim/bound.h"

struct bound {
    const char *name, *claim;
    void (*try)(struct verdict *v);
};

static const int64_t rtt = BOUND_RTT;
static const uint64_t fast = BOUND_RATE;

static struct lab lab;
static bool talk;

void bound_say(struct verdict *v, const struct lab *l, bool holds, const char *format, ...)
{
    va_list args;
    int at = 0;

    v->holds = holds && !l->result.failed;
    if (l->result.failed)
        at = snprintf(v->figure, sizeof(v->figure), "%s; ", l->result.why);
    if (at >= (int)sizeof(v->figure))
        return;
    va_start(args, format);
    vsnprintf(v->figure + at, sizeof(v->figure) - (size_t)at, format, args);
    va_end(args);
}

void bound_play(struct lab *l)
{
    l->verbose = talk;
    lab_play(l);
}

/* A window of `n` full segments, and no other limit. */
static void window_of(uint32_t n)
{
    lab_init(&lab, 0, rtt, 0);
    lab_tcp(&lab, LAB_B)->rcv_buf = n * LAB_MSS;
    lab.sc.path[LAB_A][LAB_B].rate = fast;
    lab.sc.path[LAB_A][LAB_B].queue = 10 * n * LAB_MSS;
}

/* ---- Repairs ---- */

/* lab.state[0], [1]: the first and the last packet with payload that get lost, from 1 */
static bool lose_numbers(struct lab *l, unsigned from, const uint8_t *b, uint32_t len,
                         enum reason why)
{
    uint64_t text = l->sent[LAB_A].text;
    bool data = text != l->state[3];

    (void)b, (void)len, (void)why;
    l->state[3] = text;
    return !(from == LAB_A && data && l->data_packets >= l->state[0] &&
             l->data_packets <= l->state[1]);
}

/* One out of a window of a hundred is lost; lab.leaves decides what else. */
static void lose_one(void)
{
    lab_flow(&lab, LAB_A, 3000 * LAB_MSS, 0);
    lab.state[0] = lab.state[1] = 1500;
    bound_play(&lab);
}

static void say_repair(struct verdict *v, bool holds)
{
    bound_say(v, &lab, holds && lab_timeouts(&lab, LAB_A) == 0,
              "%u timeouts, %u segments sent again", (unsigned)lab_timeouts(&lab, LAB_A),
              (unsigned)lab_again(&lab, LAB_A));
}

static void one_loss(struct verdict *v)
{
    window_of(100);
    lab.leaves = lose_numbers;
    lose_one();
    say_repair(v, lab_again(&lab, LAB_A) == 1);
}

/* Without SACK, by duplicate acknowledgments alone. */
static void one_loss_newreno(struct verdict *v)
{
    window_of(100);
    lab_tcp(&lab, LAB_B)->sack = false;
    lab.leaves = lose_numbers;
    lose_one();
    say_repair(v, lab_again(&lab, LAB_A) == 1);
}

/* ... and state[2] is how long before a probe the last text left, ns. */
static bool time_probe(struct lab *l, unsigned from, const uint8_t *b, uint32_t len,
                       enum reason why)
{
    if (from == LAB_A && why == REASON_SEND_DATA)
        l->state[2] = (uint64_t)l->now;
    else if (why == REASON_SEND_TLP)
        l->state[2] = (uint64_t)l->now - l->state[2];
    return lose_numbers(l, from, b, len, why);
}

/*
 * The last segments of a message, with silence behind them. What arrives before them is heard of
 * after a round trip, and PTO is two more; where one alone is outstanding, a delayed acknowledgment
 * has its time besides, but no more than RTX would wait (RFC 8985 section 7.2).
 */
static void lost_tail_of(struct verdict *v, unsigned lost, int64_t latest)
{
    window_of(100);
    lab_flow(&lab, LAB_A, 40 * LAB_MSS, 0);
    lab.sc.conn[0].end[0].close_delay = 10 * SEC;
    lab.leaves = time_probe;
    lab.state[0] = 41 - lost;
    lab.state[1] = 40;
    bound_play(&lab);
    bound_say(v, &lab,
              lab_timeouts(&lab, LAB_A) == 0 && lab_probes(&lab, LAB_A) == 1 &&
                  (int64_t)lab.state[2] >= 3 * rtt && (int64_t)lab.state[2] <= latest &&
                  lab.done_at < 450 * MSEC,
              "%u probe after %.0f ms, %u timeouts; delivered after %.0f ms",
              (unsigned)lab_probes(&lab, LAB_A), (double)lab.state[2] / (double)MSEC,
              (unsigned)lab_timeouts(&lab, LAB_A), (double)lab.done_at / (double)MSEC);
}

static void lost_tail(struct verdict *v)
{
    lost_tail_of(v, 1, 260 * MSEC);
}

static void lost_tail_of_five(struct verdict *v)
{
    lost_tail_of(v, 5, 125 * MSEC);
}

static void displaced(struct verdict *v)
{
    window_of(200);
    lab_flow(&lab, LAB_A, 20000 * LAB_MSS, 0);
    lab.sc.path[LAB_A][LAB_B].reorder = 200000;
    lab.sc.path[LAB_A][LAB_B].reorder_by = rtt / 4;
    bound_play(&lab);
    bound_say(v, &lab, lab_again(&lab, LAB_A) == 0, "%u of %u segments sent again",
              (unsigned)lab_again(&lab, LAB_A), (unsigned)lab.data_packets);
}

/* state[2]: packets that B has refused as older than what came (PAWS). */
static void count_refused(struct lab *l, unsigned node)
{
    if (node == LAB_B)
        l->state[2] = stack_count(l->world->node[LAB_B].st, REASON_TCP_PAWS);
}

static bool displaced_by(const char *cc, uint64_t seed, bool timestamps)
{
    window_of(200);
    lab_use(&lab, cc);
    lab.sc.seed = seed;
    lab_tcp(&lab, LAB_A)->timestamps = timestamps;
    lab_flow(&lab, LAB_A, 5000 * LAB_MSS, 0);
    lab.sc.path[LAB_A][LAB_B].reorder = 200000;
    lab.sc.path[LAB_A][LAB_B].reorder_by = rtt / 4;
    lab.leaves = lose_numbers;
    lab.ran = count_refused;
    lab.state[0] = lab.state[1] = 300;
    bound_play(&lab);
    return !lab.result.failed && lab_again(&lab, LAB_A) == 1 + lab.state[2];
}

/*
 * Packet 300 gets lost besides. With timestamps the repair may overtake some that left before it,
 * and moves TS.Recent beyond theirs: to B they are old (RFC 7323 section 5.3), and so they are lost
 * indeed. Without timestamps nothing else is sent again.
 */
static void displaced_and_lost(struct verdict *v)
{
    static const char *const name[] = {"reno", "cubic", "bbr"};
    uint64_t again = 0, refused = 0;
    bool good = true;

    for (unsigned i = 0; i < 24 && good; i++) {
        good = displaced_by(name[i % 3], 1 + i / 6, i / 3 % 2);
        again += lab_again(&lab, LAB_A);
        refused += lab.state[2];
    }
    bound_say(v, &lab, good && refused > 0,
              "24 times; %u segments sent again, 24 of them lost, %u refused by PAWS",
              (unsigned)again, (unsigned)refused);
}

/* Loses packet number state[0] and the first repair of anything. */
static bool lose_repair(struct lab *l, unsigned from, const uint8_t *b, uint32_t len,
                        enum reason why)
{
    if (from == LAB_A && lab_is_repair(why) && l->state[2]++ < 1)
        return false;
    return lose_numbers(l, from, b, len, why);
}

/* With a window that is not used up there is something behind the repair, and that shows that it
 * is lost, too; a probe of the tail, which might do so instead, is not allowed. */
static void lost_repair(struct verdict *v)
{
    lab_init(&lab, fast, rtt, 500000);
    lab_tcp(&lab, LAB_A)->tlp = false;
    lab_flow(&lab, LAB_A, 3000 * LAB_MSS, 0);
    lab.leaves = lose_repair;
    lab.state[0] = lab.state[1] = 150;
    bound_play(&lab);
    say_repair(v, lab.sent[LAB_A].why[REASON_SEND_RACK] == 2 && lab_again(&lab, LAB_A) == 2);
}

/*
 * Two neighbours get lost, and B says of the second that it has it: as if it had been there and was
 * thrown away. The words of B are two NOPs with timestamps, two NOPs, and SACK with its blocks.
 */
static bool take_back(struct lab *l, unsigned from, const uint8_t *b, uint32_t len, enum reason why)
{
    uint8_t copy[256], *tcp = copy + 20, *sack = tcp + 32;
    bool has = from == LAB_B && len <= sizeof(copy) && len >= 20 + 20 + 12 + 12;

    if (has) {
        memcpy(copy, b, len);
        has = sack[2] == TCP_OPT_SACK && get32(sack + 4) == get32(tcp + 8) + 2 * LAB_MSS;
    }
    if (!has)
        return lose_numbers(l, from, b, len, why);
    l->state[2]++;
    lab_change32(tcp, sack + 4, get32(sack + 4) - LAB_MSS);
    lane_send(&l->world->lane[LAB_B][LAB_A], l->world->now, copy, len);
    return false;
}

static void reneging(struct verdict *v)
{
    window_of(100);
    lab_flow(&lab, LAB_A, 3000 * LAB_MSS, 0);
    lab.leaves = take_back;
    lab.state[0] = 1500;
    lab.state[1] = 1501;
    bound_play(&lab);
    bound_say(v, &lab,
              lab.state[2] > 0 && lab_again(&lab, LAB_A) == 2 && lab_timeouts(&lab, LAB_A) == 0,
              "%u false reports, %u segments sent again, %u timeouts", (unsigned)lab.state[2],
              (unsigned)lab_again(&lab, LAB_A), (unsigned)lab_timeouts(&lab, LAB_A));
}

/*
 * At 3 s the path is late for 30 ms, by state[2]: nothing is lost, and the timer expires. What
 * comes late keeps its order, so that all of it is there after the last of what left in that time,
 * and two round trips later all that it caused is answered. state[0]: cwnd before; [1]: cwnd then.
 */
static void hold_up(struct lab *l, unsigned node)
{
    static const int64_t from = 3 * SEC, to = 3030 * MSEC;
    struct path *p = &l->world->lane[LAB_A][LAB_B].path;
    int64_t late = (int64_t)l->state[2];
    struct stack_conn_status s;

    if (node == LAB_A && lab_status(l, 0, &s)) {
        if (l->now < from)
            l->state[0] = s.cwnd;
        else if (l->now < to + late + 3 * rtt)
            l->state[1] = s.cwnd;
    }
    p->cfg.delay = rtt / 2 + (l->now >= from && l->now < to ? late : 0);
}

static void be_late(int64_t by)
{
    lab_flow(&lab, LAB_A, 10000 * LAB_MSS, 0);
    lab.ran = hold_up;
    lab.state[2] = (uint64_t)by;
    bound_play(&lab);
}

static void say_undone(struct verdict *v, bool holds)
{
    bound_say(v, &lab, holds && lab.state[1] >= lab.state[0],
              "%u sent again by timeouts, cwnd %u segments before and %u after",
              (unsigned)lab_timeouts(&lab, LAB_A), (unsigned)(lab.state[0] / LAB_MSS),
              (unsigned)(lab.state[1] / LAB_MSS));
}

/* By one witness alone, of an acknowledgment: three timeouts in a row, and nothing else. */
static void spurious_timeout(struct verdict *v, bool timestamps, bool frto)
{
    window_of(100);
    lab_tcp(&lab, LAB_A)->timestamps = timestamps;
    lab_tcp(&lab, LAB_A)->frto = frto;
    lab_tcp(&lab, LAB_A)->dsack = false;
    be_late(1500 * MSEC);
    say_undone(v, lab_timeouts(&lab, LAB_A) == 3 && lab_again(&lab, LAB_A) == 3);
}

static void spurious_timeout_echo(struct verdict *v)
{
    spurious_timeout(v, true, false);
}

static void spurious_timeout_frto(struct verdict *v)
{
    spurious_timeout(v, false, true);
}

/* D-SACK tells when all has been sent again, in vain; of what left twice so it says nothing. */
static void spurious_timeout_dsack(struct verdict *v)
{
    window_of(100);
    lab_tcp(&lab, LAB_A)->timestamps = lab_tcp(&lab, LAB_A)->frto = false;
    be_late(300 * MSEC);
    say_undone(v, lab_timeouts(&lab, LAB_A) >= 1);
}

/*
 * Twenty times, with other losses each time; the slowest counts. Half of all that is tried fails,
 * so that R2 is what it may come to: it has room for twelve timeouts in a row.
 */
static void heavy_loss(struct verdict *v)
{
    int64_t slowest = 0;
    unsigned timeouts = 0;
    bool good = true;

    for (unsigned i = 0; i < 20 && good; i++) {
        lab_init(&lab, fast, rtt, 500000);
        lab.sc.seed = i + 1;
        lab_flow(&lab, LAB_A, 300000, 0);
        lab.sc.path[LAB_A][LAB_B].loss = lab.sc.path[LAB_B][LAB_A].loss = 300000;
        bound_play(&lab);
        slowest = time_max(slowest, lab.done_at);
        timeouts += (unsigned)lab_timeouts(&lab, LAB_A);
        good = !lab.result.failed;
    }
    bound_say(v, &lab, good && slowest < 1200 * SEC,
              "300 kB twenty times, the slowest in %.1f s, %u timeouts in all",
              (double)slowest / (double)SEC, timeouts);
}

/*
 * Twenty flows of 6 MB, one after the other, over a path that loses 1% each way. A node wakes every
 * 100 us, so that parts of a window come in a batch. Reno's sawtooth comes to 7.09 Mbit/s, 12.2
 * segments in flight (sqrt(1.5 / p)); the first slow start brings the rest.
 */
static void random_loss_with(struct verdict *v, const char *cc, double least)
{
    unsigned timeouts = 0;
    int64_t took = 0;
    double got;

    for (unsigned i = 0; i < 20 && !lab.result.failed; i++) {
        lab_init(&lab, 10 * fast, 20 * MSEC, 500000);
        lab_use(&lab, cc);
        lab.sc.seed = i + 1;
        lab.sc.node[LAB_A].grain = lab.sc.node[LAB_B].grain = 100 * USEC;
        lab.sc.path[LAB_A][LAB_B].loss = lab.sc.path[LAB_B][LAB_A].loss = 10000;
        lab_flow(&lab, LAB_A, 6000000, 0);
        bound_play(&lab);
        took += lab.done_at;
        timeouts += (unsigned)lab_timeouts(&lab, LAB_A);
    }
    got = 20 * 6e6 * 8e3 / (double)took;
    bound_say(v, &lab, got >= least && timeouts <= 4, "%.2f Mbit/s, %u timeouts", got, timeouts);
}

static void random_loss_reno(struct verdict *v)
{
    random_loss_with(v, "reno", 8.2);
}

static void random_loss_cubic(struct verdict *v)
{
    random_loss_with(v, "cubic", 10.2);
}

/* The word that the window is open gets lost; only a probe can find it out. */
static bool lose_update(struct lab *l, unsigned from, const uint8_t *b, uint32_t len,
                        enum reason why)
{
    (void)b, (void)len;
    return !(from == LAB_B && why == REASON_SEND_WINDOW_UPDATE && l->state[0]++ < 1);
}

static void zero_window_with(struct verdict *v, bool lost)
{
    int64_t late;

    window_of(20);
    lab_flow(&lab, LAB_A, 200 * LAB_MSS, 0);
    lab.sc.conn[0].end[1].read_after = 3600 * SEC;
    lab.leaves = lost ? lose_update : NULL;
    bound_play(&lab);
    late = lab.done_at - 3600 * SEC;
    bound_say(v, &lab, lab.done_at != TIME_NEVER && late < (lost ? 61 : 1) * SEC,
              "all read %.1f s after it opened, %u probes before", (double)late / (double)SEC,
              (unsigned)lab.sent[LAB_A].why[REASON_SEND_PROBE]);
}

static void zero_window(struct verdict *v)
{
    zero_window_with(v, false);
}

static void zero_window_unheard(struct verdict *v)
{
    zero_window_with(v, true);
}

/* ---- Windows ---- */

/* One loss out of a hundred segments in flight. state[2]: ssthresh after it, for good. */
static void watch_reduction(struct lab *l, unsigned node)
{
    struct stack_conn_status s;

    if (node == LAB_A && lab_again(l, LAB_A) > 0 && lab_status(l, 0, &s))
        l->state[2] = s.ssthresh;
}

static double reduction_of(const char *cc)
{
    window_of(100);
    lab_use(&lab, cc);
    lab_flow(&lab, LAB_A, 3000 * LAB_MSS, 0);
    lab.leaves = lose_numbers;
    lab.ran = watch_reduction;
    lab.state[0] = lab.state[1] = 1500;
    bound_play(&lab);
    return (double)lab.state[2] / (100 * LAB_MSS);
}

static void reduction_reno(struct verdict *v)
{
    double r = reduction_of("reno");

    bound_say(v, &lab, r > 0.48 && r < 0.52, "to %.3f of what was in flight", r);
}

static void reduction_cubic(struct verdict *v)
{
    double r = reduction_of("cubic");

    bound_say(v, &lab, r > 0.68 && r < 0.72, "to %.3f of what was in flight", r);
}

/* Data packet 100 gets lost. state[2]: ns when it was sent again; [1]: segments in flight then;
 * [0]: text packets within the round trip after that; [3]: so many before it. */
static bool count_repair(struct lab *l, unsigned from, const uint8_t *b, uint32_t len,
                         enum reason why)
{
    struct stack_conn_status s;

    (void)b, (void)len;
    if (from != LAB_A)
        return true;
    if (lab_is_repair(why) && l->state[2] == 0 && lab_status(l, 0, &s)) {
        l->state[1] = s.unacked / LAB_MSS;
        l->state[2] = (uint64_t)l->now;
        l->state[3] = l->data_packets;
    }
    if (l->state[2] && l->now <= (int64_t)l->state[2] + rtt)
        l->state[0] = l->data_packets - l->state[3];
    return l->data_packets != 100;
}

/* The repair lasts for a round trip, in which all arrives that is in flight at its beginning. */
static void even_reduction(struct verdict *v)
{
    double r;

    lab_init(&lab, fast, rtt, 500000);
    lab_use(&lab, "cubic");
    lab_flow(&lab, LAB_A, 2000 * LAB_MSS, 0);
    lab.leaves = count_repair;
    bound_play(&lab);
    r = (double)lab.state[0] / (double)lab.state[1];
    bound_say(v, &lab, r > 0.45 && r < 0.75, "%.2f segments for each of %u that were in flight", r,
              (unsigned)lab.state[1]);
}

/* ---- All of them ---- */

static const struct bound bounds[] = {
    {"one_loss", "one loss in a window of 100 costs no timeout", one_loss},
    {"one_loss_newreno", "nor does it without SACK", one_loss_newreno},
    {"lost_tail", "a lost tail costs a probe and no timeout", lost_tail},
    {"lost_tail_of_five", "nor does a tail of five", lost_tail_of_five},
    {"displaced", "a fifth displaced by up to a quarter round trip: nothing is sent again",
     displaced},
    {"displaced_and_lost", "and with one loss nothing else is, but what PAWS refuses",
     displaced_and_lost},
    {"lost_repair", "a lost retransmission is repaired without a timeout", lost_repair},
    {"reneging", "what B reported and takes back is sent again, and nothing else", reneging},
    {"spurious_timeout_echo", "a spurious timeout is undone by timestamps alone",
     spurious_timeout_echo},
    {"spurious_timeout_frto", "... by F-RTO alone", spurious_timeout_frto},
    {"spurious_timeout_dsack", "... by D-SACK alone", spurious_timeout_dsack},
    {"heavy_loss", "30% loss each way still delivers", heavy_loss},
    {"random_loss_reno", "1% loss each way leaves Reno 8.2 Mbit/s, and no timeouts",
     random_loss_reno},
    {"random_loss_cubic", "and CUBIC 10.2", random_loss_cubic},
    {"zero_window", "a zero window for an hour ends when it opens", zero_window},
    {"zero_window_unheard", "also where the word of it is lost", zero_window_unheard},
    {"reduction_reno", "a loss halves Reno's window", reduction_reno},
    {"reduction_cubic", "and takes CUBIC's to 0.7", reduction_cubic},
    {"even_reduction", "a repair sends evenly, as the window shrinks", even_reduction},
    {"fair_cubic", "two CUBIC flows share: Jain at least 0.95", bound_fair_cubic},
    {"fair_cubic_reno", "CUBIC and Reno share a small BDP: Jain at least 0.94",
     bound_fair_cubic_reno},
    {"fill_reno", "100 Mbit/s, 40 ms, a BDP of buffer: Reno fills 95%", bound_fill_reno},
    {"marks_not_losses", "with ECN a link is filled to 90% and nothing is lost",
     bound_marks_not_losses},
    {"fill_cubic", "CUBIC fills 95%", bound_fill_cubic},
    {"fill_bbr", "BBR fills 95%", bound_fill_bbr},
    {"lossy_bbr", "with a tenth of a BDP and 1% loss BBR fills 80%, and 75% at worst",
     bound_lossy_bbr},
    {"slow_start_ends", "HyStart++ loses less where slow start ends, and never more",
     bound_slow_start_ends},
    {"mtu_icmp", "a path that gets narrow and says so costs a window, no loss and no timeout",
     bound_mtu_icmp},
    {"mtu_black_hole", "one that does not say so: on after 5 s, and its MTU found to 16 bytes",
     bound_mtu_black_hole},
    {"mtu_outage", "what only looked like it is undone by one probe", bound_mtu_outage},
    {"mtu_raised", "a wide path is found again when what is known is old", bound_mtu_raised},
};

int bounds_run(const char *only, bool verbose)
{
    bool failed = false, found = !only;

    talk = verbose;
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        const struct bound *b = &bounds[i];
        struct verdict v = {0};

        if (only && strcmp(only, b->name) != 0)
            continue;
        found = true;
        b->try(&v);
        printf("%s - bound %s: %s: %s\n", v.holds ? "ok" : "not ok", b->name, b->claim, v.figure);
        failed = failed || !v.holds;
    }
    if (!found)
        fprintf(stderr, "sim: there is no bound '%s'; sim --bounds names them all\n", only);
    return !found ? EXIT_USAGE : failed ? EXIT_FAILED : EXIT_DONE;
}
