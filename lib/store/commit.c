/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/moment.h"
#include "store/catalogue.h"
#include "store/history.h"
#include "store/manifest.h"
#include "store/run_file.h"

/* Each rank has found its own file in its place when it was durable, but that may have been before somebody removed the folder, and another rank made it again. Of a large world
 * some are looked for: who removes a folder removes most of what is in it. */
enum { LOOKS_MOST = 1024 };

/* The first rank in the index-th file group. */
static uint32_t rank_of_group(const struct store_checkpoint *checkpoint, uint64_t index)
{
	for (uint32_t i = 0; i < checkpoint->locator_count; i++) {
		const struct store_locator *locator = &checkpoint->locators[i];
		uint64_t groups = ((uint64_t)locator->ranks + locator->ranks_each - 1) / locator->ranks_each;

		if (index < groups)
			return locator->first_rank + (uint32_t)index * locator->ranks_each;
		index -= groups;
	}
	return 0;
}

static int look_for_images(const struct store_checkpoint *checkpoint, const char *folder, struct fault *fault)
{
	char name[96];
	uint32_t group = 0;
	uint64_t groups = 0, stride = 1;

	if (manifest_locate(checkpoint, checkpoint->ranks - 1, name, sizeof name, &group))
		groups = (uint64_t)group + 1;
	if (groups > LOOKS_MOST)
		stride = groups / LOOKS_MOST;
	for (uint64_t i = checkpoint->identity.nonce % stride; i < groups; i += stride) {
		struct io_path path;

		manifest_locate(checkpoint, rank_of_group(checkpoint, i), name, sizeof name, &group);
		path = io_path("%s/%s", folder, name);
		if (!io_is_there(path.text))
			return fault_errno(fault, "'%s' was removed before the checkpoint was committed", path.text);
	}
	return 0;
}

/* The manifest's text. The caller frees it. */
static int compose(struct commit *commit, const char *folder, char **text, struct fault *fault)
{
	const struct store_commit *of = &commit->of;
	struct store_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
	int code = 0;

	*text = NULL;
	if (checkpoint) {
		*checkpoint = (struct store_checkpoint){
			.identity = of->identity, .number = of->identity.number, .life = of->identity.life, .ranks = of->identity.ranks,
			.step = of->identity.step, .table_sum = of->table_sum, .messages = of->messages,
			.message_bytes = of->message_bytes, .bytes = of->bytes, .referred = of->referred, .held_s = of->held_s,
			.taken_ns = of->requested_ns, .locator_count = commit->store->files.count,
		};
		memcpy(checkpoint->locators, commit->store->files.locators, sizeof checkpoint->locators);
		if (!chain_name_parents(commit->chain, commit->store->folder, of->parents, checkpoint))
			code = fault_set(fault, SEAMARK_E_DAMAGED, "an older checkpoint, in which parts of this one lie, has been removed from '%s'",
					 commit->store->folder);
		else
			code = look_for_images(checkpoint, folder, fault);
		if (!code)
			*text = manifest_text(checkpoint);
	}
	free(checkpoint);
	return code || *text ? code : fault_set(fault, SEAMARK_E_MEMORY, "no memory for the manifest");
}

static int see_no_other_life(const struct commit *commit, struct fault *fault)
{
	struct run_file newest;
	char life[160] = "a newer life";

	if (lives_look(commit->store, &newest))
		return 0;
	if (newest.life)
		run_file_say(&newest, life, sizeof life);
	return fault_set(fault, SEAMARK_E_BUSY, "%s of this run uses folder '%s': this one commits nothing any more", life, commit->store->folder);
}

/* After a step. What was given up goes no further. */
static int go_on(struct commit *commit, int code, struct fault *fault)
{
	atomic_store(&commit->progress_ns, io_now_ns());
	if (!code && atomic_load(&commit->state) != STORE_WORKING)
		code = fault_set(fault, SEAMARK_E_IO, "the commit was given up");
	return code;
}

