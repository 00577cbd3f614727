/*
 * What `netsetup doctor` finds on the packet's way, hop by hop, and the parts that look.
 */
#ifndef NETSETUP_DOCTOR_H
#define NETSETUP_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "setup.h"

enum {
    HOPS_MAX = 96,
    HOP_NAME_MAX = 24,
    HOP_WAY_MAX = 64,
    HOP_TEXT_MAX = 400,
    MEND_MAX = 400,
};

enum verdict {
    HOP_OK,
    HOP_NOTE,   /* worth knowing; packets pass */
    HOP_BROKEN, /* packets do not pass, or not as the lab needs it */
};

struct hop {
    enum verdict verdict;
    char name[HOP_NAME_MAX]; /* "device", "route", ... */
    char way[HOP_WAY_MAX];   /* "tun0", or "tun0 > tun1" */
    char text[HOP_TEXT_MAX]; /* what is there, or is wrong */
    char mend[MEND_MAX];     /* of what is broken: the command */
};

struct exam {
    struct setup *s;
    struct hop hop[HOPS_MAX];
    unsigned hops;
};

/* Where the next hop is noted: name and way are filled in. Never NULL: the last one is used again.
 */
struct hop *exam_hop(struct exam *e, const char *name, const char *way);

/* Give a hop its verdict and text, and one that is broken the command. */
void hop_ok(struct hop *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void hop_note(struct hop *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void hop_broken(struct hop *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void hop_mend(struct hop *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The command that completes the lab. */
void hop_mend_up(const struct exam *e, struct hop *h);

/* Whether hop `name` of `way` is broken, as far as it was looked at. */
bool exam_is_broken(const struct exam *e, const char *name, const char *way);

/* ---- doctor_device.c: the devices, each by itself ---- */

void examine_devices(struct exam *e);

/* Whether packets can go in and out of node i's device. */
bool device_works(const struct exam *e, unsigned i);

/* ---- doctor_way.c: what is between them, from the kernel's settings ---- */

void examine_rules(struct exam *e);
void examine_forwarding(struct exam *e);
void examine_way(struct exam *e, unsigned from, unsigned to);

/* If connection tracking has no room for one more, say so of a hop where it sees the packets. */
bool examine_room(struct hop *h);

/* ---- doctor_outside.c: the way out, if there is one ---- */

void examine_outside(struct exam *e);

/* ---- doctor_probe.c: what a packet meets ---- */

void examine_probes(struct exam *e);

#endif
