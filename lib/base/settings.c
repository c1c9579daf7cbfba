/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/values.h"

#define PREFIX "SEAMARK_"

#define BLANKS " \t"
#define MOST_KEPT UINT64_C(1000000000)
#define LARGEST_SIZE (UINT64_C(1) << 60)
#define MOST_CHAINED 64 /* as many as a manifest can name */
/* Bytes a second. */
#define SLOWEST UINT64_C(100000)
#define FASTEST UINT64_C(1000000000000)

/* --- one reader for each kind ------------------------------------------------------------------------------- */

static bool path_value(const char *value, char *path, size_t room)
{
	if (strlen(value) >= room)
		return false;
	strcpy(path, value);
	return true;
}

static bool read_dir(struct settings *settings, const char *value)
{
	return path_value(value, settings->dir, sizeof settings->dir);
}

static bool read_every(struct settings *settings, const char *value)
{
	char word[64];
	int64_t steps = 0, ns = 0;

	if (!values_word(value, word, sizeof word))
		return false;
	if (strcmp(word, "none") && strcmp(word, "auto") && !values_count(word, "step", &steps) && !(values_time(word, &ns) && ns > 0))
		return false;
	settings->every_steps = steps;
	settings->every_ns = ns;
	settings->every_auto = !strcmp(word, "auto");
	return true;
}

static bool read_mtbf(struct settings *settings, const char *value)
{
	char word[64];
	int64_t ns = 0;

	if (!values_word(value, word, sizeof word) || (strcmp(word, "learned") && !(values_time(word, &ns) && ns > 0)))
		return false;
	settings->mtbf_ns = ns;
	return true;
}

static bool read_keep(struct settings *settings, const char *value)
{
	char word[64];
	uint64_t number = 0;

	if (!values_word(value, word, sizeof word))
		return false;
	if (strcmp(word, "all") && !(values_number(word, MOST_KEPT, &number) && number))
		return false;
	settings->keep = number;
	return true;
}

static bool read_full_every(struct settings *settings, const char *value)
{
	char word[64];
	uint64_t number;

	if (!values_word(value, word, sizeof word) || !values_number(word, MOST_CHAINED, &number) || !number)
		return false;
	settings->full_every = (uint32_t)number;
	return true;
}

/* A path has a slash in it, so that a slip of the pen in `newest` is not taken for one. */
static bool read_restart(struct settings *settings, const char *value)
{
	char word[64];
	uint64_t number;

	if (strchr(value, '/'))
		return path_value(value, settings->restart, sizeof settings->restart);
	if (!values_word(value, word, sizeof word))
		return false;
	if (strcmp(word, "newest") && strcmp(word, "none") && !values_number(word, INT64_MAX, &number))
		return false;
	strcpy(settings->restart, word);
	return true;
}

static bool time_value(const char *value, int64_t least, int64_t *ns)
{
	char word[64];
	int64_t parsed;

	if (!values_word(value, word, sizeof word) || !values_time(word, &parsed) || parsed < least)
		return false;
	*ns = parsed;
	return true;
}

static bool read_timeout(struct settings *settings, const char *value)
{
	return time_value(value, 1, &settings->timeout_ns);
}

static bool read_drain(struct settings *settings, const char *value)
{
	return time_value(value, 0, &settings->drain_ns);
}

/* "5ms", "200 calls", each with or without " seed 17" behind it. */
static bool read_drill(struct settings *settings, const char *value)
{
	char word[96];
	int64_t calls = 0, ns = 0;
	uint64_t number = 0;
	bool seeded = false;
	char *seed;

	if (!values_word(value, word, sizeof word))
		return false;
	seed = strstr(word, "seed");
	if (seed) {
		char *end = seed;

		seeded = true;
		seed += strlen("seed");
		seed += strspn(seed, BLANKS);
		if (!values_number(seed, UINT64_MAX, &number))
			return false;
		while (end > word && strchr(BLANKS, end[-1]))
			end--;
		*end = 0;
	}
	if ((strcmp(word, "none") || seeded) && !values_count(word, "call", &calls) && !(values_time(word, &ns) && ns > 0))
		return false;
	settings->drill_calls = calls;
	settings->drill_ns = ns;
	settings->drill_seeded = seeded;
	settings->drill_seed = number;
	return true;
}

static bool read_markers(struct settings *settings, const char *value)
{
	static const char *const choices[] = { "auto", "all", "busy", NULL };
	int choice = values_choice(value, choices);

	if (choice < 0)
		return false;
	settings->markers = choice == 0 ? MARKERS_AUTO : choice == 1 ? MARKERS_ALL : MARKERS_BUSY;
	return true;
}

