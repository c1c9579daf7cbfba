/* SPDX-License-Identifier: BSD-3-Clause */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tempest.h"

enum { ENTRIES_MOST = 4 * MESSAGES_MOST, GREQUESTS = 4, GRAVES = 256, CANARY = 4711 };

/* Something that a request stands for. */
enum kind { OF_SEND, OF_RECEIVE, OF_GATHER, OF_NEVER, OF_GREQUEST, OF_IDLE };
struct entry {
	enum kind kind;
	int index;
	bool done;
};
enum how { TEST, TESTANY, TESTSOME, TESTALL, WAIT, WAITANY, WAITSOME, WAITALL, STATUS_FIRST, HOWS };

static struct area sends[MESSAGES_MOST], receives[MESSAGES_MOST], of_series[SERIES_MOST];
static MPI_Request send_requests[MESSAGES_MOST], receive_requests[MESSAGES_MOST], series_requests[SERIES_MOST], nevers[ODDS_MOST],
	grequests[GREQUESTS];
static MPI_Message handles[MESSAGES_MOST];
static int held_elements[MESSAGES_MOST], grequest_extra[GREQUESTS];
static bool grequest_complete[GREQUESTS];
static int never_word, queried, freed;
static unsigned char room[4 << 20];
static void *buffer;
static struct area graves[GRAVES];
static unsigned buried;

static const struct message *message(int i)
{
	return &plan.messages[i];
}

static int base_of(const struct message *m)
{
	return plan_base(m->comm);
}

static size_t bytes_of(const struct message *m)
{
	return (size_t)m->n * (size_t)base_width(base_of(m));
}

static bool plain(const struct message *m)
{
	return !(plan.uses & USE_TYPES) || m->n > 40000;
}

/* A receive that was freed may be written to when nobody expects it: its memory is kept for long. */
static void bury(struct area *area)
{
	struct area *grave = &graves[buried++ % GRAVES];
	if (grave->raw)
		area_free(grave);
	*grave = *area;
	*area = (struct area){0};
}

/* --- receives ---------------------------------------------------------------------------------------------------------------------------- */

static struct area *area_of_receive(int i)
{
	return message(i)->receive_series < 0 ? &receives[i] : &of_series[message(i)->receive_series];
}

static void make_receive_area(struct area *area, const struct message *m, uint64_t draws)
{
	if (m->packed && draws & 1) {
		area_make(area, draws, 0, m->room * base_width(base_of(m)), false, true);
		area->type = MPI_PACKED;
		area->packed = true;
	} else {
		area_make(area, draws, base_of(m), m->room, m->truncated, plain(m) || m->room > 40000);
	}
}

static uint64_t draws_of(int i, int what)
{
	return mix(mix(plan.seed, 900 + (uint64_t)what), (uint64_t)i);
}

/* How many elements a status tells of, and whether what it says of counts and cancelling fits the type. */
static int elements_of(int i, const struct area *area, const MPI_Status *status)
{
	const struct message *m = message(i);
	int elements, count, cancelled;
	MPI_Count elements_x;
	OK(MPI_Get_elements(status, area->type, &elements));
	OK(MPI_Get_elements_x(status, area->type, &elements_x));
	OK(MPI_Get_count(status, area->type, &count));
	OK(MPI_Test_cancelled(status, &cancelled));
	int due = elements % area->per ? MPI_UNDEFINED : elements / area->per;
	if (elements_x != elements || count != due || cancelled)
		wrong("receive %d on communicator %d: %d elements, or %lld, count %d of items of %d, cancelled %d", i, m->comm, elements,
		      (long long)elements_x, count, area->per, cancelled);
	return elements;
}

static bool is_truncation(int code)
{
	int class = MPI_SUCCESS;
	if (code != MPI_SUCCESS)
		MPI_Error_class(code, &class);
	return class == MPI_ERR_TRUNCATE;
}

/* It is complete: with a status, or with none where the program asked for none. */
static void receive_done(int i, const MPI_Status *status, int code)
{
	const struct message *m = message(i);
	struct area *area = area_of_receive(i);
	int source = NOBODY, tag = NOBODY, elements = -1, width = base_width(base_of(m));
	if (is_truncation(code) != m->truncated || (code != MPI_SUCCESS && !m->truncated))
		wrong("receive %d on communicator %d from %d of %d elements with room for %d: code %d, %s truncated", i, m->comm, m->source, m->n, m->room,
		      code, m->truncated ? "to be" : "not to be");
	if (status) {
		source = worlds_world_rank(m->comm, status->MPI_SOURCE);
		tag = status->MPI_TAG;
		if (!m->truncated)
			elements = elements_of(i, area, status);
	}
	int in_area = m->truncated ? area->room : elements >= 0 ? elements : m->n * (area->packed ? width : 1);
	if (in_area > area->room || in_area < 0)
		wrong("receive %d on communicator %d: %d elements where %d have room", i, m->comm, in_area, area->room);
	long changed = area_take(area, in_area, room);
	if (changed)
		wrong("receive %d on communicator %d from %d tag %d: %d elements, and byte %ld outside of them was changed", i, m->comm, source, tag, in_area,
		      -1 - changed);
	if (area->packed && elements >= 0) {
		if (elements % width)
			wrong("receive %d on communicator %d: %d bytes, not of %d each", i, m->comm, elements, width);
		elements /= width;
	}
	uint64_t digest = content_digest(room, (size_t)in_area * (size_t)(area->packed ? 1 : width));
	if (m->receive_series < 0)
		area_free(area);
	else
		state.series_active[m->receive_series] = 0;
	model_received(i, source, tag, elements, digest);
}

/* A blocking receive. */
static void receive_now(int i, int source, int tag)
{
	const struct message *m = message(i);
	struct area *area = area_of_receive(i);
	MPI_Status status = {.MPI_ERROR = CANARY};
	int code = MPI_Recv(area->address, area->count, area->type, source, tag, worlds_comm(m->comm), m->ignored ? MPI_STATUS_IGNORE : &status);
	if (!m->ignored && code == MPI_SUCCESS && status.MPI_ERROR != CANARY)
		wrong("receive %d: MPI_ERROR of a single status was written: %d", i, status.MPI_ERROR);
	receive_done(i, m->ignored ? NULL : &status, code);
}

