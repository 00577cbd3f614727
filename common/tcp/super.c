#include "tcp/super.h"

#include "base/seq.h"
#include "tcp/mss.h"

/*
 * CWR may stand on the first segment only (RFC 3168 section 6.1.2), and the urgent pointer counts
 * from each segment's own number: neither can be copied. IP options are more than devices are
 * trusted with.
 */
uint32_t super_text_max(const struct tcp *t, const struct tcb *c, uint32_t seq, uint32_t one)
{
    uint32_t packet = addr_is_v4(&c->remote) ? t->super4 : t->super6;
    uint32_t headers = mss_packet(c, c->snd_mss) - one, room;

    if (packet <= headers || c->ip_options || c->ecn_cwr || seq_gt(c->snd_up, seq))
        return one;
    room = packet - headers;
    return max32(room - room % one, one);
}
