/* SPDX-License-Identifier: BSD-3-Clause */
/* large send | large receive WAY: a message of more than 2^31 bytes is in flight at a checkpoint, and arrives after the restart. Two ranks. "send" sends it, waits
 * for a checkpoint that has it, and leaves without receiving it; "receive" is the life after that: WAY is "recv", "matched" or "persistent". */
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seamark.h"

enum { MIB = 1 << 20, BLOCKS = 2100, TAG = 5, MOST_S = 500 };

static int rank;

static void require(bool right, const char *what, int64_t value)
{
	if (right)
		return;
	fprintf(stderr, "WRONG: rank %d: %s (%lld)\n", rank, what, (long long)value);
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static uint64_t word(size_t at)
{
	return (at + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

static const size_t words = (size_t)BLOCKS * MIB / sizeof(uint64_t);

static void fill(uint64_t *data)
{
	for (size_t i = 0; i < words; i++)
		data[i] = word(i);
}

static void check(const uint64_t *data)
{
	size_t wrong = 0;
	for (size_t i = 0; i < words; i++)
		wrong += data[i] != word(i);
	require(wrong == 0, "words that differ", (int64_t)wrong);
}

static void receive(const char *way, uint64_t *data, MPI_Datatype block)
{
	MPI_Message message;
	MPI_Request request;
	MPI_Status status;
	MPI_Count elements;
	int count;
	if (strcmp(way, "matched") == 0) {
		MPI_Mprobe(0, TAG, MPI_COMM_WORLD, &message, &status);
		MPI_Mrecv(data, BLOCKS, block, &message, &status);
	} else if (strcmp(way, "persistent") == 0) {
		MPI_Recv_init(data, BLOCKS, block, MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &request);
		MPI_Start(&request);
		MPI_Wait(&request, &status);
		MPI_Request_free(&request);
	} else {
		MPI_Recv(data, BLOCKS, block, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
	}
	MPI_Get_count(&status, block, &count);
	MPI_Get_elements_x(&status, block, &elements);
	require(count == BLOCKS, "the count", count);
	require(elements == (MPI_Count)BLOCKS * MIB, "the elements", (int64_t)elements);
	require(status.MPI_SOURCE == 0 && status.MPI_TAG == TAG, "the status", status.MPI_TAG);
	check(data);
}

int main(int argc, char **argv)
{
	MPI_Datatype block;
	MPI_Request request = MPI_REQUEST_NULL;
	int64_t phase = 0;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Type_contiguous(MIB, MPI_BYTE, &block);
	MPI_Type_commit(&block);
	uint64_t *data = malloc(words * sizeof *data);
	require(data && argc > 1, "the start", argc);
	seamark_protect("phase", &phase, sizeof phase);
	int code = seamark_restore(NULL);
	if (strcmp(argv[1], "send") == 0) {
		require(code == SEAMARK_FRESH, "a fresh start", code);
		if (rank == 0) {
			fill(data);
			MPI_Isend(data, BLOCKS, block, 1, TAG, MPI_COMM_WORLD, &request);
		}
		phase = 1;
		code = seamark_checkpoint(SEAMARK_ANY_STEP, MOST_S);
		require(code == 0, seamark_strerror(code), code);
		_exit(0);
	}
	require(code == SEAMARK_RESTORED && phase == 1, "a restart", code);
	if (rank == 1)
		receive(argv[2], data, block);
	seamark_safepoint(SEAMARK_ANY_STEP);
	free(data);
	MPI_Type_free(&block);
	MPI_Finalize();
	return 0;
}
