/* SPDX-License-Identifier: BSD-3-Clause */
/* From MPI_Init to MPI_Finalize. */
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mix.h"
#include "channel/carrier.h"
#include "channel/comms.h"
#include "channel/recorder.h"
#include "session/drill.h"
#include "session/inside.h"
#include "session/signals.h"
#include "session/tracing.h"

/* Some tens of microseconds. (Where instructions are counted everything is so slow that each call would poll: bench/ has it longer.) */
#ifndef TICKS_BETWEEN_POLLS
#define TICKS_BETWEEN_POLLS UINT64_C(60000)
#endif

struct session session = {.countdown = 1, .ticks_between_polls = TICKS_BETWEEN_POLLS};
struct inside inside;

/* A drill with an open channel is soon given up: the next one may close it. */
#define DRILL_TIMEOUT_NS INT64_C(2000000000)

enum { LEDGER_BOUND = 1 << 16, MARKERS_ALL_UP_TO = 32 };

/* --- beginning ------------------------------------------------------------------------------------------------------ */

/* What the ranks must agree on before anything is opened: the largest of each. */
struct start {
	int off;
	int failed;
	int drilling;
	int ranks_per_file;
	int identity[2]; /* rank 0's draw */
};

/* Once, and it may be for ever: a rank whose program is not linked with Seamark never comes. Whoever waits longer than ranks differ in leaving PMPI_Init says so; of all
 * ranks a few, as nobody knows which of them are here. */
static void agree_first(struct start *start)
{
	enum { PATIENCE_S = 5 };
	struct timespec pause = {.tv_nsec = 100000};
	int64_t until_ns = drive_now_ns() + PATIENCE_S * INT64_C(1000000000);
	bool speaks = (inside.rank & (inside.rank - 1)) == 0;
	MPI_Request request;
	int done = 0;
	PMPI_Iallreduce(MPI_IN_PLACE, start, sizeof *start / sizeof(int), MPI_INT, MPI_MAX, MPI_COMM_WORLD, &request);
	for (PMPI_Test(&request, &done, MPI_STATUS_IGNORE); !done; PMPI_Test(&request, &done, MPI_STATUS_IGNORE)) {
		if (speaks && drive_now_ns() > until_ns) {
			log_say(LOG_QUIET, "rank %d waits in MPI_Init for ranks that have not come. If this goes on: of the programs that are started together, link all with Seamark (or preload "
				"it into all), or none", inside.rank);
			speaks = false;
		}
		nanosleep(&pause, NULL);
	}
}

static void agree(struct start *start)
{
	PMPI_Allreduce(MPI_IN_PLACE, start, sizeof *start / sizeof(int), MPI_INT, MPI_MAX, MPI_COMM_WORLD);
}

/* The ranks' bindings on this node, and a core that none of them has, for the writer. */
static void find_writer_core(void)
{
	enum { TEXT = 256 };
	struct fault fault = FAULT_NONE;
	MPI_Comm node;
	int turn = 0, count = 1;
	PMPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
	PMPI_Comm_rank(node, &turn);
	PMPI_Comm_size(node, &count);
	inside.here = count;
	looking_meet(node);
	char own[TEXT] = "";
	if (topology_open(&inside.topology, &fault) == 0)
		topology_own_binding(inside.topology, own, sizeof own, &fault);
	char *texts = calloc((size_t)count, TEXT);
	const char **bindings = calloc((size_t)count, sizeof *bindings);
	int have = texts && bindings, all = 0;
	PMPI_Allreduce(&have, &all, 1, MPI_INT, MPI_MIN, node);
	if (all) {
		PMPI_Allgather(own, TEXT, MPI_CHAR, texts, TEXT, MPI_CHAR, node);
		for (int i = 0; i < count; i++)
			bindings[i] = texts + (size_t)i * TEXT;
		if (inside.topology)
			topology_find_free_core(inside.topology, bindings, (size_t)count, (size_t)turn);
	}
	free(texts);
	free(bindings);
	PMPI_Comm_free(&node);
	if (fault.code < 0)
		log_say(LOG_INFO, "%s", fault.text);
}

/* A memory bus is full with few threads. */
enum { HELPERS_MOST = 3 };

static struct state *open_state(void)
{
	static const enum state_way ways[] = {[CAPTURE_AUTO] = STATE_AUTO, [CAPTURE_COPY] = STATE_COPY, [CAPTURE_CHANGES] = STATE_CHANGES,
					      [CAPTURE_FORK] = STATE_FORK, [CAPTURE_HOLD] = STATE_HOLD};
	unsigned share = inside.topology ? topology_share(inside.topology) : 0;
	struct state_config config = {
		.way = ways[inside.settings.capture], .memory = inside.settings.memory,
		.helpers = share < HELPERS_MOST ? share : HELPERS_MOST, .place = topology_bind_helper, .context = inside.topology,
	};
	if (inside.settings.memory_percent)
		config.memory = limits_memory("").whole / 100 * inside.settings.memory_percent;
	return state_new(&config);
}

