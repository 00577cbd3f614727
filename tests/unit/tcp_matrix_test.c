/*
 * Every state against every event: RFC 9293 section 3.10 as one table.
 *
 * A row is a segment, or a user call; a column is a state. Each cell says what is sent and which
 * state follows. The connection was opened passively (SRP) or by both (SRA), has exchanged no data,
 * and the window is 8000 bytes, so that RCV.NXT is 1, or 2 behind the remote FIN. `ack` of every
 * segment is SND.NXT, so it acknowledges our SYN or FIN where one is outstanding.
 */
#include "tcp_kit.h"

/* The columns. */
enum column {
    LSN, /* LISTEN */
    SYS, /* SYN-SENT */
    SRP, /* SYN-RECEIVED, reached from LISTEN */
    SRA, /* SYN-RECEIVED, reached from SYN-SENT */
    EST,
    FW1,
    FW2,
    CLW,
    CLG, /* CLOSING */
    LAK,
    TMW,
    CLD, /* CLOSED: no connection, no listener */
    COLUMNS,
    SAME, /* the state stays */
    GONE, /* the connection is over */
};

/* What is sent in answer. */
enum answer {
    NO,  /* nothing */
    AK,  /* an acknowledgment: SEQ=SND.NXT, ACK=RCV.NXT */
    CH,  /* the same, as a challenge, of which there are so many in a second */
    DUP, /* the same, as a duplicate */
    LTR, /* the same, later: it may be delayed */
    RS,  /* RST with SEQ=SEG.ACK */
    RA,  /* RST with ACK=SEG.SEQ+SEG.LEN */
    RX,  /* RST with SEQ=SND.NXT: ours to send */
    SA,  /* SYN-ACK */
    FN,  /* FIN */
    DT,  /* the data of the user call */
};

struct cell {
    enum answer answer;
    enum column next;
};

/* Where the segment's number lies: at RCV.NXT + what `offset` says. */
enum {
    WND = 8000,
    EXACT = 0,
    INSIDE = 100,
    BEFORE = -20000,
    BEHIND = WND + 100,
};

struct row {
    const char *name;
    uint8_t flags;
    int offset;
    uint32_t len;
    struct cell cell[COLUMNS];
};

