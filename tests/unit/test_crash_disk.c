/* SPDX-License-Identifier: BSD-3-Clause */
/* The crash disk. Two lives on a folder are recorded, call by call: what they write, make, rename and remove, and what they sync. Then the machine crashes after each of the
 * calls, and of what was not synced the disk has nothing, everything, only the folders' entries, only the files' bytes, or any mixture of both with writes
 * torn at sectors. On each such disk a new life begins: what was reported as committed is there and whole, byte by byte; what has a manifest is whole; and
 * the next checkpoint is committed. Checkpoints are rewritten and removed by hand in it, too. What is assumed of a file system: docs/design.md. */
#include <CUnit/Basic.h>
#include <pthread.h>

#include "suites.h"
#include "../fault/calls.h"
#define URING_UNTOUCHED
#include "../fault/uring.h"
#include "store/compact.h"
#include "store/prune.h"
#include "test_world.h"

enum { SECTOR = 512, KEEP = 2, OPS_MAX = 2000, NODES_MAX = 600 };

/* --- what was done ---------------------------------------------------------------------------------------------------- */

enum op_kind { OP_MAKE, OP_RENAME, OP_REMOVE, OP_SIZE, OP_WRITE, OP_SYNC, OP_COMMITTED, OP_LIFE, OP_PRUNE };

struct op {
	enum op_kind kind;
	int node;            /* the file or folder that it is about */
	int above;           /* the folder whose entry it changes */
	char name[64], to[64];
	bool grow;           /* a size that only grows */
	size_t size;
	off_t offset;
	uint8_t *data;
	uint64_t number;     /* of a checkpoint, or a life */
};

static struct op ops[OPS_MAX];
static size_t op_count;
static bool node_is_folder[NODES_MAX];
static int node_count;
static struct entry { bool there; int above; char name[64]; int node; } entries[NODES_MAX]; /* as they are, crash or not */
static atomic_bool recording;
static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;
static char top[256], folder[300], crashed[256];

static struct entry *entry_of(struct entry *list, int above, const char *name)
{
	for (int i = 0; i < NODES_MAX; i++)
		if (list[i].there && list[i].above == above && !strcmp(list[i].name, name))
			return &list[i];
	return NULL;
}

static void set_entry(struct entry *list, int above, const char *name, int node)
{
	struct entry *entry = entry_of(list, above, name);

	for (int i = 0; !entry; i++)
		if (!list[i].there)
			entry = &list[i];
	*entry = (struct entry){ .there = true, .above = above, .node = node };
	strcpy(entry->name, name);
}

/* A path below the top: its folder and its name there. Node 0 is the top itself. */
static int resolve(const char *path, int *above, char name[64])
{
	const char *at = path + strlen(top);
	int node = 0;

	*above = -1;
	name[0] = 0;
	while (*at == '/') {
		size_t length = strcspn(++at, "/");
		struct entry *entry;

		snprintf(name, 64, "%.*s", (int)length, at);
		at += length;
		*above = node;
		entry = entry_of(entries, *above, name);
		node = entry ? entry->node : -1;
		if (node < 0)
			break;
	}
	return node;
}

static struct op *add_op(enum op_kind kind, int node, int above, const char *name)
{
	struct op *op = &ops[op_count++];

	if (op_count == OPS_MAX || node_count > NODES_MAX - 2) {
		fprintf(stderr, "too many operations\n");
		_exit(3);
	}
	*op = (struct op){ .kind = kind, .node = node, .above = above };
	strcpy(op->name, name);
	return op;
}

static void made(int above, const char *name, bool is_folder)
{
	node_is_folder[node_count] = is_folder;
	set_entry(entries, above, name, node_count);
	add_op(OP_MAKE, node_count++, above, name);
}

