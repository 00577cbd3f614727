#include "tcp/recovery/tlp.h"

#include "base/seq.h"

static const int64_t unknown_ns = SEC; /* where no round trip was measured */

int64_t tlp_timeout(int64_t srtt, bool lone)
{
    if (!srtt)
        return unknown_ns;
    return 2 * srtt + (lone ? TLP_ACK_DELAY : 0);
}

void tlp_sent(struct tlp *p, uint32_t nxt, bool is_retrans)
{
    *p = (struct tlp){.end_seq = nxt, .probing = true, .is_retrans = is_retrans};
}

void tlp_overtaken(struct tlp *p)
{
    p->is_retrans = p->due = false;
}

void tlp_end(struct tlp *p)
{
    *p = (struct tlp){0};
}

enum tlp_verdict tlp_on_ack(struct tlp *p, const struct tlp_ack *a)
{
    bool reported = a->dsack && a->dsack_end == p->end_seq, is_retrans = p->is_retrans;
    bool again = a->una == p->end_seq && a->duplicate;

    if (!p->probing || seq_lt(a->una, p->end_seq))
        return TLP_NOTHING;
    if (is_retrans && !reported && !again && a->una == p->end_seq)
        return TLP_NOTHING; /* the first or the second: the next acknowledgment tells */
    tlp_end(p);
    if (!is_retrans)
        return TLP_NOTHING;
    return reported || again ? TLP_FOR_NOTHING : TLP_REPAIRED;
}
