/*
 * Every state against every event, as tables: RFC 9293 section 3.10.
 *
 * A table has a row for each event and a column for each state. A cell is a short text, which says
 * what must be sent, which state follows, and what the application is told:
 *
 *     "AK CLW op"     an acknowledgment; the state is CLOSE-WAIT then; opened, peer closed
 *     "-"             nothing is sent, the state stays, nothing is told
 *     "=EPIPE -"      a user call, which says -EPIPE
 *
 * Each cell is a test of its own, named "EVENT in STATE": it brings a new connection to the state,
 * lets the event happen and compares. With --table a program prints its cells in words instead, for
 * docs/conformance.md.
 */
#ifndef TESTS_UNIT_EVENT_KIT_H
#define TESTS_UNIT_EVENT_KIT_H

#include "tcp_kit.h"

/* The columns; in tables each has its three letters. */
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
};

static const struct {
    const char *letters, *name;
    enum tcp_state state;
} columns[COLUMNS] = {
    [LSN] = {"LSN", "LISTEN", TCP_CLOSED}, /* there is no TCB yet */
    [SYS] = {"SYS", "SYN-SENT", TCP_SYN_SENT},
    [SRP] = {"SRP", "SYN-RECEIVED (passive)", TCP_SYN_RECEIVED},
    [SRA] = {"SRA", "SYN-RECEIVED (active)", TCP_SYN_RECEIVED},
    [EST] = {"EST", "ESTABLISHED", TCP_ESTABLISHED},
    [FW1] = {"FW1", "FIN-WAIT-1", TCP_FIN_WAIT_1},
    [FW2] = {"FW2", "FIN-WAIT-2", TCP_FIN_WAIT_2},
    [CLW] = {"CLW", "CLOSE-WAIT", TCP_CLOSE_WAIT},
    [CLG] = {"CLG", "CLOSING", TCP_CLOSING},
    [LAK] = {"LAK", "LAST-ACK", TCP_LAST_ACK},
    [TMW] = {"TMW", "TIME-WAIT", TCP_TIME_WAIT},
    [CLD] = {"CLD", "CLOSED", TCP_CLOSED},
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
    SY,  /* SYN */
    SA,  /* SYN-ACK */
    FN,  /* FIN */
    DT,  /* the data of the user call, or again */
    ANSWERS,
};

static const struct {
    const char *letters, *words;
} answers[ANSWERS] = {
    [NO] = {"-", "-"},
    [AK] = {"AK", "ACK"},
    [CH] = {"CH", "challenge ACK"},
    [DUP] = {"DUP", "duplicate ACK"},
    [LTR] = {"LTR", "delayed ACK"},
    [RS] = {"RS", "RST SEQ=SEG.ACK"},
    [RA] = {"RA", "RST ACK=SEG.SEQ+SEG.LEN"},
    [RX] = {"RX", "RST"},
    [SY] = {"SY", "SYN"},
    [SA] = {"SA", "SYN-ACK"},
    [FN] = {"FN", "FIN"},
    [DT] = {"DT", "data"},
};

/* What the application is told, a letter each, in the order in which it is told. */
static const struct {
    char letter;
    const char *words;
} tellings[] = {
    {'o', "opened"},    {'r', "readable"},    {'w', "writable"},   {'p', "peer closed"},
    {'c', "closed"},    {'x', "reset"},       {'f', "refused"},    {'a', "aborted"},
    {'t', "timed out"}, {'u', "unreachable"}, {'e', "soft error"}, {'g', "urgent"},
};

enum {
    WND = 8000,      /* bytes of receive buffer */
    CELLS_MAX = 800, /* of one program */
};

/* Numbers of an expected answer, relative. */
struct numbers {
    uint32_t snd_nxt, rcv_nxt; /* before the event */
    uint32_t seg_ack, seg_end; /* of the segment */
    uint32_t taken;            /* sequence space of it that RCV.NXT has moved over */
};

/* A cell, taken apart. */
struct cell {
    enum answer answer;
    enum column next; /* the state that follows */
    char told[8];
    int says; /* what a user call returns */
};

/* What a user call can say. */
static const struct {
    const char *word;
    int says;
} sayings[] = {
    {"=0", 0},          {"=1", 1},          {"=EAGAIN", -EAGAIN},
    {"=EPIPE", -EPIPE}, {"=EBADF", -EBADF}, {"=EADDRINUSE", -EADDRINUSE},
};

/* One test: which row of which table, which column. */
struct event_cell {
    const void *row;
    const char *text;
    enum column col;
    char name[120];
};