/* What a probe found is what the receive then gets. */
static void probed(int i, const MPI_Status *status)
{
	const struct message *m = message(i);
	int elements, source = worlds_world_rank(m->comm, status->MPI_SOURCE);
	OK(MPI_Get_elements(status, base_type(base_of(m)), &elements));
	held_elements[i] = elements;
	state.got[i].source = source;
	state.got[i].tag = status->MPI_TAG;
	if (m->matching == EXACT && elements != m->n)
		wrong("probe for receive %d on communicator %d: %d elements from %d tag %d, sent were %d", i, m->comm, elements, source, status->MPI_TAG,
		      m->n);
}

static void probe(int i, int source, int tag, MPI_Status *status)
{
	MPI_Comm on = worlds_comm(message(i)->comm);
	int found = 0;
	if (message(i)->how_received != IPROBE_RECV) {
		OK(MPI_Probe(source, tag, on, status));
	} else {
		while (!found) {
			OK(MPI_Iprobe(source, tag, on, &found, status));
			if (!found)
				sched_yield();
		}
	}
	probed(i, status);
}

static void match(int i, int source, int tag)
{
	MPI_Comm on = worlds_comm(message(i)->comm);
	enum how_received how = message(i)->how_received;
	MPI_Status status;
	int found = 0;
	if (how == MPROBE_MRECV || how == MPROBE_IMRECV) {
		OK(MPI_Mprobe(source, tag, on, &handles[i], &status));
	} else {
		while (!found) {
			OK(MPI_Improbe(source, tag, on, &found, &handles[i], &status));
			if (!found)
				sched_yield();
		}
	}
	probed(i, &status);
	state.flags[i] |= MATCHED;
}

static void take_matched(int i)
{
	const struct message *m = message(i);
	struct area *area = area_of_receive(i);
	MPI_Status status = {.MPI_ERROR = CANARY};
	if (m->how_received == MPROBE_IMRECV || m->how_received == IMPROBE_IMRECV) {
		OK(MPI_Imrecv(area->address, area->count, area->type, &handles[i], &receive_requests[i]));
	} else {
		int code = MPI_Mrecv(area->address, area->count, area->type, &handles[i], m->ignored ? MPI_STATUS_IGNORE : &status);
		receive_done(i, m->ignored ? NULL : &status, code);
	}
	if (handles[i] != MPI_MESSAGE_NULL && !m->truncated) /* MPICH leaves it after an error */
		wrong("receive %d: a message handle is left", i);
}

static void start_receive(int i)
{
	const struct message *m = message(i);
	area_guard(&of_series[m->receive_series]);
	state.series_active[m->receive_series] = i + 1;
}

static void asks_for(int i, int from, int with_tag)
{
	state.got[i].from = from;
	state.got[i].with_tag = with_tag;
}

/* With that source, a rank of the world, and that tag. */
static void post_as(int i, int from, int with_tag)
{
	const struct message *m = message(i);
	int source = worlds_rank_of(m->comm, from);
	asks_for(i, from, with_tag);
	make_receive_area(&receives[i], m, draws_of(i, 1));
	OK(MPI_Irecv(receives[i].address, receives[i].count, receives[i].type, source, with_tag, worlds_comm(m->comm), &receive_requests[i]));
	model_posted(i);
}

static void post(int i)
{
	const struct message *m = message(i);
	int source = worlds_rank_of(m->comm, m->from);
	MPI_Status status;
	if (m->how_received == IRECV) {
		post_as(i, m->from, m->with_tag);
		if (m->receive_freed) {
			OK(MPI_Request_free(&receive_requests[i]));
			bury(&receives[i]);
			model_freed(i);
		}
		return;
	}
	asks_for(i, m->from, m->with_tag);
	make_receive_area(&receives[i], m, draws_of(i, 1));
	model_posted(i);
	switch (m->how_received) {
	case RECV:
		receive_now(i, source, m->with_tag);
		break;
	case PROBE_RECV:
	case IPROBE_RECV:
		probe(i, source, m->with_tag, &status);
		receive_now(i, status.MPI_SOURCE, status.MPI_TAG);
		break;
	case PROBE_IRECV:
		probe(i, source, m->with_tag, &status);
		OK(MPI_Irecv(receives[i].address, receives[i].count, receives[i].type, status.MPI_SOURCE, status.MPI_TAG, worlds_comm(m->comm),
			     &receive_requests[i]));
		break;
	default:
		match(i, source, m->with_tag);
		if (m->take == m->post)
			take_matched(i);
	}
}

/* --- sends ----------------------------------------------------------------------------------------------------------------------------------- */

static void send_done(int i)
{
	const struct message *m = message(i);
	state.flags[i] |= SENT;
	if (m->send_series >= 0)
		state.series_active[m->send_series] = 0;
	else
		area_free(&sends[i]);
}

static void fill_send(struct area *area, int i)
{
	const struct message *m = message(i);
	content_make(m, room, bytes_of(m));
	area_put(area, m->n, room);
}

/* The message's elements, packed by MPI_Pack, in an area of bytes. */
static void pack_send(struct area *area, int i)
{
	const struct message *m = message(i);
	struct area first;
	int place = 0, bytes = (int)bytes_of(m);
	area_make(&first, draws_of(i, 2), base_of(m), m->n, true, plain(m) || m->n > 2000);
	fill_send(&first, i);
	area_make(area, 0, 0, bytes, true, true);
	if (first.bottom) /* which MPICH does not pack */
		OK(MPI_Pack(first.start, m->n / first.item, first.inner, area->address, bytes, &place,
			    worlds_comm(m->comm)));
	else
		OK(MPI_Pack(first.address, first.count, first.type, area->address, bytes, &place, worlds_comm(m->comm)));
	if (place != bytes)
		wrong("message %d: %d bytes packed, not %d", i, place, bytes);
	area->type = MPI_PACKED;
	area_free(&first);
}

static void make_send_area(struct area *area, int i)
{
	const struct message *m = message(i);
	if (m->packed && !(draws_of(i, 1) & 1)) {
		pack_send(area, i);
	} else {
		area_make(area, draws_of(i, 2), base_of(m), m->n, true, plain(m));
		fill_send(area, i);
	}
}

static void start_send(int i)
{
	const struct message *m = message(i);
	fill_send(&of_series[m->send_series], i);
	state.series_active[m->send_series] = i + 1;
	state.flags[i] |= BEGUN;
}

