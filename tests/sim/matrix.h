/*
 * The matrix of simulated goodput: loss x round trip x buffer x algorithm x mechanism off. It is
 * stored in tests/sim/matrix.txt, and each test run plays it again, so that drift shows.
 */
#ifndef SIM_MATRIX_H
#define SIM_MATRIX_H

#include <stdio.h>

/* Play the matrix with `jobs` processes; write it as text to *out. An exit code of run/exit.h. */
int matrix_write(unsigned jobs, FILE *out);

/* Play it and compare with the text in this file: every cell that differs is named. */
int matrix_compare(unsigned jobs, const char *file);

#endif
