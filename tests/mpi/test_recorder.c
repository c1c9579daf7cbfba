/* SPDX-License-Identifier: BSD-3-Clause */
/* What the recorder packs and delivers is what MPI itself would have sent and received: memory, counts, elements and errors. */
#include <CUnit/Basic.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "channel/recorder.h"

enum { ITEMS = 40, AREA = 1 << 14 };

static MPI_Datatype types[10];
static int type_count;

static void add(MPI_Datatype type)
{
	PMPI_Type_commit(&type);
	types[type_count++] = type;
}

static void make_types(void)
{
	MPI_Datatype type;
	const int lengths[] = {1, 3, 2}, places[] = {0, 4, 9};
	const MPI_Aint bytes[] = {0, 8, 40};
	const MPI_Datatype parts[] = {MPI_CHAR, MPI_DOUBLE, MPI_INT};
	types[type_count++] = MPI_CHAR;
	types[type_count++] = MPI_DOUBLE;
	types[type_count++] = MPI_LONG_DOUBLE;
	types[type_count++] = MPI_DOUBLE_INT;
	PMPI_Type_contiguous(5, MPI_INT, &type);
	add(type);
	PMPI_Type_vector(10, 1, 2, MPI_DOUBLE, &type);
	add(type);
	PMPI_Type_indexed(3, lengths, places, MPI_SHORT, &type);
	add(type);
	PMPI_Type_create_struct(3, lengths, bytes, parts, &type);
	add(type);
	PMPI_Type_contiguous(0, MPI_INT, &type);
	add(type);
	PMPI_Type_create_resized(MPI_INT, -4, 12, &type);
	add(type);
}

static void fill(unsigned char *area, unsigned seed)
{
	for (int i = 0; i < AREA; i++)
		area[i] = (unsigned char)(seed + (unsigned)i * 7 + (unsigned)i / 251);
}

/* A message to this rank by MPI alone: the model. */
static MPI_Status model(const void *from, int sent, MPI_Datatype send_type, void *to, int count, MPI_Datatype type)
{
	MPI_Status status;
	PMPI_Sendrecv(from, sent, send_type, 0, 3, to, count, type, 0, 3, MPI_COMM_SELF, &status);
	return status;
}

static void equal_statuses(const MPI_Status *one, const MPI_Status *other, MPI_Datatype type)
{
	int count[2], cancelled[2];
	MPI_Count elements[2];
	PMPI_Get_count(one, type, &count[0]);
	PMPI_Get_count(other, type, &count[1]);
	CU_ASSERT_EQUAL(count[0], count[1]);
	PMPI_Get_elements_x(one, type, &elements[0]);
	PMPI_Get_elements_x(other, type, &elements[1]);
	CU_ASSERT_EQUAL(elements[0], elements[1]);
	PMPI_Test_cancelled(one, &cancelled[0]);
	PMPI_Test_cancelled(other, &cancelled[1]);
	CU_ASSERT_EQUAL(cancelled[0], 0);
	CU_ASSERT_EQUAL(cancelled[1], 0);
}

/* Sends `sent` items by MPI, records what came, delivers the record into other memory: it must be the same. */
static void round_trip(MPI_Datatype send_type, int sent, MPI_Datatype type, int count, bool by_request)
{
	static unsigned char source[AREA], received[AREA], delivered[AREA];
	enum { START = 1024 }; /* a type may begin before its buffer */
	fill(source, 1);
	fill(received, 2);
	fill(delivered, 2);
	MPI_Status status = model(source + START, sent, send_type, received + START, count, type);
	struct fault fault = FAULT_NONE;
	int64_t bytes = recorder_bytes(&status);
	MPI_Count size;
	PMPI_Type_size_x(send_type, &size);
	CU_ASSERT_EQUAL(bytes, sent * size);
	void *data = NULL;
	CU_ASSERT_EQUAL_FATAL(recorder_pack(received + START, count, type, bytes, &data, &fault), 0);
	struct mail *mail = mail_new((uint64_t)bytes);
	if (bytes)
		memcpy(mail->data, data, (size_t)bytes);
	free(data);
	mail->source = 5;
	mail->tag = 77;
	MPI_Status own;
	if (by_request) {
		MPI_Request request;
		bool truncated;
		CU_ASSERT_EQUAL(recorder_deliver_request(mail, delivered + START, count, type, &request, &truncated), MPI_SUCCESS);
		CU_ASSERT_FALSE(truncated);
		PMPI_Wait(&request, &own);
		recorder_address(mail, &own);
	} else {
		CU_ASSERT_EQUAL(recorder_deliver(mail, delivered + START, count, type, &own), MPI_SUCCESS);
	}
	CU_ASSERT_EQUAL(own.MPI_SOURCE, 5);
	CU_ASSERT_EQUAL(own.MPI_TAG, 77);
	CU_ASSERT_EQUAL(memcmp(received, delivered, AREA), 0);
	equal_statuses(&status, &own, type);
	mail_free(mail);
}

