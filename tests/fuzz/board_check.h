/*
 * What must hold of the ranges of a stack between two calls: each of its pool is free or on exactly
 * one board, each board is what is outstanding, in order and without gaps, and its sums are those
 * of its ranges.
 */
#ifndef FUZZ_BOARD_CHECK_H
#define FUZZ_BOARD_CHECK_H

#include "stack/internal.h"

/* Look, and write over what was given back, so that a use after the end changes something. */
void board_check(struct stack *st);

#endif
