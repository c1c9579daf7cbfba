/* SPDX-License-Identifier: BSD-3-Clause */
#include "channel/recorder.h"

#include <limits.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 1 << 20 };

static MPI_Comm self = MPI_COMM_NULL;

int recorder_open(struct fault *fault)
{
	if (PMPI_Comm_dup(MPI_COMM_SELF, &self) != MPI_SUCCESS)
		return fault_set(fault, SEAMARK_E_MEMORY, "cannot duplicate MPI_COMM_SELF");
	PMPI_Comm_set_errhandler(self, MPI_ERRORS_RETURN);
	return 0;
}

void recorder_close(void)
{
	if (self != MPI_COMM_NULL)
		PMPI_Comm_free(&self);
}

int recorder_ask(MPI_Request request, int *complete, MPI_Status *status)
{
	MPI_Errhandler old;
	PMPI_Comm_get_errhandler(MPI_COMM_WORLD, &old);
	PMPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
	*complete = 0;
	int error = PMPI_Request_get_status(request, complete, status);
	PMPI_Comm_set_errhandler(MPI_COMM_WORLD, old);
	PMPI_Errhandler_free(&old);
	if (error != MPI_SUCCESS)
		*complete = 1;
	return error;
}

int64_t recorder_bytes(const MPI_Status *status)
{
	MPI_Count bytes;
	if (PMPI_Get_elements_x(status, MPI_BYTE, &bytes) != MPI_SUCCESS || bytes == MPI_UNDEFINED)
		return -1;
	return bytes;
}

int recorder_name(int64_t bytes, struct recorder_named *named)
{
	if (bytes <= INT_MAX) {
		*named = (struct recorder_named){MPI_PACKED, (int)bytes};
		return MPI_SUCCESS;
	}
	int64_t blocks = bytes / BLOCK_BYTES;
	if (blocks > INT_MAX)
		return MPI_ERR_COUNT;
	MPI_Datatype block;
	int error = PMPI_Type_contiguous(BLOCK_BYTES, MPI_PACKED, &block);
	if (error != MPI_SUCCESS)
		return error;
	const int counts[] = {(int)blocks, (int)(bytes % BLOCK_BYTES)};
	const MPI_Aint places[] = {0, (MPI_Aint)(blocks * BLOCK_BYTES)};
	const MPI_Datatype types[] = {block, MPI_PACKED};
	named->count = 1;
	error = PMPI_Type_create_struct(2, counts, places, types, &named->type);
	PMPI_Type_free(&block);
	if (error == MPI_SUCCESS)
		return PMPI_Type_commit(&named->type);
	named->type = MPI_PACKED;
	return error;
}

void recorder_unname(struct recorder_named *named)
{
	if (named->type != MPI_PACKED)
		PMPI_Type_free(&named->type);
}

/* One message to oneself. The receive comes first: MPICH does not buffer for itself, so a send alone would hang. */
static int carry(const void *from, int from_count, MPI_Datatype from_type, void *to, int to_count, MPI_Datatype to_type,
		 MPI_Status *status)
{
	MPI_Request requests[2];
	MPI_Status statuses[2];
	int error = PMPI_Irecv(to, to_count, to_type, 0, 0, self, &requests[0]);
	if (error != MPI_SUCCESS)
		return error;
	error = PMPI_Isend(from, from_count, from_type, 0, 0, self, &requests[1]);
	if (error != MPI_SUCCESS) {
		PMPI_Cancel(&requests[0]);
		PMPI_Wait(&requests[0], MPI_STATUS_IGNORE);
		return error;
	}
	error = PMPI_Waitall(2, requests, statuses);
	if (error == MPI_ERR_IN_STATUS)
		error = statuses[0].MPI_ERROR != MPI_SUCCESS ? statuses[0].MPI_ERROR : statuses[1].MPI_ERROR;
	if (status)
		*status = statuses[0];
	return error;
}

static int fault_of(int error, struct fault *fault, const char *what)
{
	char text[MPI_MAX_ERROR_STRING] = "";
	int length;
	PMPI_Error_string(error, text, &length);
	return fault_set(fault, SEAMARK_E_MEMORY, "cannot %s a message: %s", what, text);
}

