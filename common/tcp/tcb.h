/*
 * The transmission control block (RFC 9293 section 3.3.1): everything that is known about one
 * connection. Field names are the RFC's. Memory per connection is this struct and what its queues
 * hold; an idle connection has nothing queued.
 */
#ifndef TCP_TCB_H
#define TCP_TCB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/chunk.h"
#include "base/seq.h"
#include "base/time.h"
#include "tcp/cc/cc.h"
#include "tcp/config.h"
#include "tcp/reasm.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "wire/addr.h"

/*
 * A connection's timers. Each has one owner:
 *   RTX     output.c arms it whenever something is outstanding (retransmission) or held back by the
 *           window (persist), and clears it when neither is so
 *   DELACK  input.c arms it when an acknowledgment may wait
 *   LINGER  state.c arms it in TIME-WAIT (2 MSL), and in FIN-WAIT-2 when nobody reads any more;
 *           user.c where a release may take so long and no longer
 * and those of what is in flight (flight.h), as long as there is something or was not long ago:
 *   REO     recovery.c arms it when something is late and may only have been overtaken
 *   PTO     flight.c arms it when the tail may have to be probed, never behind RTX
 *   IDLE    flight.c arms it when nothing is outstanding any more, and clears it when text is sent
 *   PACE    output.c arms it when a segment has to wait for its turn
 *   CLAIM   path.c arms it when an ICMP error waits for what becomes of the segment it is about
 */
enum tcp_timer {
    TIMER_RTX,
    TIMER_DELACK,
    TIMER_LINGER,
    TIMER_COUNT,
};

/* What is to be told to the application; bits, so that repeated events are told once. */
enum tcp_event {
    TCP_EVENT_OPENED = 0x01, /* the handshake is complete */
    TCP_EVENT_URGENT = 0x02, /* RCV.UP moved */
    TCP_EVENT_READABLE = 0x04,
    TCP_EVENT_WRITABLE = 0x08,
    TCP_EVENT_PEER_CLOSED = 0x10,
    TCP_EVENT_ERROR = 0x20,  /* `report` says which: trouble, but no end */
    TCP_EVENT_CLOSED = 0x40, /* end_reason says how; the last one told */
};

struct flight;

struct tcb {
    struct addr local, remote;
    const struct tcp_settings *set; /* its own, or those that all begin with */
    uint16_t local_port, remote_port;
    uint8_t state; /* enum tcp_state */

    uint8_t snd_wscale : 4, rcv_wscale : 4; /* at most TCP_WSCALE_MAX */
    uint8_t events;                         /* of enum tcp_event, not yet told */

    bool passive : 1;       /* SYN-RECEIVED was reached from LISTEN (MUST-11) */
    bool released : 1;      /* the application has no more interest */
    bool output_due : 1;    /* tcp_output may have something to send */
    bool established : 1;   /* it was: SND.WND is the remote end's word */
    bool send_syn : 1;      /* a SYN or SYN-ACK is to be sent (again) */
    bool syn_again : 1;     /* ... because one like it was in vain */
    bool send_rst : 1;      /* a reset is to be sent; the state is CLOSED already */
    bool probe_due : 1;     /* the persist timer expired */
    bool challenge : 1;     /* a challenge ACK is owed */
    bool keepalive_due : 1; /* one is to be sent */
    bool urgent_due : 1;    /* SND.UP moved, and no segment has said so yet */
    bool fin_queued : 1;    /* CLOSE was called: a FIN follows the queued data */
    bool fin_sent : 1;      /* ... and has its sequence number, the one before snd_nxt */
    bool fin_arrived : 1;   /* a FIN is known at rcv_fin, maybe beyond a gap */
    bool ack_now : 1;       /* an acknowledgment must not wait */
    bool want_space : 1;    /* a send was refused: tell when there is room */
    bool cwnd_limited : 1;
    bool r1_told : 1;      /* R1 was reached since the remote end last answered */
    bool advice_due : 1;   /* IP is to hear that the way to the remote end may be broken */
    bool ts_ok : 1;        /* timestamps are spoken (RFC 7323: Snd.TS.OK) */
    bool sack_ok : 1;      /* selective acknowledgments are spoken (RFC 2018) */
    bool ecn_ok : 1;       /* ECN is spoken (RFC 3168) */
    bool ecn_echo : 1;     /* a mark was seen, and no CWR since: ECE is due */
    bool ecn_cwr : 1;      /* cwnd was reduced, and no segment has said so yet */
    bool ecn_limited : 1;  /* ... once for all up to ecn_end */
    bool at_rest : 1;      /* nothing flies or waits, and tcp_output has seen it since text left */
    uint8_t end_reason;    /* enum reason, set together with TCP_EVENT_CLOSED */
    uint8_t report;        /* enum reason of the last TCP_EVENT_ERROR */
    uint8_t keepalives;    /* sent since the remote end was last heard */
    uint8_t rtx_count;     /* time-outs in a row without an answer */
    uint8_t soft_error;    /* enum reason of the last one since the remote end made progress */
    uint8_t ack_reason;    /* enum reason of the acknowledgment that is owed */
    uint8_t ip_options;    /* bytes of IP options in each packet we send */
    uint8_t challenges;    /* owed since challenge_window began */
    uint8_t rcv_grown;     /* how often the receive buffer has doubled, see window.c */
    uint16_t dup_ack_debt; /* duplicate acknowledgments owed, one per out-of-order segment */
    uint16_t dsack_len;    /* bytes from dsack_start on that came twice and are to be reported */
    uint16_t ts_recent_at; /* h: when ts_recent was set */
    uint16_t rcv_round_ms; /* tcb_ms, its lower half: when the round began that ends ... */

