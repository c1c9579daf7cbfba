/* SPDX-License-Identifier: BSD-3-Clause */
/* Receives that are posted at a cut: posted run, which makes a checkpoint with four of them posted on each rank, or posted check FOLDER, which reads it: two
 * of them had a message in flight coming for them, and the other two must be listed, in the order of posting and as they were posted. */
#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seamark.h"
#include "seamark_files.h"

enum { RECEIVES = 4, ON_ITS_WAY = 1, LATER = 2, LIMIT_S = 60 };

static int run(void)
{
	int rank, size, in[RECEIVES], out = 7, code;
	MPI_Comm aside, wild;
	MPI_Request receives[RECEIVES], sends[2];
	MPI_Init(NULL, NULL);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	MPI_Comm_dup(MPI_COMM_WORLD, &aside);
	MPI_Comm_dup(MPI_COMM_WORLD, &wild);
	seamark_restore(NULL);
	const int next = (rank + 1) % size, before = (rank + size - 1) % size;
	MPI_Irecv(&in[0], 1, MPI_INT, before, ON_ITS_WAY, MPI_COMM_WORLD, &receives[0]);
	MPI_Irecv(&in[1], 1, MPI_INT, MPI_ANY_SOURCE, LATER, MPI_COMM_WORLD, &receives[1]);
	MPI_Irecv(&in[2], 1, MPI_INT, next, MPI_ANY_TAG, aside, &receives[2]);
	MPI_Irecv(&in[3], 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, wild, &receives[3]);
	MPI_Isend(&out, 1, MPI_INT, next, ON_ITS_WAY, MPI_COMM_WORLD, &sends[0]);
	MPI_Isend(&out, 1, MPI_INT, next, ON_ITS_WAY, wild, &sends[1]);
	MPI_Waitall(2, sends, MPI_STATUSES_IGNORE);
	code = seamark_checkpoint(1, LIMIT_S);
	if (code != 0) {
		fprintf(stderr, "rank %d: %s\n", rank, seamark_strerror(code));
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
	MPI_Send(&out, 1, MPI_INT, next, LATER, MPI_COMM_WORLD);
	MPI_Send(&out, 1, MPI_INT, before, LATER, aside);
	MPI_Waitall(RECEIVES, receives, MPI_STATUSES_IGNORE);
	MPI_Finalize();
	return 0;
}

static int wrong(uint32_t rank, const char *what, int64_t is, int64_t should_be)
{
	printf("rank %" PRIu32 ": %s is %" PRId64 ", and should be %" PRId64 "\n", rank, what, is, should_be);
	return 1;
}

static int check_image(seamark_files_image *image, uint32_t rank, uint32_t ranks)
{
	struct seamark_files_posted first, second;
	size_t messages = 0;
	int64_t next = (rank + 1) % ranks;
	if (seamark_files_message_count(image, &messages) || messages != 2)
		return wrong(rank, "the number of messages", (int64_t)messages, 2);
	if (seamark_files_posted_count(image) != 2)
		return wrong(rank, "the number of receives", (int64_t)seamark_files_posted_count(image), 2);
	if (seamark_files_posted_at(image, 0, &first) || seamark_files_posted_at(image, 1, &second) || !seamark_files_posted_at(image, 2, &first))
		return wrong(rank, "one of three receives", 0, 1);
	seamark_files_posted_at(image, 0, &first);
	if (first.source != -1 || first.source_world != -1)
		return wrong(rank, "the source of the first", first.source, -1);
	if (first.tag != LATER)
		return wrong(rank, "the tag of the first", first.tag, LATER);
	if (second.source != next || second.source_world != next)
		return wrong(rank, "the source of the second", second.source, next);
	if (second.tag != -1)
		return wrong(rank, "the tag of the second", second.tag, -1);
	if (strcmp(first.communicator, "world") != 0 || strcmp(second.communicator, "world") == 0)
		return wrong(rank, "a communicator", 0, 1);
	return first.turn >= second.turn ? wrong(rank, "the second's turn", (int64_t)second.turn, (int64_t)first.turn + 1) : 0;
}

static int check(const char *folder)
{
	struct seamark_files_entry entry;
	seamark_files_checkpoint *checkpoint;
	seamark_files *files;
	int bad = 0;
	if (seamark_files_open(&files, folder) || seamark_files_entry_of(files, 1, &entry) || seamark_files_checkpoint_open(&checkpoint, entry.path)) {
		printf("%s\n", seamark_files_error());
		return 1;
	}
	for (uint32_t rank = 0; rank < entry.ranks; rank++) {
		seamark_files_image *image;
		if (seamark_files_image_open(&image, checkpoint, rank)) {
			printf("%s\n", seamark_files_error());
			return 1;
		}
		bad |= check_image(image, rank, entry.ranks);
		seamark_files_image_close(image);
	}
	seamark_files_checkpoint_close(checkpoint);
	seamark_files_close(files);
	return bad;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "check") == 0)
		return check(argv[2]);
	return argc == 2 && strcmp(argv[1], "run") == 0 ? run() : 2;
}
