/*
 * SEGMENT ARRIVES (RFC 9293 sections 3.10.7.1 to 3.10.7.4) in every state: the sequence number at
 * each side of each edge, RST, SYN, the ACK bit and field, text, FIN; and the same with a receive
 * window that is closed.
 *
 * RCV.NXT is 1, or 2 behind the remote FIN, and the window is 8000 bytes; where it is closed, 8000
 * bytes wait to be read. The stack has sent its SYN, and in the closing states its FIN.
 */
#include "event_kit.h"

/* Where the segment's number lies: at RCV.NXT + what `offset` says. */
enum {
    EXACT = 0,
    INSIDE = 100,
    LAST = WND - 1,
    EDGE = WND,
    BEFORE = -20000,
    BEHIND = WND + 100,
    POINTER = 50, /* the urgent pointer, which counts where URG is set */
};

/* What it acknowledges: SND.NXT + what `ack` says. */
enum {
    OLDEST = -FULL_WND,      /* SND.UNA - MAX.SND.WND */
    TOO_OLD = -FULL_WND - 1, /* one less */
};

struct row {
    const char *name;
    uint8_t flags;
    int offset;
    uint32_t len;
    int ack;
    const char *cell[COLUMNS];
};

/* clang-format off */
static const struct row segments[] = {
/* name               flags      offset  len  ack  LISTEN        SYN-SENT      SYN-R pas.    SYN-R act.    ESTABL.       FIN-W-1       FIN-W-2       CLOSE-W       CLOSING       LAST-ACK      TIME-WAIT     CLOSED */
{"SYN exact",         SYN,       EXACT,   0,  0, {"SA SRP",     "SA SRA",     "- LSN",      "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RA"}},
{"SYN inside",        SYN,       INSIDE,  0,  0, {"SA SRP",     "SA SRA",     "- LSN",      "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "SA SRP",     "RA"}},
{"SYN outside",       SYN,       BEHIND,  0,  0, {"SA SRP",     "SA SRA",     "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "SA SRP",     "RA"}},
{"SYN before",        SYN,       BEFORE,  0,  0, {"SA SRP",     "SA SRA",     "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RA"}},
{"SYN-ACK exact",     SYN | ACK, EXACT,   0,  0, {"RS",         "AK EST o",   "- LSN",      "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"SYN-ACK inside",    SYN | ACK, INSIDE,  0,  0, {"RS",         "AK EST o",   "- LSN",      "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"SYN-ACK outside",   SYN | ACK, BEHIND,  0,  0, {"RS",         "AK EST o",   "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"the SYN-ACK again", SYN | ACK, -1,      0,  0, {"RS",         "AK EST o",   "CH",         "- EST o",    "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"the SYN again",     SYN,       -1,      0,  0, {"SA SRP",     "SA SRA",     "SA",         "SA",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RA"}},
{"ACK exact",         ACK,       EXACT,   0,  0, {"RS",         "-",          "- EST o",    "- EST o",    "-",          "- FW2",      "-",          "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"ACK inside",        ACK,       INSIDE,  0,  0, {"RS",         "-",          "- EST o",    "- EST o",    "-",          "- FW2",      "-",          "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"ACK outside",       ACK,       BEHIND,  0,  0, {"RS",         "-",          "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"ACK before",        ACK,       BEFORE,  0,  0, {"RS",         "-",          "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"data exact",        ACK,       EXACT,  10,  0, {"RS",         "-",          "LTR EST or", "LTR EST or", "LTR r",      "LTR FW2 r",  "LTR r",      "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"data inside",       ACK,       INSIDE, 10,  0, {"RS",         "-",          "DUP EST o",  "DUP EST o",  "DUP",        "DUP FW2",    "DUP",        "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"data outside",      ACK,       BEHIND, 10,  0, {"RS",         "-",          "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "RS"}},
{"data before",       ACK,       BEFORE, 10,  0, {"RS",         "-",          "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "RS"}},
{"data without ACK",  PSH,       EXACT,  10,  0, {"-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "RA"}},
{"FIN exact",         FIN | ACK, EXACT,   0,  0, {"RS",         "-",          "AK CLW op",  "AK CLW op",  "AK CLW p",   "AK TMW pc",  "AK TMW pc",  "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"FIN inside",        FIN | ACK, INSIDE,  0,  0, {"RS",         "-",          "DUP EST o",  "DUP EST o",  "DUP",        "DUP FW2",    "DUP",        "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"FIN outside",       FIN | ACK, BEHIND,  0,  0, {"RS",         "-",          "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "RS"}},
{"FIN before",        FIN | ACK, BEFORE,  0,  0, {"RS",         "-",          "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "RS"}},
{"FIN without ACK",   FIN,       EXACT,   0,  0, {"-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "RA"}},
{"data and FIN",      FIN | ACK, EXACT,  10,  0, {"RS",         "-",          "AK CLW orp", "AK CLW orp", "AK CLW rp",  "AK TMW rp", "AK TMW rp", "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"ACK at the last number", ACK,  LAST,    0,  0, {"RS",         "-",          "- EST o",    "- EST o",    "-",          "- FW2",      "-",          "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"ACK at the edge",   ACK,       EDGE,    0,  0, {"RS",         "-",          "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"data, its begin old", ACK,     -5,     15,  0, {"RS",         "-",          "LTR EST or", "LTR EST or", "LTR r",      "LTR FW2 r",  "LTR r",      "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"data, its last byte new", ACK, -9,     10,  0, {"RS",         "-",          "LTR EST or", "LTR EST or", "LTR r",      "LTR FW2 r",  "LTR r",      "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"data, all of it old", ACK,    -10,     10,  0, {"RS",         "-",          "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "RS"}},
{"data at the last number", ACK, LAST,    1,  0, {"RS",         "-",          "DUP EST o",  "DUP EST o",  "DUP",        "DUP FW2",    "DUP",        "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"data across the edge", ACK,    LAST,   10,  0, {"RS",         "-",          "DUP EST o",  "DUP EST o",  "DUP",        "DUP FW2",    "DUP",        "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"data at the edge",  ACK,       EDGE,    1,  0, {"RS",         "-",          "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "RS"}},
{"the FIN again",     FIN | ACK, -1,      0,  0, {"RS",         "-",          "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "RS"}},
{"FIN without ACK outside", FIN,    BEHIND,  0,  0, {"-",          "-",          "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "RA"}},
{"URG with data exact", ACK | TCP_URG, EXACT, 10,  0, {"RS",         "-",          "LTR EST ogr", "LTR EST ogr", "LTR gr",   "LTR FW2 gr", "LTR gr",     "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"URG alone, beyond what came", ACK | TCP_URG, EXACT, 0, 0, {"RS",   "-",          "- EST og",   "- EST og",   "- g",        "- FW2 g",    "- g",        "-",          "- TMW c",    "- CLD c",    "-",          "RS"}},
{"URG outside",       ACK | TCP_URG, BEHIND, 10,  0, {"RS",         "-",          "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "RS"}},
{"URG without ACK",   TCP_URG,       EXACT,  10,  0, {"-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "RA"}},
{"RST exact",         RST,       EXACT,   0,  0, {"-",          "-",          "- LSN",      "- CLD f",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "-",          "-"}},
{"RST inside",        RST,       INSIDE,  0,  0, {"-",          "-",          "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "-",          "-"}},
{"RST at the last number", RST,  LAST,    0,  0, {"-",          "-",          "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "-",          "-"}},
{"RST at the edge",   RST,       EDGE,    0,  0, {"-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-"}},
{"RST outside",       RST,       BEHIND,  0,  0, {"-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-"}},
{"RST before",        RST,       BEFORE,  0,  0, {"-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-"}},
{"RST with data",     RST,       EXACT,  10,  0, {"-",          "-",          "- LSN",      "- CLD f",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "-",          "-"}},
{"RST-ACK exact",     RST | ACK, EXACT,   0,  0, {"-",          "- CLD f",    "- LSN",      "- CLD f",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "-",          "-"}},
{"RST-ACK inside",    RST | ACK, INSIDE,  0,  0, {"-",          "- CLD f",    "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "-",          "-"}},
{"RST-ACK outside",   RST | ACK, BEHIND,  0,  0, {"-",          "- CLD f",    "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-",          "-"}},
};

static const struct row acknowledgments[] = {
{"ACK of SND.NXT - 1",    ACK,       EXACT,   0, -1, {"RS",         "RS",         "RS",         "RS",         "-",          "-",          "-",          "-",          "-",          "-",          "-",          "RS"}},
{"ACK of SND.NXT - 1 with data", ACK, EXACT, 10, -1, {"RS",         "RS",         "RS",         "RS",         "LTR r",      "LTR r",      "LTR r",      "-",          "-",          "-",          "-",          "RS"}},
{"ACK of SND.NXT - 1 with FIN", FIN | ACK, EXACT, 0, -1, {"RS",     "RS",         "RS",         "RS",         "AK CLW p",   "AK CLG p",   "AK TMW pc",  "-",          "-",          "-",          "-",          "RS"}},
{"the oldest ACK that counts, with data", ACK, EXACT, 10, OLDEST, {"RS",      "RS",         "RS",         "RS",         "LTR r",      "LTR r",      "LTR r",      "-",          "-",          "-",          "-",          "RS"}},
{"ACK too old",       ACK,       EXACT,   0, TOO_OLD, {"RS",    "RS",         "RS",         "RS",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"ACK too old with data", ACK,   EXACT,  10, TOO_OLD, {"RS",    "RS",         "RS",         "RS",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"ACK too old with FIN", FIN | ACK, EXACT, 0, TOO_OLD, {"RS",   "RS",         "RS",         "RS",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"ACK of what was never sent", ACK, EXACT, 0, 1, {"RS",         "RS",         "RS",         "RS",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"ACK of what was never sent, with data", ACK, EXACT, 10, 1, {"RS", "RS",     "RS",         "RS",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"ACK of what was never sent, with FIN", FIN | ACK, EXACT, 0, 1, {"RS", "RS", "RS",         "RS",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"SYN-ACK of what was never sent", SYN | ACK, EXACT, 0, 1, {"RS", "RS",       "- LSN",      "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "RS"}},
{"RST-ACK of what was never sent", RST | ACK, EXACT, 0, 1, {"-", "-",         "- LSN",      "- CLD f",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "-",          "-"}},
};

static const struct row closed_window[] = {
{"closed window: ACK exact",  ACK,       EXACT,   0, 0, {"", "", "", "", "-",          "- FW2",      "-",          "-",          "- TMW",      "- CLD",      "-",          ""}},
{"closed window: ACK beyond", ACK,       1,       0, 0, {"", "", "", "", "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         ""}},
{"closed window: ACK before", ACK,      -1,       0, 0, {"", "", "", "", "CH",         "CH FW2",     "CH",         "CH",         "CH TMW",     "- CLD",      "CH",         ""}},
{"closed window: data exact", ACK,       EXACT,   1, 0, {"", "", "", "", "AK",         "AK FW2",     "AK",         "AK",         "AK TMW",     "- CLD",      "AK",         ""}},
{"closed window: data beyond", ACK,      1,       1, 0, {"", "", "", "", "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         "AK",         ""}},
{"closed window: FIN exact",  FIN | ACK, EXACT,   0, 0, {"", "", "", "", "AK",         "AK FW2",     "AK",         "AK",         "AK TMW",     "- CLD",      "AK",         ""}},
{"closed window: SYN exact",  SYN,       EXACT,   0, 0, {"", "", "", "", "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         "CH",         ""}},
{"closed window: URG exact",  ACK | TCP_URG, EXACT,   1, 0, {"", "", "", "", "AK g",       "AK FW2 g",   "AK g",       "AK",         "AK TMW",     "- CLD",      "AK",         ""}},
{"closed window: RST exact",  RST,       EXACT,   0, 0, {"", "", "", "", "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "- CLD x",    "-",          ""}},
{"closed window: RST beyond", RST,       1,       0, 0, {"", "", "", "", "-",          "-",          "-",          "-",          "-",          "-",          "-",          ""}},
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

/* How much of the segment is taken, if what is sent says that some is. */
static uint32_t taken(const struct row *r, enum answer answer)
{
    int end = r->offset + (int)r->len + !!(r->flags & FIN);

    if ((answer != AK && answer != LTR) || (r->flags & SYN) || r->offset > 0 || end < 0)
        return 0;
    return (uint32_t)end;
}

static uint32_t number_of(const struct row *r, uint32_t rcv_nxt)
{
    if (r->offset == LAST || r->offset == EDGE)
        rcv_nxt = 1; /* a FIN moves RCV.NXT, but not the edge */
    return rcv_nxt + (uint32_t)r->offset;
}

static uint32_t acknowledged_by(const struct row *r, enum column col)
{
    bool unacknowledged =
        col == SYS || col == SRP || col == SRA || col == FW1 || col == CLG || col == LAK;
    uint32_t from = snd_nxt_of(col);

    if (r->ack <= OLDEST && unacknowledged)
        from--; /* SND.UNA */
    return from + (uint32_t)r->ack;
}

/* The remote node sends it. */
static void send(const struct row *r, uint32_t seq, uint32_t ack)
{
    struct addr local = LOCAL_ADDR, remote = REMOTE_ADDR;
    uint8_t data[DEVICE_BUF];
    struct tcp_hdr hdr = {.sport = flow.remote_port,
                          .dport = flow.local_port,
                          .seq = flow.irs + seq,
                          .ack = r->flags & ACK ? flow.iss + ack : 0,
                          .wnd = FULL_WND,
                          .urg = POINTER,
                          .flags = r->flags};

    pattern_fill(data, seq + (r->flags & SYN ? 1 : 0), r->len);
    rig_segment(&remote, &local, &hdr, data, r->len);
}

static void arrive(const struct row *r, enum column col, const struct cell *cell, struct numbers n)
{
    uint32_t seq = number_of(r, n.rcv_nxt);

    n.seg_ack = acknowledged_by(r, col);
    n.seg_end = seq + r->len + !!(r->flags & (SYN | FIN));
    if (col == SYS) /* nothing is known of the remote numbers: a SYN brings them */
        n.rcv_nxt = seq + 1;
    send(r, seq, n.seg_ack);
    check_answer(cell->answer, &n);
    check_after(cell, col);
    end();
}

static void a_segment(void **state)
{
    const struct event_cell *at = *state;
    const struct row *r = at->row;
    struct cell cell = cell_parse(at->text, at->col);
    struct numbers n = {.snd_nxt = snd_nxt_of(at->col), .rcv_nxt = rcv_nxt_of(at->col)};

    bring_to(at->col);
    rig.what = at->name;
    if (!flow.iss)
        flow.iss = 90000; /* there is none: anything */
    n.taken = taken(r, cell.answer);
    arrive(r, at->col, &cell, n);
}

/* 8000 bytes are unread, so that nothing is left of the window. */
static void bring_to_closed_window(enum column col)
{
    bring_with_unread(col, WND);
    assert_int_equal(tcb_rcv_wnd(tcb()), 0);
}

static void a_segment_at_a_closed_window(void **state)
{
    const struct event_cell *at = *state;
    const struct row *r = at->row;
    struct cell cell = cell_parse(at->text, at->col);
    struct numbers n = {.snd_nxt = snd_nxt_of(at->col), .rcv_nxt = WND + rcv_nxt_of(at->col)};

    bring_to_closed_window(at->col);
    rig.what = at->name;
    arrive(r, at->col, &cell, n);
}

#define TABLE(t, c, rows, f)                                                                       \
    {                                                                                              \
        t, c, rows, sizeof((rows)[0]), sizeof(rows) / sizeof((rows)[0]), name_of, cells_of, f      \
    }

int main(int argc, char **argv)
{
    static const struct event_table tables[] = {
        TABLE(
            "SEGMENT ARRIVES (3.10.7)",
            "It acknowledges SND.NXT. Exact is at RCV.NXT, inside is in the window, last its last "
            "number, the edge the first beyond it.",
            segments, a_segment),
        TABLE("SEGMENT ARRIVES: the ACK field", "Its sequence number is exact.", acknowledgments,
              a_segment),
        TABLE("SEGMENT ARRIVES: a closed receive window", "RCV.WND is 0 and bytes wait to be read.",
              closed_window, a_segment_at_a_closed_window),
    };

    return run_tables(argc, argv, tables, sizeof(tables) / sizeof(tables[0]));
}
