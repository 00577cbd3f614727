/*
 * --offload: what of a packet is left to the device. By names, for people and programs:
 *
 *   csum   the checksum of TCP segments
 *   tso4   TCP super-segments over IPv4 (and with them csum)
 *   tso6   TCP super-segments over IPv6 (and with them csum)
 *   uso    UDP super-datagrams, over both (and with them csum)
 *   join   single TCP segments are joined as they are read (and with it csum)
 *
 * "auto" is all that the device has, or none where packets have to be looked at one by one, as
 * --impair does; "off" is none.
 */
#ifndef RUN_OFFLOAD_H
#define RUN_OFFLOAD_H

#include <stdbool.h>

#include "run/options.h"
#include "run/report.h"

enum {
    OFFLOAD_TEXT = 32, /* bytes of all names with commas between them, and a zero */
};

struct offload_choice {
    unsigned wanted; /* of enum device_offload */
    bool named;      /* somebody has asked for these, and is to be told what became of it */
};

/*
 * What `list` (NULL: nothing was said) asks of a device. `alone` says that packets have to be as
 * they are on a wire: then a list of names is refused. Returns -1 to go on, or an exit code after
 * one line of error.
 */
int offload_parse(const struct program *prog, const char *list, bool alone,
                  struct offload_choice *ret_choice);

/* What was agreed on with the TUN; it is said at once where it was asked for by name. */
void offload_tell(struct report *r, const char *tun, const struct offload_choice *choice,
                  unsigned agreed);

/* "csum,tso4,tso6,uso,join", or "off". Returns out. */
const char *offload_text(unsigned offload, char out[OFFLOAD_TEXT]);

#endif