static void send_begin(int i)
{
	const struct message *m = message(i);
	struct area *a = &sends[i];
	int to = worlds_rank_of(m->comm, m->target);
	MPI_Comm on = worlds_comm(m->comm);
	MPI_Request *request = &send_requests[i];
	make_send_area(a, i);
	if (m->how_sent == SEND) {
		if (m->mode == STANDARD)
			OK(MPI_Send(a->address, a->count, a->type, to, m->tag, on));
		else if (m->mode == BUFFERED)
			OK(MPI_Bsend(a->address, a->count, a->type, to, m->tag, on));
		else if (m->mode == SYNCHRONOUS)
			OK(MPI_Ssend(a->address, a->count, a->type, to, m->tag, on));
		else
			OK(MPI_Rsend(a->address, a->count, a->type, to, m->tag, on));
		state.flags[i] |= BEGUN;
		send_done(i);
		return;
	}
	if (m->mode == STANDARD)
		OK(MPI_Isend(a->address, a->count, a->type, to, m->tag, on, request));
	else if (m->mode == BUFFERED)
		OK(MPI_Ibsend(a->address, a->count, a->type, to, m->tag, on, request));
	else if (m->mode == SYNCHRONOUS)
		OK(MPI_Issend(a->address, a->count, a->type, to, m->tag, on, request));
	else
		OK(MPI_Irsend(a->address, a->count, a->type, to, m->tag, on, request));
	state.flags[i] |= BEGUN;
	if (m->send_freed) {
		OK(MPI_Request_free(request)); /* the memory is kept to the program's end */
		if (*request != MPI_REQUEST_NULL)
			wrong("a freed request is not null");
		state.flags[i] |= SENT;
	}
}

static void exchange(int out, int in)
{
	const struct message *o = message(out), *i = message(in);
	MPI_Status status = {.MPI_ERROR = CANARY};
	int to = worlds_rank_of(o->comm, o->target), from = worlds_rank_of(i->comm, i->from);
	MPI_Comm on = worlds_comm(o->comm);
	asks_for(in, i->from, i->with_tag);
	model_posted(in);
	make_send_area(&sends[out], out);
	if (o->how_sent == SEND_REPLACE) {
		struct area *a = &sends[out];
		OK(MPI_Sendrecv_replace(a->address, a->count, a->type, to, o->tag, from, i->with_tag, on, &status));
		receives[in] = sends[out];
		sends[out] = (struct area){0};
	} else {
		make_receive_area(&receives[in], i, draws_of(in, 1));
		const struct area *a = &sends[out], *b = &receives[in];
		OK(MPI_Sendrecv(a->address, a->count, a->type, to, o->tag, b->address, b->count, b->type, from, i->with_tag, on, &status));
	}
	state.flags[out] |= BEGUN | SENT;
	if (sends[out].raw)
		area_free(&sends[out]);
	receive_done(in, &status, MPI_SUCCESS);
}

/* --- persistent requests -------------------------------------------------------------------------------------------------------------------- */

static const struct message *first_of_series(int s)
{
	for (int i = 0; i < plan.messages_count; i++)
		if (message(i)->send_series == s || message(i)->receive_series == s)
			return message(i);
	wrong("series %d has no message", s);
}

static void series_init(int s)
{
	const struct series *series = &plan.series[s];
	const struct message *m = first_of_series(s);
	MPI_Comm on = worlds_comm(series->comm);
	struct area *a = &of_series[s];
	MPI_Request *request = &series_requests[s];
	area_make(a, series->draws, base_of(m), series->sends ? m->n : m->room, series->sends, plain(m) || m->room > 40000);
	if (!series->sends)
		OK(MPI_Recv_init(a->address, a->count, a->type, worlds_rank_of(series->comm, series->from), series->with_tag, on, request));
	else if (series->mode == STANDARD)
		OK(MPI_Send_init(a->address, a->count, a->type, worlds_rank_of(series->comm, series->target), series->tag, on, request));
	else if (series->mode == BUFFERED)
		OK(MPI_Bsend_init(a->address, a->count, a->type, worlds_rank_of(series->comm, series->target), series->tag, on, request));
	else if (series->mode == SYNCHRONOUS)
		OK(MPI_Ssend_init(a->address, a->count, a->type, worlds_rank_of(series->comm, series->target), series->tag, on, request));
	else
		OK(MPI_Rsend_init(a->address, a->count, a->type, worlds_rank_of(series->comm, series->target), series->tag, on, request));
	state.series_alive[s] = 1;
	state.series_active[s] = 0;
}

/* Also while a send is active: its memory is kept to the program's end. */
static void series_free(int s)
{
	OK(MPI_Request_free(&series_requests[s]));
	if (series_requests[s] != MPI_REQUEST_NULL)
		wrong("a freed persistent request is not null");
	state.series_alive[s] = 0;
	if (state.series_active[s])
		state.flags[state.series_active[s] - 1] |= SENT;
	else
		area_free(&of_series[s]);
}

static int started(const struct action *action)
{
	const struct message *m = message(action->index);
	if (action->act == SEND_BEGIN && m->how_sent == SEND_SERIES)
		return m->send_series;
	return action->act == POST && m->how_received == RECV_SERIES ? m->receive_series : -1;
}

/* Whether it does not matter which of the two is started first. */
static bool independent(const struct action *a, const struct action *b)
{
	const struct message *left = message(a->index), *right = message(b->index);
	return left->comm != right->comm && left->mode != READY && right->mode != READY;
}

static bool with_next(int first, int count)
{
	const struct action *next = &plan.actions[first + count];
	if (first + count == plan.actions_count || started(next) < 0 || mix(next->draws, 1) % 4 == 0)
		return false;
	for (int i = 0; i < count; i++)
		if (!independent(&plan.actions[first + i], next))
			return false;
	return true;
}

/* Starts one, or several at once. Returns how many actions that was. */
static int start(int first)
{
	MPI_Request requests[16];
	int count = 0;
	do {
		const struct action *action = &plan.actions[first + count];
		if (action->act == SEND_BEGIN)
			start_send(action->index);
		else
			start_receive(action->index);
		requests[count] = series_requests[started(action)];
		count++;
	} while (count < 16 && with_next(first, count));
	for (int i = 0; i < count; i++) {
		const struct action *action = &plan.actions[first + i];
		if (action->act == POST) {
			asks_for(action->index, message(action->index)->from, message(action->index)->with_tag);
			model_posted(action->index);
		}
	}
	if (count == 1 && plan.actions[first].draws % 3)
		OK(MPI_Start(&requests[0]));
	else
		OK(MPI_Startall(count, requests));
	for (int i = 0; i < count; i++) /* Open MPI may have changed them */
		series_requests[started(&plan.actions[first + i])] = requests[i];
	return count;
}

