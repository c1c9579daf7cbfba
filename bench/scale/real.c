/* SPDX-License-Identifier: BSD-3-Clause */
/* The protocol objects of all ranks in one process: orders and markers go through one queue, barrier and reduction are complete when all have entered. */
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "channel/carrier.h"
#include "snapshot/snapshot.h"
#include "scale.h"

enum { WORLD_NAME = 1, TAG = 7, MESSAGES = 3, STEPS_MOST = 1000, ENVELOPE_BYTES = 8 };

struct letter {
	struct letter *next;
	int32_t from, to;
	bool is_marker;
	struct bytes_out data, counts;
};

struct process {
	struct ledger ledger;
	struct snapshot *snapshot;
	int64_t markers_out;       /* not delivered yet */
	bool cut, told;            /* its cut is made; that its markers have arrived is told */
	bool ended;
};

static struct process *processes;
static const struct run *what;
static struct real *count;
static struct letter *first, **last = &first;
static struct verdict sum;
static int64_t now_ns;

static void feed(int32_t rank, struct snapshot_event event);

static void no_memory(void)
{
	fprintf(stderr, "scale: no memory\n");
	exit(1);
}

/* --- what is sent ------------------------------------------------------------------------------------------------------- */

static enum order kind_of(const struct snapshot_action *action)
{
	static const enum order kinds[] = {
		[WIRE_REQUEST] = REQUEST, [WIRE_ANNOUNCE] = ANNOUNCE, [WIRE_READY] = READY, [WIRE_CUT] = CUT, [WIRE_OUTCOME] = OUTCOME};
	enum wire_kind kind = wire_kind(action->data.data, action->data.size);
	if (kind == WIRE_HASTEN || kind == 0) {
		fprintf(stderr, "scale: an order of kind %d, which no snapshot here should have\n", (int)kind);
		exit(1);
	}
	return kinds[kind];
}

static void note(int32_t from, const struct snapshot_action *action)
{
	struct sent *own = &count->by_rank[from];
	if (action->kind == SNAPSHOT_SEND_ORDER) {
		enum order kind = kind_of(action);
		count->all.orders[kind]++;
		own->orders[kind]++;
		count->order_bytes[kind] += (double)(ENVELOPE_BYTES + action->data.size);
		return;
	}
	size_t size = ENVELOPE_BYTES + action->data.size + action->counts.size;
	count->all.markers++;
	own->markers++;
	count->marker_bytes += (double)size;
	count->second_parts += size > CARRIER_HEAD_BYTES;
}

static void post(int32_t from, struct snapshot_action *action)
{
	struct letter *letter = malloc(sizeof *letter);
	if (!letter)
		no_memory();
	note(from, action);
	*letter = (struct letter){.from = from, .to = action->peer, .is_marker = action->kind == SNAPSHOT_SEND_MARKER,
				  .data = action->data, .counts = action->counts};
	action->data = action->counts = (struct bytes_out){0};
	processes[from].markers_out += letter->is_marker;
	*last = letter;
	last = &letter->next;
}

static void deliver(void)
{
	while (first) {
		struct letter *letter = first;
		first = letter->next;
		if (!first)
			last = &first;
		struct snapshot_event event = {.peer = letter->from, .data = letter->data.data, .size = letter->data.size,
					       .kind = letter->is_marker ? SNAPSHOT_HEAD : SNAPSHOT_ORDER};
		feed(letter->to, event);
		if (letter->is_marker) {
			feed(letter->to, (struct snapshot_event){.kind = SNAPSHOT_COUNTS, .peer = letter->from,
								 .data = letter->counts.data, .size = letter->counts.size});
			processes[letter->from].markers_out--;
		}
		bytes_free(&letter->data);
		bytes_free(&letter->counts);
		free(letter);
	}
}

/* --- a rank's part -------------------------------------------------------------------------------------------------------- */

static void carry_out(int32_t rank, struct snapshot_action *action)
{
	switch (action->kind) {
	case SNAPSHOT_SEND_ORDER:
	case SNAPSHOT_SEND_MARKER:
		post(rank, action);
		break;
	case SNAPSHOT_CAPTURE:
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_CAPTURED});
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_CUT_MADE});
		break;
	case SNAPSHOT_CUT:
		processes[rank].cut = true;
		break;
	case SNAPSHOT_ENTER_BARRIER:
		count->barriers++;
		break;
	case SNAPSHOT_FINISH_IMAGE:
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_IMAGE});
		break;
	case SNAPSHOT_ENTER_VERDICT:
		if (count->verdicts++ == 0)
			sum = *action->verdict;
		else
			verdict_combine(&sum, action->verdict);
		break;
	case SNAPSHOT_REBASE:
		snapshot_rebased(processes[rank].snapshot);
		break;
	case SNAPSHOT_PUBLISH:
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_PUBLISHED});
		break;
	case SNAPSHOT_ENDED:
		processes[rank].ended = true;
		break;
	default: /* no image here to give up, no messages to keep */
		break;
	}
}