    /* send sequence variables */
    uint32_t snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, iss;
    uint32_t snd_up;      /* behind the last urgent byte, see urgent.h */
    uint32_t max_snd_wnd; /* the largest window the remote end ever offered, bytes */
    uint16_t snd_mss;     /* bytes of payload in a full segment we send */
    uint16_t rcv_mss;     /* bytes of payload in a full segment we expect */

    /* receive sequence variables */
    uint32_t rcv_nxt, irs;
    uint32_t rcv_up;   /* behind the last urgent byte, see urgent.h */
    uint32_t rcv_adv;  /* right edge of the window we have offered: RCV.NXT + RCV.WND */
    uint32_t rcv_fin;  /* sequence number of the FIN that arrived */
    uint32_t last_ack; /* rcv_nxt of the last acknowledgment sent */

    uint32_t challenge_window; /* ms: when the present second of challenge ACKs began */

    /* timestamps (timestamp.c) */
    uint32_t ts_offset; /* ms: origin of the clock that we show */
    uint32_t ts_recent; /* TS.Recent, what we echo */

    uint32_t dsack_start;
    uint32_t ecn_end;   /* snd_nxt when cwnd was last reduced */
    uint32_t rcv_round; /* ... when the application has read up to here */

    struct chunkq snd_q; /* begins at the first unacknowledged byte */
    struct chunk_cursor snd_cursor;
    struct chunkq rcv_q; /* ends at rcv_nxt */
    struct reasm reasm;

    struct rtt rtt;
    struct flight *flight; /* what is outstanding, or NULL: nothing, and has not been for long */
    uint32_t min_rtt_us;   /* the shortest round trip; 0 before the first is measured */
    uint16_t mss_limit; /* bytes of text and options in the largest segment that both ends take */
    uint16_t path_seen; /* tcp.path_changes when snd_mss was last made to fit the path */
    struct cc cc;
    int64_t timer[TIMER_COUNT]; /* deadlines, ns, or TIME_NEVER */
    int64_t progress_at;        /* ns: since when the remote end owes an answer to what is
                                 * outstanding; ahead of us where the next probe asks for one */
    int64_t quiet_since;        /* ns: when an acknowledgment came last, or a keep-alive left */
    int64_t opened_at;          /* ns */

    uint64_t bytes_sent, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, data_segs_out, data_segs_in, retransmits;
    uint32_t sent_ms, received_ms, acked_ms; /* tcb_ms of the last payload sent, of the last that
                                              * arrived, of the last acknowledgment */
};

/* A clock that fits into 32 bits: milliseconds, around again after 49 days. */
static inline uint32_t tcb_ms(int64_t now)
{
    return (uint32_t)(now / MSEC);
}

/* The window that the remote end may still use, RCV.WND. */
static inline uint32_t tcb_rcv_wnd(const struct tcb *c)
{
    return c->rcv_adv - c->rcv_nxt;
}

/*
 * The sequence number of the first byte in snd_q: behind the SYN, as long as that is not
 * acknowledged. (Later SND.UNA may be the number of the SYN again, every 4 GiB.)
 */
static inline uint32_t tcb_snd_base(const struct tcb *c)
{
    if (c->state >= TCP_ESTABLISHED)
        return c->snd_una;
    return c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED ? c->iss + 1 : c->snd_una;
}

/* The sequence number behind the last byte in snd_q; a FIN stands there. */
static inline uint32_t tcb_data_end(const struct tcb *c)
{
    return tcb_snd_base(c) + c->snd_q.bytes;
}

/* Sequence space that waits to be sent for the first time: bytes, and the FIN. */
static inline uint32_t tcb_unsent(const struct tcb *c)
{
    if (c->fin_sent)
        return 0;
    return tcb_data_end(c) - c->snd_nxt + c->fin_queued;
}

/* SND.UNA + SND.WND - seq: how much of the remote end's window lies at and behind `seq` (MUST-34).
 */
static inline uint32_t tcb_window_from(const struct tcb *c, uint32_t seq)
{
    uint32_t edge = c->snd_una + c->snd_wnd;

    return seq_gt(edge, seq) ? edge - seq : 0;
}

/*
 * The sequence number of a segment without text: SND.NXT, but not beyond the remote end's window.
 * To a closed window only SEG.SEQ = RCV.NXT is acceptable; after a probe whose octet was refused,
 * SND.NXT is one further, and an ACK there would be dropped, with the window update that it brings;
 * and so would a reset.
 * Where both ends probe each other's closed window, neither would ever learn that one is open.
 */
static inline uint32_t tcb_bare_seq(const struct tcb *c)
{
    uint32_t edge = c->snd_una + c->snd_wnd;

    return c->established && seq_lt(edge, c->snd_nxt) ? edge : c->snd_nxt;
}

/* Can bytes still come in? */
static inline bool tcb_takes_text(const struct tcb *c)
{
    return c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2;
}

/* Can bytes and the FIN still go out? */
static inline bool tcb_sends_text(const struct tcb *c)
{
    return c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT_1 ||
           c->state == TCP_CLOSE_WAIT || c->state == TCP_CLOSING || c->state == TCP_LAST_ACK;
}

/* The SYN or SYN-ACK leaves again; if none has left yet, it is still the first. */
static inline void tcb_send_syn_again(struct tcb *c)
{
    c->syn_again |= !c->send_syn;
    c->send_syn = true;
}

/* Is every connection state but the first three: RFC 9293's "synchronized". */
static inline bool tcb_synchronized(const struct tcb *c)
{
    return c->state >= TCP_ESTABLISHED;
}

#endif