/* --- generalized requests --------------------------------------------------------------------------------------------------------------------- */

static int query(void *extra, MPI_Status *status)
{
	queried++;
	MPI_Status_set_elements(status, MPI_BYTE, *(int *)extra);
	MPI_Status_set_cancelled(status, 0);
	status->MPI_SOURCE = *(int *)extra % 7;
	status->MPI_TAG = *(int *)extra % 5;
	return MPI_SUCCESS;
}

static int free_extra(void *extra)
{
	(void)extra;
	freed++;
	return MPI_SUCCESS;
}

static int cancel_extra(void *extra, int complete)
{
	(void)extra, (void)complete;
	return MPI_SUCCESS;
}

static void grequest(uint64_t draws)
{
	for (int i = 0; i < GREQUESTS; i++) {
		if (grequests[i] != MPI_REQUEST_NULL)
			continue;
		grequest_extra[i] = (int)(draws % 1000);
		grequest_complete[i] = draws >> 20 & 1;
		OK(MPI_Grequest_start(query, free_extra, cancel_extra, &grequest_extra[i], &grequests[i]));
		if (grequest_complete[i])
			OK(MPI_Grequest_complete(grequests[i]));
		return;
	}
}

static void grequest_done(int i, const MPI_Status *status)
{
	int count;
	if (!grequest_complete[i])
		wrong("a generalized request that is not complete was told to be");
	if (!status)
		return;
	OK(MPI_Get_count(status, MPI_BYTE, &count));
	if (count != grequest_extra[i] || status->MPI_SOURCE != grequest_extra[i] % 7 || status->MPI_TAG != grequest_extra[i] % 5)
		wrong("a generalized request of %d tells of %d, source %d tag %d", grequest_extra[i], count, status->MPI_SOURCE, status->MPI_TAG);
}

/* --- waits and tests -------------------------------------------------------------------------------------------------------------------------- */

static MPI_Request null_request;

static MPI_Request *request_of(const struct entry *entry)
{
	switch (entry->kind) {
	case OF_SEND:
		return message(entry->index)->send_series < 0 ? &send_requests[entry->index] : &series_requests[message(entry->index)->send_series];
	case OF_RECEIVE:
		return message(entry->index)->receive_series < 0 ? &receive_requests[entry->index] :
								   &series_requests[message(entry->index)->receive_series];
	case OF_GATHER:
		return gather_request(entry->index);
	case OF_NEVER:
		return &nevers[entry->index];
	case OF_GREQUEST:
		return &grequests[entry->index];
	default:
		return entry->index < 0 ? &null_request : &series_requests[entry->index];
	}
}

static bool stays(const struct entry *entry) /* a persistent request is there again */
{
	return (entry->kind == OF_SEND && message(entry->index)->send_series >= 0) ||
	       (entry->kind == OF_RECEIVE && message(entry->index)->receive_series >= 0) || (entry->kind == OF_IDLE && entry->index >= 0);
}

static void check_empty(const MPI_Status *status)
{
	int count, cancelled;
	OK(MPI_Get_count(status, MPI_BYTE, &count));
	OK(MPI_Test_cancelled(status, &cancelled));
	if (status->MPI_SOURCE != MPI_ANY_SOURCE || status->MPI_TAG != MPI_ANY_TAG || count || cancelled)
		wrong("a status that is to be empty has source %d tag %d count %d cancelled %d", status->MPI_SOURCE, status->MPI_TAG, count, cancelled);
}

/* The call said that it is complete; its request is back in its place. */
static void entry_done(struct entry *entry, const MPI_Status *status, int code)
{
	MPI_Request *request = request_of(entry);
	int cancelled = 0;
	if (entry->done)
		wrong("told twice of one request");
	entry->done = entry->kind != OF_IDLE;
	if (*request != MPI_REQUEST_NULL && !stays(entry)) {
		if (code == MPI_SUCCESS)
			wrong("a request that is complete is not null");
		OK(MPI_Request_free(request)); /* Open MPI leaves those that failed */
	}
	if (code != MPI_SUCCESS && entry->kind != OF_RECEIVE)
		wrong("an error %d of what is no receive", code);
	switch (entry->kind) {
	case OF_SEND:
		if (status)
			OK(MPI_Test_cancelled(status, &cancelled));
		if (cancelled)
			wrong("send %d was cancelled", entry->index);
		send_done(entry->index);
		break;
	case OF_RECEIVE:
		receive_done(entry->index, status, code);
		break;
	case OF_GATHER:
		gather_done(entry->index);
		break;
	case OF_NEVER:
		wrong("a receive that nothing fits is complete");
	case OF_GREQUEST:
		grequest_done(entry->index, status);
		break;
	case OF_IDLE:
		if (status)
			check_empty(status);
	}
}

static bool may_ignore(const struct entry *entries, int count)
{
	for (int i = 0; i < count; i++)
		if (entries[i].kind == OF_RECEIVE && !message(entries[i].index)->ignored)
			return false;
	return true;
}

static int failing(const struct entry *entries, int count)
{
	int failures = 0;
	for (int i = 0; i < count; i++)
		failures += entries[i].kind == OF_RECEIVE && message(entries[i].index)->truncated;
	return failures;
}

static MPI_Request asked[ENTRIES_MOST];
static MPI_Status statuses[ENTRIES_MOST];
static int indices[ENTRIES_MOST];

static void hand_back(struct entry *entries, int count)
{
	for (int i = 0; i < count; i++) {
		if (stays(&entries[i]) && asked[i] != *request_of(&entries[i]))
			wrong("a wait or test of %d changed a persistent request: %dth, kind %d, index %d, %p to %p", count, i, entries[i].kind, entries[i].index,
			      (void *)(uintptr_t)*request_of(&entries[i]), (void *)(uintptr_t)asked[i]);
		*request_of(&entries[i]) = asked[i];
	}
}

static void no_error(int code, const char *call)
{
	if (code != MPI_SUCCESS)
		wrong("%s gave %d", call, code);
}