static bool read_capture(struct settings *settings, const char *value)
{
	static const char *const choices[] = { "auto", "copy", "changes", "fork", "hold", NULL };
	int choice = values_choice(value, choices);

	if (choice < 0)
		return false;
	settings->capture = choice == 0 ? CAPTURE_AUTO : choice == 1 ? CAPTURE_COPY : choice == 2 ? CAPTURE_CHANGES :
			    choice == 3 ? CAPTURE_FORK : CAPTURE_HOLD;
	return true;
}

static bool read_memory(struct settings *settings, const char *value)
{
	char word[64];
	uint64_t bytes = UINT64_MAX, percent = 0;

	if (!values_word(value, word, sizeof word))
		return false;
	if (strcmp(word, "free") && !values_percent(word, &percent) && !values_size(word, "", LARGEST_SIZE, &bytes))
		return false;
	settings->memory = bytes;
	settings->memory_percent = percent;
	return true;
}

/* On: what is enough for the messages around a snapshot of most programs. */
#define TRACE_BYTES (UINT64_C(1280) << 10)

static bool read_trace(struct settings *settings, const char *value)
{
	static const char *const off[] = { "0", "no", "false", "none", NULL }, *const on[] = { "1", "yes", "true", NULL };
	char word[64];
	uint64_t bytes = 0;

	if (!values_word(value, word, sizeof word))
		return false;
	if (values_choice(word, on) >= 0)
		bytes = TRACE_BYTES;
	else if (values_choice(word, off) < 0 && (!values_size(word, "", UINT64_C(1) << 32, &bytes) || bytes < UINT64_C(64) << 10))
		return false;
	settings->trace = bytes;
	return true;
}

static bool signal_value(const char *value, int *number)
{
	char word[64];
	int parsed = 0;

	if (!values_word(value, word, sizeof word))
		return false;
	if (strcmp(word, "none") && !values_signal(word, &parsed))
		return false;
	*number = parsed;
	return true;
}

static bool read_signal(struct settings *settings, const char *value)
{
	return signal_value(value, &settings->signal);
}

static bool read_stop_signal(struct settings *settings, const char *value)
{
	return signal_value(value, &settings->stop_signal);
}

static bool read_codec(struct settings *settings, const char *value)
{
	static const char *const choices[] = { "auto", "none", "lz4", "zstd", NULL };
	static const enum settings_codec codecs[] = { CODEC_AUTO, CODEC_NONE, CODEC_LZ4, CODEC_ZSTD };
	int choice = values_choice(value, choices);

	if (choice < 0)
		return false;
	settings->codec = codecs[choice];
	return true;
}

static bool read_rate(struct settings *settings, const char *value)
{
	char word[64];
	uint64_t rate = 0;

	if (!values_word(value, word, sizeof word) || (strcmp(word, "none") && !(values_size(word, "/s", FASTEST, &rate) && rate >= SLOWEST)))
		return false;
	settings->rate = rate;
	return true;
}

static bool read_ranks_per_file(struct settings *settings, const char *value)
{
	char word[64];
	uint64_t number = 0;

	if (!values_word(value, word, sizeof word))
		return false;
	if (!strcmp(word, "node"))
		number = SETTINGS_NODE;
	else if (strcmp(word, "auto") && !(values_number(word, SETTINGS_RANKS_MAX, &number) && number))
		return false;
	settings->ranks_per_file = (int)number;
	return true;
}

static bool read_log(struct settings *settings, const char *value)
{
	static const char *const choices[] = { "quiet", "notice", "info", "debug", NULL };
	static const enum log_level levels[] = { LOG_QUIET, LOG_NOTICE, LOG_INFO, LOG_DEBUG };
	int choice = values_choice(value, choices);

	if (choice < 0)
		return false;
	settings->log = levels[choice];
	return true;
}

