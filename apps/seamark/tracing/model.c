/* SPDX-License-Identifier: BSD-3-Clause */
/* From the files of all ranks to a model of one snapshot. */
#include <stdlib.h>
#include <string.h>

#include "tracing/inside.h"

/* --- communicators: each name once ------------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct trace_model_comm *)a)->name, ((const struct trace_model_comm *)b)->name);
}

/* Those of the same name are one; its label is what any rank knows. */
static size_t unite(struct trace_model_comm *comms, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (!kept || strcmp(comms[kept - 1].name, comms[i].name) != 0)
			comms[kept++] = comms[i];
		else if (!comms[kept - 1].label[0])
			comms[kept - 1].label = comms[i].label;
	return kept;
}

static bool gather_comms(struct trace_model *model)
{
	size_t count = 0;

	for (uint32_t rank = 0; rank < model->ranks; rank++)
		count += model->files[rank].comm_count;
	model->comms = calloc(count + 1, sizeof *model->comms);
	if (!model->comms)
		return false;
	for (uint32_t rank = 0; rank < model->ranks; rank++)
		for (size_t i = 0; i < model->files[rank].comm_count; i++)
			model->comms[model->comm_count++] = (struct trace_model_comm){ model->files[rank].comms[i].name, model->files[rank].comms[i].label };
	qsort(model->comms, model->comm_count, sizeof *model->comms, by_name);
	model->comm_count = unite(model->comms, model->comm_count);
	return true;
}

/* map[i]: the model's index of the file's i-th. Null: no memory. */
static int32_t *map_comms(const struct trace_model *model, const struct trace_file *file)
{
	int32_t *map = calloc(file->comm_count + 1, sizeof *map);

	for (size_t i = 0; map && i < file->comm_count; i++) {
		const struct trace_model_comm wanted = { file->comms[i].name, "" };
		const struct trace_model_comm *found = bsearch(&wanted, model->comms, model->comm_count, sizeof wanted, by_name);

		map[i] = found ? (int32_t)(found - model->comms) : -1;
	}
	return map;
}

/* --- events ------------------------------------------------------------------------------------------------------------------ */

static bool names_message(enum trace_kind kind)
{
	return kind == TRACE_SEND || kind == TRACE_UNSENT || kind == TRACE_TOLD || kind == TRACE_PLACED || kind == TRACE_RECORDED || kind == TRACE_DRAINED;
}

static void take_event(struct trace_model_event *event, const struct trace_event *from, const struct trace_file *file, const int32_t *comms)
{
	*event = (struct trace_model_event){
		.kind = from->kind, .flags = from->flags, .own_ns = from->ns, .peer = from->peer,
		.comm = from->comm == TRACE_NO_COMM ? -1 : comms[from->comm], .tag = from->tag, .position = from->position,
		.value = from->value, .turn = from->turn, .text = from->text ? file->texts[from->text - 1].text : NULL,
		.message = -1, .marker = -1, .match = trace_no_end,
	};
	if (names_message(event->kind) && ((event->flags & TRACE_UNPLACED) || event->comm < 0))
		event->position = TRACE_MODEL_NO_POSITION;
}

static bool take_events(struct trace_model *model, uint32_t rank)
{
	const struct trace_file *file = &model->files[rank];
	struct trace_model_rank *of = &model->of[rank];
	int32_t *comms = map_comms(model, file);

	/* Indices are of 31 bits: a file has at most 2^30 bytes. */
	of->events = calloc(file->event_count + 1, sizeof *of->events);
	if (!of->events || !comms) {
		free(comms);
		return false;
	}
	of->count = file->event_count;
	of->lost = file->lost;
	for (size_t i = 0; i < of->count; i++)
		take_event(&of->events[i], &file->events[i], file, comms);
	free(comms);
	return true;
}

/* --- phases ------------------------------------------------------------------------------------------------------------------ */

static void first(int32_t *phase, size_t i)
{
	if (*phase < 0)
		*phase = (int32_t)i;
}