static struct event_cell cells[CELLS_MAX];
static struct CMUnitTest cell_tests[CELLS_MAX];
static size_t cell_count;

static inline bool column_of(const char *word, enum column *ret_col)
{
    for (enum column col = 0; col < COLUMNS; col++)
        if (strcmp(word, columns[col].letters) == 0) {
            *ret_col = col;
            return true;
        }
    return false;
}

static inline bool answer_of(const char *word, enum answer *ret_answer)
{
    for (enum answer a = 0; a < ANSWERS; a++)
        if (strcmp(word, answers[a].letters) == 0) {
            *ret_answer = a;
            return true;
        }
    return false;
}

static inline bool saying_of(const char *word, int *ret_says)
{
    for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++)
        if (strcmp(word, sayings[i].word) == 0) {
            *ret_says = sayings[i].says;
            return true;
        }
    return false;
}

static inline struct cell cell_parse(const char *text, enum column col)
{
    struct cell cell = {.next = col};
    char copy[64], *word, *rest = copy;

    snprintf(copy, sizeof(copy), "%s", text);
    while ((word = strtok_r(rest, " ", &rest)))
        if (!answer_of(word, &cell.answer) && !column_of(word, &cell.next) &&
            !saying_of(word, &cell.says))
            snprintf(cell.told, sizeof(cell.told), "%s", word);
    return cell;
}

/* "EPIPE" */
static inline const char *says_word(int says)
{
    for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++)
        if (sayings[i].says == says)
            return sayings[i].word + 1;
    return "?";
}

/* "ACK, then CLOSE-WAIT (opened, peer closed)" */
static inline void cell_print(const char *text, enum column col)
{
    struct cell cell = cell_parse(text, col);
    const char *before = " (";

    putchar('\t');
    if (!*text) /* cannot be */
        return;
    if (cell.says < 0)
        fputs(says_word(cell.says), stdout);
    else if (cell.answer == NO && strchr(text, '='))
        fputs("ok", stdout);
    else
        fputs(answers[cell.answer].words, stdout);
    if (cell.next != col)
        printf(" → %s", columns[cell.next].name);
    for (const char *at = cell.told; *at; at++)
        for (size_t i = 0; i < sizeof(tellings) / sizeof(tellings[0]); i++)
            if (tellings[i].letter == *at) {
                printf("%s%s", before, tellings[i].words);
                before = ", ";
            }
    if (cell.told[0])
        putchar(')');
}

/* ---- the state before ---- */

/* SND.NXT and RCV.NXT in that state, relative, where no data was exchanged. */
static inline uint32_t snd_nxt_of(enum column col)
{
    return col == FW1 || col == FW2 || col == CLG || col == LAK || col == TMW ? 2 : 1;
}

static inline uint32_t rcv_nxt_of(enum column col)
{
    return col == CLW || col == CLG || col == LAK || col == TMW ? 2 : 1;
}

/* A connection that was opened passively, or for SRA by both; nothing owed, nothing untold. */
static inline void bring_to(enum column col)
{
    defaults();
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
    rig_go(columns[col].state);
}

/* To such a state with `bytes`, a multiple of 1000, unread; the last come with the FIN, if any. */
static inline void bring_with_unread(enum column col, uint32_t bytes)
{
    bool fin = rcv_nxt_of(col) == 2, our_fin = snd_nxt_of(col) == 2 && col != LAK;

    bring_to(EST);
    for (uint32_t at = 1; at <= bytes; at += 1000) {
        bool last = at + 1000 > bytes;

        if (last && our_fin) {
            app_close();
            rig_expect(FIN | ACK, 1, at, 0);
        }
        rig_inject(last && fin ? FIN | ACK : ACK, at, last && (col == FW2 || col == TMW) ? 2 : 1,
                   FULL_WND, 1000, NULL);
        advance(SEC / 10);
        rig_expect(ACK, last && our_fin ? 2 : 1, at + 1000 + (last && fin), 0);
    }
    if (col == LAK) {
        app_close();
        rig_expect(FIN | ACK, 1, bytes + 2, 0);
    }
    rig_expect_nothing();
    rig_state(columns[col].state);
    rig_event(EV_READABLE);
    if (fin)
        rig_event(EV_PEER_CLOSED);
}

/* ---- the answer, and what follows ---- */

