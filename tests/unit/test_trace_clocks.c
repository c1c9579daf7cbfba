/* SPDX-License-Identifier: BSD-3-Clause */
/* What `seamark trace` makes of the traces of runs whose truth is known, on clocks that are wrong (trace_worlds.h). TEST_SEED repeats one world. */
#include "suites.h"
#include "test_store_fixture.h"
#include "trace_holds.h"
#include "trace_worlds.h"

enum { WORLDS = 50, MANGLED = 120 };

static struct world world;
static struct world_clock clocks[WORLD_RANKS];
static char folder[256];
static uint64_t first_seed, seeds;
static size_t dropped[WORLD_RANKS]; /* of each rank's events, so many of the first are not in its trace */

static int begin(void)
{
	const char *given = getenv("TEST_SEED");

	if (!getenv("TMPDIR") && !access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 1);
	first_seed = given ? strtoull(given, NULL, 10) : 1;
	seeds = given ? 1 : 0;
	return 0;
}

static void open_folder(void)
{
	fixture_folder(folder);
}

static void close_folder(void)
{
	fixture_remove(folder);
}

/* A test's worlds: those that it has, or the one that was asked for. */
static uint64_t end_of(uint64_t count)
{
	return first_seed + (seeds ? seeds : count);
}

static void wrong(uint64_t seed, const char *what, int64_t one, int64_t other)
{
	fprintf(stderr, "\nTEST_SEED=%" PRIu64 " (%d ranks on %d nodes): not so: %s (%" PRId64 ", %" PRId64 ")\n", seed, world.ranks, world.nodes, what, one, other);
	CU_FAIL("see above");
}

static struct trace_model *read_world(uint64_t seed)
{
	static struct trace_event events[WORLD_EVENTS];
	struct trace_model *model = NULL;
	struct fault fault = FAULT_NONE;

	fixture_remove(folder);
	mkdir(folder, 0777);
	for (int rank = 0; rank < world.ranks; rank++) {
		struct trace_file file = world_file(&world, rank, clocks, events);

		file.events += dropped[rank];
		file.event_count -= dropped[rank];
		file.lost = dropped[rank];
		CU_ASSERT_FATAL(world_put(&file, folder));
	}
	if (trace_model_of_snapshot(folder, 1, &model, &fault))
		wrong(seed, fault.text, fault.code, 0);
	return model;
}

/* --- oracles ------------------------------------------------------------------------------------------------------------------ */

static int64_t true_ns(int rank, size_t i)
{
	return world.of[rank].events[i + dropped[rank]].ns;
}

/* The order is one in which things could have happened, and nothing was moved further than is said. */
static void check_sound(const struct trace_model *model, uint64_t seed)
{
	const char *not_so = trace_holds(model);

	if (not_so)
		wrong(seed, not_so, (int64_t)model->pushed_ns, (int64_t)model->unordered);
	if (model->unordered)
		wrong(seed, "nothing of a true run is in a circle", (int64_t)model->unordered, 0);
	if (model->read != (uint32_t)world.ranks || model->is_void != world.is_void || model->committed == world.is_void)
		wrong(seed, "all files are read", model->read, world.ranks);
}

/* Each message has both its ends, and stands where it stood. */
static void check_messages(const struct trace_model *model, uint64_t seed)
{
	uint64_t told = 0, matched = 0;

	if (model->message_count != world.letter_count)
		wrong(seed, "each message is there once", (int64_t)model->message_count, (int64_t)world.letter_count);
	if (model->late != world.late || model->orphans != world.orphans)
		wrong(seed, "what was in flight is late", (int64_t)model->late, (int64_t)world.late);
	for (size_t i = 0; i < world.letter_count; i++)
		told += world.letters[i].told_ns >= 0;
	for (size_t i = 0; i < model->message_count; i++) {
		const struct trace_model_message *message = &model->messages[i];
		static const enum trace_model_place places[2][2] = { { TRACE_MODEL_BEFORE, TRACE_MODEL_LATE }, { TRACE_MODEL_ORPHAN, TRACE_MODEL_NEW } };

		if (message->sent.rank < 0 || message->told.rank < 0)
			continue;
		matched++;
		const int64_t sent_ns = true_ns(message->from, message->sent.index), told_ns = true_ns(message->to, message->told.index);

		if (sent_ns >= told_ns || message->place != places[sent_ns > world.cut_ns[world.epochs][message->from]][told_ns > world.cut_ns[world.epochs][message->to]])
			wrong(seed, "a message stands where it stood", sent_ns, told_ns);
	}
	if (matched != told)
		wrong(seed, "each message that was received has its sending", (int64_t)matched, (int64_t)told);
}