static void record(const struct call *call)
{
	char name[64], to[64];
	int above, there, node = resolve(call->path, &above, name);
	struct op *op;

	switch (call->kind) {
	case CALL_OPEN:
		if (node < 0 && (call->flags & O_CREAT))
			made(above, name, false);
		else if (call->flags & O_TRUNC)
			add_op(OP_SIZE, node, above, name);
		break;
	case CALL_MKDIR:
		made(above, name, true);
		break;
	case CALL_WRITE:
		op = add_op(OP_WRITE, node, above, name);
		op->size = call->size;
		op->offset = call->offset;
		op->data = __libc_malloc(call->size);
		memcpy(op->data, call->data, call->size);
		break;
	case CALL_TRUNCATE:
	case CALL_RESERVE:
		op = add_op(OP_SIZE, node, above, name);
		op->size = (size_t)call->offset;
		op->grow = call->kind == CALL_RESERVE;
		break;
	case CALL_SYNC:
		add_op(OP_SYNC, node, above, name);
		break;
	case CALL_RENAME:
		resolve(call->to, &there, to);
		op = add_op(OP_RENAME, node, above, name);
		strcpy(op->to, to);
		entry_of(entries, above, name)->there = false;
		set_entry(entries, there, to, node);
		break;
	case CALL_UNLINK:
	case CALL_RMDIR:
		add_op(OP_REMOVE, node, above, name);
		entry_of(entries, above, name)->there = false;
		break;
	default:
		break;
	}
}

static long call_begin(const struct call *call)
{
	(void)call;
	return 0;
}

static void call_end(const struct call *call, long result)
{
	if (!atomic_load(&recording) || result < 0 || !calls_below(call->path))
		return;
	pthread_mutex_lock(&record_lock);
	if (call->kind == CALL_WRITE) {
		struct call short_one = *call;

		short_one.size = (size_t)result;
		record(&short_one);
	} else {
		record(call);
	}
	pthread_mutex_unlock(&record_lock);
}

static bool uring_refused(void)
{
	return true;
}

static void note(enum op_kind kind, uint64_t number)
{
	pthread_mutex_lock(&record_lock);
	add_op(kind, -1, -1, "")->number = number;
	pthread_mutex_unlock(&record_lock);
}

/* --- what the disk has after a crash ---------------------------------------------------------------------------------- */

enum policy { POLICY_NONE, POLICY_ALL, POLICY_ENTRIES, POLICY_BYTES, POLICY_SIZES, POLICY_MIXED };

static struct disk {
	struct entry entries[NODES_MAX];
	struct content { uint8_t *data; size_t size, room; } contents[NODES_MAX];
} disk;

static uint64_t draw(uint64_t *seed)
{
	return mix64((*seed)++);
}

static void resize(struct content *content, size_t size)
{
	if (size > content->room) {
		content->room = 2 * size;
		content->data = __libc_realloc(content->data, content->room);
	}
	if (size > content->size)
		memset(content->data + content->size, 0, size - content->size);
	content->size = size;
}

static void apply(const struct op *op)
{
	struct content *content = op->node >= 0 ? &disk.contents[op->node] : NULL;
	struct entry *entry;

	switch (op->kind) {
	case OP_MAKE:
		set_entry(disk.entries, op->above, op->name, op->node);
		break;
	case OP_RENAME:
		entry = entry_of(disk.entries, op->above, op->name);
		if (entry && entry->node == op->node)
			entry->there = false;
		set_entry(disk.entries, op->above, op->to, op->node);
		break;
	case OP_REMOVE:
		entry = entry_of(disk.entries, op->above, op->name);
		if (entry && entry->node == op->node)
			entry->there = false;
		break;
	case OP_SIZE:
		if (!op->grow || content->size < op->size)
			resize(content, op->size);
		break;
	case OP_WRITE:
		if (content->size < (size_t)op->offset + op->size)
			resize(content, (size_t)op->offset + op->size);
		memcpy(content->data + op->offset, op->data, op->size);
		break;
	default:
		break;
	}
}

/* Some of its sectors, or only the length. */
static void apply_torn(const struct op *op, uint64_t *seed, bool no_bytes)
{
	struct op part = *op;
	struct content *content = &disk.contents[op->node];

	if (content->size < (size_t)op->offset + op->size)
		resize(content, (size_t)op->offset + op->size);
	for (size_t at = 0; !no_bytes && at < op->size; at += part.size) {
		part.size = SECTOR - (size_t)(op->offset + (off_t)at) % SECTOR;
		if (part.size > op->size - at)
			part.size = op->size - at;
		part.offset = op->offset + (off_t)at;
		part.data = op->data + at;
		if (draw(seed) % 2)
			apply(&part);
	}
}