/* Packs `items` whole items into `room` bytes, which is what they are. */
static int pack(const void *buffer, int items, MPI_Datatype type, int64_t room, void **data, struct fault *fault)
{
	*data = malloc(room > 0 ? (size_t)room : 1);
	if (*data == NULL)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to record a message of %lld bytes", (long long)room);
	if (room == 0)
		return 0;
	struct recorder_named packed;
	int error = recorder_name(room, &packed);
	if (error == MPI_SUCCESS) {
		error = carry(buffer, items, type, *data, packed.count, packed.type, NULL);
		recorder_unname(&packed);
	}
	if (error == MPI_SUCCESS)
		return 0;
	free(*data);
	*data = NULL;
	return fault_of(error, fault, "record");
}

/* count * size, as much of it as an int64_t holds. */
static int64_t times(int count, MPI_Count size)
{
	int64_t product;
	return __builtin_mul_overflow((int64_t)count, (int64_t)size, &product) ? INT64_MAX : product;
}

int recorder_pack(const void *buffer, int count, MPI_Datatype type, int64_t bytes, void **data, struct fault *fault)
{
	MPI_Count size;
	int error = PMPI_Type_size_x(type, &size);
	if (error != MPI_SUCCESS)
		return fault_of(error, fault, "record");
	if (bytes < 0 || bytes > times(count, size))
		return fault_set(fault, SEAMARK_E_VOID, "a message of %lld bytes was received into a buffer for %lld", (long long)bytes,
				 (long long)times(count, size));
	if (bytes == 0)
		return pack(buffer, 0, type, 0, data, fault);
	/* The last item may be there in part only: it is packed whole, and the record is the first `bytes`. */
	int items = (int)((bytes + size - 1) / size);
	return pack(buffer, items, type, times(items, size), data, fault);
}

int recorder_pack_all(const void *buffer, int count, MPI_Datatype type, void **data, int64_t *bytes, struct fault *fault)
{
	MPI_Count size;
	int error = PMPI_Type_size_x(type, &size);
	if (error != MPI_SUCCESS)
		return fault_of(error, fault, "pack");
	*bytes = times(count, size);
	return pack(buffer, count, type, *bytes, data, fault);
}

/* How much of a mail fits. What does not is never sent: Open MPI's transport to itself writes past the end of a large receive that it truncates. */
static int64_t fitting(const struct mail *mail, int count, MPI_Datatype type, bool *truncated)
{
	MPI_Count size;
	*truncated = false;
	if (PMPI_Type_size_x(type, &size) != MPI_SUCCESS)
		return 0; /* the receive will say what is wrong with the type */
	int64_t room = times(count, size);
	*truncated = mail->bytes > (uint64_t)room;
	return *truncated ? room : (int64_t)mail->bytes;
}

void recorder_address(const struct mail *mail, MPI_Status *status)
{
	status->MPI_SOURCE = (int)mail->source;
	status->MPI_TAG = (int)mail->tag;
}

/* Noted for who wants to compare what arrived. */
static void note_place(struct mail *mail, void *buffer, int count, MPI_Datatype type)
{
	mail->delivered = true;
	mail->buffer = buffer;
	mail->count = count;
	mail->type = (uint64_t)(uintptr_t)type;
}

int recorder_deliver(struct mail *mail, void *buffer, int count, MPI_Datatype type, MPI_Status *status)
{
	bool truncated;
	struct recorder_named packed;
	int error = recorder_name(fitting(mail, count, type, &truncated), &packed);
	if (error != MPI_SUCCESS)
		return error;
	MPI_Status own;
	note_place(mail, buffer, count, type);
	error = carry(mail->data, packed.count, packed.type, buffer, count, type, &own);
	recorder_unname(&packed);
	if (error == MPI_SUCCESS && status != MPI_STATUS_IGNORE) {
		/* MPI_ERROR is not set by a receive that gives back one status. */
		int kept = status->MPI_ERROR;
		*status = own;
		status->MPI_ERROR = kept;
		recorder_address(mail, status);
	}
	return error == MPI_SUCCESS && truncated ? MPI_ERR_TRUNCATE : error;
}

