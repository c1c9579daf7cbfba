/* SPDX-License-Identifier: BSD-3-Clause */
/* Restart: all ranks agree on a checkpoint before the program's memory is written; its messages go into the mailbox. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/mix.h"
#include "channel/comms.h"
#include "session/inside.h"

/* Ranks of a killed run were seen to compute for another second; an old rank 0 that still writes may take some. */
#define PATIENCE_S 15.0

/* --- agreement ---------------------------------------------------------------------------------------------------------- */

static bool is_damage(int code)
{
	/* A sector that cannot be read is damage too. */
	return code == SEAMARK_E_DAMAGED || code == SEAMARK_E_NOT_FOUND || code == SEAMARK_E_RUN || code == SEAMARK_E_IO;
}

/* Damage first, since an older checkpoint may help; then whatever failed. The lowest rank's words. */
static int weight_of(int code)
{
	return code == 0 ? 0 : is_damage(code) ? 2 : 1;
}

/* Collective: the gravest fault of all ranks, in the words of the lowest that has it, the same everywhere. 0: nobody has one. */
static int agree(struct fault *fault)
{
	int own = weight_of(fault->code), gravest;
	PMPI_Allreduce(&own, &gravest, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
	if (gravest == 0)
		return 0;
	int mine = own == gravest ? inside.rank : inside.ranks, lowest;
	PMPI_Allreduce(&mine, &lowest, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
	struct fault told = *fault;
	PMPI_Bcast(&told, sizeof told, MPI_BYTE, lowest, MPI_COMM_WORLD);
	if (inside.rank == 0 && lowest != 0)
		snprintf(fault->text, sizeof fault->text, "rank %d: %.440s", lowest, told.text);
	else
		*fault = told;
	fault->code = told.code;
	return told.code;
}

/* --- the life ------------------------------------------------------------------------------------------------------------ */

int restore_begin_life(struct fault *fault)
{
	uint64_t next;
	if (inside.life_begun)
		return inside.life_code < 0 ? fault_set(fault, inside.life_code, "%s", seamark_strerror(inside.life_code)) : 0;
	inside.life_begun = true;
	crash_point("life-to-begin");
	inside.life_code = store_begin_life(inside.store, PATIENCE_S, inside.run, &inside.life, &next, fault);
	if (inside.life_code == 0)
		snapshot_set_life(inside.snapshot, inside.run, inside.life, next);
	crash_point("life-begun");
	if (inside.life_code == 0)
		live_begin();
	return inside.life_code;
}

/* Collective: no rank may wait for a checkpoint that rank 0 has no folder for; and each sees for itself whether its life is still the newest. */
int restore_share_life(struct fault *fault)
{
	if (inside.rank == 0)
		restore_begin_life(fault);
	inside.life_shared = true;
	inside.life_code = agree(fault);
	if (inside.life_code == 0) {
		PMPI_Bcast(inside.run, sizeof inside.run, MPI_BYTE, 0, MPI_COMM_WORLD);
		PMPI_Bcast(&inside.life, 1, MPI_UINT32_T, 0, MPI_COMM_WORLD);
		store_set_life(inside.store, inside.run, inside.life);
	}
	crash_point("life-shared");
	return inside.life_code;
}

/* --- choosing -------------------------------------------------------------------------------------------------------------- */

/* rank 0: the checkpoint to try, below a number. */
static int choose(uint64_t below, struct store_checkpoint *chosen, struct fault *fault)
{
	const char *restart = inside.settings.restart;
	if (strcmp(restart, "newest") == 0)
		return store_newest(inside.store, below, chosen, fault);
	return store_at(inside.store, restart, chosen, fault);
}

/* Whether what was saved fits a region of the program: its size, and its shape if both have one. */
static int check_region(struct store_image *image, size_t saved, const struct state_region_view *region, struct fault *fault)
{
	const struct shape *shape = store_image_shape(image, saved);
	const char *name;
	char own[160], was[160];
	uint64_t bytes;
	store_image_region(image, saved, &name, &bytes);
	if (region->callbacks)
		return 0;
	if (shape->dimensions && region->shape.dimensions && !shape_equal(shape, &region->shape)) {
		shape_text(&region->shape, own, sizeof own);
		shape_text(shape, was, sizeof was);
		return fault_set(fault, SEAMARK_E_REGION, "region '%s' is %s, but %s in checkpoint %" PRIu64, name, own, was,
				 inside.restored.number);
	}
	if (bytes != region->bytes)
		return fault_set(fault, SEAMARK_E_REGION, "region '%s' has %" PRIu64 " bytes, but %" PRIu64
				 " in checkpoint %" PRIu64 ": seamark_saved_bytes tells the size before it is protected",
				 name, region->bytes, bytes, inside.restored.number);
	return 0;
}

static int check_regions(struct store_image *image, struct fault *fault)
{
	for (size_t i = 0; i < state_count(inside.state); i++) {
		struct state_region_view region;
		state_view(inside.state, i, &region);
		size_t index = store_image_find_region(image, region.name);
		if (index == SIZE_MAX)
			return fault_set(fault, SEAMARK_E_REGION, "region '%s' is not in checkpoint %" PRIu64 ": it was written by "
					 "another version of the program, or restore it with the regions it had", region.name,
					 inside.restored.number);
		if (check_region(image, index, &region, fault) < 0)
			return fault->code;
	}
	return 0;
}

/* Collective. Opens the image and looks at everything but the regions' content. */
static int open_and_agree(struct fault *fault)
{
	if (inside.restored.ranks != (uint32_t)inside.ranks)
		return fault_set(fault, SEAMARK_E_RANKS, "checkpoint %" PRIu64 " was taken on %" PRIu32 " ranks, and this run has %d: "
				 "start it on %" PRIu32, inside.restored.number, inside.restored.ranks, inside.ranks,
				 inside.restored.ranks);
	if (store_open_image(&inside.image, &inside.restored, (uint32_t)inside.rank, fault) == 0 &&
	    store_open_parents(inside.image, fault) == 0)
		check_regions(inside.image, fault);
	crash_point("image-opened");
	if (agree(fault) < 0)
		return fault->code;
	uint64_t table = mix64_pair((uint64_t)inside.rank, store_image_table_hash(inside.image)), sum = 0;
	crash_point("images-agreed");
	PMPI_Allreduce(&table, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
	if (sum != inside.restored.table_sum)
		return fault_set(fault, SEAMARK_E_DAMAGED, "the images of checkpoint %" PRIu64 " are not those that its manifest names",
				 inside.restored.number);
	return 0;
}

/* --- loading --------------------------------------------------------------------------------------------------------------- */

/* By way of memory of our own: a load callback reads from it. */
static int load_by_callback(size_t saved, size_t region, uint64_t bytes, struct fault *fault)
{
	void *data = malloc(bytes ? bytes : 1);
	if (!data)
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory for a region of %" PRIu64 " bytes", bytes);
	int code = store_image_load_region(inside.image, saved, data, fault);
	if (code == 0)
		code = state_load(inside.state, region, data, bytes, fault);
	free(data);
	return code;
}

static int mark_loaded(size_t saved, int code)
{
	inside.loaded[saved] = code == 0;
	crash_point("region-loaded");
	return code;
}

/* One that is protected, after all others were loaded or because it has a callback. */
static int load_one(size_t saved, struct fault *fault)
{
	const char *name;
	uint64_t bytes;
	struct state_region_view region;
	store_image_region(inside.image, saved, &name, &bytes);
	size_t index = state_find(inside.state, name);
	state_view(inside.state, index, &region);
	return mark_loaded(saved, region.callbacks ? load_by_callback(saved, index, bytes, fault)
						   : store_image_load_region(inside.image, saved, region.data, fault));
}

/* What is loaded by callbacks is left for later. What is not protected may be later: it is seen to be whole. */
static int load_blocks(void **data, bool *by_callback, bool *protected, size_t count, struct fault *fault)
{
	for (size_t i = 0; i < count; i++) {
		struct state_region_view region;
		const char *name;
		uint64_t bytes;
		store_image_region(inside.image, i, &name, &bytes);
		size_t index = state_find(inside.state, name);
		protected[i] = index != SIZE_MAX;
		if (!protected[i])
			continue;
		state_view(inside.state, index, &region);
		data[i] = region.data;
		by_callback[i] = region.callbacks;
	}
	return store_image_load_regions(inside.image, data, by_callback, fault);
}

static int load_regions(struct fault *fault)
{
	size_t count = store_image_region_count(inside.image);
	void **data = calloc(count + 1, sizeof *data);
	bool *by_callback = calloc(count + 1, sizeof *by_callback), *protected = calloc(count + 1, sizeof *protected);
	inside.loaded = calloc(count + 1, sizeof *inside.loaded);
	int code = 0;
	if (!data || !by_callback || !protected || !inside.loaded)
		code = fault_set(fault, SEAMARK_E_MEMORY, "no memory for the list of regions");
	if (code == 0)
		code = load_blocks(data, by_callback, protected, count, fault);
	for (size_t i = 0; i < count && code == 0; i++)
		if (protected[i])
			code = by_callback[i] ? load_one(i, fault) : mark_loaded(i, 0);
	free(data);
	free(by_callback);
	free(protected);
	return code;
}

/* --- messages -------------------------------------------------------------------------------------------------------------- */

static int put_in_mailbox(const struct store_record *record, struct fault *fault)
{
	for (size_t i = 0; i < record->message_count; i++) {
		const struct store_message *message = &record->messages[i];
		struct mail *mail = mail_new(message->bytes);
		if (!mail)
			return fault_set(fault, SEAMARK_E_MEMORY, "no memory for a message of %" PRIu64 " bytes", message->bytes);
		memcpy(mail->data, message->data, message->bytes);
		mail->comm_name = record->comms[message->comm].key;
		mail->unknown = true;
		mail->source = message->source;
		mail->tag = message->tag;
		mail->turn = ++session.sequence.turn;
		mailbox_put(&session.mailbox, mail);
		crash_point("mail-put");
	}
	return 0;
}

static bool is_on(const struct mail *mail, int comm)
{
	return !mail->unknown && ledger_key_comm(mail->key) == (unsigned)comm;
}

/* Restored messages are unseen from before the base: 0 is the position of the last of a stream, -1 of the one before. */
void restore_place_mail(int comm)
{
	for (struct mail *mail = session.mailbox.first; mail; mail = mail->next)
		if (is_on(mail, comm)) {
			struct ledger_stream *stream = ledger_stream(&session.ledger.seen, mail->key);
			stream->seen--;
			stream->high = stream->seen;
		}
	for (struct mail *mail = session.mailbox.first; mail; mail = mail->next)
		if (is_on(mail, comm))
			mail->position = ++ledger_stream(&session.ledger.seen, mail->key)->high;
}

/* The communicator's name was not its own, or it is freed before the first safepoint: its mail waits for another. */
void restore_take_back_mail(int comm)
{
	for (struct mail *mail = session.mailbox.first; mail; mail = mail->next)
		if (is_on(mail, comm) && mail->comm_name != 0 && !mail->taken) {
			ledger_stream(&session.ledger.seen, mail->key)->seen++;
			mail->unknown = true;
		}
}

/* A checkpoint that turns out not to be usable after all leaves nothing behind. */
static void empty_mailbox(void)
{
	for (const struct mail *mail = session.mailbox.first; mail; mail = mail->next)
		if (!mail->unknown)
			ledger_stream(&session.ledger.seen, mail->key)->seen++;
	mailbox_close(&session.mailbox);
}

static int load_messages(struct fault *fault)
{
	struct store_record record = {0};
	int code = store_image_record(inside.image, &record, fault);
	struct comms_old *old = calloc(record.comm_count + 1, sizeof *old);
	if (!old && code == 0)
		code = fault_set(fault, SEAMARK_E_MEMORY, "no memory for the list of communicators");
	size_t count = 0;
	for (size_t i = 0; code == 0 && i < record.comm_count; i++) {
		const struct store_comm *comm = &record.comms[i];
		if (!comm->freed)
			old[count++] = (struct comms_old){comm->name, comm->label, comm->kind, comm->members, comm->nameless};
	}
	empty_mailbox();
	if (code == 0)
		code = put_in_mailbox(&record, fault);
	/* Collective: every rank comes here or none does. */
	fault->code = code;
	crash_point("record-read");
	if (agree(fault) == 0)
		comms_restore(old, count, fault);
	crash_point("communicators-restored");
	free(old);
	return agree(fault);
}

/* --- the call -------------------------------------------------------------------------------------------------------------- */

static bool something_is_pending(void)
{
	int64_t own[2] = {0, (int64_t)session.sequence.shadows.used + (int64_t)session.mailbox.count}, sum[2];
	for (size_t i = 0; i < (size_t)1 << (64 - session.ledger.sent.shift); i++)
		own[0] += session.ledger.sent.slots[i].key ? session.ledger.sent.slots[i].total : 0;
	for (size_t i = 0; i < (size_t)1 << (64 - session.ledger.seen.shift); i++)
		own[0] -= session.ledger.seen.slots[i].key ? session.ledger.seen.slots[i].seen : 0;
	PMPI_Allreduce(own, sum, 2, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
	return sum[0] != 0 || sum[1] != 0;
}

static void forget_image(void)
{
	store_close_image(inside.image);
	free(inside.loaded);
	inside.image = NULL;
	inside.loaded = NULL;
}

/* Collective: one checkpoint. 0: it is restored. *written: the program's memory may have been written. */
static int try_one(bool *written, struct fault *fault)
{
	int code = open_and_agree(fault);
	if (code == 0) {
		*written = true;
		crash_point("tables-agreed");
		load_regions(fault);
		code = agree(fault);
		crash_point("regions-agreed");
	}
	if (code == 0)
		code = load_messages(fault);
	if (code < 0) {
		forget_image();
		empty_mailbox();
		crash_point("restore-of-one-failed");
	}
	return code;
}

/* Collective: rank 0's choice, or its fault. */
static int share_choice(uint64_t below, struct fault *fault)
{
	struct { struct fault fault; struct store_checkpoint chosen; } *choice = calloc(1, sizeof *choice);
	struct fault memory = FAULT_NONE;
	if (!choice)
		fault_set(&memory, SEAMARK_E_MEMORY, "no memory for a choice of checkpoint");
	if (agree(&memory) < 0) {
		free(choice);
		*fault = memory;
		return memory.code;
	}
	if (inside.rank == 0)
		choose(below, &choice->chosen, &choice->fault);
	crash_point("checkpoint-chosen");
	PMPI_Bcast(choice, sizeof *choice, MPI_BYTE, 0, MPI_COMM_WORLD);
	crash_point("choice-shared");
	*fault = choice->fault;
	inside.restored = choice->chosen;
	free(choice);
	return fault->code;
}

/* Collective: from the newest on, until one is whole. */
static int find_and_load(bool *written, struct fault *fault)
{
	bool newest = strcmp(inside.settings.restart, "newest") == 0;
	bool damaged = false;
	uint64_t below = UINT64_MAX;
	for (;;) {
		*fault = FAULT_NONE;
		int code = share_choice(below, fault);
		if (code == SEAMARK_E_NOT_FOUND && newest && inside.restored.number == 0) {
			inside.restored.number = 0;
			*fault = FAULT_NONE;
			if (!damaged)
				return SEAMARK_FRESH;
			return fault_set(fault, SEAMARK_E_DAMAGED, "no checkpoint in '%s' is whole%s", store_folder(inside.store),
					 *written ? "; the protected regions are undefined" : "");
		}
		if (code == 0)
			code = try_one(written, fault);
		if (code == 0)
			return SEAMARK_RESTORED;
		/* Without a number it is the folder that cannot be read, and nothing is known of its checkpoints. */
		if (!is_damage(code) || !newest || inside.restored.number == 0)
			return code;
		damaged = true;
		if (inside.rank == 0)
			log_say(LOG_QUIET, "checkpoint %" PRIu64 " cannot be used: %s; the one before it is tried",
				inside.restored.number, fault->text);
		below = inside.restored.number;
		inside.restored.number = 0;
	}
}

int session_restore(int64_t *step)
{
	struct fault fault = FAULT_NONE;
	bool written = false;
	int code = calls_ready("seamark_restore");
	if (code <= 0)
		return code < 0 ? code : SEAMARK_FRESH;
	if (inside.restore_called || inside.settled) {
		fault_set(&fault, SEAMARK_E_ORDER, "it is called once, before the first safepoint");
		report_fault(fault.code, "seamark_restore", &fault);
		return fault.code;
	}
	if (inside.look_for_objects)
		inside.look_for_objects(true);
	if (inside.spawned) {
		inside.restore_called = true;
		return SEAMARK_FRESH;
	}
	if (something_is_pending()) {
		fault_set(&fault, SEAMARK_E_PENDING, "messages of the program are pending or unreceived: call seamark_restore where all "
			  "communication so far is complete");
		inside.restore_failed = true;
		if (inside.rank == 0)
			report_fault(fault.code, "seamark_restore", &fault);
		return fault.code;
	}
	crash_point("restore-to-begin");
	code = restore_share_life(&fault);
	if (code == 0 && strcmp(inside.settings.restart, "none") != 0)
		code = find_and_load(&written, &fault);
	/* What was refused before anything was written may be put right and called again. */
	inside.restore_called = code >= 0 || written;
	inside.restore_failed = code < 0;
	if (code == SEAMARK_RESTORED) {
		store_set_restored(inside.store, &inside.restored, inside.image);
		inside.has_committed = true;
		inside.committed_number = inside.restored.number;
		inside.committed_step = inside.restored.step;
		if (step && inside.restored.step >= 0)
			*step = inside.restored.step;
	} else {
		inside.restored.number = 0;
	}
	if (code < 0 && inside.rank == 0)
		report_fault(code, "seamark_restore", &fault);
	if (code >= 0)
		report_hello();
	crash_point("restore-over");
	return code;
}

/* --- after it --------------------------------------------------------------------------------------------------------------- */

int session_saved_bytes(const char *name, size_t *bytes)
{
	struct fault fault = FAULT_NONE;
	const char *saved;
	uint64_t size;
	int ready = calls_ready("seamark_saved_bytes");
	if (ready <= 0)
		return ready;
	if (!name || !bytes)
		fault_set(&fault, SEAMARK_E_ARGUMENT, "a name and a place for the size are needed");
	else if (!inside.image)
		fault_set(&fault, SEAMARK_E_ORDER, "sizes are known from a restore to the first safepoint");
	else if (store_image_find_region(inside.image, name) == SIZE_MAX)
		return SEAMARK_E_NOT_FOUND; /* an answer, not a mistake */
	if (fault.code < 0) {
		report_fault(fault.code, "seamark_saved_bytes", &fault);
		return fault.code;
	}
	store_image_region(inside.image, store_image_find_region(inside.image, name), &saved, &size);
	*bytes = (size_t)size;
	return 0;
}

/* A region that was protected after the restore. */
int restore_load_region(const char *name)
{
	struct fault fault = FAULT_NONE;
	size_t saved = inside.image ? store_image_find_region(inside.image, name) : SIZE_MAX;
	if (saved == SIZE_MAX || inside.loaded[saved])
		return 0;
	struct state_region_view region;
	state_view(inside.state, state_find(inside.state, name), &region);
	if (check_region(inside.image, saved, &region, &fault) == 0)
		load_one(saved, &fault);
	crash_point("region-loaded-later");
	if (fault.code < 0)
		report_fault(fault.code, "seamark_protect", &fault);
	return fault.code;
}

int restore_settle(void)
{
	struct fault fault = FAULT_NONE;
	const char *name;
	uint64_t bytes;
	for (size_t i = 0; inside.image && i < store_image_region_count(inside.image); i++) {
		store_image_region(inside.image, i, &name, &bytes);
		if (!inside.loaded[i])
			fault_set(&fault, SEAMARK_E_REGION, "region '%s' of checkpoint %" PRIu64 " has not been protected: protect it before "
				  "the first safepoint", name, inside.restored.number);
	}
	inside.region_missing = fault.code < 0;
	if (fault.code == 0 && inside.image) {
		forget_image();
		crash_point("restore-settled");
	}
	if (fault.code < 0)
		report_fault(fault.code, "seamark_safepoint", &fault);
	return fault.code;
}
