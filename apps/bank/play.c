/* SPDX-License-Identifier: BSD-3-Clause */
/* Playing a scenario: one rank per process, a snapshot by Seamark in the midst of it, and the story told
 * afterwards in one order.
 *
 * What was recorded, states and channels, is read from the checkpoint's files. The ranks' own accounts give the order. */
#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/outbox.h"
#include "bank.h"
#include "scenario.h"
#include "seamark.h"
#include "seamark_files.h"

#define PATIENCE_S 60.0 /* for the checkpoint: it takes milliseconds, or a second if nobody receives what is in flight */

enum event_kind { SENDS, RECEIVES, STARTS, RECORDS };

struct event {
	int64_t time;
	int64_t process;
	int64_t kind;
	int64_t other;         /* the sender or receiver */
	int64_t value;         /* of the message */
	int64_t state;         /* after the event */
};

struct play {
	struct scenario scenario;
	bool example;
	bool delay;
	int rank;
	int64_t state;         /* protected */
	struct outbox outbox;
	int64_t last_time;
	struct event *events;
	size_t count;
	struct event record;   /* if attempts were given up, of the last */
	int64_t before;        /* the number of a checkpoint that was there before, or -1 */
	int64_t checkpoint;    /* the number of the one that was taken */
};

static void fail(const char *what, const char *text)
{
	fprintf(stderr, "bank: %s: %s\n", what, text);
	MPI_Abort(MPI_COMM_WORLD, BANK_TROUBLE);
}

/* What happens. */

/* A clock that runs with the machine's and never against what is known: a receipt is later than its sending
 * (Lamport, CACM 1978). So the order of times is a causal order, and between events that do not know of each other
 * the order in which they were. */
static int64_t tick(struct play *play)
{
	struct timespec clock;

	clock_gettime(CLOCK_REALTIME, &clock);
	int64_t time = (int64_t)clock.tv_sec * 1000000000 + clock.tv_nsec;
	play->last_time = time > play->last_time ? time : play->last_time + 1;
	return play->last_time;
}

static struct event now(struct play *play, enum event_kind kind, int64_t other, int64_t value)
{
	return (struct event){
		.time = tick(play), .process = play->rank, .kind = kind, .other = other, .value = value, .state = play->state,
	};
}

static void note(struct play *play, enum event_kind kind, int64_t other, int64_t value)
{
	play->events[play->count++] = now(play, kind, other, value);
}

/* In a scenario the receiver's state changes, the sender's does not. In the example money is moved. */
static void send_value(struct play *play, int64_t to, int64_t value)
{
	if (play->example)
		play->state -= value;
	note(play, SENDS, to, value);
	struct bank_letter letter = {.kind = BANK_TRANSFER, .serial = play->count, .amount = value, .time = play->last_time};
	outbox_send(&play->outbox, (int)to, BANK_TAG, &letter, sizeof letter);
}