/* One of them. Returns whether it is complete. */
static bool ask_one(enum how how, struct entry *entry, bool ignore)
{
	MPI_Status first, *status = ignore ? MPI_STATUS_IGNORE : &statuses[0];
	MPI_Request *request = request_of(entry);
	int flag = 1, code;
	if (how == STATUS_FIRST) {
		OK(MPI_Request_get_status(*request, &flag, &first));
		if (!flag)
			return false;
		how = WAIT;
		status = &statuses[0];
		ignore = false;
	}
	code = how == WAIT ? MPI_Wait(request, status) : MPI_Test(request, &flag, status);
	if (!flag)
		return false;
	if (!ignore && code == MPI_SUCCESS && entry->kind == OF_RECEIVE && status->MPI_ERROR != CANARY)
		wrong("MPI_ERROR of a single status was written: %d", status->MPI_ERROR);
	entry_done(entry, ignore ? NULL : status, code);
	return true;
}

static bool ask_any(enum how how, struct entry *entries, int count, bool ignore)
{
	int index = -77, flag = 1;
	MPI_Status *status = ignore ? MPI_STATUS_IGNORE : &statuses[0];
	int code = how == WAITANY ? MPI_Waitany(count, asked, &index, status) : MPI_Testany(count, asked, &index, &flag, status);
	hand_back(entries, count);
	if (!flag) {
		if (index != MPI_UNDEFINED)
			wrong("MPI_Testany found nothing, with index %d", index);
		return false;
	}
	if (index == MPI_UNDEFINED) {
		for (int i = 0; i < count; i++)
			if (entries[i].kind != OF_IDLE)
				wrong("no request is active, says a call of way %d that was given %d, the %dth of kind %d and index %d (null: %d, code %d, flag %d)", how, count, i,
				      entries[i].kind, entries[i].index, asked[i] == MPI_REQUEST_NULL, code, flag);
		return false;
	}
	if (index < 0 || index >= count || entries[index].kind == OF_IDLE)
		wrong("index %d of %d, kind %d", index, count, index >= 0 && index < count ? (int)entries[index].kind : -1);
	entry_done(&entries[index], ignore ? NULL : status, code);
	return true;
}

static bool ask_some(enum how how, struct entry *entries, int count, bool ignore)
{
	int found = -77, class = MPI_SUCCESS;
	MPI_Status *to = ignore ? MPI_STATUSES_IGNORE : statuses;
	int code = how == WAITSOME ? MPI_Waitsome(count, asked, &found, indices, to) : MPI_Testsome(count, asked, &found, indices, to);
	MPI_Error_class(code, &class);
	hand_back(entries, count);
	if (found == MPI_UNDEFINED) {
		for (int i = 0; i < count; i++)
			if (entries[i].kind != OF_IDLE)
				wrong("no request is active, says a call of way %d that was given %d, the %dth of kind %d and index %d (null: %d, code %d, flag %d)", how, count, i,
				      entries[i].kind, entries[i].index, asked[i] == MPI_REQUEST_NULL, code, found);
		return false;
	}
	if (found < 0 || found > count || (class != MPI_SUCCESS && class != MPI_ERR_IN_STATUS) || (how == WAITSOME && found == 0))
		wrong("%d of %d are complete, code %d", found, count, code);
	for (int i = 0; i < found; i++)
		entry_done(&entries[indices[i]], ignore ? NULL : &statuses[i], class == MPI_SUCCESS ? code : statuses[i].MPI_ERROR);
	return found > 0;
}

static bool ask_all(enum how how, struct entry *entries, int count, bool ignore)
{
	int flag = 1, class = MPI_SUCCESS;
	MPI_Status *to = ignore ? MPI_STATUSES_IGNORE : statuses;
	int code = how == WAITALL ? MPI_Waitall(count, asked, to) : MPI_Testall(count, asked, &flag, to);
	MPI_Error_class(code, &class);
	hand_back(entries, count);
	if (class != MPI_SUCCESS && class != MPI_ERR_IN_STATUS)
		wrong("%s gave class %d", how == WAITALL ? "MPI_Waitall" : "MPI_Testall", class);
	if (!flag && class == MPI_SUCCESS)
		return false;
	for (int i = 0; i < count; i++) {
		int own = class == MPI_SUCCESS ? MPI_SUCCESS : statuses[i].MPI_ERROR, own_class;
		MPI_Error_class(own, &own_class);
		if (own_class != MPI_ERR_PENDING)
			entry_done(&entries[i], ignore ? NULL : &statuses[i], own);
	}
	return true;
}

/* One call for all of them. Returns whether it told of any. */
static bool ask(enum how how, struct entry *entries, int count, uint64_t draws)
{
	bool ignore = draws % 3 == 0 && may_ignore(entries, count) && !failing(entries, count);
	if (how == STATUS_FIRST && failing(entries, 1)) /* what that says of a truncated message differs */
		how = WAIT;
	if ((how == TESTANY || how == WAITANY) && failing(entries, count) > 1) /* Open MPI tells of one and frees all that failed */
		how = how == TESTANY ? TESTSOME : WAITSOME;
	for (int i = 0; i < count; i++) {
		asked[i] = *request_of(&entries[i]);
		statuses[i].MPI_ERROR = CANARY;
	}
	switch (how) {
	case TEST:
	case WAIT:
	case STATUS_FIRST:
		return ask_one(how, &entries[0], draws % 3 == 0 && may_ignore(entries, 1) && !failing(entries, 1));
	case TESTANY:
	case WAITANY:
		return ask_any(how, entries, count, ignore);
	case TESTSOME:
	case WAITSOME:
		return ask_some(how, entries, count, ignore);
	default:
		return ask_all(how, entries, count, ignore);
	}
}

static int compact(struct entry *entries, int count)
{
	int left = 0;
	for (int i = 0; i < count; i++)
		if (!entries[i].done)
			entries[left++] = entries[i];
	return left;
}

static void shuffle(struct entry *entries, int count, struct dice *dice)
{
	for (int i = count - 1; i > 0; i--) {
		int j = dice_draw(dice, i + 1);
		struct entry entry = entries[i];
		entries[i] = entries[j];
		entries[j] = entry;
	}
}

static int add_idle(struct entry *entries, int count, struct dice *dice)
{
	if (dice_chance(dice, 25))
		entries[count++] = (struct entry){.kind = OF_IDLE, .index = -1};
	for (int s = 0; s < plan.series_count; s++)
		if (state.series_alive[s] && !state.series_active[s] && dice_chance(dice, 30))
			entries[count++] = (struct entry){.kind = OF_IDLE, .index = s};
	for (int i = 0; i < GREQUESTS; i++)
		if (grequests[i] != MPI_REQUEST_NULL && grequest_complete[i] && dice_chance(dice, 30))
			entries[count++] = (struct entry){.kind = OF_GREQUEST, .index = i};
	return count;
}

