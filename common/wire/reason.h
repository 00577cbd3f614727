/*
 * The one list of reasons (reason.def): why a packet was dropped, why a segment leaves, what
 * happened to a connection. Counters, packet lines, captures and tests all read it.
 */
#ifndef WIRE_REASON_H
#define WIRE_REASON_H

enum reason_kind {
    REASON_KIND_NONE,
    REASON_KIND_DROP,  /* a packet that came in and went no further */
    REASON_KIND_SEND,  /* why a packet leaves */
    REASON_KIND_EVENT, /* a state, timer or window changed; a connection ended */
    REASON_KIND_PATH,  /* what a modelled path between nodes did to a packet */
};

enum reason {
#define REASON(id, kind, name, sentence, source) REASON_##id,
#include "wire/reason.def"
#undef REASON
    REASON_COUNT
};

struct reason_text {
    enum reason_kind kind;
    const char *name;     /* short and stable, for counters and scripts: "drop.ip.checksum" */
    const char *sentence; /* for people */
    const char *source;   /* the RFC's section, or "twintun" where the rule is our own */
};

const struct reason_text *reason_text(enum reason r);

#endif
