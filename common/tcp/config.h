/*
 * What can be set about TCP. Everything is data: one build, no conditional compilation. Every
 * mechanism that can be switched off has its switch here.
 */
#ifndef TCP_CONFIG_H
#define TCP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/ip_option.h"

struct cc_ops;

/*
 * What an application can set for one connection, before it opens and at any time later. A
 * connection begins with those of its open or its listener, and these with tcp_config's `conn`.
 */
struct tcp_settings {
    bool nagle;            /* RFC 9293 SHLD-7; off by MUST-17 */
    bool soft_errors;      /* tell soft errors by EV_ERROR (MUST-47); off by SHLD-20 */
    bool keepalive;        /* RFC 9293 3.8.4; off unless asked for (MUST-24, MUST-25) */
    bool keepalive_octet;  /* a keep-alive carries one octet of garbage (MAY-6) */
    uint8_t dscp;          /* 0 to 63, of every packet we send (MUST-48, SHLD-21) */
    uint8_t ttl;           /* of every packet we send (MUST-49); 0: the node's */
    uint8_t r1;            /* report after so many retransmissions in a row (MUST-20, SHLD-10) */
    uint8_t keepalive_max; /* give up after so many unanswered keep-alives; 2 at least (MUST-29) */
    struct ip_route route; /* of every packet we send (MUST-51, MUST-52); no hops: none */
    int64_t r2_ns;         /* give up after so long without an answer (MUST-20, MUST-21, RFC 5482);
                            * TIME_NEVER: never */
    int64_t r2_syn_ns;     /* the same for a SYN (MUST-22, MUST-23: 3 minutes at least) */
    int64_t keepalive_ns;  /* silence before the first keep-alive (MUST-27, MUST-28: two hours) */
    int64_t keepalive_interval_ns; /* between unanswered ones */
    int64_t linger_ns; /* how long a release may take to deliver what is queued; 0: reset
                        * at once; TIME_NEVER: as long as it takes */
};

struct tcp_config {
    uint32_t snd_buf;        /* bytes that may wait in a send queue before -EAGAIN, ... */
    uint32_t snd_buf_max;    /* ... and so many where cwnd asks for it; below snd_buf: never more */
    uint32_t rcv_buf;        /* bytes of receive buffer: the largest window we offer, ... */
    uint32_t rcv_buf_max;    /* ... and so many where the application reads fast, see window.c;
                              * below rcv_buf: never more */
    uint16_t mss;            /* bytes; 0: what the MTU gives */
    bool wscale;             /* offer and accept window scaling (RFC 7323 section 2) */
    bool timestamps;         /* offer and accept timestamps (RFC 7323 section 3) */
    bool sack;               /* offer and accept selective acknowledgments (RFC 2018) */
    bool dsack;              /* report what came twice (RFC 2883), and undo by such reports */
    bool rack;               /* find losses by time (RFC 8985); off: by duplicates (RFC 6675) */
    bool tlp;                /* tail loss probes (RFC 8985 section 7) */
    bool prr;                /* proportional rate reduction (RFC 9937) */
    bool frto;               /* is a time-out spurious (RFC 5682)? */
    bool undo;               /* take a spurious reduction back (RFC 4015) */
    bool limited_transmit;   /* new data on the first two duplicates (RFC 3042) */
    bool hystart;            /* end slow start by the round trip (RFC 9406) */
    bool pacing;             /* spread what leaves over the round trip, see tcp/cc/cc.h */
    bool plpmtud;            /* find the path's MTU by probes, too (RFC 4821), see tcp/plpmtud.h */
    bool cwv;                /* shrink a window that was not used (RFC 7661) */
    bool ecn;                /* offer and accept explicit congestion notification (RFC 3168) */
    bool syn_cookies;        /* answer SYNs without memory when the SYN queue is full (RFC 4987) */
    uint32_t syn_queue;      /* half-open connections that each listener may have */
    bool delayed_ack;        /* RFC 9293 SHLD-18 */
    bool icmp_hard_aborts;   /* a hard ICMP error ends a synchronized connection at once; off: only
                              * if silence confirms it (SHLD-26, RFC 5927 section 5.2) */
    uint32_t initial_window; /* segments; 0: what RFC 6928 says */
    const struct cc_ops *cc; /* congestion control, see tcp/cc/cc.h */
    int64_t delack_ns;       /* at most; under 0.5 s (MUST-40) */
    int64_t rto_initial_ns;  /* RFC 6298 2.1 */
    int64_t rto_min_ns;      /* RFC 6298 2.4 asks for 1 s; stacks today use 0.2 s */
    int64_t rto_max_ns;      /* RFC 6298 2.5: at least 60 s */
    int64_t msl_ns;          /* maximum segment lifetime: TIME-WAIT lasts two of them */
    int64_t fin_wait_2_ns;   /* how long to wait for the FIN when nobody reads any more */
    struct tcp_settings conn; /* what each connection begins with */
};

/* Could these be a connection's settings: every value in its range? */
bool tcp_settings_valid(const struct tcp_settings *s);

void tcp_config_default(struct tcp_config *cfg);

/* A mechanism that can be switched off, see switch.def. */
struct tcp_switch {
    const char *name;
    size_t offset; /* of a bool in struct tcp_config */
    const char *rfc;
    const char *sentence;
};

/* Row i of the table, or NULL behind the last one. */
const struct tcp_switch *tcp_switch_at(unsigned i);

/* The switch whose name is these `len` bytes, or NULL. */
const struct tcp_switch *tcp_switch_find(const char *name, size_t len);

/* Where it stands in a configuration. */
bool *tcp_switch_of(const struct tcp_switch *s, struct tcp_config *cfg);

#endif