int recorder_deliver_request(struct mail *mail, void *buffer, int count, MPI_Datatype type, MPI_Request *request, bool *truncated)
{
	struct recorder_named packed;
	int error = recorder_name(fitting(mail, count, type, truncated), &packed);
	if (error != MPI_SUCCESS)
		return error;
	note_place(mail, buffer, count, type);
	error = PMPI_Irecv(buffer, count, type, 0, 0, self, request);
	if (error == MPI_SUCCESS) {
		error = PMPI_Send(mail->data, packed.count, packed.type, 0, 0, self);
		if (error != MPI_SUCCESS) {
			PMPI_Cancel(request);
			PMPI_Wait(request, MPI_STATUS_IGNORE);
		}
	}
	recorder_unname(&packed);
	return error;
}

int recorder_probe_status(const struct mail *mail, MPI_Status *status)
{
	if (status == MPI_STATUS_IGNORE)
		return MPI_SUCCESS;
	int error = PMPI_Status_set_elements_x(status, MPI_BYTE, (MPI_Count)mail->bytes);
	if (error == MPI_SUCCESS)
		error = PMPI_Status_set_cancelled(status, 0);
	recorder_address(mail, status);
	return error;
}

int recorder_stand_in(MPI_Message *message, MPI_Request *sending)
{
	enum { TAG_STAND_IN = 1 };
	int here = 0;
	int error = PMPI_Isend(NULL, 0, MPI_BYTE, 0, TAG_STAND_IN, self, sending);
	while (error == MPI_SUCCESS && !here)
		error = PMPI_Improbe(0, TAG_STAND_IN, self, &here, message, MPI_STATUS_IGNORE);
	return error;
}

void recorder_end_stand_in(MPI_Message *message, MPI_Request sending)
{
	PMPI_Mrecv(NULL, 0, MPI_BYTE, message, MPI_STATUS_IGNORE);
	PMPI_Wait(&sending, MPI_STATUS_IGNORE);
}

bool recorder_arrived(struct mail *mail)
{
	MPI_Request request = (MPI_Request)(uintptr_t)mail->arriving;
	int complete = 1;
	if (mail->arriving != 0)
		PMPI_Test(&request, &complete, MPI_STATUS_IGNORE);
	if (complete)
		mail->arriving = 0;
	return complete;
}

int recorder_drain(MPI_Comm comm, int source, bool (*wanted)(void *context, int tag), void *context, struct mail **mail, struct fault *fault)
{
	int here;
	MPI_Status status;
	*mail = NULL;
	int error = PMPI_Iprobe(source, MPI_ANY_TAG, comm, &here, &status);
	if (error != MPI_SUCCESS)
		return fault_of(error, fault, "look for");
	if (!here || !wanted(context, status.MPI_TAG))
		return 0;
	/* Memory is had before the message is: what was matched cannot be given back. */
	int64_t bytes = recorder_bytes(&status);
	struct mail *taken = bytes < 0 ? NULL : mail_new((uint64_t)bytes);
	if (taken == NULL)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to keep a message of %lld bytes", (long long)bytes);
	taken->source = (uint32_t)status.MPI_SOURCE;
	taken->tag = (uint32_t)status.MPI_TAG;
	/* By its tag: what the peek saw is the first of its stream, and no other may be taken. */
	MPI_Message message;
	MPI_Request request;
	struct recorder_named packed = {MPI_PACKED, 0};
	error = recorder_name(bytes, &packed);
	if (error == MPI_SUCCESS)
		error = PMPI_Improbe(source, status.MPI_TAG, comm, &here, &message, MPI_STATUS_IGNORE);
	if (error == MPI_SUCCESS && here)
		error = PMPI_Imrecv(taken->data, packed.count, packed.type, &message, &request);
	recorder_unname(&packed);
	if (error == MPI_SUCCESS && here) {
		taken->arriving = (uint64_t)(uintptr_t)request;
		recorder_arrived(taken);
		*mail = taken;
		return 1;
	}
	mail_free(taken);
	return error == MPI_SUCCESS ? 0 : fault_of(error, fault, "take");
}
