/* The eleven states of a connection (RFC 9293 section 3.3.2), in the RFC's order and words. */
#ifndef TCP_STATE_H
#define TCP_STATE_H

enum tcp_state {
    TCP_CLOSED,
    TCP_LISTEN,
    TCP_SYN_SENT,
    TCP_SYN_RECEIVED,
    TCP_ESTABLISHED,
    TCP_FIN_WAIT_1,
    TCP_FIN_WAIT_2,
    TCP_CLOSE_WAIT,
    TCP_CLOSING,
    TCP_LAST_ACK,
    TCP_TIME_WAIT,
};

/* "SYN-SENT" and so on. */
const char *tcp_state_name(enum tcp_state s);

#endif
