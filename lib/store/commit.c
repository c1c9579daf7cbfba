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

/* The manifest's text. The caller frees it. */
static int compose(struct commit *commit, char **text, struct fault *fault)
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
			*text = manifest_text(checkpoint);
	}
	free(checkpoint);
	return code || *text ? code : fault_set(fault, SEAMARK_E_MEMORY, "no memory for the manifest");
}

static int see_no_other_life(const struct commit *commit, struct fault *fault)
{
	return lives_is_newest(commit->store) ? 0 : fault_set(fault, SEAMARK_E_BUSY, "a newer life of this run uses folder '%s': this one commits nothing any "
							     "more", commit->store->folder);
}

/* After a step. What was given up goes no further. */
static int go_on(struct commit *commit, int code, struct fault *fault)
{
	atomic_store(&commit->progress_ns, io_now_ns());
	if (!code && atomic_load(&commit->state) != STORE_WORKING)
		code = fault_set(fault, SEAMARK_E_IO, "the commit was given up");
	return code;
}

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
	code = go_on(commit, compose(commit, &text, fault), fault);
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
	/* Where locks are not believed another life may have begun meanwhile, and have removed what it took for leavings. */
	if (!code)
		code = see_no_other_life(commit, fault);
	if (code && io_unlink(manifest.text))
		log_say(LOG_QUIET, "cannot take '%s' away again: %s: remove it, it may not survive a crash", manifest.text, strerror(errno));
	if (code)
		crash_point("manifest-taken-back");
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
	if (!try_drop(commit, number) && commit->drop_count < COMMIT_DROPS_MAX)
		commit->drops[commit->drop_count++] = number;
}

static void retry_drops(struct commit *commit)
{
	size_t left = 0;

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
	int64_t durable_ns;
	int code, working = STORE_WORKING;

	crash_point("commit-to-begin");
	code = publish(commit, path.text, &commit->fault);
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
		retention_retire(commit->store->folder, keep);
	crash_point("retention-over");
}