static int open_rooms(struct fault *fault)
{
	if (!ledger_open(&session.ledger) || !position_open(&session.sequence) ||
	    !epochs_open(&session.epochs, &session.ledger, inside.ranks))
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the ledger");
	inside.state = open_state();
	if (!inside.state)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for the list of regions");
	int code = comms_open(&session.ledger, fault);
	if (code == 0)
		code = recorder_open(fault);
	if (code == 0)
		code = store_open(&inside.store, inside.settings.dir, (uint32_t)inside.rank, (uint32_t)inside.ranks, fault);
	if (code == 0) {
		store_set_way(inside.store, inside.settings.codec, inside.settings.rate);
		store_set_owner(inside.store, inside.settings.owner, inside.settings.start, inside.settings.start_fenced, inside.settings.start_after);
		store_watch_lives(inside.store, superseded_noticed);
		code = store_start_writer(inside.store, inside.topology ? topology_bind_writer : NULL, inside.topology, fault);
	}
	if (code < 0)
		return code;
	store_set_read_back(inside.store, inside.settings.read_back);
	store_set_full_every(inside.store, inside.settings.full_every);
	inside.world = comms_index(MPI_COMM_WORLD);
	uint64_t seed = mix64_pair((uint64_t)getpid(), (uint64_t)drive_now_ns());
	inside.drill_seed = inside.settings.drill_seeded ? inside.settings.drill_seed : seed >> 32;
	struct snapshot_config config = {
		.rank = inside.rank, .ranks = inside.ranks, .timeout_ns = inside.settings.timeout_ns,
		.every_steps = inside.rank == 0 ? inside.settings.every_steps : 0,
		.every_ns = inside.rank == 0 ? inside.settings.every_ns : 0,
		.seed = seed, .drill_seed = inside.drill_seed,
		.ledger = &session.ledger, .world = inside.world, .ledger_bound = LEDGER_BOUND,
		.drill_timeout_ns = inside.settings.timeout_ns < DRILL_TIMEOUT_NS ? inside.settings.timeout_ns : DRILL_TIMEOUT_NS,
		.told_beyond = drill_told_beyond,
	};
	config.markers_all = inside.settings.markers == MARKERS_ALL ||
			     (inside.settings.markers == MARKERS_AUTO && inside.ranks <= MARKERS_ALL_UP_TO);
	inside.snapshot = snapshot_new(&config);
	return inside.snapshot ? 0 : fault_set(fault, SEAMARK_E_MEMORY, "no memory for the protocol");
}

static void close_rooms(void)
{
	snapshot_free(inside.snapshot);
	store_close_image(inside.image);
	/* A thread that hangs on its disk reads the captured state when it comes back. */
	if (store_close(inside.store))
		state_free(inside.state);
	topology_close(inside.topology);
	comms_close();
	mailbox_close(&session.mailbox);
	epochs_close(&session.epochs);
	position_close(&session.sequence);
	ledger_close(&session.ledger);
	free(inside.loaded);
	inside.snapshot = NULL;
	inside.image = NULL;
	inside.store = NULL;
	inside.state = NULL;
	inside.topology = NULL;
	inside.loaded = NULL;
}

static void named(int index, uint64_t key)
{
	struct snapshot_actions actions = {0};
	if (mailbox_adopt(&session.mailbox, key, (unsigned)index) != 0)
		restore_place_mail(index);
	crash_point("communicator-named");
	if (!inside.snapshot)
		return;
	snapshot_comm_named(inside.snapshot, index, drive_now_ns(), &actions);
	drive_act(&actions);
	snapshot_actions_free(&actions);
}

static int finish(MPI_Comm comm, int keyval, void *attribute, void *state);

/* The delete callback of an attribute of MPI_COMM_SELF runs first thing in MPI_Finalize, also when PMPI_Finalize is called directly. */
static void arrange_finish(void)
{
	int keyval;
	PMPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, finish, &keyval, NULL);
	PMPI_Comm_set_attr(MPI_COMM_SELF, keyval, NULL);
	PMPI_Comm_free_keyval(&keyval);
}