static void test_delivered_is_what_mpi_receives(void)
{
	for (int i = 0; i < type_count; i++)
		for (int sent = 0; sent <= ITEMS; sent += 13)
			for (int way = 0; way < 2; way++) {
				round_trip(types[i], sent, types[i], ITEMS, way);
				round_trip(types[i], sent, types[i], sent, way);
			}
}

static void test_partial_items_are_kept(void)
{
	for (int way = 0; way < 2; way++) {
		round_trip(MPI_DOUBLE, 13, types[5], 4, way); /* into vectors of ten doubles */
		round_trip(MPI_INT, 7, types[4], 3, way);
		round_trip(MPI_SHORT, 1, types[6], 2, way);
	}
}

static void test_too_small_a_buffer_is_truncation_and_nothing_is_overrun(void)
{
	struct mail *mail = mail_new(100);
	memset(mail->data, 9, 100);
	mail->source = mail->tag = 0;
	unsigned char buffer[64];
	memset(buffer, 1, sizeof buffer);
	MPI_Status status;
	CU_ASSERT_EQUAL(recorder_deliver(mail, buffer, 10, MPI_CHAR, &status), MPI_ERR_TRUNCATE);
	CU_ASSERT(buffer[9] == 9 && buffer[10] == 1);
	memset(buffer, 1, sizeof buffer);
	MPI_Request request;
	bool truncated;
	CU_ASSERT_EQUAL(recorder_deliver_request(mail, buffer, 10, MPI_CHAR, &request, &truncated), MPI_SUCCESS);
	CU_ASSERT_TRUE(truncated);
	PMPI_Wait(&request, &status);
	CU_ASSERT(buffer[9] == 9 && buffer[10] == 1);
	mail_free(mail);
	void *data;
	CU_ASSERT_EQUAL(recorder_pack(buffer, 10, MPI_CHAR, 11, &data, NULL), SEAMARK_E_VOID);
}

static void test_large_messages_come_through(void)
{
	enum { BYTES = 40 << 20 };
	unsigned char *from = malloc(BYTES), *to = calloc(1, BYTES);
	for (int i = 0; i < BYTES; i++)
		from[i] = (unsigned char)(i * 31 + i / 4096);
	void *data;
	int64_t bytes;
	CU_ASSERT_EQUAL_FATAL(recorder_pack_all(from, BYTES / 8, MPI_DOUBLE, &data, &bytes, NULL), 0);
	CU_ASSERT_EQUAL(bytes, BYTES);
	struct mail *mail = mail_new(BYTES);
	memcpy(mail->data, data, BYTES);
	free(data);
	mail->source = mail->tag = 1;
	CU_ASSERT_EQUAL(recorder_deliver(mail, to, BYTES / 8, MPI_DOUBLE, MPI_STATUS_IGNORE), MPI_SUCCESS);
	CU_ASSERT_EQUAL(memcmp(from, to, BYTES), 0);
	mail_free(mail);
	free(from);
	free(to);
}

static void test_names_of_huge_sizes_are_exact(void)
{
	const int64_t sizes[] = {0, 1, INT32_MAX, INT64_C(1) << 31, (INT64_C(1) << 31) + 12345, INT64_C(5) << 40};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct recorder_named named;
		MPI_Count size;
		CU_ASSERT_EQUAL_FATAL(recorder_name(sizes[i], &named), MPI_SUCCESS);
		PMPI_Type_size_x(named.type, &size);
		CU_ASSERT_EQUAL(size * named.count, sizes[i]);
		recorder_unname(&named);
	}
}

