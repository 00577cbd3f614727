/*
 * Which options a segment carries, and what they leave for text.
 */
#ifndef TCP_OPTION_H
#define TCP_OPTION_H

#include "tcp/tcp.h"

/* Fill in the options, zeros so far, of a segment with these flags that leaves at `now`. */
void option_fill(const struct tcp *t, const struct tcb *c, int64_t now, uint8_t flags,
                 struct tcp_options *ret_opt);

/* Bytes of options that every segment of this connection carries. */
uint32_t option_always(const struct tcb *c);

/* Bytes of text that a segment which leaves now has room for: Eff.snd.MSS (MUST-16, RFC 6691). */
uint32_t option_text_max(const struct tcb *c);

/* The remote end's SYN: which options are spoken from now on, and the segment size they leave. */
void option_take_syn(const struct tcp *t, struct tcb *c, int64_t now, const struct tcp_hdr *syn);

/* The same SYN again: an end that found no answer may have left options out, and means it. */
void option_take_syn_again(struct tcb *c, const struct tcp_hdr *syn);

#endif