/* All times are the true ones, but for what was added to all of them. */
static void check_true(const struct trace_model *model, uint64_t seed)
{
	const struct trace_model_end first = model->in_order[0];
	const int64_t zero_ns = true_ns(first.rank, first.index) - trace_event_at(model, first)->ns;

	for (size_t i = 0; i < model->event_count; i++) {
		const struct trace_model_end end = model->in_order[i];

		if (true_ns(end.rank, end.index) - trace_event_at(model, end)->ns != zero_ns)
			wrong(seed, "true times are left as they are", true_ns(end.rank, end.index) - zero_ns, trace_event_at(model, end)->ns);
		if (i && true_ns(model->in_order[i - 1].rank, model->in_order[i - 1].index) >= true_ns(end.rank, end.index))
			wrong(seed, "true times give the true order", true_ns(end.rank, end.index), end.rank);
	}
}

static void set_clock(int node, int64_t apart_ns, int64_t drift_ppb, int64_t real_ns)
{
	clocks[node].offset_ns = apart_ns ? (int64_t)world_draw(&world, (uint64_t)apart_ns) : 0;
	clocks[node].drift_ppb = drift_ppb ? (int64_t)world_draw(&world, 2 * (uint64_t)drift_ppb) - drift_ppb : 0;
	clocks[node].real_wrong_ns = real_ns ? (int64_t)world_draw(&world, 2 * (uint64_t)real_ns) - real_ns : 0;
}

static void make(uint64_t seed, int64_t apart_ns, int64_t drift_ppb, int64_t real_ns)
{
	world_run(&world, seed);
	for (int node = 0; node < world.nodes; node++)
		set_clock(node, apart_ns, drift_ppb, real_ns);
}

/* --- tests -------------------------------------------------------------------------------------------------------------------- */

static void true_clocks_are_left_alone(void)
{
	for (uint64_t seed = first_seed; seed < end_of(WORLDS); seed++) {
		/* The same since a start at different times, with the right time of day. */
		make(seed, seed % 2 ? WORLD_DAY_NS * 30 : 0, 0, 0);
		struct trace_model *model = read_world(seed);

		if (!model)
			continue;
		check_sound(model, seed);
		check_messages(model, seed);
		check_true(model, seed);
		if (model->pushed_ns)
			wrong(seed, "true clocks push nothing", model->pushed_ns, 0);
		trace_model_free(model);
	}
}

static void offsets_are_enough_where_clocks_do_not_drift(void)
{
	for (uint64_t seed = first_seed; seed < end_of(WORLDS); seed++) {
		make(seed, WORLD_DAY_NS * 5, 0, seed % 3 ? WORLD_DAY_NS * 3 : 1000);
		struct trace_model *model = read_world(seed);

		if (!model)
			continue;
		check_sound(model, seed);
		check_messages(model, seed);
		if (model->pushed_ns)
			wrong(seed, "offsets alone put all causes first", model->pushed_ns, 0);
		trace_model_free(model);
	}
}

/* What can be said of clocks that drift: the order is sound, and no event was moved further than is said; and that is no more than clocks went apart in all that time, on one way through all of them. */
static void what_drifts_is_pushed_and_told(void)
{
	uint64_t pushed = 0;

	for (uint64_t seed = first_seed; seed < end_of(WORLDS); seed++) {
		make(seed, WORLD_DAY_NS * 5, 1000000, seed % 2 ? WORLD_DAY_NS : 0);
		struct trace_model *model = read_world(seed);

		if (!model)
			continue;
		check_sound(model, seed);
		check_messages(model, seed);
		pushed += model->pushed_ns > 0;
		if (model->pushed_ns > world.now / 500 * 2 * world.nodes)
			wrong(seed, "nothing is pushed further than clocks went apart", model->pushed_ns, world.now / 500);
		trace_model_free(model);
	}
	printf(" (pushed in %" PRIu64 ") ", pushed);
	CU_ASSERT_TRUE(pushed > 0 || seeds);
}

static const struct world_letter *letter_of(int64_t sent_ns)
{
	for (size_t i = 0; i < world.letter_count; i++)
		if (world.letters[i].sent_ns == sent_ns)
			return &world.letters[i];
	return NULL;
}

/* Of a message that is told of: it is one that was, and stands where it stood. */
static void check_letter(const struct trace_model *model, const struct trace_model_message *message, uint64_t seed)
{
	const struct world_letter *letter = message->sent.rank >= 0 ? letter_of(true_ns(message->from, message->sent.index)) : NULL;

	if (message->sent.rank < 0)
		return;
	if (!letter || (message->told.rank >= 0 && letter->told_ns != true_ns(message->to, message->told.index)))
		wrong(seed, "nothing is paired with what it was not", message->from, message->position);
	else if (message->place == TRACE_MODEL_LATE && !world_is_late(&world, world.epochs, letter))
		wrong(seed, "what is called late is late", message->from, message->position);
	else if (message->place == TRACE_MODEL_BEFORE && (message->told.rank < 0 || letter->told_ns > world.cut_ns[world.epochs][letter->to]))
		wrong(seed, "what is before the cut was received before it", message->from, message->position);
	if (message->way_ns > model->span_ns[1] - model->span_ns[0])
		wrong(seed, "nothing is on the way for longer than the trace is", message->way_ns, 0);
}

