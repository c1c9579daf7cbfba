/* SPDX-License-Identifier: BSD-3-Clause */
#include "board.h"

uint64_t board_known(int queens)
{
	static const uint64_t known[BOARD_LARGEST + 1] = {
		1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14200, 73712, 365596, 2279184, 14772512, 95815104, 666090624, 4968057848,
		39029188884,
	};

	return known[queens];
}

static uint32_t full_row(int queens)
{
	return (UINT32_C(1) << queens) - 1;
}

static struct board place(const struct board *board, uint32_t column)
{
	return (struct board){
		.columns = board->columns | column,
		.falling = (board->falling | column) >> 1,
		.rising = (board->rising | column) << 1,
		.rows = (uint16_t)(board->rows + 1),
		.weight = board->weight,
	};
}

/* Mirror images are counted with their originals: the first queen goes into the left half only, and for two; in
 * the middle of an odd board for one. */
int board_first(int queens, struct board *boards)
{
	static const struct board empty;

	for (int i = 0; i < (queens + 1) / 2; i++) {
		boards[i] = place(&empty, UINT32_C(1) << i);
		boards[i].weight = 2 * i + 1 == queens ? 1 : 2;
	}
	return (queens + 1) / 2;
}

int board_next(int queens, const struct board *board, struct board *boards)
{
	uint32_t open = full_row(queens) & ~(board->columns | board->falling | board->rising);
	int count = 0;

	for (; open != 0; open &= open - 1)
		boards[count++] = place(board, open & -open);
	return count;
}

static uint64_t count(uint32_t full, uint32_t columns, uint32_t falling, uint32_t rising)
{
	uint64_t solutions = 0;

	if (columns == full)
		return 1;
	for (uint32_t open = full & ~(columns | falling | rising); open != 0; open &= open - 1) {
		uint32_t column = open & -open;
		solutions += count(full, columns | column, (falling | column) >> 1, (rising | column) << 1);
	}
	return solutions;
}

uint64_t board_count(int queens, const struct board *board)
{
	return board->weight * count(full_row(queens), board->columns, board->falling, board->rising);
}
