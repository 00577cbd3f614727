/*
 * Defaults, and the table of switches. All mechanisms are on; what is off has its reason in
 * config.h.
 */
#include "tcp/config.h"

#include <stddef.h>
#include <string.h>

#include "base/time.h"
#include "tcp/cc/cc.h"

static const struct tcp_switch switches[] = {
#define SWITCH(name, field, rfc, sentence)                                                         \
    {name, offsetof(struct tcp_config, field), rfc, sentence},
#include "tcp/switch.def"
#undef SWITCH
};

enum {
    SWITCHES = sizeof(switches) / sizeof(switches[0]),
};

const struct tcp_switch *tcp_switch_at(unsigned i)
{
    return i < SWITCHES ? &switches[i] : NULL;
}

const struct tcp_switch *tcp_switch_find(const char *name, size_t len)
{
    for (unsigned i = 0; i < SWITCHES; i++)
        if (strlen(switches[i].name) == len && memcmp(switches[i].name, name, len) == 0)
            return &switches[i];
    return NULL;
}

bool *tcp_switch_of(const struct tcp_switch *s, struct tcp_config *cfg)
{
    return (bool *)((char *)cfg + s->offset);
}

/* Some defaults have bounds: MUST-23, MUST-25, MUST-28, SHLD-10, SHLD-11. */
void tcp_config_default(struct tcp_config *cfg)
{
    *cfg = (struct tcp_config){
        .snd_buf = 256 * 1024,
        .snd_buf_max = 4096 * 1024,
        .rcv_buf = 256 * 1024,
        .rcv_buf_max = 4096 * 1024,
        .wscale = true,
        .timestamps = true,
        .sack = true,
        .dsack = true,
        .rack = true,
        .tlp = true,
        .prr = true,
        .frto = true,
        .undo = true,
        .limited_transmit = true,
        .hystart = true,
        .pacing = true,
        .plpmtud = true,
        .cwv = true,
        .ecn = true,
        .syn_cookies = true,
        .syn_queue = 1024,
        .delayed_ack = true,
        .cc = &cc_cubic,
        .delack_ns = 40 * MSEC,
        .rto_initial_ns = 1 * SEC,
        .rto_min_ns = 200 * MSEC,
        .rto_max_ns = 60 * SEC,
        .msl_ns = 30 * SEC,
        .fin_wait_2_ns = 60 * SEC,
        .conn =
            {
                .nagle = true,
                .soft_errors = true,
                .r1 = 3,
                .keepalive_max = 9,
                .r2_ns = 300 * SEC,
                .r2_syn_ns = 180 * SEC,
                .keepalive_ns = 7200 * SEC,
                .keepalive_interval_ns = 75 * SEC,
                .linger_ns = TIME_NEVER,
            },
    };
}

bool tcp_settings_valid(const struct tcp_settings *s)
{
    return s->dscp < 64 && s->route.hops <= IP_ROUTE_HOPS_MAX && s->r1 > 0 &&
           s->keepalive_max > 1 && s->r2_ns > 0 && s->r2_syn_ns > 0 && s->keepalive_ns > 0 &&
           s->keepalive_interval_ns > 0 && s->linger_ns >= 0;
}
