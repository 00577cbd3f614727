/*
 * Printer: a wrapper around any device that prints a line for each packet that passes.
 *
 *   09:41:07.123456 tun0 Out IP 10.0.0.7.49152 > 10.0.1.5.8000: Flags [S], seq 17, ... (send.syn)
 *
 * The line is tcpdump's, with the device's name and the direction in front, as tcpdump -i any has
 * them. "Out" is what the node sends, and such lines end with the reason for sending, and with what
 * an impairment below did to the packet (link/impair.h). At level 2
 * the packet's bytes follow in hex. What the device refused to take is not printed.
 *
 * A reader that is slower than the packets slows the node down a little, within the bounds of
 * outlet.h; then packets are left out and counted, and a line says how many where printing goes on.
 */
#ifndef LINK_PRINTER_H
#define LINK_PRINTER_H

#include <stdint.h>
#include <time.h>

#include "link/device.h"
#include "link/outlet.h"
#include "link/verdict.h"
#include "wire/print.h"

enum {
    PRINTER_PACKET_MAX = 65536, /* bytes of a packet that are looked at */
    PRINTER_SPARE = 65536,      /* bytes of the outlet that are left to others who write there */
};

struct printer {
    struct device dev;
    struct device *inner;
    struct outlet *out;
    int64_t wall;                  /* ns to add to an instant to get the time since 1970 */
    unsigned level;                /* 1: a line; 2: and its bytes */
    const struct verdict *verdict; /* what an impairment below says of each packet, or NULL */
    time_t second;                 /* of which `clock` is the text */
    char clock[9];                 /* "HH:MM:SS", local time */
    uint64_t dropped;              /* packets left out because the reader was too slow */
    uint64_t missed;               /* of these, since the last line */
    struct print_flows flows;
    uint8_t flat[PRINTER_PACKET_MAX]; /* an outgoing packet in one piece */
};

/*
 * Make *p a device in the place of `inner`, which it closes when it is closed; `out` stays the
 * caller's. It is large: not for the stack. `wall` is what to add to the instants that devices are
 * given (ns) to get the time since 1970.
 */
void printer_init(struct printer *p, struct device *inner, struct outlet *out, int64_t wall,
                  unsigned level);

#endif