static void stay_off(int code, const struct fault *fault)
{
	/* One voice: the lowest rank that has something to say. */
	int own = fault && fault->code < 0 ? inside.rank : inside.ranks, lowest = own;
	PMPI_Allreduce(&own, &lowest, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
	if (own == lowest && own < inside.ranks)
		log_say(LOG_QUIET, "%s; no checkpoint is taken", fault->text);
	inside.off = true;
	inside.off_code = code;
}

/* What passes between two worlds is in no ledger that one of them could save, and the folder is the parent's. */
static void look_for_parent(void)
{
	MPI_Comm parent = MPI_COMM_NULL;
	PMPI_Comm_get_parent(&parent);
	inside.spawned = parent != MPI_COMM_NULL;
	if (inside.spawned)
		session_unable("MPI_Init", "this process was spawned by another program, whose messages and folder are not its own");
}

void session_begin(int thread_level)
{
	struct fault fault = FAULT_NONE;
	PMPI_Comm_rank(MPI_COMM_WORLD, &inside.rank);
	PMPI_Comm_size(MPI_COMM_WORLD, &inside.ranks);
	inside.begun = true;
	log_open(inside.settings_fault.code < 0 ? LOG_NOTICE : inside.settings.log, inside.rank);
	struct start start = {.off = inside.off, .failed = inside.settings_fault.code < 0,
			      .drilling = inside.settings.drill_ns || inside.settings.drill_calls,
			      .ranks_per_file = inside.settings.ranks_per_file};
	if (inside.rank == 0) {
		uint64_t drawn = mix64_pair((uint64_t)getpid(), (uint64_t)drive_now_ns());
		start.identity[0] = (int)(drawn >> 33);
		start.identity[1] = (int)(drawn & 0x7FFFFFFF);
	}
	agree_first(&start);
	if (start.off || start.failed) {
		stay_off(start.failed ? SEAMARK_E_SETTING : inside.off_code, &inside.settings_fault);
		return;
	}
	if (inside.rank == 0)
		settings_tell_unknown(environ);
	find_writer_core();
	int code = open_rooms(&fault);
	start.failed = code < 0;
	agree(&start);
	if (start.failed) {
		stay_off(code < 0 ? code : SEAMARK_E_UNABLE, &fault);
		close_rooms();
		return;
	}
	files_share(start.ranks_per_file);
	code = carrier_open(sizeof(struct verdict), verdict_combine, &fault);
	start.failed = code < 0;
	agree(&start);
	if (start.failed) {
		stay_off(code < 0 ? code : SEAMARK_E_UNABLE, &fault);
		return; /* communicators half made stay as they are */
	}
	crash_point("carrier-open");
	comms_on_named(named, restore_take_back_mail);
	if (signals_reinstall(&fault) < 0)
		log_say(LOG_QUIET, "%s", fault.text);
	arrange_finish();
	look_for_parent();
	session.drilling = start.drilling;
	if (session.drilling)
		drill_open();
	looking_open((uint64_t)(unsigned)start.identity[0] << 32 | (unsigned)start.identity[1]);
	look_here.threads = thread_level == MPI_THREAD_MULTIPLE;
	look_here.first_only = thread_level < MPI_THREAD_SERIALIZED && gettid() == getpid();
	session.mode = thread_level == MPI_THREAD_MULTIPLE ? SESSION_THREADS : SESSION_ALONE;
	tracing_open();
	session.hurry = session.mode == SESSION_ALONE && !tracing_is_on() ? SESSION_HURRY | SESSION_HURRY_RECEIVING : SESSION_HURRY_NONE;
}

void session_on_objects(void (*look)(bool quiet))
{
	inside.look_for_objects = look;
}

/* --- end ------------------------------------------------------------------------------------------------------------- */

void session_finalizing(void)
{
	if (!inside.snapshot || inside.finalizing)
		return;
	inside.finalizing = true;
	if (inside.rank == 0 && !inside.said_hello)
		inside.said_hello = true; /* never came to a safepoint: nothing to say */
	drive_feed((struct snapshot_event){.kind = SNAPSHOT_FINALIZE});
}

/* Ends what is under way, together: rank 0 enters the last barrier when it will start nothing more; the others serve until it is complete. */
static int finish(MPI_Comm comm, int keyval, void *attribute, void *extra)
{
	(void)comm, (void)keyval, (void)attribute, (void)extra;
	bool entered = false;
	session_finalizing();
	inside.drain_now = true;
	for (;;) {
		session_poll();
		bool quiet = snapshot_is_quiet(inside.snapshot) && !inside.committing && inside.arriving == 0;
		if (unlikely(session.drilling) && quiet && !entered)
			quiet = !drill_again_at_end();
		if (!entered && (inside.rank != 0 || quiet)) {
			if (inside.rank == 0)
				snapshot_begin_no_more(inside.snapshot);
			crash_point("finish-to-enter");
			carrier_enter_finish();
			entered = true;
			crash_point("finish-entered");
		}
		if (entered && carrier_all_finished() && quiet)
			break;
		session_spin(LOOK_Finalize, SESSION_AWAITS_ALL, 0, 0);
	}
	session_waited();
	looking_close();
	crash_point("finish-complete");
	session.mode = SESSION_OFF;
	session.hurry = SESSION_HURRY_NONE;
	session.watching = 0;
	tracing_close();
	inside.ended = true;
	comms_on_named(NULL, NULL);
	if (session.drilling) {
		drill_report();
		drill_close();
	}
	carrier_close();
	recorder_close();
	if (inside.rank == 0)
		store_note_end(inside.store, snapshot_stopping(inside.snapshot));
	close_rooms();
	crash_point("rooms-closed");
	return MPI_SUCCESS;
}

/* --- what cannot be saved --------------------------------------------------------------------------------------------- */

void session_unable(const char *function, const char *why)
{
	if (inside.unable[0])
		return;
	snprintf(inside.unable, sizeof inside.unable, "rank %d: %s: %s", inside.rank, function, why);
	log_say(LOG_INFO, "%s: %s: snapshots are void from now on", function, why);
}