/* What cannot be made durable is taken back, unless another life has begun, which may rest on it. */
static void take_back(struct commit *commit, const char *manifest)
{
	if (!lives_is_newest(commit->store))
		return;
	if (io_unlink(manifest))
		log_say(LOG_QUIET, "cannot take '%s' away again: %s: remove it, it may not survive a crash", manifest, strerror(errno));
	crash_point("manifest-taken-back");
}

/* That no other life has begun is looked at when the attempt's folder is there. One that begins after that takes the folder out of the way if it has no manifest yet (retention_tidy): then there is no
 * place for it any more. So between the look and the rename nothing need be known. */
static int publish(struct commit *commit, const char *path, struct fault *fault)
{
	struct io_path manifest = io_path("%s/" MANIFEST_NAME, path);
	char *text;
	int code;

	code = go_on(commit, see_no_other_life(commit, fault), fault);
	if (code)
		return code;
	/* The attempt's folder itself must be there after a crash, before its manifest says that it is whole. */
	code = go_on(commit, io_sync_folder(commit->store->folder, fault), fault);
	if (code)
		return code;
	crash_point("manifest-to-write");
	code = go_on(commit, compose(commit, path, &text, fault), fault);
	if (code) {
		free(text);
		return code;
	}
	code = io_publish(manifest.text, text, strlen(text), fault);
	free(text);
	if (code)
		return code;
	crash_point("manifest-in-place");
	atomic_store(&commit->progress_ns, io_now_ns());
	code = io_sync_folder(path, fault);
	if (code)
		take_back(commit, manifest.text);
	return code;
}

/* The manifest of a commit that failed may be there, if the disk did not let it be taken away then: nothing else may come before it goes. */
static bool try_drop(struct commit *commit, uint64_t number)
{
	struct io_path path = catalogue_path(commit->store->folder, number, commit->store->life);
	struct io_path manifest = io_path("%s/" MANIFEST_NAME, path.text);
	/* In a folder that is away, and may come back, nothing is known to be gone. */
	bool here = !access(commit->store->folder, F_OK);
	bool gone = !io_unlink(manifest.text) || errno == ENOENT;

	crash_point("attempt-undone");
	gone = gone && (!rmdir(path.text) || errno == ENOENT);
	crash_point("attempt-dropped");
	return gone && here && !access(commit->store->folder, F_OK);
}

void commit_drop(struct commit *commit, uint64_t number)
{
	if (lives_is_newest(commit->store) && !try_drop(commit, number) && commit->drop_count < COMMIT_DROPS_MAX)
		commit->drops[commit->drop_count++] = number;
}

static void retry_drops(struct commit *commit)
{
	size_t left = 0;

	if (!lives_is_newest(commit->store))
		return;
	for (size_t i = 0; i < commit->drop_count; i++)
		if (!try_drop(commit, commit->drops[i]))
			commit->drops[left++] = commit->drops[i];
	commit->drop_count = left;
}

void commit_run(struct commit *commit)
{
	struct io_path path = catalogue_path(commit->store->folder, commit->of.identity.number, commit->of.identity.life);
	const struct store_commit of = commit->of;
	uint64_t keep = commit->keep;
	struct fault fault = FAULT_NONE;
	int64_t durable_ns;
	int code, working = STORE_WORKING;

	crash_point("commit-to-begin");
	code = publish(commit, path.text, &fault);
	/* A file that is not there any more is not what to tell, if another life has removed it. */
	if (code && !see_no_other_life(commit, &commit->fault))
		commit->fault = fault;
	durable_ns = moment_now_ns();
	crash_point("commit-over");
	/* From here on the next commit may be asked for, and nothing of this one is read any more. */
	if (!atomic_compare_exchange_strong(&commit->state, &working, code ? STORE_FAILED : STORE_DURABLE)) {
		/* It is known as void: images of it may be gone already. */
		commit_drop(commit, commit->of.identity.number);
		atomic_store(&commit->state, STORE_IDLE);
		return;
	}
	retry_drops(commit);
	if (!code)
		history_commit(commit->store, &of, durable_ns);
	crash_point("retention-to-begin");
	if (!code)
		retention_retire(commit->store, keep);
	crash_point("retention-over");
}
