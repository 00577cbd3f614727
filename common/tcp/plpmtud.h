/*
 * Packetization-layer path MTU discovery (RFC 4821, and RFC 8899 in spirit): the path's MTU by what
 * arrives, where no router says it.
 *
 * A black hole takes large packets, and tells nobody. It shows when full segments time out and time
 * out again: after four times in a row, or six where large packets got lost every now and then
 * before (a path that loses a third of all packets is none), the path is believed to take a size
 * that nearly every path does (1,024 bytes, 1,280 in IPv6; and after as many more, over IPv4, 552),
 * and what is sent again leaves in that size. It may have been something else that was wrong, so
 * the first that is tried afterwards is the size of before.
 *
 * Larger sizes are searched for (wire/path_mtu.h) after a black hole at once, and after a path's
 * knowledge has got old (stack_config.path_mtu_age). A probe is a segment of the size in question
 * that carries new data, so it costs nothing if it passes: then all segments are as large. It
 * leaves only when it is easily missed if it is lost: nothing is being repaired, and there is data
 * for three segments behind it, within both windows, which will bring duplicates or selective
 * acknowledgments (RFC 4821 section 7.4). One is under way for each path. If it is lost, and
 * nothing else, its bytes are sent again in segments that pass, and that is no congestion (RFC 4821
 * section 7.6.2); PATH_MTU_PROBES lost ones of a size, or one that a router refuses, mean that
 * the size does not pass. A probe of which a part was sent again for another reason decides
 * nothing.
 */
#ifndef TCP_PLPMTUD_H
#define TCP_PLPMTUD_H

#include <stdbool.h>
#include <stdint.h>

struct tcp;
struct tcb;
struct flight;

/* A probe that flies; part of a flight. */
struct mtu_probe {
    bool active;
    bool again;          /* some of it was sent again, for another reason */
    uint32_t start, end; /* sequence numbers */
    uint32_t size;       /* bytes of its packet */
};

/*
 * Is it time for a probe, and are there enough of the `waiting` bytes to be sent, of the remote
 * end's `window`, and of `room` in cwnd? Returns the bytes of text that it carries, or 0.
 */
uint32_t plpmtud_due(struct tcp *t, struct tcb *c, int64_t now, uint32_t waiting, uint32_t window,
                     uint32_t room);

/* It has left as [start, snd_nxt), and was to have `text` bytes. */
void plpmtud_sent(struct tcp *t, struct tcb *c, int64_t now, uint32_t start, uint32_t text);

/* [start, end) is sent again. */
void plpmtud_resent(struct flight *f, uint32_t start, uint32_t end);

/* Whatever the probe would have shown is of no interest any more. */
void plpmtud_forget(struct flight *f);

/* An acknowledgment was taken, and recovery has found the probe lost, or not (`lost`). */
void plpmtud_on_ack(struct tcp *t, struct tcb *c, int64_t now, bool lost);

/* A router says that the segment at `seq` was too big for a path of `mtu`: was it the probe? */
bool plpmtud_refused(struct tcp *t, struct tcb *c, int64_t now, uint32_t seq, uint32_t mtu);

/* RTX has expired for what is outstanding. */
void plpmtud_on_rto(struct tcp *t, struct tcb *c, int64_t now);

#endif