/* Waits for all of these, in one of the ways there are. */
static void complete(struct entry *entries, int due, uint64_t draws)
{
	struct dice dice = {draws};
	enum how how = (enum how)dice_draw(&dice, HOWS);
	/* With one that fails Open MPI frees every request in the array that looks failed, of which an inactive one may have the look. */
	bool idle = how != TEST && how != WAIT && how != STATUS_FIRST && dice_chance(&dice, 50) && !failing(entries, due);
	for (due = compact(entries, due); due; due = compact(entries, due)) {
		int count = due, left = 0;
		shuffle(entries, due, &dice);
		if (idle)
			count = add_idle(entries, due, &dice);
		if (count > due) {
			struct entry all[64];
			if (count > 64)
				count = due;
			memcpy(all, entries, (size_t)count * sizeof *all);
			shuffle(all, count, &dice);
			bool some = ask(how, all, count, dice_word(&dice));
			for (int i = 0; i < count; i++) /* who was there for company goes */
				if (all[i].kind != OF_IDLE && (all[i].kind != OF_GREQUEST) && !all[i].done)
					entries[left++] = all[i];
			due = left;
			if (!some)
				sched_yield();
			continue;
		}
		if (!ask(how, entries, due, dice_word(&dice)))
			sched_yield();
	}
}

/* All that is pending, for a look at some of it. */
static int all_pending(struct entry *entries)
{
	int count = 0;
	for (int i = 0; i < plan.messages_count; i++) {
		const struct message *m = message(i);
		if (m->source == rank && (state.flags[i] & (BEGUN | SENT)) == BEGUN)
			entries[count++] = (struct entry){.kind = OF_SEND, .index = i};
		if (m->target == rank && (state.flags[i] & (POSTED | RECEIVED)) == POSTED &&
		    *request_of(&(struct entry){.kind = OF_RECEIVE, .index = i}) != MPI_REQUEST_NULL)
			entries[count++] = (struct entry){.kind = OF_RECEIVE, .index = i};
	}
	for (int i = 0; i < plan.gathers_count; i++)
		if (*gather_request(i) != MPI_REQUEST_NULL)
			entries[count++] = (struct entry){.kind = OF_GATHER, .index = i};
	for (int i = 0; i < plan.odds_count; i++)
		if (nevers[i] != MPI_REQUEST_NULL)
			entries[count++] = (struct entry){.kind = OF_NEVER, .index = i};
	return count;
}

static void peek_for_message(struct dice *dice)
{
	int c = dice_draw(dice, plan.comms_count), found;
	MPI_Status status;
	if (worlds_comm(c) == MPI_COMM_NULL)
		return;
	OK(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, worlds_comm(c), &found, &status));
	if (found)
		worlds_world_rank(c, status.MPI_SOURCE);
}

static void peek(uint64_t draws)
{
	static struct entry entries[ENTRIES_MOST];
	struct dice dice = {draws};
	if (dice_chance(&dice, 25)) {
		peek_for_message(&dice);
		return;
	}
	int count = all_pending(entries), most = 1 + dice_draw(&dice, 8);
	for (int i = 0; i < GREQUESTS; i++)
		if (grequests[i] != MPI_REQUEST_NULL)
			entries[count++] = (struct entry){.kind = OF_GREQUEST, .index = i};
	shuffle(entries, count, &dice);
	if (count > most)
		count = most;
	if (dice_chance(&dice, 30))
		entries[count++] = (struct entry){.kind = OF_IDLE, .index = -1};
	enum how how = (enum how[]){TEST, TESTANY, TESTSOME, TESTALL, STATUS_FIRST}[dice_draw(&dice, 5)];
	if (count && (entries[0].kind != OF_IDLE || (how != STATUS_FIRST && how != TEST)) && !(how == STATUS_FIRST && failing(entries, 1)))
		ask(how, entries, count, dice_word(&dice));
}

/* --- the other actions ------------------------------------------------------------------------------------------------------------------------- */

/* Takes the receive back, if nothing has come for it. Returns whether. */
static bool take_back(int i)
{
	MPI_Status status = {.MPI_ERROR = CANARY};
	int cancelled;
	OK(MPI_Cancel(&receive_requests[i]));
	int code = MPI_Wait(&receive_requests[i], &status);
	OK(MPI_Test_cancelled(&status, &cancelled));
	if (!cancelled) {
		receive_done(i, &status, code);
		return false;
	}
	no_error(code, "MPI_Wait for a cancelled receive");
	if (area_take(&receives[i], 0, room))
		wrong("receive %d was cancelled, and its memory changed", i);
	area_free(&receives[i]);
	model_missed(i);
	return true;
}

static void never_cancel(int i)
{
	MPI_Status status;
	int cancelled, flag = 0;
	OK(MPI_Test(&nevers[i], &flag, &status));
	if (flag)
		wrong("a receive that nothing fits is complete");
	OK(MPI_Cancel(&nevers[i]));
	OK(MPI_Wait(&nevers[i], &status));
	OK(MPI_Test_cancelled(&status, &cancelled));
	if (!cancelled)
		wrong("a receive that nothing fits was not cancelled");
	state.never_posted[i] = 0;
}

static void never_post(int i, int comm)
{
	OK(MPI_Irecv(&never_word, 1, MPI_INT, MPI_ANY_SOURCE, TAG_NEVER, worlds_comm(comm), &nevers[i]));
	state.never_posted[i] = 1;
}

static void from_nowhere(const MPI_Status *status, int draws)
{
	int count;
	OK(MPI_Get_count(status, MPI_INT, &count));
	/* What requests tell of it is junk with MPICH. */
	if (count || (draws != 1 && draws != 4 && (status->MPI_SOURCE != MPI_PROC_NULL || status->MPI_TAG != MPI_ANY_TAG)))
		wrong("from nowhere came source %d tag %d count %d (way %d)", status->MPI_SOURCE, status->MPI_TAG, count, draws);
}

