/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting the ways to place queens on a board so that none attacks another, row by row with bit masks. Knows
 * nothing of MPI. */
#ifndef QUEENS_BOARD_H
#define QUEENS_BOARD_H

#include <stdint.h>

enum { BOARD_LARGEST = 20 };

/* A board whose first rows are placed. A bit per column of the next row: taken by a column, or by a diagonal from
 * above. */
struct board {
	uint32_t columns;
	uint32_t falling, rising;  /* diagonals that go down to the left and to the right */
	uint16_t rows;             /* placed */
	uint16_t weight;           /* solutions that each one found stands for: 2 where the mirror image is left out */
};

/* The number of solutions that is known for a size from 1 to BOARD_LARGEST (OEIS A000170). */
uint64_t board_known(int queens);

/* Writes the boards with one queen in the first row; returns their number, (queens + 1) / 2. */
int board_first(int queens, struct board *boards);
/* Writes the boards that have one row more; returns their number, at most `queens`. */
int board_next(int queens, const struct board *board, struct board *boards);
/* Counts the solutions that begin with a board. */
uint64_t board_count(int queens, const struct board *board);

#endif