static void feed(int32_t rank, struct snapshot_event event)
{
	struct snapshot_actions actions = {0};
	event.now_ns = ++now_ns;
	event.open = what->events;
	event.text = "";
	snapshot_step(processes[rank].snapshot, &event, &actions);
	if (actions.failed)
		no_memory();
	for (size_t i = 0; i < actions.count; i++)
		carry_out(rank, &actions.list[i]);
	snapshot_actions_free(&actions);
}

static struct snapshot *new_rank(struct ledger *ledger, int32_t rank, int32_t ranks, bool markers_all)
{
	static const uint8_t run[16] = {1};
	if (!ledger_open(ledger))
		no_memory();
	int world = ledger_add_comm(ledger, LEDGER_COMM_INTRA, WORLD_NAME, rank, ranks, ranks, NULL, rank == 0);
	struct snapshot *snapshot = snapshot_new(&(struct snapshot_config){
		.rank = rank, .ranks = ranks, .markers_all = markers_all, .timeout_ns = INT64_MAX / 16, .ledger = ledger, .world = world,
		.ledger_bound = SIZE_MAX, .seed = 3});
	if (world < 0 || !snapshot)
		no_memory();
	if (rank == 0)
		snapshot_set_life(snapshot, run, 1, 1);
	return snapshot;
}

/* --- all of them ----------------------------------------------------------------------------------------------------------- */

static void open_all(void)
{
	processes = calloc((size_t)what->ranks, sizeof *processes);
	if (!processes)
		no_memory();
	for (int32_t rank = 0; rank < what->ranks; rank++)
		processes[rank].snapshot = new_rank(&processes[rank].ledger, rank, what->ranks, what->markers_all);
	for (int32_t rank = 0; rank < what->ranks; rank++) {
		int32_t *targets = malloc((size_t)(pattern_most(what->pattern, what->ranks, rank) + 1) * sizeof *targets);
		if (!targets)
			no_memory();
		int32_t known = pattern_targets(what->pattern, what->ranks, rank, targets);
		for (int32_t i = 0; i < known; i++) {
			ledger_stream(&processes[rank].ledger.sent, ledger_key(0, (unsigned)targets[i], TAG))->total = MESSAGES;
			struct ledger_stream *seen =
				ledger_stream(&processes[targets[i]].ledger.seen, ledger_key(0, (unsigned)rank, TAG));
			seen->total = seen->seen = MESSAGES;
		}
		free(targets);
	}
}

static void close_all(void)
{
	for (int32_t rank = 0; rank < what->ranks; rank++) {
		snapshot_free(processes[rank].snapshot);
		ledger_close(&processes[rank].ledger);
	}
	free(processes);
}

static void go_on(int32_t rank, bool barrier, bool verdict)
{
	struct process *process = &processes[rank];
	if (process->cut && !process->told && process->markers_out == 0) {
		process->told = true;
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_MARKERS_SENT});
	}
	if (barrier)
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_BARRIER});
	if (verdict)
		feed(rank, (struct snapshot_event){.kind = SNAPSHOT_VERDICT, .verdict = &sum});
}

/* Steps of all ranks, one after the other, until the snapshot has ended on each. */
static void go(void)
{
	bool in_barrier = false, in_verdict = false;
	int32_t ended = 0;
	for (int64_t step = 0; step < STEPS_MOST && ended < what->ranks; step++) {
		bool barrier = !in_barrier && count->barriers == what->ranks, verdict = !in_verdict && count->verdicts == what->ranks;
		in_barrier |= barrier;
		in_verdict |= verdict;
		for (int32_t rank = 0; rank < what->ranks; rank++) {
			if (step == 1 && rank == what->asked_by)
				feed(rank, (struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_REQUEST});
			feed(rank, (struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = what->events ? -1 : step});
			go_on(rank, barrier, verdict);
			feed(rank, (struct snapshot_event){.kind = SNAPSHOT_MOMENT});
		}
		deliver();
		ended = 0;
		for (int32_t rank = 0; rank < what->ranks; rank++)
			ended += processes[rank].ended;
	}
	count->committed = ended == what->ranks;
	for (int32_t rank = 0; rank < what->ranks; rank++)
		count->committed &= snapshot_outcome(processes[rank].snapshot)->committed;
}

void real_run(const struct run *run, struct real *real)
{
	what = run;
	count = real;
	*real = (struct real){.by_rank = calloc((size_t)run->ranks, sizeof *real->by_rank)};
	if (!real->by_rank)
		no_memory();
	open_all();
	go();
	if (!real->committed) {
		const struct snapshot_outcome *outcome = snapshot_outcome(processes[0].snapshot);
		fprintf(stderr, "scale: the snapshot of %" PRId32 " ranks, %s, did not commit: %s %s\n", run->ranks,
			pattern_names[run->pattern], reason_text(outcome->reason), outcome->text);
		exit(1);
	}
	close_all();
	for (int kind = 0; kind < ORDERS; kind++)
		real->order_bytes[kind] /= real->all.orders[kind] ? (double)real->all.orders[kind] : 1;
	real->marker_bytes /= real->all.markers ? (double)real->all.markers : 1;
}

