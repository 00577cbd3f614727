/*
 * The timeouts (RFC 9293 section 3.10.8) in every state: RETRANSMISSION, USER (R2 of section 3.8.3)
 * and TIME-WAIT, and that of a closed window.
 *
 * The remote node is silent. Where its name does not say otherwise, nothing is outstanding but our
 * SYN or FIN.
 */
#include "event_kit.h"

enum timeout {
    RETRANSMISSION, /* the next time that RTX is due, or a minute where it does not run */
    USER,           /* five minutes: all of R2 for a SYN and for data */
    TIME_WAIT,      /* 2 MSL */
};

enum before {
    NOTHING,
    DATA,   /* one byte is outstanding */
    CLOSED, /* one byte waits for a window that is closed */
};

struct row {
    const char *name;
    enum timeout timeout;
    enum before before;
    const char *cell[COLUMNS];
};

/* clang-format off */
static const struct row rows[] = {
/*                                                                          LISTEN SYN-SENT    SYN-R pas.  SYN-R act.  ESTABL.     FIN-W-1     FIN-W-2     CLOSE-W     CLOSING     LAST-ACK    TIME-WAIT   CLOSED */
{"RETRANSMISSION TIMEOUT",                        RETRANSMISSION, NOTHING, {"-",  "SY",       "SA",       "SA",       "-",        "FN",       "-",        "-",        "FN",       "FN",       "-",        "-"}},
{"RETRANSMISSION TIMEOUT, data outstanding",      RETRANSMISSION, DATA,    {"",   "",         "",         "",         "DT",       "",         "",         "DT",       "",         "",         "",         ""}},
{"RETRANSMISSION TIMEOUT, closed window",         RETRANSMISSION, CLOSED,  {"",   "",         "",         "",         "DT",       "",         "",         "DT",       "",         "",         "",         ""}},
{"USER TIMEOUT",                                  USER,           NOTHING, {"-",  "- CLD et", "- LSN",    "- CLD et", "-",        "- CLD et", "-",        "-",        "- CLD et", "- CLD et", "- CLD",    "-"}},
{"USER TIMEOUT, data outstanding",                USER,           DATA,    {"",   "",         "",         "",         "- CLD et", "",         "",         "- CLD et", "",         "",         "",         ""}},
{"USER TIMEOUT, closed window, no probe answered", USER,          CLOSED,  {"",   "",         "",         "",         "- CLD et", "",         "",         "- CLD et", "",         "",         "",         ""}},
{"TIME-WAIT TIMEOUT",                             TIME_WAIT,      NOTHING, {"-",  "- e",      "-",        "- e",      "-",        "- e",      "-",        "-",        "- e",      "- e",      "- CLD",    "-"}},
};
/* clang-format on */

static const char *name_of(const void *row)
{
    return ((const struct row *)row)->name;
}

static const char *const *cells_of(const void *row)
{
    return ((const struct row *)row)->cell;
}

/* The silent instant before RTX, then the instant; a minute where nothing is to be sent again. */
static void until_retransmission(enum column col)
{
    int64_t due = tcb() ? tcb()->timer[TIMER_RTX] : TIME_NEVER;

    if (due == TIME_NEVER) {
        advance(col == TMW ? 2 * rig.cfg.tcp.msl_ns - 1 : 60 * SEC);
        return;
    }
    assert_true(due > rig.now);
    advance(due - rig.now - 1);
    rig_expect_nothing();
    advance(1);
}

/* Let time pass second by second, and whatever leaves meanwhile. */
static void wait_for(int64_t ns)
{
    for (int64_t until = rig.now + ns; rig.now < until;) {
        advance(time_min(SEC, until - rig.now));
        while (rig_take())
            continue;
    }
}

static void let_pass(enum timeout timeout, enum column col)
{
    switch (timeout) {
    case RETRANSMISSION:
        until_retransmission(col);
        break;
    case USER:
        wait_for(400 * SEC);
        break;
    case TIME_WAIT:
        wait_for(2 * rig.cfg.tcp.msl_ns - 1);
        rig_state(columns[col].state);
        wait_for(1);
        break;
    }
}

static void prepare(enum before before, enum column col)
{
    bring_to(col);
    if (before == CLOSED)
        rig_inject(ACK, rcv_nxt_of(col), 1, 0, 0, NULL);
    if (before != NOTHING)
        rig_send(1);
    if (before == DATA)
        rig_expect(ACK, 1, rcv_nxt_of(col), 1);
    rig_expect_nothing();
}

static void a_timeout(void **state)
{
    const struct event_cell *at = *state;
    const struct row *r = at->row;
    struct cell cell = cell_parse(at->text, at->col);
    struct numbers n = {.snd_nxt = 1, .rcv_nxt = rcv_nxt_of(at->col), .seg_end = 1};

    prepare(r->before, at->col);
    rig.what = at->name;
    let_pass(r->timeout, at->col);
    check_answer(cell.answer, &n);
    check_after(&cell, at->col);
    end();
}

int main(int argc, char **argv)
{
    static const struct event_table table = {
        .title = "Timeouts (3.10.8)",
        .text =
            "The USER TIMEOUT is R2: five minutes without an answer to what is outstanding, three "
            "minutes for a SYN.",
        .rows = rows,
        .row_size = sizeof(rows[0]),
        .row_count = sizeof(rows) / sizeof(rows[0]),
        .name_of = name_of,
        .cells_of = cells_of,
        .test = a_timeout,
    };

    return run_tables(argc, argv, &table, 1);
}