/* Of letters, digits and what stands in names of hosts, clusters, times: nothing that a file would have to escape. */
static bool name_value(const char *value, size_t size, char name[SETTINGS_NAME_MAX + 1])
{
	for (size_t i = 0; i < size; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:+@/=,#", value[i]))
			return false;
	if (!size || size > SETTINGS_NAME_MAX)
		return false;
	memcpy(name, value, size);
	name[size] = 0;
	if (!strcmp(name, "none"))
		name[0] = 0;
	return true;
}

static bool read_owner(struct settings *settings, const char *value)
{
	return name_value(value, strlen(value), settings->owner);
}

/* "run-n1-4711-1763760000", and "after 12" behind it. */
static bool read_start(struct settings *settings, const char *value)
{
	static const char behind[] = " after ";
	size_t size = strcspn(value, " ");
	uint64_t after = 0;
	bool fenced = value[size];

	if (fenced && (strncmp(value + size, behind, sizeof behind - 1) || !values_number(value + size + sizeof behind - 1, UINT32_MAX, &after)))
		return false;
	if (!name_value(value, size, settings->start))
		return false;
	settings->start_fenced = fenced;
	settings->start_after = (uint32_t)after;
	return true;
}

static bool switch_of(const char *value, bool *on)
{
	static const char *const choices[] = { "0", "1", "no", "yes", "false", "true", NULL };
	int choice = values_choice(value, choices);

	if (choice < 0)
		return false;
	*on = choice % 2;
	return true;
}

static bool read_off(struct settings *settings, const char *value)
{
	return switch_of(value, &settings->off);
}

static bool read_read_back(struct settings *settings, const char *value)
{
	return switch_of(value, &settings->read_back);
}

/* --- the table ---------------------------------------------------------------------------------------------- */

#define TIME_RANGE "a number, decimals allowed, with ms, s, min or h, up to 87600h"
#define SIGNAL_RANGE "a signal's name (USR1, SIGUSR1) or number, or none; not KILL, STOP or the signal of a fault such as SEGV"

#define NAME_RANGE "1 to 127 letters, digits and ._-:+@/=,#; or none"

static const struct settings_row rows[] = {
	{ "SEAMARK_DIR", "path", "a path of at most 4095 bytes", "seamark",
	  "The folder of the checkpoints; a relative path is below the working directory.", read_dir },
	{ "SEAMARK_EVERY", "steps or time",
	  "a number of steps above 0 (500 steps); a time above 0 (50ms, 30s, 10min, 1.5h), up to 87600h; auto; or none", "none",
	  "How often a checkpoint is taken by itself; auto: as often as is worth it, by what one costs and how often the run fails.", read_every },
	{ "SEAMARK_MTBF", "time", "above 0: " TIME_RANGE "; or learned", "learned",
	  "For SEAMARK_EVERY=auto: the mean time between failures of this run; learned: from its own history.", read_mtbf },
	{ "SEAMARK_KEEP", "number", "1 to 1000000000, or all", "2",
	  "How many committed checkpoints stay; an older one goes only after a newer one is committed.", read_keep },
	{ "SEAMARK_READ_BACK", "switch", "1, yes or true; 0, no or false", "0",
	  "Whether each image is read from the disk again and checked before its checkpoint is committed, and older ones go.", read_read_back },
	{ "SEAMARK_FULL_EVERY", "number", "1 to 64", "8",
	  "Of so many checkpoints one, at least, holds all its bytes; the others hold what the one before does not have. 1: each holds all.",
	  read_full_every },
	{ "SEAMARK_RESTART", "checkpoint", "newest, none, a checkpoint's number, or the path of one with a / in it (./0000013.L02)",
	  "newest", "The checkpoint that seamark_restore goes back to; none starts afresh.", read_restart },
	{ "SEAMARK_TIMEOUT", "time", "above 0: " TIME_RANGE, "10min",
	  "How long a rank may be without a safepoint, or a snapshot without progress, before the snapshot is given up.",
	  read_timeout },
	{ "SEAMARK_DRAIN", "time", "0 or above: " TIME_RANGE, "1s",
	  "How long an in-flight message may wait for the program to receive it before Seamark takes it into its own keeping.",
	  read_drain },
	{ "SEAMARK_MARKERS", "word", "all, busy or auto", "auto",
	  "Which channels a marker goes down: all of them, those with traffic, or all in worlds of up to 32 ranks.",
	  read_markers },
	{ "SEAMARK_DRILL", "time or calls",
	  "a time above 0 (5ms), up to 87600h; a number of rank 0's calls above 0 (200 calls); either with a seed behind it (5ms seed 17); or none",
	  "none",
	  "How often a cut is made, and checked, at whatever call each rank is in; nothing is saved by it.", read_drill },
	{ "SEAMARK_CAPTURE", "word", "auto, copy, changes, fork or hold", "auto",
	  "How the state is taken at the cut: by a copy, by a copy of what has changed, by a child process, or by holding the program until it is written.",
	  read_capture },
	{ "SEAMARK_MEMORY", "size or share",
	  "a number, decimals allowed, with KiB, MiB, GiB, TiB, KB, MB, GB or TB, up to 2^60 bytes; 0; 1% to 100% of the machine's memory; or free", "free",
	  "How much memory a rank may take for copies of its state; free: what is not in use.", read_memory },
	{ "SEAMARK_CODEC", "word", "auto, none, lz4 or zstd", "auto",
	  "How what is written is compressed; auto compresses only while a checkpoint is on the disk sooner by it.", read_codec },
	{ "SEAMARK_RATE", "rate", "a number, decimals allowed, with kB/s, MB/s, GB/s, KiB/s, MiB/s or GiB/s, from 100kB/s to 1000GB/s; or none", "none",
	  "How fast each rank may write checkpoints, so that the disk is left to others as well.", read_rate },
	{ "SEAMARK_RANKS_PER_FILE", "number or word", "1 to 509, node or auto", "auto",
	  "How many ranks of a node, at most, put their images into one file; node: all of them; auto: one, and in worlds of more than 1,024 ranks all.",
	  read_ranks_per_file },
	{ "SEAMARK_SIGNAL", "signal", SIGNAL_RANGE, "USR1", "The signal that asks for a checkpoint.", read_signal },
	{ "SEAMARK_STOP_SIGNAL", "signal", SIGNAL_RANGE "; another than SEAMARK_SIGNAL", "none",
	  "The signal that asks the program to checkpoint and leave.", read_stop_signal },
	{ "SEAMARK_OWNER", "name", NAME_RANGE, "none",
	  "Whose run this is: a start whose owner is that of the life that holds the folder takes its place, and that life ends itself. seamark run sets it.",
	  read_owner },
	{ "SEAMARK_START", "name", NAME_RANGE ", with or without \"after\" and the number of a life behind it", "none",
	  "Which start of seamark run this is, and the newest life that it has seen; seamark run sets it.", read_start },
	{ "SEAMARK_LOG", "word", "quiet, notice, info or debug", "notice",
	  "What is told on standard error; errors and warnings always are.", read_log },
	{ "SEAMARK_TRACE", "switch or size", "1, yes or true; 0, no or false; or a number with KiB, MiB, KB or MB, from 64KiB to 4GiB", "0",
	  "Whether what happens around each snapshot is kept for seamark trace, and in how much memory per rank (1: 1.25 MiB).", read_trace },
	{ "SEAMARK_OFF", "switch", "1, yes or true; 0, no or false", "0", "Whether Seamark does nothing at all.", read_off },
};

#define ROWS (sizeof rows / sizeof rows[0])

const struct settings_row *settings_table(size_t *count)
{
	*count = ROWS;
	return rows;
}

/* --- the environment ---------------------------------------------------------------------------------------- */

/* As getenv: the first of that name. Null if there is none or it is empty. */
static const char *value_of(char *const *environment, const char *name)
{
	size_t size = strlen(name);

	for (; environment && *environment; environment++)
		if (!strncmp(*environment, name, size) && (*environment)[size] == '=')
			return (*environment)[size + 1] ? *environment + size + 1 : NULL;
	return NULL;
}

static int refuse(struct fault *fault, const struct settings_row *row, const char *value)
{
	return fault_set(fault, SEAMARK_E_SETTING, "%s='%.100s%s' cannot be; allowed: %s", row->name, value,
			 strlen(value) > 100 ? "..." : "", row->range);
}

static int load_row(struct settings *settings, const struct settings_row *row, char *const *environment,
		    struct fault *fault)
{
	const char *value = value_of(environment, row->name);

	row->read(settings, row->fallback);
	if (value && !row->read(settings, value))
		return refuse(fault, row, value);
	return 0;
}

static const struct settings_row *row_of(const char *name, size_t size)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strlen(rows[i].name) == size && !strncmp(rows[i].name, name, size))
			return &rows[i];
	return NULL;
}

