/* SPDX-License-Identifier: BSD-3-Clause */
/* Auditing: every checkpoint in a folder must hold all the money, and every letter that was sent must have been
 * received or be in flight. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bank.h"
#include "seamark_files.h"

/* What is found in one checkpoint. */
struct books {
	uint32_t ranks;
	int64_t initial;         /* of one branch */
	int64_t balances;
	int64_t flying;          /* money in flight */
	uint64_t letters;        /* in flight: transfers, and others */
	uint64_t transfers;
	struct bank_post *posts; /* ranks x ranks: what the first says of the second */
	uint64_t *last;          /* ranks x ranks: serial of the last letter from the second that the first has, or is in flight to it */
};

static bool complain(const struct seamark_files_entry *entry, uint32_t rank, const char *what)
{
	fprintf(stderr, "bank: checkpoint %" PRIu64 ", rank %" PRIu32 ": %s\n", entry->number, rank, what);
	return false;
}

/* Sums wrap around: what is in a file may be anything. */
static int64_t sum(int64_t first, int64_t second)
{
	return (int64_t)((uint64_t)first + (uint64_t)second);
}

static bool new_books(struct books *books, uint32_t ranks)
{
	size_t pairs = (size_t)ranks * ranks;

	*books = (struct books){.ranks = ranks, .initial = -1};
	books->posts = calloc(pairs, sizeof *books->posts);
	books->last = calloc(pairs, sizeof *books->last);
	return books->posts != NULL && books->last != NULL;
}

static void free_books(struct books *books)
{
	free(books->posts);
	free(books->last);
}

static bool read_branch(struct books *books, const struct seamark_files_entry *entry, seamark_files_image *image, uint32_t rank)
{
	struct bank_branch branch;
	struct bank_post *posts = books->posts + (size_t)rank * books->ranks;

	if (seamark_files_read(image, BANK_BRANCH, &branch, sizeof branch) < 0 ||
	    seamark_files_read(image, BANK_POST, posts, books->ranks * sizeof *posts) < 0)
		return complain(entry, rank, seamark_files_error());
	if (branch.ranks != books->ranks || (books->initial >= 0 && branch.initial != books->initial))
		return complain(entry, rank, "the branch is of another bank");
	books->initial = branch.initial;
	books->balances = sum(books->balances, branch.balance);
	for (uint32_t from = 0; from < books->ranks; from++)
		books->last[(size_t)rank * books->ranks + from] = posts[from].received;
	return true;
}

/* The letters of one sender are in flight in the order in which it sent them, and go on where the receiver had
 * stopped. */
static bool read_letter(struct books *books, const struct seamark_files_entry *entry, const struct seamark_files_message *message,
			uint32_t rank)
{
	struct bank_letter letter;
	uint64_t *last = &books->last[(size_t)rank * books->ranks + message->source_world];

	if (message->tag != BANK_TAG || message->bytes != sizeof letter)
		return complain(entry, rank, "a message in flight is not a letter");
	memcpy(&letter, message->data, sizeof letter);
	if (letter.serial != ++*last)
		return complain(entry, rank, "the letters in flight are not those that come next");
	books->letters++;
	if (letter.kind == BANK_TRANSFER) {
		books->transfers++;
		books->flying = sum(books->flying, letter.amount);
	}
	return true;
}

static bool read_letters(struct books *books, const struct seamark_files_entry *entry, seamark_files_image *image, uint32_t rank)
{
	struct seamark_files_message message;
	size_t count;

	if (seamark_files_message_count(image, &count) < 0)
		return complain(entry, rank, seamark_files_error());
	for (size_t i = 0; i < count; i++) {
		if (seamark_files_message_at(image, i, &message) < 0)
			return complain(entry, rank, seamark_files_error());
		if (message.source_world >= books->ranks)
			return complain(entry, rank, "a letter is in flight from nowhere");
		if (!read_letter(books, entry, &message, rank))
			return false;
	}
	return true;
}

static bool read_rank(struct books *books, const struct seamark_files_entry *entry, const seamark_files_checkpoint *checkpoint,
		      uint32_t rank)
{
	seamark_files_image *image;

	if (seamark_files_image_open(&image, checkpoint, rank) < 0)
		return complain(entry, rank, seamark_files_error());
	bool read = read_branch(books, entry, image, rank) && read_letters(books, entry, image, rank);
	seamark_files_image_close(image);
	return read;
}

/* What one has sent to another, that one has received, or it is in flight. */
static bool all_letters_are_there(const struct books *books, const struct seamark_files_entry *entry)
{
	for (uint32_t to = 0; to < books->ranks; to++)
		for (uint32_t from = 0; from < books->ranks; from++)
			if (books->posts[(size_t)from * books->ranks + to].sent != books->last[(size_t)to * books->ranks + from])
				return complain(entry, to, "letters are lost, or there that were never sent");
	return true;
}

static bool audit_books(struct books *books, const struct seamark_files_entry *entry, const seamark_files_checkpoint *checkpoint)
{
	for (uint32_t rank = 0; rank < books->ranks; rank++)
		if (!read_rank(books, entry, checkpoint, rank))
			return false;
	int64_t expected = (int64_t)((uint64_t)books->initial * books->ranks);
	int64_t money = sum(books->balances, books->flying);
	bool right = money == expected;
	printf("checkpoint %" PRIu64 ": balances %" PRId64 " + %" PRIu64 " transfers in flight with %" PRId64 " = %" PRId64
	       ": %s\n", entry->number, books->balances, books->transfers, books->flying, money, right ? "right" : "wrong");
	if (!right)
		fprintf(stderr, "bank: checkpoint %" PRIu64 " should hold %" PRId64 "\n", entry->number, expected);
	return all_letters_are_there(books, entry) && right;
}

/* Adds to *flying if transfers were in flight. */
static int audit_checkpoint(const struct seamark_files_entry *entry, uint64_t *flying)
{
	seamark_files_checkpoint *checkpoint;
	struct books books;
	int status = BANK_TROUBLE;

	if (entry->status < 0 || seamark_files_checkpoint_open(&checkpoint, entry->path) < 0) {
		fprintf(stderr, "bank: checkpoint %" PRIu64 ": %s\n", entry->number,
			entry->status < 0 ? entry->problem : seamark_files_error());
		return BANK_WRONG;
	}
	if (!new_books(&books, entry->ranks))
		fprintf(stderr, "bank: not enough memory\n");
	else
		status = audit_books(&books, entry, checkpoint) ? BANK_RIGHT : BANK_WRONG;
	*flying += books.transfers > 0;
	free_books(&books);
	seamark_files_checkpoint_close(checkpoint);
	return status;
}

int bank_audit(const char *folder)
{
	seamark_files *files;
	struct seamark_files_entry entry;
	uint64_t right = 0, flying = 0;
	int worst = BANK_RIGHT;

	if (seamark_files_open(&files, folder) < 0) {
		fprintf(stderr, "bank: %s\n", seamark_files_error());
		return BANK_TROUBLE;
	}
	size_t count = seamark_files_count(files);
	if (count == 0) {
		fprintf(stderr, "bank: '%s' has no checkpoints\n", folder);
		worst = BANK_TROUBLE;
	}
	for (size_t i = 0; i < count && seamark_files_entry_at(files, i, &entry) == 0; i++) {
		int status = audit_checkpoint(&entry, &flying);
		right += status == BANK_RIGHT;
		if (status > worst)
			worst = status;
	}
	if (count > 0)
		printf("%" PRIu64 " of %zu checkpoints are right; %" PRIu64 " had transfers in flight\n", right, count, flying);
	seamark_files_close(files);
	return worst;
}