/* clang-format off */
static const struct row segments[] = {
/*                                             LISTEN     SYN-SENT   SYN-R pas. SYN-R act. ESTABL.    FIN-W-1    FIN-W-2    CLOSE-W    CLOSING    LAST-ACK   TIME-WAIT  CLOSED */
{"SYN exact",         SYN,       EXACT,   0, {{SA, SRP}, {SA, SRA}, {NO, GONE},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{RA, SAME}}},
{"SYN inside",        SYN,       INSIDE,  0, {{SA, SRP}, {SA, SRA}, {NO, GONE},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{SA, SRP}, {RA, SAME}}},
{"SYN outside",       SYN,       BEHIND,  0, {{SA, SRP}, {SA, SRA}, {CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{SA, SRP}, {RA, SAME}}},
{"SYN before",        SYN,       BEFORE,  0, {{SA, SRP}, {SA, SRA}, {CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{RA, SAME}}},
{"SYN-ACK exact",     SYN | ACK, EXACT,   0, {{RS, SAME},{AK, EST}, {NO, GONE},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{RS, SAME}}},
{"SYN-ACK inside",    SYN | ACK, INSIDE,  0, {{RS, SAME},{AK, EST}, {NO, GONE},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{RS, SAME}}},
{"SYN-ACK outside",   SYN | ACK, BEHIND,  0, {{RS, SAME},{AK, EST}, {CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{RS, SAME}}},
{"the SYN-ACK again", SYN | ACK, -1,      0, {{RS, SAME},{AK, EST}, {CH, SAME},{NO, EST}, {CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{RS, SAME}}},
{"the SYN again",     SYN,       -1,      0, {{SA, SRP}, {SA, SRA}, {SA, SAME},{SA, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{RA, SAME}}},
{"ACK exact",         ACK,       EXACT,   0, {{RS, SAME},{NO, SAME},{NO, EST}, {NO, EST}, {NO, SAME},{NO, FW2}, {NO, SAME},{NO, SAME},{NO, TMW}, {NO, GONE},{NO, SAME},{RS, SAME}}},
{"ACK inside",        ACK,       INSIDE,  0, {{RS, SAME},{NO, SAME},{NO, EST}, {NO, EST}, {NO, SAME},{NO, FW2}, {NO, SAME},{NO, SAME},{NO, TMW}, {NO, GONE},{NO, SAME},{RS, SAME}}},
{"ACK outside",       ACK,       BEHIND,  0, {{RS, SAME},{NO, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{RS, SAME}}},
{"ACK before",        ACK,       BEFORE,  0, {{RS, SAME},{NO, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{RS, SAME}}},
{"data exact",        ACK,       EXACT,  10, {{RS, SAME},{NO, SAME},{LTR, EST},{LTR, EST},{LTR,SAME},{LTR, FW2},{LTR,SAME},{NO, SAME},{NO, TMW}, {NO, GONE},{NO, SAME},{RS, SAME}}},
{"data inside",       ACK,       INSIDE, 10, {{RS, SAME},{NO, SAME},{DUP, EST},{DUP, EST},{DUP,SAME},{DUP, FW2},{DUP,SAME},{NO, SAME},{NO, TMW}, {NO, GONE},{NO, SAME},{RS, SAME}}},
{"data outside",      ACK,       BEHIND, 10, {{RS, SAME},{NO, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{RS, SAME}}},
{"data before",       ACK,       BEFORE, 10, {{RS, SAME},{NO, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{RS, SAME}}},
{"data without ACK",  PSH,       EXACT,  10, {{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{RA, SAME}}},
{"FIN exact",         FIN | ACK, EXACT,   0, {{RS, SAME},{NO, SAME},{AK, CLW}, {AK, CLW}, {AK, CLW}, {AK, TMW}, {AK, TMW}, {NO, SAME},{NO, TMW}, {NO, GONE},{NO, SAME},{RS, SAME}}},
{"FIN inside",        FIN | ACK, INSIDE,  0, {{RS, SAME},{NO, SAME},{DUP, EST},{DUP, EST},{DUP,SAME},{DUP, FW2},{DUP,SAME},{NO, SAME},{NO, TMW}, {NO, GONE},{NO, SAME},{RS, SAME}}},
{"FIN outside",       FIN | ACK, BEHIND,  0, {{RS, SAME},{NO, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{RS, SAME}}},
{"FIN before",        FIN | ACK, BEFORE,  0, {{RS, SAME},{NO, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{AK, SAME},{RS, SAME}}},
{"FIN without ACK",   FIN,       EXACT,   0, {{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{RA, SAME}}},
{"data and FIN",      FIN | ACK, EXACT,  10, {{RS, SAME},{NO, SAME},{AK, CLW}, {AK, CLW}, {AK, CLW}, {AK, TMW}, {AK, TMW}, {NO, SAME},{NO, TMW}, {NO, GONE},{NO, SAME},{RS, SAME}}},
{"RST exact",         RST,       EXACT,   0, {{NO, SAME},{NO, SAME},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, SAME},{NO, SAME}}},
{"RST inside",        RST,       INSIDE,  0, {{NO, SAME},{NO, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{NO, SAME},{NO, SAME}}},
{"RST outside",       RST,       BEHIND,  0, {{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME}}},
{"RST-ACK exact",     RST | ACK, EXACT,   0, {{NO, SAME},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, GONE},{NO, SAME},{NO, SAME}}},
{"RST-ACK inside",    RST | ACK, INSIDE,  0, {{NO, SAME},{NO, GONE},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{CH, SAME},{NO, SAME},{NO, SAME}}},
{"RST-ACK outside",   RST | ACK, BEHIND,  0, {{NO, SAME},{NO, GONE},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME},{NO, SAME}}},
};

/* User calls; `says` is what each returns. There is no handle in LISTEN, SYN-R pas. and CLOSED. */
enum call {
    SEND,
    RECEIVE,
    CLOSE,
    ABORT,
    RELEASE,
    CALLS,
};

static const char *const call_names[] = {"SEND", "RECEIVE", "CLOSE", "ABORT", "release"};

struct said {
    int says;
    enum answer answer;
    enum column next;
};

enum { AGAIN = -EAGAIN, PIPE = -EPIPE, BADF = -EBADF };

static const struct said calls[CALLS][COLUMNS] = {
/*            LISTEN             SYN-SENT           SYN-R pas.         SYN-R act.         ESTABLISHED        FIN-WAIT-1         FIN-WAIT-2         CLOSE-WAIT         CLOSING            LAST-ACK           TIME-WAIT          CLOSED */
[SEND]    = {{BADF, NO, SAME}, {1, NO, SAME},     {BADF, NO, SAME},  {1, NO, SAME},     {1, DT, SAME},     {PIPE, NO, SAME},  {PIPE, NO, SAME},  {1, DT, SAME},     {PIPE, NO, SAME},  {PIPE, NO, SAME},  {PIPE, NO, SAME},  {BADF, NO, SAME}},
[RECEIVE] = {{BADF, NO, SAME}, {AGAIN, NO, SAME}, {BADF, NO, SAME},  {AGAIN, NO, SAME}, {AGAIN, NO, SAME}, {AGAIN, NO, SAME}, {AGAIN, NO, SAME}, {0, NO, SAME},     {0, NO, SAME},     {0, NO, SAME},     {0, NO, SAME},     {BADF, NO, SAME}},
[CLOSE]   = {{BADF, NO, SAME}, {0, NO, GONE},     {BADF, NO, SAME},  {0, NO, SAME},     {0, FN, FW1},      {0, NO, SAME},     {0, NO, SAME},     {0, FN, LAK},      {0, NO, SAME},     {0, NO, SAME},     {0, NO, SAME},     {BADF, NO, SAME}},
[ABORT]   = {{BADF, NO, SAME}, {0, NO, GONE},     {BADF, NO, SAME},  {0, RX, GONE},     {0, RX, GONE},     {0, RX, GONE},     {0, RX, GONE},     {0, RX, GONE},     {0, NO, GONE},     {0, NO, GONE},     {0, NO, GONE},     {BADF, NO, SAME}},
[RELEASE] = {{BADF, NO, SAME}, {0, NO, GONE},     {BADF, NO, SAME},  {0, NO, SAME},     {0, FN, FW1},      {0, NO, SAME},     {0, NO, SAME},     {0, FN, LAK},      {0, NO, SAME},     {0, NO, SAME},     {0, NO, SAME},     {BADF, NO, SAME}},
};
/* clang-format on */

static const char *const column_names[] = {
    "LISTEN",
    "SYN-SENT",
    "SYN-RECEIVED (passive)",
    "SYN-RECEIVED (active)",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
    "CLOSED",
};

static enum tcp_state state_of(enum column col)
{
    static const enum tcp_state states[] = {
        TCP_CLOSED,      TCP_SYN_SENT,   TCP_SYN_RECEIVED, TCP_SYN_RECEIVED,
        TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2,   TCP_CLOSE_WAIT,
        TCP_CLOSING,     TCP_LAST_ACK,   TCP_TIME_WAIT,    TCP_CLOSED,
    };

    return col == GONE ? TCP_CLOSED : states[col];
}

/* SND.NXT and RCV.NXT in that state, relative. */
static uint32_t snd_nxt_of(enum column col)
{
    return col == FW1 || col == FW2 || col == CLG || col == LAK || col == TMW ? 2 : 1;
}

static uint32_t rcv_nxt_of(enum column col)
{
    return col == CLW || col == CLG || col == LAK || col == TMW ? 2 : 1;
}

/* Which cell it is, for messages. */
static char cell_name[100];

static void where(const char *row, enum column col)
{
    snprintf(cell_name, sizeof(cell_name), "%s in %s", row, column_names[col]);
}

/* A stack with a connection in that state, nothing owed, no event waiting. */
static void bring_to(enum column col)
{
    defaults();
    rig.what = cell_name;
    rig.cfg.tcp.rcv_buf = WND;
    begin();
    flow.id = (struct conn_id){0, 0};
    if (col == CLD)
        return;
    if (col == SYS || col == SRA) {
        app_open();
        rig_expect_syn(SYN);
        if (col == SRA) {
            rig_inject(SYN, 0, 0, FULL_WND, 0, &mss_only);
            rig_expect(SYN | ACK, 0, 1, 0);
        }
        return;
    }
    app_listen(4);
    if (col == LSN)
        return;
    if (col == SRP) {
        rig_inject(SYN, 0, 0, FULL_WND, 0, &mss_only);
        rig_expect_syn(SYN | ACK);
        return;
    }
    rig_open_passive(&mss_only, FULL_WND, FULL_WND);
    rig_go(state_of(col));
    if (col == TMW)
        assert_int_equal(tcb()->end_reason, REASON_END_ORDERLY);
}

/* Numbers of an expected answer. */
struct numbers {
    uint32_t snd_nxt, rcv_nxt; /* before the event */
    uint32_t seg_ack, seg_end; /* of the segment */
    uint32_t taken;            /* sequence space of it that RCV.NXT has moved over */
};

static void check_answer(enum answer answer, const struct numbers *n)
{
    uint32_t ack = n->rcv_nxt + n->taken;

    switch (answer) {
    case NO:
        break;
    case LTR:
        rig_expect_nothing();
        advance(rig.cfg.tcp.delack_ns);
        rig_expect(ACK, n->snd_nxt, ack, 0);
        break;
    case AK:
        rig_expect(ACK, n->snd_nxt, ack, 0);
        assert_int_not_equal(rig.why, REASON_SEND_ACK_CHALLENGE);
        break;
    case CH:
        rig_expect(ACK, n->snd_nxt, ack, 0);
        rig_reason("the reason", rig.why, REASON_SEND_ACK_CHALLENGE);
        break;
    case DUP:
        rig_expect(ACK, n->snd_nxt, ack, 0);
        rig_reason("the reason", rig.why, REASON_SEND_ACK_DUPLICATE);
        break;
    case RS:
        rig_expect(RST, n->seg_ack, 0, 0);
        break;
    case RA:
        rig_expect(RST | ACK, (uint32_t)-flow.iss, n->seg_end, 0);
        break;
    case RX:
        rig_expect(RST | ACK, n->snd_nxt, n->rcv_nxt, 0);
        break;
    case SA:
        assert_true(rig_take_tcp());
        rig_same("flags", rig.seg.flags, SYN | ACK);
        rig_same("ack", (int32_t)(rig.seg.ack - flow.irs), (int32_t)n->seg_end);
        break;
    case FN:
        rig_expect(FIN | ACK, n->snd_nxt, n->rcv_nxt, 0);
        break;
    case DT:
        rig_expect(ACK, n->snd_nxt, n->rcv_nxt, 1);
        break;
    }
    rig_expect_nothing();
}

/* What of the segment is taken: where the answer or the next state says that it is in order. */
static uint32_t taken(const struct row *r, enum column col)
{
    enum answer a = r->cell[col].answer;

    if (r->offset != EXACT || (a != AK && a != LTR) || (r->flags & SYN))
        return 0;
    return r->len + !!(r->flags & FIN);
}

static void check_cell(const struct row *r, enum column col)
{
    const struct cell *cell = &r->cell[col];
    enum column next = cell->next == SAME ? col : cell->next;
    struct numbers n = {.snd_nxt = snd_nxt_of(col), .rcv_nxt = rcv_nxt_of(col)};
    uint32_t seq;

    bring_to(col);
    if (!flow.iss)
        flow.iss = 90000; /* there is none: anything */
    seq = n.rcv_nxt + (uint32_t)r->offset;
    n.seg_ack = n.snd_nxt;
    n.seg_end = seq + r->len + !!(r->flags & (SYN | FIN));
    n.taken = taken(r, col);
    if (col == SYS) /* nothing is known of the remote numbers: this SYN brings them */
        n.rcv_nxt = seq + 1;
    rig_inject(r->flags, seq, n.snd_nxt, FULL_WND, r->len, NULL);
    check_answer(cell->answer, &n);
    rig_state(state_of(next));
    end();
}

static void every_segment_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++)
        for (enum column col = 0; col < COLUMNS; col++) {
            where(segments[i].name, col);
            check_cell(&segments[i], col);
        }
}

static int make_call(enum call call)
{
    struct slice s;

    switch (call) {
    case SEND:
        return stack_send_copy(rig.st, flow.id, &(uint8_t){pattern(1)}, 1);
    case RECEIVE:
        return stack_receive(rig.st, flow.id, 1, &s);
    case CLOSE:
        return stack_close(rig.st, flow.id);
    case ABORT:
        return stack_abort(rig.st, flow.id);
    case RELEASE:
        return stack_release(rig.st, flow.id);
    case CALLS:
        break;
    }
    abort();
}

static void check_call(enum call call, enum column col)
{
    const struct said *said = &calls[call][col];
    enum column next = said->next == SAME ? col : said->next;
    struct numbers n = {.snd_nxt = snd_nxt_of(col), .rcv_nxt = rcv_nxt_of(col)};

    bring_to(col);
    rig_same("the call says", make_call(call), said->says);
    check_answer(said->answer, &n);
    rig_state(state_of(next));
    end();
}

static void every_call_in_every_state(void **state)
{
    (void)state;
    for (enum call call = 0; call < CALLS; call++)
        for (enum column col = 0; col < COLUMNS; col++) {
            where(call_names[call], col);
            check_call(call, col);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_segment_in_every_state),
        cmocka_unit_test(every_call_in_every_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
