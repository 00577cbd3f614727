/*
 * The user calls (RFC 9293 sections 3.10.1 to 3.10.6) in every state: what each says, what is sent,
 * which state follows, what is told.
 *
 * There is no connection to speak of in LISTEN, in SYN-RECEIVED after a passive open, and in
 * CLOSED: listeners have numbers and calls of their own, and a connection is the application's when
 * it is told of it. In an open connection no data was exchanged, unless the row says so.
 */
#include "event_kit.h"

enum call {
    OPEN,   /* active, with the ends of the connection */
    LISTEN, /* passive OPEN of its port */
    SEND,
    RECEIVE,
    CLOSE,
    ABORT,
    RELEASE,
    STATUS,
    UNLISTEN,
};

/* Before the call. */
enum before {
    NOTHING,
    UNREAD,  /* 1000 bytes wait to be read */
    UNSENT,  /* 10 bytes wait for a window that is closed */
    CLOSING, /* CLOSE was called already */
};

struct row {
    const char *name;
    enum call call;
    enum before before;
    const char *cell[COLUMNS];
};

/* clang-format off */
static const struct row rows[] = {
/*                                            LISTEN          SYN-SENT        SYN-R pas.      SYN-R act.      ESTABL.         FIN-W-1         FIN-W-2         CLOSE-W         CLOSING         LAST-ACK        TIME-WAIT       CLOSED */
{"active OPEN",             OPEN,    NOTHING, {"=0 SY SYS",   "=EADDRINUSE",  "=EADDRINUSE",  "=EADDRINUSE",  "=EADDRINUSE",  "=EADDRINUSE",  "=EADDRINUSE",  "=EADDRINUSE",  "=EADDRINUSE",  "=EADDRINUSE",  "=EADDRINUSE",  "=0 SY SYS"}},
{"passive OPEN",            LISTEN,  NOTHING, {"=EADDRINUSE", "=0",           "=EADDRINUSE",  "=0",           "=0",           "=0",           "=0",           "=0",           "=0",           "=0",           "=0",           "=0 LSN"}},
{"SEND",                    SEND,    NOTHING, {"=EBADF",      "=1",           "=EBADF",       "=1",           "=1 DT",        "=EPIPE",       "=EPIPE",       "=1 DT",        "=EPIPE",       "=EPIPE",       "=EPIPE",       "=EBADF"}},
{"SEND, CLOSE was called",  SEND,    CLOSING, {"",            "",             "",             "=EPIPE",       "",             "",             "",             "",             "",             "",             "",             ""}},
{"RECEIVE",                 RECEIVE, NOTHING, {"=EBADF",      "=EAGAIN",      "=EBADF",       "=EAGAIN",      "=EAGAIN",      "=EAGAIN",      "=EAGAIN",      "=0",           "=0",           "=0",           "=0",           "=EBADF"}},
{"RECEIVE, bytes wait",     RECEIVE, UNREAD,  {"",            "",             "",             "",             "=1",           "=1",           "=1",           "=1",           "=1",           "=1",           "=1",           ""}},
{"CLOSE",                   CLOSE,   NOTHING, {"=EBADF",      "=0 CLD a",     "=EBADF",       "=0",           "=0 FN FW1",    "=0",           "=0",           "=0 FN LAK",    "=0",           "=0",           "=0",           "=EBADF"}},
{"CLOSE, bytes wait",       CLOSE,   UNREAD,  {"",            "",             "",             "",             "=0 FN FW1",    "=0",           "=0",           "=0 FN LAK",    "=0",           "=0",           "=0",           ""}},
{"CLOSE, SENDs wait",       CLOSE,   UNSENT,  {"",            "=0 CLD a",     "",             "=0",           "=0 FW1",       "",             "",             "=0 LAK",       "",             "",             "",             ""}},
{"CLOSE again",             CLOSE,   CLOSING, {"",            "",             "",             "=0",           "=0 FW1",       "",             "",             "=0 LAK",       "",             "",             "",             ""}},
{"ABORT",                   ABORT,   NOTHING, {"=EBADF",      "=0 CLD a",     "=EBADF",       "=0 RX CLD a",  "=0 RX CLD a",  "=0 RX CLD a",  "=0 RX CLD a",  "=0 RX CLD a",  "=0 CLD a",     "=0 CLD a",     "=0 CLD",       "=EBADF"}},
{"ABORT, bytes wait",       ABORT,   UNREAD,  {"",            "",             "",             "",             "=0 RX CLD a",  "=0 RX CLD a",  "=0 RX CLD a",  "=0 RX CLD a",  "=0 CLD a",     "=0 CLD a",     "=0 CLD",       ""}},
{"ABORT, SENDs wait",       ABORT,   UNSENT,  {"",            "=0 CLD a",     "",             "=0 RX CLD a",  "=0 RX CLD a",  "",             "",             "=0 RX CLD a",  "",             "",             "",             ""}},
{"release",                 RELEASE, NOTHING, {"=EBADF",      "=0 CLD",       "=EBADF",       "=0",           "=0 FN FW1",    "=0",           "=0",           "=0 FN LAK",    "=0",           "=0",           "=0",           "=EBADF"}},
{"release, bytes wait",     RELEASE, UNREAD,  {"",            "",             "",             "",             "=0 RX CLD",    "=0 RX CLD",    "=0 RX CLD",    "=0 RX CLD",    "=0",           "=0",           "=0",           ""}},
{"STATUS",                  STATUS,  NOTHING, {"=EBADF",      "=0",           "=EBADF",       "=0",           "=0",           "=0",           "=0",           "=0",           "=0",           "=0",           "=0",           "=EBADF"}},
{"closing the listener",   UNLISTEN, NOTHING, {"=0 CLD",     "",             "=0 RX CLD",    "",             "=0",           "=0",           "=0",           "=0",           "=0",           "=0",           "=0",           ""}},
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

/* Another listener for the port, while the connection lasts. */
static int listen_again(enum column col)
{
    int r;

    if (rig.listener >= 0 && col != LSN && col != SRP) /* theirs goes first */
        assert_int_equal(stack_unlisten(rig.st, rig.listener), 0);
    r = stack_listen(rig.st, NULL, flow.local_port, 4, NULL);
    return r >= 0 ? 0 : r;
}

static int open_again(void)
{
    struct stack_open how = {.remote = REMOTE_ADDR,
                             .remote_port = flow.remote_port,
                             .local_port = flow.local_port};

    return stack_open(rig.st, &how, &flow.id);
}

/* What it says, and that STATUS of the whole table agrees. */
static int ask_status(enum column col)
{
    struct stack_conn_status one, any = {0};
    uint32_t cursor = 0;
    int r = stack_status(rig.st, flow.id, &one);

    assert_int_equal(stack_next_conn(rig.st, &cursor, &any), col != LSN && col != CLD);
    if (col != LSN && col != CLD)
        assert_int_equal(any.state, columns[col].state);
    if (r == 0)
        assert_int_equal(one.state, columns[col].state);
    return r;
}

static int make_call(enum call call, enum column col)
{
    struct slice s;
    int r;

    switch (call) {
    case OPEN:
        return open_again();
    case LISTEN:
        return listen_again(col);
    case SEND:
        return stack_send_copy(rig.st, flow.id, &(uint8_t){pattern(1)}, 1);
    case RECEIVE:
        r = stack_receive(rig.st, flow.id, 1, &s);
        if (r > 0)
            buf_unref(s.buf);
        return r;
    case CLOSE:
        return stack_close(rig.st, flow.id);
    case ABORT:
        return stack_abort(rig.st, flow.id);
    case RELEASE:
        return stack_release(rig.st, flow.id);
    case UNLISTEN:
        return stack_unlisten(rig.st, rig.listener);
    case STATUS:
        break;
    }
    return ask_status(col);
}

/* Ten bytes that cannot leave, because of the state or the remote window. */
static void leave_unsent(enum column col)
{
    if (col != SYS && col != SRA) {
        rig_inject(ACK, rcv_nxt_of(col), 1, 0, 0, NULL);
        rig_expect_nothing();
    }
    rig_send(10);
    rig_expect_nothing();
}

static void prepare(enum before before, enum column col, struct numbers *n)
{
    switch (before) {
    case NOTHING:
        bring_to(col);
        break;
    case UNREAD:
        bring_with_unread(col, 1000);
        n->rcv_nxt += 1000;
        break;
    case UNSENT:
        bring_to(col);
        leave_unsent(col);
        break;
    case CLOSING:
        bring_to(col);
        if (col != SRA)
            leave_unsent(col); /* or the FIN would leave */
        app_close();
        break;
    }
}

static void a_call(void **state)
{
    const struct event_cell *at = *state;
    const struct row *r = at->row;
    struct cell cell = cell_parse(at->text, at->col);
    struct numbers n = {.snd_nxt = snd_nxt_of(at->col), .rcv_nxt = rcv_nxt_of(at->col)};

    prepare(r->before, at->col, &n);
    rig.what = at->name;
    rig_same("the call says", make_call(r->call, at->col), cell.says);
    check_answer(cell.answer, &n);
    check_after(&cell, at->col);
    end();
}

int main(int argc, char **argv)
{
    static const struct event_table table = {
        .title = "User calls (3.10.1 to 3.10.6)",
        .text = "A call that fails says why, as an errno value, and changes nothing. `release` is "
                "CLOSE by an application that will not read any more. A listener has its own call "
                "to end it, which is the last row.",
        .rows = rows,
        .row_size = sizeof(rows[0]),
        .row_count = sizeof(rows) / sizeof(rows[0]),
        .name_of = name_of,
        .cells_of = cells_of,
        .test = a_call,
    };

    return run_tables(argc, argv, &table, 1);
}