/* Memory is short: of each rank the beginning is missing, with bases that moved there. */
static void what_is_left_is_paired_as_it_was(void)
{
	uint64_t late = 0, known = 0;

	for (uint64_t seed = first_seed; seed < end_of(WORLDS); seed++) {
		make(seed, WORLD_DAY_NS, 0, 1000000);
		for (int rank = 0; rank < world.ranks; rank++)
			dropped[rank] = world_draw(&world, world.of[rank].count);
		struct trace_model *model = read_world(seed);

		for (size_t i = 0; model && i < model->message_count; i++)
			check_letter(model, &model->messages[i], seed);
		if (model && (trace_holds(model) || model->unordered || model->late > world.late))
			wrong(seed, trace_holds(model) ? trace_holds(model) : "no more is late than was", (int64_t)model->late, (int64_t)world.late);
		late += world.late;
		known += model ? model->late : 0;
		trace_model_free(model);
		memset(dropped, 0, sizeof dropped);
	}
	printf(" (%" PRIu64 " of %" PRIu64 " late ones known) ", known, late);
	CU_ASSERT_TRUE(known > 0 || seeds);
}

/* --- files that do not agree ---------------------------------------------------------------------------------------------------- */

static void mangle_event(struct trace_event *events, size_t count)
{
	struct trace_event *event = &events[world_draw(&world, count)], *other = &events[world_draw(&world, count)], kept;

	switch (world_draw(&world, 9)) {
	case 0: /* a circle, if one was sent and the other told */
		kept = *event;
		*event = *other;
		*other = kept;
		return;
	case 1:
		event->peer = (int32_t)world_draw(&world, (uint64_t)world.ranks);
		return;
	case 2:
		event->position += (int64_t)world_draw(&world, 9) - 4;
		return;
	case 3:
		event->position = world_chance(&world, 50) ? INT64_MAX / 4 : -(INT64_MAX / 4);
		return;
	case 4:
		event->kind = (uint8_t)(1 + world_draw(&world, TRACE_KINDS - 1));
		return;
	case 5:
		event->value = world_draw(&world, 4);
		return;
	case 6:
		event->ns = (int64_t)world_draw(&world, (uint64_t)INT64_MAX / 8) * (world_chance(&world, 50) ? 1 : -1);
		return;
	case 7:
		event->turn = world_draw(&world, 4);
		return;
	default:
		*event = *other;
	}
}

/* Each file is sound in itself; together they tell what cannot have been. Whoever reads them does no harm, and says so. */
static void files_that_disagree_do_no_harm(void)
{
	static struct trace_event events[WORLD_EVENTS];
	uint64_t circles = 0, refused = 0;

	for (uint64_t seed = first_seed; seed < end_of(MANGLED); seed++) {
		struct trace_model *model;
		struct fault fault = FAULT_NONE;

		make(seed, WORLD_DAY_NS, seed % 2 ? 1000000 : 0, 0);
		fixture_remove(folder);
		mkdir(folder, 0777);
		for (int rank = 0; rank < world.ranks; rank++) {
			struct trace_file file = world_file(&world, rank, clocks, events);

			for (uint64_t times = world_draw(&world, 12); times--;)
				mangle_event(events, file.event_count);
			if (world_chance(&world, 5))
				file.nonce++;
			if (world_chance(&world, 5))
				file.ranks++;
			if (world_chance(&world, 5))
				file.epoch += world_draw(&world, 2);
			CU_ASSERT_FATAL(world_put(&file, folder));
		}
		if (trace_model_of_snapshot(folder, 1, &model, &fault)) {
			refused++;
			continue;
		}
		const char *not_so = trace_holds(model);

		if (not_so)
			wrong(seed, not_so, model->pushed_ns, (int64_t)model->unordered);
		circles += model->unordered > 0;
		trace_model_free(model);
	}
	printf(" (%" PRIu64 " with circles, %" PRIu64 " refused) ", circles, refused);
	CU_ASSERT_TRUE(circles > 10 || seeds);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "true clocks are left alone", true_clocks_are_left_alone },
		{ "offsets are enough where clocks do not drift", offsets_are_enough_where_clocks_do_not_drift },
		{ "what drifts is pushed, and told", what_drifts_is_pushed_and_told },
		{ "what is left is paired as it was", what_is_left_is_paired_as_it_was },
		{ "files that disagree do no harm", files_that_disagree_do_no_harm },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "trace clocks", begin, NULL, open_folder, close_folder, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
