/*
 * Path MTUs: where ip/, which keeps them, and tcp/, which uses them and knows best, meet.
 */
#include "base/bytes.h"
#include "stack/internal.h"
#include "tcp/path.h"

static struct path_mtu *path(void *arg, const struct addr *to, bool make)
{
    struct stack *st = arg;

    return make ? pmtu_make(&st->ip.pmtu, to) : pmtu_find(&st->ip.pmtu, to);
}

static void changed(void *arg)
{
    struct stack *st = arg;

    pmtu_changed(&st->ip.pmtu);
}

void paths_init(struct stack *st)
{
    pmtu_init(&st->ip.pmtu, &st->ip.random, st->cfg.mtu, st->cfg.path_mtu_age);
    st->tcp.path = path;
    st->tcp.path_changed = changed;
    st->tcp.path_changes = &st->ip.pmtu.changes;
    st->tcp.path_arg = st;
    st->tcp.path_age = st->cfg.path_mtu_age;
}

void paths_expire(struct stack *st)
{
    while (pmtu_expire(&st->ip.pmtu, st->now)) {
        st->counts[REASON_MTU_AGED]++;
        if (st->note)
            st->note(st->note_arg, &(struct stack_note){.at = st->now,
                                                        .reason = REASON_MTU_AGED,
                                                        .conn = UINT32_MAX});
    }
}

uint32_t paths_mtu_of(const struct stack *st, const struct tcb *c)
{
    return min32(path_mtu_to(&st->tcp, c), st->cfg.mtu);
}
