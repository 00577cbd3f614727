/*
 * What a SYN cookie remembers of a SYN (RFC 4987 section 3.6), as values: packed into few bits when
 * the SYN-ACK leaves, and unpacked from the acknowledgment that answers it. How these bits are
 * guarded against forgery is stack/cookie.c's part.
 *
 * The MSS becomes an index of three bits into a table, rounded down. Window scale, SACK-permitted
 * and ECN take the lowest six bits of our timestamp's value, which the remote end echoes; where the
 * SYN carried no timestamps there is nowhere to keep them, so they are not agreed on.
 */
#ifndef TCP_COOKIE_H
#define TCP_COOKIE_H

#include "wire/tcp.h"

enum {
    MEMO_MSS_BITS = 3,
    MEMO_TS_BITS = 6, /* lowest bits of a timestamp's value */
};

enum tcp_memo_option {
    MEMO_NO_WSCALE = 0x0f, /* in the four bits of the remote end's window scale */
    MEMO_SACK = 0x10,
    MEMO_ECN = 0x20,
    MEMO_TIMESTAMPS = 0x40, /* agreed on at all; not in the timestamp itself */
};

struct tcp_memo {
    uint8_t mss;     /* index, MEMO_MSS_BITS */
    uint8_t options; /* of enum tcp_memo_option, and the window scale */
};

/*
 * Remember `syn`, for which *syn_ack is the answer as a connection would give it: what cannot be
 * kept is taken out of the answer, what can is put into its timestamp.
 */
struct tcp_memo tcp_memo_keep(const struct tcp_hdr *syn, struct tcp_hdr *syn_ack);

/* What the answer to that SYN-ACK says was kept; the MSS's index is known from elsewhere. */
struct tcp_memo tcp_memo_recall(const struct tcp_hdr *ack, uint8_t mss);

/* The SYN again, as far as it was kept, for the connection that `ack` completes. */
void tcp_memo_syn(struct tcp_memo memo, const struct tcp_hdr *ack, struct tcp_hdr *ret_syn);

#endif