int settings_load(struct settings *settings, char *const *environment, struct fault *fault)
{
	int result;

	memset(settings, 0, sizeof *settings);
	result = load_row(settings, row_of("SEAMARK_OFF", strlen("SEAMARK_OFF")), environment, fault);
	if (!result && settings->off)
		environment = NULL; /* the defaults */
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].read != read_off) {
			int error = load_row(settings, &rows[i], environment, fault);

			result = result ? result : error;
		}
	if (!result && settings->signal && settings->signal == settings->stop_signal) {
		const struct settings_row *row = row_of("SEAMARK_STOP_SIGNAL", strlen("SEAMARK_STOP_SIGNAL"));

		settings->stop_signal = 0;
		result = refuse(fault, row, value_of(environment, row->name));
	}
	return result;
}

/* Levenshtein's distance, by rows. */
static size_t distance(const char *name, size_t size, const char *known)
{
	size_t row[32];
	size_t width = strlen(known);

	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 1; i <= size; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			size_t best = diagonal + (name[i - 1] != known[j - 1]);

			diagonal = row[j];
			if (diagonal + 1 < best)
				best = diagonal + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[width];
}

static const char *nearest(const char *name, size_t size)
{
	const char *best = rows[0].name;
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < ROWS; i++) {
		size_t far = distance(name, size, rows[i].name);

		if (far < least) {
			least = far;
			best = rows[i].name;
		}
	}
	return best;
}

void settings_tell_unknown(char *const *environment)
{
	for (; environment && *environment; environment++) {
		const char *name = *environment;
		size_t size = strcspn(name, "=");

		if (strncmp(name, PREFIX, strlen(PREFIX)) || row_of(name, size))
			continue;
		log_say(LOG_QUIET, "'%.*s' is no setting and does nothing; the nearest is %s",
			(int)(size < 100 ? size : 100), name, nearest(name, size < 100 ? size : 100));
	}
}
