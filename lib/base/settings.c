/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/settings.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "SEAMARK_"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S (1000 * NS_PER_MS)
#define NS_PER_MIN (60 * NS_PER_S)
#define NS_PER_H (60 * NS_PER_MIN)

/* Far below what overflows when it is added to a clock, a step or a number. */
#define LONGEST_NS (87600 * NS_PER_H)
#define MOST_STEPS INT64_C(1000000000000000)
#define MOST_KEPT UINT64_C(1000000000)
#define LARGEST_SIZE (UINT64_C(1) << 60)
#define MOST_CHAINED 64 /* as many as a manifest can name */
/* Bytes a second. */
#define SLOWEST UINT64_C(100000)
#define FASTEST UINT64_C(1000000000000)

/* --- words and numbers; the C library's own follow the program's locale ------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char small_letter(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The value without the blanks around it, in small letters. */
static bool word_of(const char *value, char *word, size_t room)
{
	size_t size;

	while (is_blank(*value))
		value++;
	size = strlen(value);
	while (size && is_blank(value[size - 1]))
		size--;
	if (!size || size >= room)
		return false;
	for (size_t i = 0; i < size; i++)
		word[i] = small_letter(value[i]);
	word[size] = 0;
	return true;
}

/* Takes digits; false if there are none, or the number is over `most`. */
static bool take_number(const char **at, uint64_t most, uint64_t *number)
{
	uint64_t value = 0;

	if (!is_digit(**at))
		return false;
	for (; is_digit(**at); (*at)++) {
		uint64_t digit = (uint64_t)(**at - '0');

		if (digit > most || value > (most - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

static bool number_of(const char *word, uint64_t most, uint64_t *number)
{
	return take_number(&word, most, number) && !*word;
}

static int64_t unit_ns(const char *unit)
{
	static const struct { const char *name; int64_t ns; } units[] = {
		{ "ms", NS_PER_MS }, { "s", NS_PER_S }, { "min", NS_PER_MIN }, { "h", NS_PER_H },
	};

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (!strcmp(unit, units[i].name))
			return units[i].ns;
	return 0;
}

/* "30s", "1.5 h": exact, as far as nanoseconds go. Zero needs no unit. */
static bool time_of(const char *word, int64_t *ns)
{
	const char *decimals = "";
	uint64_t whole;
	int64_t unit, value;

	if (!take_number(&word, LONGEST_NS, &whole))
		return false;
	if (*word == '.') {
		decimals = ++word;
		while (is_digit(*word))
			word++;
		if (word == decimals)
			return false;
	}
	while (is_blank(*word))
		word++;
	unit = !*word && !whole && !*decimals ? NS_PER_S : unit_ns(word);
	if (!unit || (int64_t)whole > LONGEST_NS / unit)
		return false;
	value = (int64_t)whole * unit;
	for (; is_digit(*decimals); decimals++) {
		unit /= 10;
		value += (*decimals - '0') * unit;
	}
	if (value > LONGEST_NS)
		return false;
	*ns = value;
	return true;
}

static bool time_value(const char *value, int64_t least, int64_t *ns)
{
	char word[64];
	int64_t parsed;

	if (!word_of(value, word, sizeof word) || !time_of(word, &parsed) || parsed < least)
		return false;
	*ns = parsed;
	return true;
}

/* The index of the word in a null-ended list, or -1. */
static int choice_of(const char *value, const char *const *choices)
{
	char word[64];

	if (!word_of(value, word, sizeof word))
		return -1;
	for (int i = 0; choices[i]; i++)
		if (!strcmp(word, choices[i]))
			return i;
	return -1;
}

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

static bool steps_of(const char *word, int64_t *steps)
{
	uint64_t number;

	if (!take_number(&word, MOST_STEPS, &number) || !number)
		return false;
	while (is_blank(*word))
		word++;
	if (strcmp(word, "steps") && strcmp(word, "step"))
		return false;
	*steps = (int64_t)number;
	return true;
}

static bool read_every(struct settings *settings, const char *value)
{
	char word[64];
	int64_t steps = 0, ns = 0;

	if (!word_of(value, word, sizeof word))
		return false;
	if (strcmp(word, "none") && !steps_of(word, &steps) && !(time_of(word, &ns) && ns > 0))
		return false;
	settings->every_steps = steps;
	settings->every_ns = ns;
	return true;
}

static bool read_keep(struct settings *settings, const char *value)
{
	char word[64];
	uint64_t number = 0;

	if (!word_of(value, word, sizeof word))
		return false;
	if (strcmp(word, "all") && !(number_of(word, MOST_KEPT, &number) && number))
		return false;
	settings->keep = number;
	return true;
}

static bool read_full_every(struct settings *settings, const char *value)
{
	char word[64];
	uint64_t number;

	if (!word_of(value, word, sizeof word) || !number_of(word, MOST_CHAINED, &number) || !number)
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
	if (!word_of(value, word, sizeof word))
		return false;
	if (strcmp(word, "newest") && strcmp(word, "none") && !number_of(word, INT64_MAX, &number))
		return false;
	strcpy(settings->restart, word);
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

static bool calls_of(const char *word, int64_t *calls)
{
	uint64_t number;

	if (!take_number(&word, MOST_STEPS, &number) || !number)
		return false;
	while (is_blank(*word))
		word++;
	if (strcmp(word, "calls") && strcmp(word, "call"))
		return false;
	*calls = (int64_t)number;
	return true;
}

/* "5ms", "200 calls", each with or without " seed 17" behind it. */
static bool read_drill(struct settings *settings, const char *value)
{
	char word[96];
	int64_t calls = 0, ns = 0;
	uint64_t number = 0;
	bool seeded = false;
	char *seed;

	if (!word_of(value, word, sizeof word))
		return false;
	seed = strstr(word, "seed");
	if (seed) {
		char *end = seed;

		seeded = true;
		for (seed += strlen("seed"); is_blank(*seed); seed++)
			;
		if (!number_of(seed, UINT64_MAX, &number))
			return false;
		while (end > word && is_blank(end[-1]))
			end--;
		*end = 0;
	}
	if ((strcmp(word, "none") || seeded) && !calls_of(word, &calls) && !(time_of(word, &ns) && ns > 0))
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
	int choice = choice_of(value, choices);

	if (choice < 0)
		return false;
	settings->markers = choice == 0 ? MARKERS_AUTO : choice == 1 ? MARKERS_ALL : MARKERS_BUSY;
	return true;
}

static bool read_capture(struct settings *settings, const char *value)
{
	static const char *const choices[] = { "auto", "copy", "changes", "fork", "hold", NULL };
	int choice = choice_of(value, choices);

	if (choice < 0)
		return false;
	settings->capture = choice == 0 ? CAPTURE_AUTO : choice == 1 ? CAPTURE_COPY : choice == 2 ? CAPTURE_CHANGES :
			    choice == 3 ? CAPTURE_FORK : CAPTURE_HOLD;
	return true;
}

/* "512 MiB": whole units. */
static bool size_of(const char *word, uint64_t *bytes)
{
	static const struct { const char *name; uint64_t bytes; } units[] = {
		{ "kib", UINT64_C(1) << 10 }, { "mib", UINT64_C(1) << 20 }, { "gib", UINT64_C(1) << 30 }, { "tib", UINT64_C(1) << 40 },
		{ "kb", 1000 }, { "mb", 1000000 }, { "gb", 1000000000 }, { "tb", UINT64_C(1000000000000) },
	};
	uint64_t number;

	if (!take_number(&word, LARGEST_SIZE, &number))
		return false;
	while (is_blank(*word))
		word++;
	*bytes = number;
	if (!*word)
		return !number; /* of what? */
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (!strcmp(word, units[i].name)) {
			*bytes = number * units[i].bytes;
			return number <= LARGEST_SIZE / units[i].bytes;
		}
	return false;
}

static bool percent_of(const char *word, uint64_t *percent)
{
	uint64_t number;

	if (!take_number(&word, 100, &number) || !number)
		return false;
	while (is_blank(*word))
		word++;
	if (strcmp(word, "%"))
		return false;
	*percent = number;
	return true;
}

static bool read_memory(struct settings *settings, const char *value)
{
	char word[64];
	uint64_t bytes = UINT64_MAX, percent = 0;

	if (!word_of(value, word, sizeof word))
		return false;
	if (strcmp(word, "free") && !percent_of(word, &percent) && !size_of(word, &bytes))
		return false;
	settings->memory = bytes;
	settings->memory_percent = percent;
	return true;
}

/* After a signal that tells of a fault, the program cannot go on; KILL and STOP have no handler; those between the named ones
 * and SIGRTMIN are the C library's. */
static bool signal_allowed(int number)
{
	static const int refused[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (number == refused[i])
			return false;
	return number >= 1 && number <= SIGRTMAX && (number <= 31 || number >= SIGRTMIN);
}

static bool signal_of(const char *word, int *number)
{
	static const struct { const char *name; int number; } names[] = {
		{ "usr1", SIGUSR1 }, { "usr2", SIGUSR2 }, { "term", SIGTERM }, { "int", SIGINT },     { "hup", SIGHUP },
		{ "quit", SIGQUIT }, { "alrm", SIGALRM }, { "cont", SIGCONT }, { "tstp", SIGTSTP },   { "urg", SIGURG },
		{ "xcpu", SIGXCPU }, { "xfsz", SIGXFSZ }, { "io", SIGIO },     { "winch", SIGWINCH }, { "pwr", SIGPWR },
		{ "prof", SIGPROF }, { "vtalrm", SIGVTALRM }, { "pipe", SIGPIPE }, { "chld", SIGCHLD },
		{ "ttin", SIGTTIN }, { "ttou", SIGTTOU },
	};
	uint64_t value;

	if (number_of(word, INT32_MAX, &value)) {
		*number = (int)value;
		return signal_allowed(*number);
	}
	if (!strncmp(word, "sig", 3))
		word += 3;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!strcmp(word, names[i].name)) {
			*number = names[i].number;
			return true;
		}
	return false;
}

static bool signal_value(const char *value, int *number)
{
	char word[64];
	int parsed = 0;

	if (!word_of(value, word, sizeof word))
		return false;
	if (strcmp(word, "none") && !signal_of(word, &parsed))
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
	int choice = choice_of(value, choices);

	if (choice < 0)
		return false;
	settings->codec = codecs[choice];
	return true;
}

static uint64_t unit_bytes(const char *unit)
{
	static const struct { const char *name; uint64_t bytes; } units[] = {
		{ "kb/s", 1000 }, { "mb/s", 1000000 }, { "gb/s", 1000000000 },
		{ "kib/s", 1 << 10 }, { "mib/s", 1 << 20 }, { "gib/s", 1 << 30 },
	};

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (!strcmp(unit, units[i].name))
			return units[i].bytes;
	return 0;
}

/* "200 MB/s", "1.5GiB/s". */
static bool rate_of(const char *word, uint64_t *rate)
{
	const char *decimals = "";
	uint64_t whole, unit, value;

	if (!take_number(&word, FASTEST, &whole))
		return false;
	if (*word == '.') {
		decimals = ++word;
		while (is_digit(*word))
			word++;
		if (word == decimals)
			return false;
	}
	while (is_blank(*word))
		word++;
	unit = unit_bytes(word);
	if (!unit || whole > FASTEST / unit)
		return false;
	value = whole * unit;
	for (uint64_t part = 10; is_digit(*decimals) && part <= 1000000000; decimals++, part *= 10)
		value += (uint64_t)(*decimals - '0') * unit / part;
	if (value < SLOWEST || value > FASTEST)
		return false;
	*rate = value;
	return true;
}

static bool read_rate(struct settings *settings, const char *value)
{
	char word[64];
	uint64_t rate = 0;

	if (!word_of(value, word, sizeof word) || (strcmp(word, "none") && !rate_of(word, &rate)))
		return false;
	settings->rate = rate;
	return true;
}

static bool read_log(struct settings *settings, const char *value)
{
	static const char *const choices[] = { "quiet", "notice", "info", "debug", NULL };
	static const enum log_level levels[] = { LOG_QUIET, LOG_NOTICE, LOG_INFO, LOG_DEBUG };
	int choice = choice_of(value, choices);

	if (choice < 0)
		return false;
	settings->log = levels[choice];
	return true;
}

static bool switch_of(const char *value, bool *on)
{
	static const char *const choices[] = { "0", "1", "no", "yes", "false", "true", NULL };
	int choice = choice_of(value, choices);

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

static const struct settings_row rows[] = {
	{ "SEAMARK_DIR", "path", "a path of at most 4095 bytes", "seamark",
	  "The folder of the checkpoints; a relative path is below the working directory.", read_dir },
	{ "SEAMARK_EVERY", "steps or time",
	  "a number of steps above 0 (500 steps); a time above 0 (50ms, 30s, 10min, 1.5h), up to 87600h; or none", "none",
	  "How often a checkpoint is taken by itself.", read_every },
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
	  "a whole number with KiB, MiB, GiB, TiB, KB, MB, GB or TB, up to 2^60 bytes; 0; 1% to 100% of the machine's memory; or free", "free",
	  "How much memory a rank may take for copies of its state; free: what is not in use.", read_memory },
	{ "SEAMARK_CODEC", "word", "auto, none, lz4 or zstd", "auto",
	  "How what is written is compressed; auto compresses only while a checkpoint is on the disk sooner by it.", read_codec },
	{ "SEAMARK_RATE", "rate", "a number, decimals allowed, with kB/s, MB/s, GB/s, KiB/s, MiB/s or GiB/s, from 100kB/s to 1000GB/s; or none", "none",
	  "How fast each rank may write checkpoints, so that the disk is left to others as well.", read_rate },
	{ "SEAMARK_SIGNAL", "signal", SIGNAL_RANGE, "USR1", "The signal that asks for a checkpoint.", read_signal },
	{ "SEAMARK_STOP_SIGNAL", "signal", SIGNAL_RANGE "; another than SEAMARK_SIGNAL", "none",
	  "The signal that asks the program to checkpoint and leave.", read_stop_signal },
	{ "SEAMARK_LOG", "word", "quiet, notice, info or debug", "notice",
	  "What is told on standard error; errors and warnings always are.", read_log },
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
