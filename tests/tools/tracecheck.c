/*
 * tracecheck FILE: read a trace as a viewer does, and say what is in it, in one line of
 * NAME=NUMBER:
 *
 *   whole      1, or 0 where the file ends in the middle
 *   events     in the file; said: as it says itself; lost: as it says itself (-1: it does not)
 *   sent       slices of packets that were sent; received: of those that came, but for the
 *              kernel's own
 *   arrows     that arrive at these; joined: of these, that have left somewhere
 *   states, timers   slices; open: of these, that do not end; instants; counters: their values
 *   unshown    counters that a connection has and that are not there
 *
 * Slices that do not nest, times that go back, states in an order that RFC 9293 does not know,
 * packets that were sent without a reason: a line on standard error, and exit code 1.
 */
#include "tests/unit/trace_check.h"

/* How many of the counters that there should be are not there. */
static unsigned unshown(const json_t *events)
{
    static const char *const name[] = {"cwnd, bytes",    "ssthresh, bytes", "in flight, bytes",
                                       "snd_wnd, bytes", "rcv_wnd, bytes",  "srtt, ms",
                                       "rtt, ms",        "rto, ms"};
    unsigned missing = 0;
    size_t i;
    json_t *e;

    for (unsigned k = 0; k < sizeof(name) / sizeof(name[0]); k++) {
        bool found = false;

        json_array_foreach(events, i, e)
        {
            found |= tc_string(e, "ph")[0] == 'C' && tc_arg(e, name[k]);
        }
        missing += !found;
    }
    return missing;
}

int main(int argc, char **argv)
{
    struct tc_seen seen;
    bool whole;
    json_t *events;
    const char *wrong;

    if (argc != 2) {
        fprintf(stderr, "tracecheck FILE\n");
        return 2;
    }
    events = tc_load(argv[1], &whole);
    wrong = events ? tc_wrong(events, &seen) : tc_text;
    if (wrong) {
        fprintf(stderr, "tracecheck: %s: %s\n", argv[1], wrong);
        return EXIT_FAILURE;
    }
    printf("whole=%d events=%lu said=%lld lost=%lld sent=%lu received=%lu arrows=%lu joined=%lu "
           "states=%lu timers=%lu open=%lu instants=%lu counters=%lu unshown=%u\n",
           whole, seen.events, seen.said, seen.lost, seen.sent, seen.received, seen.arrows,
           seen.joined, seen.states, seen.timers, seen.open, seen.instants, seen.counters,
           unshown(events));
    json_decref(events);
    return EXIT_SUCCESS;
}