static bool is_entry_op(const struct op *op)
{
	return op->kind == OP_MAKE || op->kind == OP_RENAME || op->kind == OP_REMOVE;
}

/* A file's sync is for its bytes and its length, a folder's for its entries, and neither for the other. */
static bool is_durable(size_t at, size_t crash)
{
	int node = is_entry_op(&ops[at]) ? ops[at].above : ops[at].node;

	for (size_t i = at + 1; i < crash; i++)
		if (ops[i].kind == OP_SYNC && ops[i].node == node)
			return true;
	return false;
}

/* true: something was not synced. */
static bool crash_at(size_t crash, enum policy policy, uint64_t seed)
{
	uint64_t odds = policy == POLICY_MIXED ? 1 + draw(&seed) % 4 : 0, edge = draw(&seed) % (crash + 1);
	bool loose = false, ordered = odds == 4;

	memset(disk.entries, 0, sizeof disk.entries);
	for (int i = 0; i < node_count; i++)
		disk.contents[i].size = 0;
	for (size_t i = 0; i < crash; i++) {
		const struct op *op = &ops[i];
		bool keep;

		if (op->kind >= OP_SYNC)
			continue;
		if (is_durable(i, crash)) {
			apply(op);
			continue;
		}
		loose = true;
		keep = policy == POLICY_ALL || (policy == POLICY_ENTRIES && is_entry_op(op)) || (policy == POLICY_BYTES && !is_entry_op(op)) ||
		       (policy == POLICY_SIZES && op->kind != OP_WRITE) || (policy == POLICY_MIXED && (ordered ? i < edge : draw(&seed) % 4 < odds));
		if (keep)
			apply(op);
		else if (op->kind == OP_WRITE && (policy == POLICY_SIZES || (policy == POLICY_MIXED && draw(&seed) % 2)))
			apply_torn(op, &seed, policy == POLICY_SIZES);
	}
	return loose;
}

/* --- such a disk, as files ------------------------------------------------------------------------------------------- */

static void put_folder(int node, const char *path)
{
	if (mkdir(path, 0777))
		fixture_stop(path, NULL);
	for (int i = 0; i < NODES_MAX; i++) {
		const struct entry *entry = &disk.entries[i];
		const struct content *content = &disk.contents[entry->node];
		char below[700];
		int fd;

		if (!entry->there || entry->above != node)
			continue;
		snprintf(below, sizeof below, "%s/%s", path, entry->name);
		if (node_is_folder[entry->node]) {
			put_folder(entry->node, below);
			continue;
		}
		fd = open(below, O_WRONLY | O_CREAT | O_EXCL, 0666);
		if (fd < 0 || (content->size && write(fd, content->data, content->size) != (ssize_t)content->size))
			fixture_stop(below, NULL);
		close(fd);
	}
}

static uint64_t hash_of_disk(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < NODES_MAX; i++) {
		const struct entry *entry = &disk.entries[i];
		const struct content *content = &disk.contents[entry->node];
		uint64_t own = mix64_pair((uint64_t)entry->above, content->size);

		if (!entry->there)
			continue;
		for (size_t c = 0; entry->name[c]; c++)
			own = mix64_pair(own, (uint64_t)entry->name[c]);
		for (size_t at = 0; at < content->size; at += 8) {
			uint64_t value = 0;

			memcpy(&value, content->data + at, content->size - at < 8 ? content->size - at : 8);
			own = mix64_pair(own, value);
		}
		sum += own;
	}
	return sum;
}

/* --- what must hold -------------------------------------------------------------------------------------------------- */

static unsigned disks, wrong;
static size_t crash_op;
static enum policy crash_policy;
static uint64_t crash_seed;
static uint64_t run_life;
static uint8_t run_id[16];

