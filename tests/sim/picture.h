/*
 * The pictures of docs/congestion.md: congestion windows and shares from runs of the simulator, and
 * what the stored matrix says of algorithms and mechanisms.
 */
#ifndef SIM_PICTURE_H
#define SIM_PICTURE_H

/* Draw all of them into this folder, from this file of the matrix. An exit code of run/exit.h. */
int picture_all(const char *folder, const char *matrix);

#endif