static inline void check_answer(enum answer answer, const struct numbers *n)
{
    uint32_t ack = n->rcv_nxt + n->taken;

    switch (answer) {
    case NO:
    case ANSWERS:
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
    case SY:
        assert_true(rig_take_tcp());
        rig_same("flags", rig.seg.flags, SYN);
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

static inline char letter_of_end(enum reason why)
{
    switch ((int)why) {
    case REASON_END_ORDERLY:
        return 'c';
    case REASON_END_RESET:
        return 'x';
    case REASON_END_REFUSED:
        return 'f';
    case REASON_END_ABORTED:
        return 'a';
    case REASON_END_TIMED_OUT:
    case REASON_END_KEEPALIVE:
        return 't';
    case REASON_END_UNREACHABLE:
        return 'u';
    }
    return '?';
}

static inline char letter_of(const struct stack_event *e)
{
    switch ((int)e->kind) {
    case EV_CONNECTED:
    case EV_ACCEPTED:
        return 'o';
    case EV_READABLE:
        return 'r';
    case EV_WRITABLE:
        return 'w';
    case EV_PEER_CLOSED:
        return 'p';
    case EV_URGENT:
        return 'g';
    case EV_ERROR:
        return 'e';
    case EV_CLOSED:
        return letter_of_end(e->why);
    }
    return '?';
}

/* Everything that is told, as letters. */
static inline void check_told(const char *want, enum column before)
{
    char got[16] = "";
    struct stack_event e;
    size_t n = 0;

    while (n + 1 < sizeof(got) && stack_event(rig.st, &e))
        got[n++] = letter_of(&e);
    got[n] = '\0';
    if (before == TMW &&
        got[0] == 'c') /* told on the way into TIME-WAIT, but nobody has asked yet */
        memmove(got, got + 1, n);
    if (strcmp(got, want) != 0)
        fail_msg("%s: told is '%s', expected '%s'", rig_where(), got, want);
}

/* Another SYN for the port: a listener takes it, or there is none and it is refused. */
static inline void check_syn(enum reason verdict, uint8_t flags)
{
    struct addr local = LOCAL_ADDR, other = addr_v4(0x0a000008);
    struct tcp_hdr syn = {.sport = flow.remote_port, .dport = flow.local_port, .flags = SYN};

    rig_reason("a SYN's verdict", rig_segment(&other, &local, &syn, NULL, 0), verdict);
    assert_true(rig_take_tcp());
    rig_same("a SYN's answer", rig.seg.flags, flags);
}

static inline void check_after(const struct cell *cell, enum column before)
{
    rig_state(columns[cell->next].state);
    check_told(cell->told, before);
    if (cell->next == LSN)
        check_syn(REASON_NONE, SYN | ACK);
    else if (before == LSN && cell->next == CLD)
        check_syn(REASON_TCP_NO_CONNECTION, RST | ACK);
}

/* ---- tables ---- */

/* What a program gives for each of its tables. */
struct event_table {
    const char *title, *text; /* of the table in docs/conformance.md */
    const void *rows;
    size_t row_size, row_count;
    const char *(*name_of)(const void *row);
    const char *const *(*cells_of)(const void *row);
    void (*test)(void **state);
};

static inline void table_print(const struct event_table *t)
{
    const char *rows = t->rows;

    printf("T\t%s\t%s\nC", t->title, t->text);
    for (enum column col = 0; col < COLUMNS; col++)
        printf("\t%s", columns[col].name);
    putchar('\n');
    for (size_t i = 0; i < t->row_count; i++) {
        const char *const *texts = t->cells_of(rows + i * t->row_size);

        printf("R\t%s", t->name_of(rows + i * t->row_size));
        for (enum column col = 0; col < COLUMNS; col++)
            cell_print(texts[col], col);
        putchar('\n');
    }
}

static inline void table_add(const struct event_table *t)
{
    const char *rows = t->rows;

    for (size_t i = 0; i < t->row_count * COLUMNS; i++) {
        const void *row = rows + i / COLUMNS * t->row_size;
        struct event_cell *cell = &cells[cell_count];
        enum column col = (enum column)(i % COLUMNS);

        assert_true(cell_count < CELLS_MAX);
        if (!*t->cells_of(row)[col])
            continue;
        cell->row = row;
        cell->col = col;
        cell->text = t->cells_of(row)[col];
        snprintf(cell->name, sizeof(cell->name), "%s in %s", t->name_of(row), columns[col].name);
        cell_tests[cell_count++] =
            (struct CMUnitTest){.name = cell->name, .test_func = t->test, .initial_state = cell};
    }
}

static inline int run_tables(int argc, char **argv, const struct event_table *tables, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (argc > 1 && strcmp(argv[1], "--table") == 0)
            table_print(&tables[i]);
        else
            table_add(&tables[i]);
    return cell_count ? _cmocka_run_group_tests("events", cell_tests, cell_count, NULL, NULL) : 0;
}

#endif
