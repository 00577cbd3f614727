/*
 * What this program and its siblings are called here, so that a hint can be pasted as it stands.
 * One started as build/bin/host has its siblings in build/bin/, too; one started as twintun-host
 * calls them twintun-peer and twintun-netsetup.
 */
#ifndef RUN_SELF_H
#define RUN_SELF_H

enum {
    SELF_MAX = 256, /* bytes of a call and its zero */
};

/* This program is `name` ("host") and was called as `typed` (argv[0]); both must stay. */
void self_is(const char *name, const char *typed);

/*
 * How to call `program` ("host", "peer", "netsetup"): this one as it was typed, a sibling in the
 * same directory and with the same prefix. Where that cannot be known, the bare name. Returns out.
 */
const char *self_call(const char *program, char out[SELF_MAX]);

#endif
