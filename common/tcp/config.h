/*
 * What can be set about TCP. Everything is data: one build, no conditional compilation. Every
 * mechanism that can be switched off has its switch here.
 */
#ifndef TCP_CONFIG_H
#define TCP_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct cc_ops;

struct tcp_config {
    uint32_t snd_buf;        /* bytes that may wait in a send queue before -EAGAIN */
    uint32_t rcv_buf;        /* bytes of receive buffer: the largest window we offer */
    uint16_t mss;            /* bytes; 0: what the MTU gives */
    bool wscale;             /* offer and accept window scaling (RFC 7323 section 2) */
    bool nagle;              /* RFC 9293 SHLD-7 */
    bool delayed_ack;        /* RFC 9293 SHLD-18 */
    const struct cc_ops *cc; /* congestion control, see tcp/cc/cc.h */
    int64_t delack_ns;       /* under 0.5 s (MUST-40) */
    int64_t rto_initial_ns;  /* RFC 6298 2.1 */
    int64_t rto_min_ns;      /* RFC 6298 2.4 asks for 1 s; stacks today use 0.2 s */
    int64_t rto_max_ns;      /* RFC 6298 2.5: at least 60 s */
    int64_t r2_ns;           /* give up after so long without an answer (SHLD-11: 100 s) */
    int64_t r2_syn_ns;       /* the same for a SYN (MUST-23: at least 3 minutes) */
    int64_t msl_ns;          /* maximum segment lifetime: TIME-WAIT lasts two of them */
    int64_t fin_wait_2_ns;   /* how long to wait for the FIN when nobody reads any more */
};

void tcp_config_default(struct tcp_config *cfg);

#endif