static void receive_value(struct play *play, int64_t from)
{
	struct bank_letter letter;

	MPI_Recv(&letter, sizeof letter, MPI_BYTE, (int)from, BANK_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	if (play->last_time < letter.time)
		play->last_time = letter.time;
	play->state += letter.amount;
	note(play, RECEIVES, from, letter.amount);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* One safepoint, and a little time. In a scenario the state does not change from here until the checkpoint is
 * committed, so if an attempt is given up, what the next one records is the same. */
static bool pass_safepoint(struct play *play)
{
	int result = seamark_safepoint(SEAMARK_ANY_STEP);

	if (result < 0)
		fail("safepoint", seamark_strerror(result));
	nap();
	if (result == 1)
		play->record = now(play, RECORDS, 0, 0);
	return result == 1;
}

static void start_snapshot(struct play *play)
{
	note(play, STARTS, 0, 0);
	int result = seamark_request();
	if (result < 0)
		fail("request", seamark_strerror(result));
}

static bool is_committed(struct play *play)
{
	return seamark_committed(&play->checkpoint, NULL) == 1 && play->checkpoint != play->before;
}

/* Passes safepoints until the checkpoint is committed, or, with `cut`, until this rank has made its cut. */
static void pass_safepoints(struct play *play, bool cut)
{
	double start = MPI_Wtime();

	while (!is_committed(play)) {
		if (pass_safepoint(play) && cut)
			return;
		if (MPI_Wtime() - start > PATIENCE_S)
			fail("snapshot", "no checkpoint was committed in a minute");
	}
}

static void play_messages(struct play *play, bool send, bool receive)
{
	for (int64_t i = 0; i < play->scenario.messages; i++) {
		const struct scenario_message *message = &play->scenario.message[i];
		if (send && message->sender == play->rank)
			send_value(play, message->receiver, message->value);
		if (receive && message->receiver == play->rank)
			receive_value(play, message->sender);
	}
}

static void play_scenario(struct play *play)
{
	play_messages(play, true, !play->delay);
	/* The snapshot starts after all of this, by everybody's clock. */
	MPI_Allreduce(MPI_IN_PLACE, &play->last_time, 1, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD);
	if (play->scenario.initiator == play->rank)
		start_snapshot(play);
	pass_safepoints(play, false);
	play_messages(play, false, play->delay);
}

/* A records its state and then takes what comes. B is not at a safepoint for a while: it answers, as every MPI
 * call does, that a snapshot is to come, but the marker of A cannot reach it. Then it sends, and only then it
 * records. Had the 50 left later than that, it would not belong to the snapshot; had it arrived before A's record,
 * it would be in A's state. So it belongs to the channel. */
static void play_example(struct play *play)
{
	const struct scenario_message *transfer = &play->scenario.message[0];

	MPI_Barrier(MPI_COMM_WORLD);
	if (play->scenario.initiator == play->rank)
		start_snapshot(play);
	if (transfer->sender == play->rank) {
		double start = MPI_Wtime();
		for (int here = 0; !here && MPI_Wtime() - start < 0.1; nap())
			MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &here, MPI_STATUS_IGNORE);
		send_value(play, transfer->receiver, transfer->value);
	}
	if (transfer->receiver == play->rank) {
		pass_safepoints(play, true);
		receive_value(play, transfer->sender);
	}
	pass_safepoints(play, false);
}

/* What was recorded. */

struct recorded {
	int64_t *state;        /* of each process */
	int64_t channels;      /* sum of the values in them */
	size_t count;
	struct scenario_message *message; /* in flight, for each receiver in their order */
};

static void add_message(struct recorded *recorded, const struct seamark_files_message *message, int64_t receiver)
{
	struct bank_letter letter;

	if (message->bytes != sizeof letter)
		fail("checkpoint", "a message in flight is not one of the scenario");
	memcpy(&letter, message->data, sizeof letter);
	recorded->message[recorded->count++] =
		(struct scenario_message){.sender = message->source_world, .receiver = receiver, .value = letter.amount};
	recorded->channels += letter.amount;
}

static void read_process(struct recorded *recorded, const struct play *play, const seamark_files_checkpoint *checkpoint,
			 uint32_t process)
{
	seamark_files_image *image;
	struct seamark_files_message message;
	size_t count;

	if (seamark_files_image_open(&image, checkpoint, process) < 0 ||
	    seamark_files_read(image, "state", &recorded->state[process], sizeof *recorded->state) < 0 ||
	    seamark_files_message_count(image, &count) < 0)
		fail("checkpoint", seamark_files_error());
	if (recorded->count + count > (size_t)play->scenario.messages)
		fail("checkpoint", "more messages are in flight than were sent");
	for (size_t i = 0; i < count && seamark_files_message_at(image, i, &message) == 0; i++)
		add_message(recorded, &message, process);
	seamark_files_image_close(image);
}

static void read_checkpoint(struct recorded *recorded, const struct play *play)
{
	const char *folder = getenv("SEAMARK_DIR");
	seamark_files *files;
	seamark_files_checkpoint *checkpoint;
	struct seamark_files_entry entry;

	*recorded = (struct recorded){0};
	recorded->state = calloc((size_t)play->scenario.processes, sizeof *recorded->state);
	recorded->message = calloc((size_t)play->scenario.messages + 1, sizeof *recorded->message);
	if (recorded->state == NULL || recorded->message == NULL)
		fail("checkpoint", "not enough memory");
	if (seamark_files_open(&files, folder != NULL && *folder != '\0' ? folder : "seamark") < 0 ||
	    seamark_files_entry_of(files, (uint64_t)play->checkpoint, &entry) < 0 ||
	    seamark_files_checkpoint_open(&checkpoint, entry.path) < 0)
		fail("checkpoint", seamark_files_error());
	if (entry.ranks != (uint64_t)play->scenario.processes)
		fail("checkpoint", "it has another number of processes");
	for (uint32_t process = 0; process < entry.ranks; process++)
		read_process(recorded, play, checkpoint, process);
	seamark_files_checkpoint_close(checkpoint);
	seamark_files_close(files);
}

/* The story. */

static const char *name(const struct play *play, int64_t process, char *text, size_t size)
{
	if (play->example)
		snprintf(text, size, "%c", (int)('A' + process));
	else
		snprintf(text, size, "P%" PRId64, process + 1);
	return text;
}

static void tell_event(const struct play *play, const struct event *event)
{
	char process[24], other[24];

	name(play, event->process, process, sizeof process);
	name(play, event->other, other, sizeof other);
	switch (event->kind) {
	case SENDS:
		printf("%s sends %" PRId64 " to %s", process, event->value, other);
		if (play->example)
			printf(": state %" PRId64, event->state);
		printf("\n");
		break;
	case RECEIVES:
		printf("%s receives %" PRId64 " from %s: state %" PRId64 "\n", process, event->value, other, event->state);
		break;
	case STARTS:
		printf("%s starts the snapshot\n", process);
		break;
	case RECORDS:
		printf("%s records state %" PRId64 "\n", process, event->state);
		break;
	}
}

static int compare_events(const void *first, const void *second)
{
	const struct event *a = first, *b = second;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return a->process < b->process ? -1 : a->process > b->process;
}

/* Brings the events into one order. What a process records is told as the checkpoint has it. */
static void order_events(struct event *events, size_t count, const struct recorded *recorded)
{
	int64_t start = 0;

	for (size_t i = 0; i < count; i++)
		if (events[i].kind == STARTS)
			start = events[i].time;
	for (size_t i = 0; i < count; i++) {
		if (events[i].kind != RECORDS)
			continue;
		events[i].state = recorded->state[events[i].process];
		/* It follows from the start, which the clock of another machine may not know. */
		if (events[i].time <= start)
			events[i].time = start + 1;
	}
	qsort(events, count, sizeof *events, compare_events);
}

static void tell_channel(const struct play *play, const struct recorded *recorded, int64_t sender, int64_t receiver)
{
	char from[24], to[24];
	bool empty = true;

	for (size_t i = 0; i < recorded->count && empty; i++)
		empty = recorded->message[i].sender != sender || recorded->message[i].receiver != receiver;
	/* Among many processes only the channels that hold something are worth a line. */
	if (empty && (play->scenario.processes > 8 || sender == receiver))
		return;
	printf("  channel %s->%s:", name(play, sender, from, sizeof from), name(play, receiver, to, sizeof to));
	for (size_t i = 0; i < recorded->count; i++)
		if (recorded->message[i].sender == sender && recorded->message[i].receiver == receiver)
			printf(" %" PRId64, recorded->message[i].value);
	printf(empty ? " empty\n" : "\n");
}

/* The sum that every right snapshot has: what was there at first, and what the messages add to it. */
static int64_t expected_sum(const struct play *play)
{
	int64_t sum = 0;

	for (int64_t i = 0; i < play->scenario.processes; i++)
		sum += play->scenario.state[i];
	for (int64_t i = 0; i < play->scenario.messages && !play->example; i++)
		sum += play->scenario.message[i].value;
	return sum;
}

static bool tell_result(const struct play *play, const struct recorded *recorded)
{
	char process[24];
	int64_t states = 0;

	printf("checkpoint %" PRId64 ":\n", play->checkpoint);
	for (int64_t i = 0; i < play->scenario.processes; i++) {
		printf("  %s: state %" PRId64 "\n", name(play, i, process, sizeof process), recorded->state[i]);
		states += recorded->state[i];
	}
	for (int64_t sender = 0; sender < play->scenario.processes; sender++)
		for (int64_t receiver = 0; receiver < play->scenario.processes; receiver++)
			tell_channel(play, recorded, sender, receiver);
	if (play->scenario.processes > 8)
		printf("  all other channels: empty\n");
	bool right = states + recorded->channels == expected_sum(play);
	printf("states %" PRId64 " + channels %" PRId64 " = %" PRId64 ": %s\n", states, recorded->channels,
	       states + recorded->channels, right ? "right" : "wrong");
	if (play->example && (recorded->count != 1 || recorded->message[0].sender != play->scenario.message[0].sender)) {
		printf("the transfer is not in its channel: wrong\n");
		right = false;
	}
	return right;
}

/* Rank 0 tells the story. Collective. */
static int tell_all(const struct play *play)
{
	int processes = (int)play->scenario.processes, own = (int)(play->count * sizeof *play->events);
	int total = 0, status = BANK_RIGHT;
	int *sizes = calloc((size_t)processes, sizeof *sizes), *starts = calloc((size_t)processes, sizeof *starts);
	struct event *events = NULL;
	struct recorded recorded;

	if (sizes == NULL || starts == NULL)
		fail("story", "not enough memory");
	MPI_Gather(&own, 1, MPI_INT, sizes, 1, MPI_INT, 0, MPI_COMM_WORLD);
	for (int i = 0; i < processes; i++) {
		starts[i] = total;
		total += sizes[i];
	}
	if (play->rank == 0 && (events = malloc((size_t)total)) == NULL)
		fail("story", "not enough memory");
	MPI_Gatherv(play->events, own, MPI_BYTE, events, sizes, starts, MPI_BYTE, 0, MPI_COMM_WORLD);
	if (play->rank == 0) {
		read_checkpoint(&recorded, play);
		order_events(events, (size_t)total / sizeof *events, &recorded);
		for (size_t i = 0; i < (size_t)total / sizeof *events; i++)
			tell_event(play, &events[i]);
		if (!tell_result(play, &recorded))
			status = BANK_WRONG;
		free(recorded.state);
		free(recorded.message);
	}
	free(events);
	free(sizes);
	free(starts);
	return status;
}

/* Beginning and end. */

/* A, B and C; B sends A 50, and A starts the snapshot. */
static bool make_example(struct scenario *scenario)
{
	*scenario = (struct scenario){.processes = 3, .messages = 1, .initiator = 0};
	if (!scenario_allocate(scenario))
		return false;
	scenario->state[0] = 500;
	scenario->state[1] = 300;
	scenario->state[2] = 200;
	scenario->message[0] = (struct scenario_message){.sender = 1, .receiver = 0, .value = 50};
	return true;
}

/* Rank 0 reads the scenario, and all get it. The same answer on all ranks. */
static bool share_scenario(struct scenario *scenario, const struct bank_options *options, int rank)
{
	int64_t head[4] = {0};

	*scenario = (struct scenario){0};
	if (rank == 0)
		head[0] = options->example ? make_example(scenario) : scenario_open(scenario, options->script);
	head[1] = scenario->processes;
	head[2] = scenario->messages;
	head[3] = scenario->initiator;
	MPI_Bcast(head, 4, MPI_INT64_T, 0, MPI_COMM_WORLD);
	if (!head[0])
		return false;
	scenario->processes = head[1];
	scenario->messages = head[2];
	scenario->initiator = head[3];
	if (!scenario_allocate(scenario))
		MPI_Abort(MPI_COMM_WORLD, BANK_TROUBLE);
	MPI_Bcast(scenario->state, (int)scenario->processes, MPI_INT64_T, 0, MPI_COMM_WORLD);
	MPI_Bcast(scenario->message, (int)(scenario->messages * (int64_t)sizeof *scenario->message), MPI_BYTE, 0, MPI_COMM_WORLD);
	return true;
}

static int play_and_tell(struct play *play)
{
	int result;

	play->state = play->scenario.state[play->rank];
	/* For each message at most two events; the start and the record. */
	play->events = calloc((size_t)(2 * play->scenario.messages + 2), sizeof *play->events);
	if (play->events == NULL || !outbox_open(&play->outbox, (int)play->scenario.messages + 1))
		fail("scenario", "not enough memory");
	/* There is no seamark_restore here: a scenario always begins at its beginning. */
	result = seamark_protect("state", &play->state, sizeof play->state);
	if (result < 0)
		fail("state", seamark_strerror(result));
	if (seamark_committed(&play->before, NULL) != 1)
		play->before = -1;
	if (play->example)
		play_example(play);
	else
		play_scenario(play);
	play->events[play->count++] = play->record;
	result = tell_all(play);
	outbox_close(&play->outbox);
	free(play->events);
	return result;
}

int bank_play(const struct bank_options *options)
{
	struct play play = {.example = options->example, .delay = options->delay};
	int ranks, status = BANK_TROUBLE;

	MPI_Comm_rank(MPI_COMM_WORLD, &play.rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	if (!share_scenario(&play.scenario, options, play.rank))
		return BANK_TROUBLE;
	if (play.scenario.processes == ranks)
		status = play_and_tell(&play);
	else if (play.rank == 0)
		fprintf(stderr, "bank: the scenario has %" PRId64 " processes, and mpirun has started %d: give mpirun -n %" PRId64
			", or leave it out\n", play.scenario.processes, ranks, play.scenario.processes);
	scenario_free(&play.scenario);
	return status;
}
