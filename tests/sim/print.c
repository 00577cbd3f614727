#include <inttypes.h>
#include <stdio.h>

#include "tests/sim/world.h"

/* The first number of the stream that a port sends, once its SYN was seen. */
static uint32_t isn_of(const struct world *w, uint16_t port)
{
    unsigned i = (unsigned)port % CHECK_PORT;

    return i < CHECK_CONNS ? w->check.flow[i][port >= CHECK_PORT_OTHER].isn : 0;
}

void print_packet(const struct world *w, unsigned from, const uint8_t *b, uint32_t len,
                  enum reason why)
{
    static const char letters[] = "FSRP.UEW";
    char flags[9];
    unsigned n = 0;
    struct ip_hdr ip;
    struct tcp_hdr tcp;

    if (ip_parse(b, len, &ip) != REASON_NONE ||
        tcp_parse(&ip, b + ip.header_len, (size_t)len - ip.header_len, 0, &tcp) != REASON_NONE)
        return;
    for (unsigned i = 0; i < 8; i++)
        if (tcp.flags & 1U << i)
            flags[n++] = letters[i];
    flags[n] = 0;
    printf("%12.6f  %c  %u > %u  [%s] seq %" PRIu32 " ack %" PRIu32 " win %u len %u  %s\n",
           (double)(w->now - w->origin) / (double)SEC, from ? 'B' : 'A', tcp.sport, tcp.dport,
           flags, tcp.seq - isn_of(w, tcp.sport), tcp.ack - isn_of(w, tcp.dport), tcp.wnd,
           (unsigned)(len - ip.header_len - tcp.header_len), reason_text(why)->name);
}