static void nowhere(uint64_t draws)
{
	int value = 5, found = 0, word;
	MPI_Status status, both[2];
	MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
	MPI_Message handle;
	MPI_Comm on = MPI_COMM_WORLD;
	switch (draws % 7) {
	case 0:
		OK(MPI_Send(&value, 1, MPI_INT, MPI_PROC_NULL, 3, on));
		OK(MPI_Recv(&word, 1, MPI_INT, MPI_PROC_NULL, 3, on, &status));
		from_nowhere(&status, (int)(draws % 7));
		break;
	case 1:
		OK(MPI_Isend(&value, 1, MPI_INT, MPI_PROC_NULL, 3, on, &requests[0]));
		OK(MPI_Irecv(&word, 1, MPI_INT, MPI_PROC_NULL, MPI_ANY_TAG, on, &requests[1]));
		OK(MPI_Waitall(2, requests, both));
		from_nowhere(&both[1], (int)(draws % 7));
		break;
	case 2:
		OK(MPI_Probe(MPI_PROC_NULL, 3, on, &status));
		from_nowhere(&status, (int)(draws % 7));
		OK(MPI_Iprobe(MPI_PROC_NULL, 3, on, &found, &status));
		from_nowhere(&status, (int)(draws % 7));
		break;
	case 3:
		OK(MPI_Mprobe(MPI_PROC_NULL, 3, on, &handle, &status));
		from_nowhere(&status, (int)(draws % 7));
		if (handle != MPI_MESSAGE_NO_PROC)
			wrong("a message from nowhere has a handle of its own");
		OK(MPI_Mrecv(&word, 1, MPI_INT, &handle, &status));
		from_nowhere(&status, (int)(draws % 7));
		break;
	case 4:
		OK(MPI_Recv_init(&word, 1, MPI_INT, MPI_PROC_NULL, 3, on, &requests[0]));
		OK(MPI_Send_init(&value, 1, MPI_INT, MPI_PROC_NULL, 3, on, &requests[1]));
		for (int i = 0; i < 2; i++) {
			OK(MPI_Startall(2, requests));
			OK(MPI_Waitall(2, requests, both));
			from_nowhere(&both[0], (int)(draws % 7));
		}
		OK(MPI_Request_free(&requests[0]));
		OK(MPI_Request_free(&requests[1]));
		break;
	case 5:
		OK(MPI_Sendrecv(&value, 1, MPI_INT, MPI_PROC_NULL, 3, &word, 1, MPI_INT, MPI_PROC_NULL, 3, on, &status));
		from_nowhere(&status, (int)(draws % 7));
		break;
	default:
		OK(MPI_Sendrecv_replace(&value, 1, MPI_INT, MPI_PROC_NULL, 3, MPI_PROC_NULL, 3, on, &status));
		from_nowhere(&status, (int)(draws % 7));
	}
	if (value != 5)
		wrong("what came from nowhere wrote");
}

/* A message that no pending receive takes, though as many receives are pending as messages are owed: one of them is given back and posted for it. */
static void take_leftover(int comm)
{
	MPI_Status status;
	int found;
	OK(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, worlds_comm(comm), &found, &status));
	if (!found) {
		sched_yield();
		return;
	}
	for (int i = 0; i < plan.messages_count; i++) {
		const struct message *m = message(i);
		if (m->target != rank || m->comm != comm || m->matching != LOOSE || (state.flags[i] & (POSTED | RECEIVED)) != POSTED)
			continue;
		if (take_back(i))
			post_as(i, worlds_world_rank(comm, status.MPI_SOURCE), status.MPI_TAG);
		return;
	}
	wrong("a message is left on communicator %d, and no receive is pending", comm);
}

static void finish_loose(int comm, uint64_t fence)
{
	static struct entry entries[MESSAGES_MOST];
	struct dice dice = {mix(fence, (uint64_t)comm)};
	int due = 0;
	for (int i = 0; i < plan.messages_count; i++)
		due += message(i)->comm == comm && message(i)->target == rank && message(i)->matching == LOOSE && message(i)->begin < fence;
	while (state.loose[comm] < due) {
		int count = 0, before = state.loose[comm];
		for (int i = 0; i < plan.messages_count; i++)
			if (message(i)->comm == comm && message(i)->target == rank && message(i)->matching == LOOSE &&
			    (state.flags[i] & (POSTED | RECEIVED)) == POSTED)
				entries[count++] = (struct entry){.kind = OF_RECEIVE, .index = i};
		shuffle(entries, count, &dice);
		if (count)
			ask((enum how[]){TEST, TESTANY, TESTSOME, TESTALL}[dice_draw(&dice, 4)], entries, count, dice_word(&dice));
		if (state.loose[comm] == before)
			take_leftover(comm);
	}
}

static void attach(void)
{
	OK(MPI_Buffer_attach(buffer, BUFFER_ROOM));
}

static void detach(void)
{
	void *was = NULL;
	int bytes = 0;
	OK(MPI_Buffer_detach(&was, &bytes));
	if (was != buffer || bytes != BUFFER_ROOM)
		wrong("a buffer of %d bytes was detached, not that which was attached", bytes);
}

static void fence(const struct action *action)
{
	static struct entry entries[MESSAGES_MOST + GREQUESTS];
	int count = 0;
	for (int c = 0; c < plan.comms_count; c++)
		if (worlds_comm(c) != MPI_COMM_NULL)
			finish_loose(c, action->key);
	for (int i = 0; i < plan.messages_count; i++) {
		const struct message *m = message(i);
		bool wild = m->matching != EXACT && m->matching != ANY_TAG_OF_ONE;
		if (m->source == rank && wild && !m->end && (state.flags[i] & (BEGUN | SENT)) == BEGUN)
			entries[count++] = (struct entry){.kind = OF_SEND, .index = i};
	}
	for (int i = 0; i < GREQUESTS; i++) {
		if (grequests[i] == MPI_REQUEST_NULL)
			continue;
		if (!grequest_complete[i])
			OK(MPI_Grequest_complete(grequests[i]));
		grequest_complete[i] = true;
		OK(MPI_Wait(&grequests[i], MPI_STATUS_IGNORE));
	}
	complete(entries, count, action->draws);
	if (action->other && plan.uses & USE_BUFFERED) {
		detach();
		attach();
	}
	OK(MPI_Barrier(MPI_COMM_WORLD));
}

static bool is_end(const struct action *action, struct entry *entry)
{
	int i = action->index;
	if (action->act == SEND_END) {
		*entry = (struct entry){.kind = OF_SEND, .index = i, .done = (state.flags[i] & SENT) != 0};
	} else if (action->act == RECEIVE_END) {
		*entry = (struct entry){.kind = OF_RECEIVE, .index = i, .done = (state.flags[i] & RECEIVED) != 0};
	} else if (action->act == GATHER_END) {
		*entry = (struct entry){.kind = OF_GATHER, .index = i, .done = *gather_request(i) == MPI_REQUEST_NULL};
	} else {
		return false;
	}
	return true;
}