static void complain(const char *what, const char *text)
{
	static const char *const names[] = { "none", "all", "entries", "bytes", "sizes", "mixed" };

	if (wrong++ < 20)
		printf("\n  after operation %zu of %zu, kept %s, seed %" PRIu64 ": %s: %s", crash_op, op_count, names[crash_policy], crash_seed, what, text);
}

struct told {
	uint64_t life, last, attempt;
	size_t keep;              /* so many stay at least */
	uint64_t committed[32];
	size_t count;
};

/* What had been reported before the crash. */
static struct told told_before(size_t crash)
{
	struct told told = { .keep = KEEP };

	for (size_t i = 0; i < crash; i++)
		if (ops[i].kind == OP_COMMITTED)
			told.committed[told.count++] = ops[i].number;
		else if (ops[i].kind == OP_LIFE)
			told.life = ops[i].number;
		else if (ops[i].kind == OP_PRUNE)
			told.keep = ops[i].number;
	told.last = told.count ? told.committed[told.count - 1] : 0;
	for (size_t i = crash; !told.attempt && i < op_count; i++)
		if (ops[i].kind == OP_COMMITTED)
			told.attempt = ops[i].number;
	return told;
}

static bool may_be_there(const struct told *told, uint64_t number)
{
	for (size_t i = 0; i < told->count; i++)
		if (told->committed[i] == number)
			return true;
	return number == told->attempt;
}

static void check_checkpoints(struct fixture *fixture, const struct told *told, struct store_checkpoint *newest)
{
	static struct store_checkpoint found;
	struct fault fault = FAULT_NONE;
	uint64_t below = UINT64_MAX;
	size_t reported = 0;

	newest->number = 0;
	for (; !store_newest(fixture->stores[0], below, &found, &fault); below = found.number) {
		if (!newest->number)
			*newest = found;
		if (!may_be_there(told, found.number))
			complain("nobody committed it", found.path);
		else if (!world_comes_back(&found, &fault))
			complain("what was saved does not come back", fault.text);
		else if (!world_is_proven(&found))
			complain("it does not verify", found.path);
		reported += found.number <= told->last;
	}
	/* When the newest is one that could not be reported any more, it is one of those that are kept. */
	if (newest->number < told->last || reported + (newest->number > told->last) < (told->count < told->keep ? told->count : told->keep))
		complain("what was reported as committed is gone", crashed);
}

static void check_disk(void)
{
	struct told told = told_before(crash_op);
	static struct store_checkpoint newest;
	struct fixture fixture;
	struct fault fault = FAULT_NONE;
	char path[300];

	put_folder(0, crashed);
	snprintf(path, sizeof path, "%s/run", crashed);
	if (world_open(&fixture, path, &fault)) {
		complain("no life begins", fault.text);
		fixture_remove(crashed);
		return;
	}
	if (told.life && (fixture.life <= told.life || memcmp(fixture.run, run_id, sizeof run_id)))
		complain("it is not the next life of the run", path);
	check_checkpoints(&fixture, &told, &newest);
	fault = FAULT_NONE;
	if (newest.number && world_go_on_from(&fixture, &newest, &fault))
		complain("the run does not go on", fault.text);
	else if (!world_take(&fixture, KEEP, &fault))
		complain("the next checkpoint is not committed", fault.text);
	else if (store_newest(fixture.stores[0], UINT64_MAX, &newest, &fault) || newest.number != fixture.next - 1 || !world_comes_back(&newest, &fault))
		complain("the next checkpoint is not whole", fault.text);
	world_close(&fixture);
	fixture_remove(crashed);
	disks++;
}

/* --- the run that crashes --------------------------------------------------------------------------------------------- */

static void begin_life(struct fixture *fixture)
{
	struct fault fault = FAULT_NONE;

	if (world_open(fixture, folder, &fault))
		fixture_stop("life", &fault);
	memcpy(run_id, fixture->run, sizeof run_id);
	run_life = fixture->life;
	note(OP_LIFE, fixture->life);
}