void real_free(struct real *real)
{
	free(real->by_rank);
	*real = (struct real){0};
}

/* --- one of them, measured ---------------------------------------------------------------------------------------------------- */

static size_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

static void step(struct snapshot *snapshot, struct snapshot_event event, struct snapshot_actions *actions)
{
	event.now_ns = ++now_ns;
	event.text = "";
	snapshot_step(snapshot, &event, actions);
}

/* As rank 0: the announcement is answered from below, and the cut made. Its actions are left to the caller. */
static void cut_alone(struct snapshot *snapshot, int32_t ranks, struct snapshot_actions *actions)
{
	step(snapshot, (struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = 0}, actions);
	step(snapshot, (struct snapshot_event){.kind = SNAPSHOT_REQUEST, .want = WANT_REQUEST}, actions);
	step(snapshot, (struct snapshot_event){.kind = SNAPSHOT_MOMENT}, actions);
	snapshot_actions_clear(actions);
	for (int32_t child = 1; child < ranks; child *= 2) {
		struct bytes_out ready = {0};
		wire_put_ready(&ready, &(struct wire_ready){.epoch = 1, .kinds = SNAPSHOT_KIND_STEP | READY_RUNNING});
		step(snapshot, (struct snapshot_event){.kind = SNAPSHOT_ORDER, .peer = child, .data = ready.data, .size = ready.size}, actions);
		bytes_free(&ready);
	}
	for (int64_t i = 1; i <= 2; i++)
		step(snapshot, (struct snapshot_event){.kind = SNAPSHOT_SAFEPOINT, .step = i}, actions);
	snapshot_actions_free(actions);
	step(snapshot, (struct snapshot_event){.kind = SNAPSHOT_CAPTURED}, actions);
}

static void take_marker(struct snapshot *snapshot, int32_t from, struct snapshot_actions *actions)
{
	struct snapshot_attempt attempt;
	struct bytes_out head = {0}, counts = {0};
	snapshot_attempt(snapshot, &attempt);
	wire_put_head(&head, &(struct wire_head){.epoch = attempt.epoch, .number = attempt.number, .nonce = attempt.nonce, .want = attempt.want,
						 .stepped = true, .step = attempt.cut_step});
	bytes_put_varint(&counts, attempt.epoch);
	bytes_put_varint(&counts, 1);
	wire_put_stream(&counts, &(struct wire_stream){.comm = WORLD_NAME, .peer = (uint32_t)from, .tag = TAG, .sent = MESSAGES});
	bytes_put_varint(&counts, 0);
	step(snapshot, (struct snapshot_event){.kind = SNAPSHOT_HEAD, .peer = from, .data = head.data, .size = head.size}, actions);
	step(snapshot, (struct snapshot_event){.kind = SNAPSHOT_COUNTS, .peer = from, .data = counts.data, .size = counts.size}, actions);
	bytes_free(&head);
	bytes_free(&counts);
}

/* What the carrier holds of a marker until it is matched: its bytes once more, a pointer, a handle, and what the allocator adds. */
static size_t carried(const struct snapshot_actions *actions)
{
	size_t bytes = 0;
	for (size_t i = 0; i < actions->count; i++)
		if (actions->list[i].kind == SNAPSHOT_SEND_MARKER)
			bytes += (ENVELOPE_BYTES + actions->list[i].data.size + actions->list[i].counts.size + 16 + 8 + 15) / 16 * 16;
	return bytes;
}

struct memory real_memory(int32_t ranks, int32_t neighbours)
{
	struct memory memory;
	struct ledger ledger;
	struct snapshot_actions actions = {0};
	size_t before = allocated();
	struct snapshot *snapshot = new_rank(&ledger, 0, ranks, false);
	for (int32_t i = 1; i <= neighbours; i++) {
		ledger_stream(&ledger.sent, ledger_key(0, (unsigned)i, TAG))->total = MESSAGES;
		struct ledger_stream *seen = ledger_stream(&ledger.seen, ledger_key(0, (unsigned)i, TAG));
		seen->total = seen->seen = MESSAGES;
	}
	memory.idle = allocated() - before;
	cut_alone(snapshot, ranks, &actions);
	size_t queue = carried(&actions);
	memory.cut = allocated() - before + queue;
	snapshot_actions_free(&actions);
	for (int32_t i = 1; i <= neighbours; i++)
		take_marker(snapshot, i, &actions);
	snapshot_actions_free(&actions);
	memory.window = allocated() - before;
	if (snapshot_phase(snapshot) != SNAPSHOT_WINDOW || (neighbours != 0 && queue == 0)) {
		fprintf(stderr, "scale: rank 0 of %" PRId32 " made no cut\n", ranks);
		exit(1);
	}
	snapshot_free(snapshot);
	ledger_close(&ledger);
	return memory;
}
