/*
 * Segment sizes (RFC 9293 section 3.7.1): what is announced, and what the announcement of the
 * remote end leaves for text. Every size of a header is subtracted here or in option.c.
 */
#ifndef TCP_MSS_H
#define TCP_MSS_H

#include "tcp/tcp.h"

/* What the MSS option says: bytes of text and TCP options (MUST-67, SHLD-6). */
uint16_t mss_announce(const struct tcp *t, const struct tcb *c);

/* What is assumed of a remote end that says nothing, by the version of IP (MUST-15). */
uint16_t mss_default(const struct addr *remote);

/* Before the remote end's SYN is here: snd_mss and rcv_mss by the default (MUST-15). */
void mss_init(const struct tcp *t, struct tcb *c);

/* The remote end's SYN, whose other options are settled: snd_mss by MUST-15 and MUST-16. */
void mss_take_syn(const struct tcp *t, struct tcb *c, const struct tcp_hdr *syn);

/* The text that fits into a packet of `mtu` bytes, with the options that every segment carries. */
uint16_t mss_of_mtu(const struct tcb *c, uint32_t mtu);

/* The packet that `text` bytes make. */
uint32_t mss_packet(const struct tcb *c, uint32_t text);

/*
 * The path takes packets of `mtu` bytes (RFC 1191 section 6), but snd_mss never exceeds what both
 * ends take, nor does a path take it below what is worth a packet.
 */
void mss_settle(struct tcb *c, uint32_t mtu);

/* From now on each packet that we send has so many bytes of IP options (MUST-16). */
void mss_ip_options(struct tcb *c, uint32_t bytes);

#endif