/* The ends that follow on each other are waited for together. Returns how many. */
static int ends(int first)
{
	static struct entry entries[ENTRIES_MOST];
	int count = 0, most = 1 + (int)(mix(plan.actions[first].draws, 9) % 12);
	while (count < most && first + count < plan.actions_count && is_end(&plan.actions[first + count], &entries[count]))
		count++;
	complete(entries, count, plan.actions[first].draws);
	return count;
}

/* Carries out the next action, or several. Returns how many. */
static int act(int at)
{
	const struct action *action = &plan.actions[at];
	int i = action->index;
	if (started(action) >= 0)
		return start(at);
	switch (action->act) {
	case SEND_END:
	case RECEIVE_END:
	case GATHER_END:
		return ends(at);
	case SEND_BEGIN:
		send_begin(i);
		break;
	case POST:
		post(i);
		break;
	case TAKE:
		take_matched(i);
		break;
	case EXCHANGE:
		exchange(i, action->other);
		break;
	case SERIES_INIT:
		series_init(i);
		break;
	case SERIES_FREE:
		series_free(i);
		break;
	case GATHER_BEGIN:
		gather_begin(i);
		break;
	case MAKE:
		worlds_make(i, false);
		break;
	case MAKE_END:
		worlds_make(i, true);
		break;
	case UNMAKE:
		worlds_unmake(i);
		break;
	case PEEK:
		peek(action->draws);
		break;
	case NOWHERE:
		nowhere(action->draws);
		break;
	case CANCEL:
		if (!(state.flags[i] & RECEIVED) && take_back(i))
			post_as(i, message(i)->from, message(i)->with_tag);
		break;
	case NEVER_POST:
		never_post(i, action->other);
		break;
	case NEVER_CANCEL:
		never_cancel(i);
		break;
	case SAFEPOINT:
		safepoint();
		break;
	case FENCE:
		fence(action);
		break;
	case GREQUEST:
		grequest(action->draws);
		break;
	}
	return 1;
}

void run_actions(void)
{
	while (state.next < plan.actions_count) {
		if (verbose) {
			const struct action *a = &plan.actions[state.next];
			fprintf(stderr, "%d: %d: slot %d act %d index %d other %d\n", rank, state.next, (int)(a->key >> 20), a->act, a->index, a->other);
		}
		state.next += act(state.next);
	}
}

void run_begin(void)
{
	if (!buffer) {
		buffer = malloc(BUFFER_ROOM);
		attach();
	}
	null_request = MPI_REQUEST_NULL;
	for (int i = 0; i < MESSAGES_MOST; i++) {
		send_requests[i] = receive_requests[i] = MPI_REQUEST_NULL;
		handles[i] = MPI_MESSAGE_NULL;
	}
	for (int i = 0; i < SERIES_MOST; i++)
		series_requests[i] = MPI_REQUEST_NULL;
	for (int i = 0; i < ODDS_MOST; i++)
		nevers[i] = MPI_REQUEST_NULL;
	for (int i = 0; i < GREQUESTS; i++)
		grequests[i] = MPI_REQUEST_NULL;
	gathers_clear();
}

/* What was made before the safepoint and is still there. */
static bool was(enum act what, int index)
{
	for (int i = 0; i < state.next; i++)
		if (plan.actions[i].act == what && plan.actions[i].index == index)
			return true;
	return false;
}

static void make_comms_again(void)
{
	int slot = (int)(plan.actions[state.next].key >> 20);
	for (int c = 2; c < plan.comms_count; c++) {
		if (!was(MAKE, c) || plan.comms[c].freed <= slot) /* who was not in it has not freed it */
			continue;
		worlds_make(c, false);
		if (plan.comms[c].maker == IDUP && was(MAKE_END, c))
			worlds_make(c, true);
	}
}

static void post_again(int i)
{
	const struct message *m = message(i);
	MPI_Status status;
	if (m->receive_series >= 0) {
		start_receive(i);
		OK(MPI_Start(&series_requests[m->receive_series]));
	} else {
		int source = worlds_rank_of(m->comm, state.flags[i] & MATCHED ? state.got[i].source : state.got[i].from);
		int tag = state.flags[i] & MATCHED ? state.got[i].tag : state.got[i].with_tag;
		make_receive_area(&receives[i], m, draws_of(i, 1));
		if (state.flags[i] & MATCHED && was(TAKE, i) == false && m->take != m->post)
			OK(MPI_Mprobe(source, tag, worlds_comm(m->comm), &handles[i], &status));
		else
			OK(MPI_Irecv(receives[i].address, receives[i].count, receives[i].type, source, tag, worlds_comm(m->comm), &receive_requests[i]));
	}
}

void run_again(void)
{
	make_comms_again();
	for (int i = 0; i < plan.messages_count; i++)
		if (message(i)->source == rank && state.flags[i] & BEGUN)
			state.flags[i] |= SENT;
	for (int s = 0; s < plan.series_count; s++)
		if (state.series_alive[s])
			series_init(s);
	for (uint32_t post_number = 1; post_number <= state.posts; post_number++)
		for (int i = 0; i < plan.messages_count; i++)
			if (message(i)->target == rank && (state.flags[i] & (POSTED | RECEIVED)) == POSTED && state.got[i].post == post_number)
				post_again(i);
	for (int i = 0; i < plan.odds_count; i++)
		for (int a = 0; state.never_posted[i] && a < state.next; a++)
			if (plan.actions[a].act == NEVER_POST && plan.actions[a].index == i)
				never_post(i, plan.actions[a].other);
}

void run_end(void)
{
	static struct entry entries[ENTRIES_MOST];
	int found;
	if (all_pending(entries))
		wrong("at the end something is pending: kind %d, %d", entries[0].kind, entries[0].index);
	for (int c = 0; c < plan.comms_count; c++) {
		if (worlds_comm(c) == MPI_COMM_NULL)
			continue;
		OK(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, worlds_comm(c), &found, MPI_STATUS_IGNORE));
		if (found)
			wrong("at the end a message is left on communicator %d", c);
	}
	model_end();
	OK(MPI_Barrier(MPI_COMM_WORLD)); /* or the next program's messages would be found here */
	worlds_end();
	for (int i = 0; i < plan.messages_count; i++)
		if (sends[i].raw)
			area_free(&sends[i]);
	for (int s = 0; s < plan.series_count; s++)
		if (of_series[s].raw)
			area_free(&of_series[s]);
}