static void take(struct fixture *fixture)
{
	struct fault fault = FAULT_NONE;

	if (!world_take(fixture, KEEP, &fault))
		fixture_stop("checkpoint", &fault);
	note(OP_COMMITTED, fixture->next - 1);
	world_wait_for_retention(fixture);
}

static void give_one_up(struct fixture *fixture)
{
	struct store_commit commit = { .identity = fixture_identity(fixture, fixture->next++, 0) };
	struct fault fault = FAULT_NONE;

	memset(world_begun, 0, sizeof world_begun);
	for (uint32_t rank = 0; rank < WORLD_RANKS; rank++)
		if (!world_write(fixture, rank, &commit, &fault))
			fixture_stop("image", &fault);
	world_give_up(fixture, commit.identity.number);
	world_settle(fixture, &commit, false, false);
}

static void compact_newest(void)
{
	static struct store_checkpoint before, after;
	struct fault fault = FAULT_NONE;
	char path[400];

	snprintf(path, sizeof path, "%s/0000006.L01", folder);
	if (compact_checkpoint(path, &before, &after, &fault) || !before.parent_count || after.parent_count)
		fixture_stop("compact", &fault);
}

/* By hand, when nobody runs: all but one. */
static void prune(void)
{
	struct seamark_files_wish wish = { .keep = 1 };
	struct fault fault = FAULT_NONE;

	note(OP_PRUNE, 1);
	if (prune_folder(folder, &wish, NULL, NULL, &fault))
		fixture_stop("prune", &fault);
}

static void live_twice(void)
{
	static struct store_checkpoint newest;
	struct fixture fixture;
	struct fault fault = FAULT_NONE;

	begin_life(&fixture);
	for (int i = 0; i < 3; i++)
		take(&fixture);
	give_one_up(&fixture);
	take(&fixture);
	take(&fixture);
	world_close(&fixture);
	compact_newest();
	begin_life(&fixture);
	if (store_newest(fixture.stores[0], UINT64_MAX, &newest, &fault) || world_go_on_from(&fixture, &newest, &fault))
		fixture_stop("restart", &fault);
	take(&fixture);
	take(&fixture);
	world_close(&fixture);
	prune();
}

static uint64_t mixtures = 12;

static void every_crash_leaves_what_was_committed(void)
{
	static uint64_t seen[64];

	for (crash_op = 0; crash_op <= op_count; crash_op++) {
		size_t kinds = 0;

		for (uint64_t i = 0; i < POLICY_MIXED + mixtures; i++) {
			uint64_t hash, known = 0;

			crash_policy = i < POLICY_MIXED ? (enum policy)i : POLICY_MIXED;
			crash_seed = crash_op * 1000003 + i;
			if (!crash_at(crash_op, crash_policy, crash_seed) && i)
				break;
			hash = hash_of_disk();
			while (known < kinds && seen[known] != hash)
				known++;
			if (known < kinds)
				continue;
			if (kinds < sizeof seen / sizeof seen[0])
				seen[kinds++] = hash;
			check_disk();
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(disks > op_count);
	printf(" (%zu operations, %u disks)", op_count, disks);
}

static void begin(void)
{
	/* Not on a disk: the crashes are made up. */
	if (!access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 1);
	fixture_folder(top);
	snprintf(crashed, sizeof crashed, "%.200s.crashed", top);
	snprintf(folder, sizeof folder, "%s/run", top);
	snprintf(calls_root, sizeof calls_root, "%s", top);
	node_is_folder[0] = true;
	node_count = 1;
	world_set(1);
	atomic_store(&recording, true);
	live_twice();
	atomic_store(&recording, false);
	calls_root[0] = 0;
}

static void end(void)
{
	fixture_remove(top);
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{ "every crash leaves what was committed", every_crash_leaves_what_was_committed },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "the crash disk", NULL, NULL, begin, end, tests }, CU_SUITE_INFO_NULL };

	if (argc > 1)
		mixtures = strtoull(argv[1], NULL, 10);
	/* Both ranks write into one file. */
	if (argc > 2 && !strcmp(argv[2], "shared"))
		world_each = WORLD_RANKS;
	return suites_run(suites);
}
