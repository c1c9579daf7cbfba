/* SPDX-License-Identifier: BSD-3-Clause */
/* Orders and markers arrive whole, each once, in order from each rank; a flush gives out all that was matched; the reduction is right. */
#include <CUnit/Basic.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "channel/carrier.h"

enum { MARKERS = 12, ORDERS = 300 };

struct sum { uint64_t total; int64_t highest; };

static int rank, size;

static void combine(void *sum, const void *other)
{
	struct sum *mine = sum;
	const struct sum *more = other;
	mine->total += more->total;
	mine->highest = mine->highest > more->highest ? mine->highest : more->highest;
}

/* The size and bytes of the n-th marker's counts from one rank to another: both know them. */
static size_t counts_size(int from, int to, int n)
{
	static const size_t sizes[] = {0, 1, 900, 1008, 1009, 5000, 200000, 1 << 20, 0, 1007, 64, 3000};
	return sizes[(n + from + to) % MARKERS];
}

static void fill(uint8_t *data, size_t bytes, int from, int to, int n)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)mix64((uint64_t)(from * 100 + to * 10 + n) + i);
}

struct head { int32_t from, to, n, spare; };

struct seen { int orders, heads, counts, last; unsigned given; };

/* Whose counts these are. Those that fit into the first message come at once after their head; those that do not, when they are here: a small one before a
 * large one. (Seamark has one marker at a time on a channel.) Their sizes differ. */
static int marker_of(const struct carrier_message *message, const struct seen *from)
{
	if (message->size <= CARRIER_HEAD_BYTES - 8 - sizeof(struct head))
		return from->last;
	for (int n = 0; n < MARKERS; n++)
		if (counts_size(message->from, rank, n) == message->size)
			return n;
	return -1;
}

static void check_counts(const struct carrier_message *message, struct seen *from)
{
	const int n = marker_of(message, from);
	CU_ASSERT_FATAL(n >= 0 && n < from->heads && !(from->given >> n & 1));
	from->given |= 1u << n;
	from->counts++;
	size_t bytes = counts_size(message->from, rank, n);
	CU_ASSERT_EQUAL_FATAL(message->size, bytes);
	uint8_t *expected = malloc(bytes + 1);
	fill(expected, bytes, message->from, rank, n);
	CU_ASSERT(bytes == 0 || memcmp(expected, message->data, bytes) == 0);
	free(expected);
}

static bool take_one(struct seen *seen)
{
	struct carrier_message message;
	if (carrier_receive(&message) == CARRIER_NOTHING)
		return false;
	struct seen *from = &seen[message.from];
	struct head head;
	if (message.part == CARRIER_MARKER_COUNTS) {
		check_counts(&message, from);
		return true;
	}
	CU_ASSERT_EQUAL_FATAL(message.size, sizeof head);
	memcpy(&head, message.data, sizeof head);
	CU_ASSERT(head.from == message.from && head.to == rank);
	CU_ASSERT_EQUAL(head.n, message.part == CARRIER_ORDER ? from->orders : from->heads);
	if (message.part == CARRIER_MARKER_HEAD)
		from->last = head.n;
	*(message.part == CARRIER_ORDER ? &from->orders : &from->heads) += 1;
	return true;
}

static void send_markers(void)
{
	uint8_t *counts = malloc(1 << 20);
	for (int n = 0; n < MARKERS; n++)
		for (int to = 0; to < size; to++) {
			struct head head = {rank, to, n, 0};
			fill(counts, counts_size(rank, to, n), rank, to, n);
			CU_ASSERT_EQUAL(carrier_send_marker(to, &head, sizeof head, counts, counts_size(rank, to, n), NULL), 0);
		}
	free(counts);
}

static void test_markers_are_all_given_out_when_the_flush_is_done(void)
{
	for (int round = 0; round < 20; round++) {
		struct seen *seen = calloc((size_t)size, sizeof *seen);
		send_markers();
		while (!carrier_markers_sent())
			take_one(seen);
		carrier_enter_barrier();
		while (!carrier_barrier_done())
			take_one(seen);
		while (!carrier_flush())
			take_one(seen);
		for (int from = 0; from < size; from++) {
			CU_ASSERT_EQUAL(seen[from].heads, MARKERS);
			CU_ASSERT_EQUAL(seen[from].counts, MARKERS);
		}
		free(seen);
		/* The next round's may only come when everybody has looked. */
		struct sum own = {(uint64_t)rank + 1, (int64_t)rank * round}, sum;
		carrier_enter_verdict(&own);
		while (!carrier_verdict_done(&sum))
			;
		CU_ASSERT_EQUAL(sum.total, (uint64_t)size * (uint64_t)(size + 1) / 2);
		CU_ASSERT_EQUAL(sum.highest, (int64_t)(size - 1) * round);
	}
}

static void test_orders_arrive_in_order(void)
{
	struct seen *seen = calloc((size_t)size, sizeof *seen);
	for (int n = 0; n < ORDERS; n++)
		for (int to = 0; to < size; to++) {
			struct head head = {rank, to, n, 0};
			CU_ASSERT_EQUAL(carrier_send_order(to, &head, sizeof head, NULL), 0);
		}
	int all = 0;
	while (all < ORDERS * size)
		all += take_one(seen);
	for (int from = 0; from < size; from++)
		CU_ASSERT_EQUAL(seen[from].orders, ORDERS);
	free(seen);
	struct carrier_message message;
	CU_ASSERT_EQUAL(carrier_receive(&message), CARRIER_NOTHING);
	uint8_t order[CARRIER_HEAD_BYTES] = {0};
	CU_ASSERT_EQUAL(carrier_send_order(0, order, sizeof order, NULL), SEAMARK_E_ARGUMENT);
}

int main(int argc, char **argv)
{
	PMPI_Init(&argc, &argv);
	PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
	PMPI_Comm_size(MPI_COMM_WORLD, &size);
	if (carrier_open(sizeof(struct sum), combine, NULL) < 0 || CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	CU_pSuite suite = CU_add_suite("carrier", NULL, NULL);
	CU_ADD_TEST(suite, test_markers_are_all_given_out_when_the_flush_is_done);
	CU_ADD_TEST(suite, test_orders_arrive_in_order);
	CU_basic_set_mode(rank ? CU_BRM_SILENT : CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	carrier_enter_finish();
	while (!carrier_all_finished())
		;
	carrier_close();
	PMPI_Finalize();
	return failures != 0;
}