/* Of what says no epoch: between the alert and the outcome it is this snapshot's, as there is one at a time. */
static void take_phase(struct trace_model_phases *phases, const struct trace_model_event *event, size_t i)
{
	int32_t *const of[TRACE_KINDS] = {
		[TRACE_CAPTURE] = &phases->capture, [TRACE_CAPTURED] = &phases->captured, [TRACE_GOES_ON] = &phases->goes_on,
		[TRACE_MATCHED] = &phases->matched, [TRACE_BARRIER] = &phases->barrier, [TRACE_BARRIER_DONE] = &phases->barrier_done,
		[TRACE_CLOSED] = &phases->closed, [TRACE_DURABLE] = &phases->durable, [TRACE_VOID_HERE] = &phases->void_here,
		[TRACE_GIVEN_UP] = &phases->given_up, [TRACE_VERDICT] = &phases->verdict, [TRACE_VERDICT_DONE] = &phases->verdict_done,
	};

	if (of[event->kind])
		first(of[event->kind], i);
}

static void take_own_phase(struct trace_model *model, struct trace_model_phases *phases, const struct trace_model_event *event, size_t i)
{
	const bool own = event->value == model->epoch;

	if (event->kind == TRACE_ALERT && own)
		first(&phases->alert, i);
	else if (event->kind == TRACE_CUT && own)
		first(&phases->cut, i);
	else if (event->kind == TRACE_REBASED && own)
		first(&phases->rebased, i);
	else if (event->kind == TRACE_OUTCOME && own)
		first(&phases->outcome, i);
	else if (phases->cut < 0 && ((event->kind == TRACE_HEAD_CAME && own) ||
				     (event->kind == TRACE_ORDER_CAME && event->value == TRACE_ORDER_CUT && event->turn == model->epoch)))
		first(&phases->ordered, i);
}

static void find_phases(struct trace_model *model, uint32_t rank)
{
	struct trace_model_rank *of = &model->of[rank];
	struct trace_model_phases *phases = &of->phases;

	memset(phases, 0xff, sizeof *phases);
	of->step = TRACE_MODEL_NO_STEP;
	for (size_t i = 0; i < of->count; i++) {
		take_own_phase(model, phases, &of->events[i], i);
		if (phases->alert >= 0 && phases->outcome < 0)
			take_phase(phases, &of->events[i], i);
	}
	if (phases->cut < 0)
		return;
	of->step = of->events[phases->cut].position;
	of->is_void = of->events[phases->cut].flags & TRACE_VOID;
}

static void colour(struct trace_model_rank *of)
{
	int64_t step = TRACE_MODEL_NO_STEP;

	for (size_t i = 0; i < of->count; i++) {
		if (of->events[i].kind == TRACE_SAFEPOINT)
			step = of->events[i].position;
		of->events[i].step = step;
		of->events[i].after = of->phases.cut >= 0 && i > (size_t)of->phases.cut;
	}
}

static void find_outcome(struct trace_model *model)
{
	model->why = "";
	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		const struct trace_model_rank *of = &model->of[rank];
		const struct trace_model_event *outcome;

		if (of->phases.outcome < 0)
			continue;
		outcome = &of->events[of->phases.outcome];
		model->is_void |= outcome->flags & TRACE_VOID;
		model->committed |= !(outcome->flags & TRACE_VOID);
		if (outcome->text && !model->why[0])
			model->why = outcome->text;
	}
	model->committed &= !model->is_void;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------------- */

static bool build(struct trace_model *model)
{
	if (!gather_comms(model))
		return false;
	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		if (!take_events(model, rank))
			return false;
		find_phases(model, rank);
		colour(&model->of[rank]);
		model->event_count += model->of[rank].count;
	}
	find_outcome(model);
	if (!trace_place_positions(model) || !trace_match_messages(model) || !trace_match_markers(model) || !trace_correct_clocks(model) ||
	    !trace_put_in_order(model))
		return false;
	return trace_judge_messages(model);
}

int trace_model_of_snapshot(const char *folder, uint64_t number, struct trace_model **made, struct fault *fault)
{
	struct trace_model *model = calloc(1, sizeof *model);
	int code;

	if (!model)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for a trace");
	code = trace_read_files(model, folder, number, fault);
	if (!code && !build(model))
		code = fault_set(fault, SEAMARK_E_MEMORY, "no memory for the events of a trace");
	if (code)
		trace_model_free(model);
	else
		*made = model;
	return code;
}

void trace_model_free(struct trace_model *model)
{
	if (!model)
		return;
	for (uint32_t rank = 0; rank < model->ranks; rank++) {
		if (model->of)
			free(model->of[rank].events);
		if (model->files)
			trace_file_free(&model->files[rank]);
	}
	free(model->of);
	free(model->files);
	free(model->comms);
	free(model->messages);
	free(model->markers);
	free(model->in_order);
	free(model);
}