static void test_probe_status_is_like_a_real_one(void)
{
	static double buffer[64], received[64];
	MPI_Request request;
	MPI_Status real, own;
	PMPI_Isend(buffer, 13, MPI_DOUBLE, 0, 4, MPI_COMM_SELF, &request);
	PMPI_Probe(0, 4, MPI_COMM_SELF, &real);
	struct mail *mail = mail_new(13 * sizeof(double));
	mail->source = 0;
	mail->tag = 4;
	CU_ASSERT_EQUAL(recorder_probe_status(mail, &own), MPI_SUCCESS);
	equal_statuses(&real, &own, MPI_DOUBLE);
	equal_statuses(&real, &own, types[5]);
	CU_ASSERT_EQUAL(own.MPI_TAG, 4);
	CU_ASSERT_EQUAL(own.MPI_SOURCE, 0);
	PMPI_Recv(received, 13, MPI_DOUBLE, 0, 4, MPI_COMM_SELF, MPI_STATUS_IGNORE);
	PMPI_Wait(&request, MPI_STATUS_IGNORE);
	mail_free(mail);
}

static bool only_five(void *context, int tag)
{
	++*(int *)context;
	return tag == 5;
}

static void test_drain_takes_what_is_wanted_and_leaves_the_rest(void)
{
	int value[2] = {10, 20}, asked = 0, got;
	MPI_Request requests[2];
	struct mail *mail;
	CU_ASSERT_EQUAL(recorder_drain(MPI_COMM_SELF, 0, only_five, &asked, &mail, NULL), 0);
	CU_ASSERT_EQUAL(asked, 0);
	PMPI_Isend(&value[0], 1, MPI_INT, 0, 5, MPI_COMM_SELF, &requests[0]);
	PMPI_Isend(&value[1], 1, MPI_INT, 0, 6, MPI_COMM_SELF, &requests[1]);
	CU_ASSERT_EQUAL_FATAL(recorder_drain(MPI_COMM_SELF, 0, only_five, &asked, &mail, NULL), 1);
	CU_ASSERT_EQUAL(mail->tag, 5);
	CU_ASSERT_EQUAL(mail->source, 0);
	CU_ASSERT_EQUAL(mail->bytes, sizeof(int));
	CU_ASSERT_EQUAL(memcmp(mail->data, &value[0], sizeof(int)), 0);
	mail_free(mail);
	CU_ASSERT_EQUAL(recorder_drain(MPI_COMM_SELF, 0, only_five, &asked, &mail, NULL), 0);
	CU_ASSERT_EQUAL(asked, 2);
	PMPI_Recv(&got, 1, MPI_INT, 0, 6, MPI_COMM_SELF, MPI_STATUS_IGNORE);
	CU_ASSERT_EQUAL(got, 20);
	PMPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
}

static void test_asking_raises_no_error(void)
{
	char from[8] = "1234567", to[4];
	MPI_Request request, send;
	MPI_Comm comm;
	PMPI_Comm_dup(MPI_COMM_SELF, &comm);
	PMPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
	PMPI_Irecv(to, 4, MPI_CHAR, 0, 0, comm, &request);
	int complete;
	MPI_Status status;
	CU_ASSERT_EQUAL(recorder_ask(request, &complete, &status), MPI_SUCCESS);
	CU_ASSERT_FALSE(complete);
	PMPI_Isend(from, 8, MPI_CHAR, 0, 0, comm, &send);
	for (int i = 0; i < 1000000 && !complete; i++)
		recorder_ask(request, &complete, &status); /* errors are fatal on MPI_COMM_WORLD here */
	CU_ASSERT_TRUE(complete);
	PMPI_Wait(&request, &status); /* Open MPI does not call this truncated, from oneself; MPICH does */
	PMPI_Wait(&send, MPI_STATUS_IGNORE);
	PMPI_Comm_free(&comm);
}

int main(int argc, char **argv)
{
	PMPI_Init(&argc, &argv);
	make_types();
	struct fault fault = FAULT_NONE;
	if (recorder_open(&fault) < 0 || CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	CU_pSuite suite = CU_add_suite("recorder", NULL, NULL);
	CU_ADD_TEST(suite, test_delivered_is_what_mpi_receives);
	CU_ADD_TEST(suite, test_partial_items_are_kept);
	CU_ADD_TEST(suite, test_too_small_a_buffer_is_truncation_and_nothing_is_overrun);
	CU_ADD_TEST(suite, test_large_messages_come_through);
	CU_ADD_TEST(suite, test_names_of_huge_sizes_are_exact);
	CU_ADD_TEST(suite, test_probe_status_is_like_a_real_one);
	CU_ADD_TEST(suite, test_drain_takes_what_is_wanted_and_leaves_the_rest);
	CU_ADD_TEST(suite, test_asking_raises_no_error);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	recorder_close();
	PMPI_Finalize();
	return failures != 0;
}
