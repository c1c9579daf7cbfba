/* SPDX-License-Identifier: BSD-3-Clause */
/* calls SCENARIO [ARGUMENT...]: the public calls, as a program that is linked with the library makes them; calls.sh runs the scenarios, several lives of some,
 * and looks at what they say on standard error. A check that fails is printed with its rank, and makes the exit status 1.
 *
 * With CALLS_PLAIN: a program that knows nothing of Seamark. */
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank, size, failures;

static void fail(int line, const char *what)
{
	if (failures++ < 8)
		fprintf(stderr, "FAILED: rank %d, line %d: %s\n", rank, line, what);
}

#define check(expression) ((expression) ? (void)0 : fail(__LINE__, #expression))

static void check_number(int line, const char *what, long long is, long long wanted)
{
	char text[200];
	if (is == wanted)
		return;
	snprintf(text, sizeof text, "%s is %lld, not %lld", what, is, wanted);
	fail(line, text);
}

#define check_is(expression, wanted) check_number(__LINE__, #expression, expression, wanted)

static void begin(void)
{
	MPI_Init(NULL, NULL);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
}

static int next(void)
{
	return (rank + 1) % size;
}

static int previous(void)
{
	return (rank + size - 1) % size;
}

/* A step's exchange: the program's own communication must work whatever Seamark does. */
static void ring(int value)
{
	int in = -1;
	MPI_Sendrecv(&value, 1, MPI_INT, next(), 7, &in, 1, MPI_INT, previous(), 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	check_is(in, value);
}

#ifdef CALLS_PLAIN

int main(void)
{
	begin();
	for (int i = 0; i < 100; i++)
		ring(i);
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Finalize();
	return failures != 0;
}

#else

#include <dlfcn.h>
#include <math.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "seamark.h"

#define LIMIT_S 30.0

static const struct {
	const char *name;
	int code;
} codes[] = {
	{"FRESH", SEAMARK_FRESH}, {"RESTORED", SEAMARK_RESTORED}, {"SETTING", SEAMARK_E_SETTING}, {"RANKS", SEAMARK_E_RANKS},
	{"REGION", SEAMARK_E_REGION}, {"VERSION", SEAMARK_E_VERSION}, {"DAMAGED", SEAMARK_E_DAMAGED},
	{"NOT_FOUND", SEAMARK_E_NOT_FOUND}, {"PERMISSION", SEAMARK_E_PERMISSION}, {"BUSY", SEAMARK_E_BUSY},
};

static int code_of(const char *name)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (strcmp(codes[i].name, name) == 0)
			return codes[i].code;
	fprintf(stderr, "no code is called '%s'\n", name);
	exit(2);
}

/* --- a state, and what it must be at a step --------------------------------------------------------------------------- */

enum { CELLS = 20000 };
static double field[CELLS];
static const double untouched = -1;

static double cell(int64_t step, int i)
{
	return 1e6 * rank + (double)step + 1e-5 * i;
}

static void fill(int64_t step)
{
	for (int i = 0; i < CELLS; i++)
		field[i] = cell(step, i);
}

static void blank(void)
{
	for (int i = 0; i < CELLS; i++)
		field[i] = untouched;
}

static bool is_blank(void)
{
	for (int i = 0; i < CELLS; i++)
		if (field[i] != untouched)
			return false;
	return true;
}

static bool holds(int64_t step)
{
	for (int i = 0; i < CELLS; i++)
		if (field[i] != cell(step, i))
			return false;
	return true;
}

static void everywhere(long long value, int line)
{
	long long own[2] = {value, -value}, most[2];
	MPI_Allreduce(own, most, 2, MPI_LONG_LONG, MPI_MAX, MPI_COMM_WORLD);
	if (most[0] != -most[1])
		fail(line, "a value is not the same on all ranks");
}

#define same_everywhere(value) everywhere(value, __LINE__)

static void pause_s(double seconds)
{
	struct timespec pause = {(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
	while (nanosleep(&pause, &pause) != 0)
		;
}

static void tell(const char *file)
{
	FILE *made = fopen(file, "w");
	if (made == NULL || fprintf(made, "%ld\n", (long)getpid()) < 0 || fclose(made) != 0)
		fail(__LINE__, "a file can be made");
}

/* --- regions ---------------------------------------------------------------------------------------------------------- */

static void scenario_protect(char **arguments)
{
	char name[257], letters[] = "letters", more[] = "more letters";
	double numbers[4] = {1, 2, 3, 4}, moved[6] = {10, 20, 30, 40, 50, 60};
	(void)arguments;
	begin();
	check_is(seamark_protect(NULL, numbers, 8), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect("", numbers, 8), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect("null", NULL, 8), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_with("no save", NULL, NULL, NULL), SEAMARK_E_ARGUMENT);
	memset(name, 'x', 256);
	name[256] = 0;
	check_is(seamark_protect(name, numbers, 8), SEAMARK_E_ARGUMENT);
	name[255] = 0;
	check_is(seamark_protect(name, numbers, sizeof numbers), 0);
	check_is(seamark_unprotect(NULL), SEAMARK_E_ARGUMENT);
	check_is(seamark_unprotect("never"), SEAMARK_E_NOT_FOUND);
	void *hidden = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check_is(seamark_protect("hidden", hidden, 1 << 20), SEAMARK_E_DEVICE);
	check_is(seamark_unprotect("hidden"), SEAMARK_E_NOT_FOUND);
	munmap(hidden, 1 << 20);
	/* Names are copied. */
	strcpy(name, "shrinks");
	check_is(seamark_protect(name, numbers, sizeof numbers), 0);
	strcpy(name, "grows");
	check_is(seamark_protect(name, numbers, 8), 0);
	strcpy(name, "moves");
	check_is(seamark_protect(name, numbers, sizeof numbers), 0);
	strcpy(name, "nothing");
	check_is(seamark_protect(name, NULL, 0), 0);
	strcpy(name, "leaves");
	check_is(seamark_protect(name, letters, sizeof letters), 0);
	memset(name, 'y', sizeof name);
	/* Again: the region is another. */
	check_is(seamark_protect("shrinks", numbers + 1, 8), 0);
	check_is(seamark_protect("grows", moved, sizeof moved), 0);
	check_is(seamark_protect("moves", more, sizeof more), 0);
	check_is(seamark_unprotect("leaves"), 0);
	check_is(seamark_unprotect("leaves"), SEAMARK_E_NOT_FOUND);
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	check_is(seamark_checkpoint(1, LIMIT_S), 0);
	MPI_Finalize();
}

/* Arrays: `array make`, and lives that describe the region in some other way. Blocks of 3 x 4 with a ghost before the first dimension, ranks beside each
 * other in the second. */
static int protect_block(int type, int dimensions, uint64_t global, uint64_t before)
{
	static double block[12];
	const uint64_t whole[2] = {2, global}, offset[2] = {0, 4 * (uint64_t)rank}, local[2] = {3, 4}, ghosts[2] = {before, 0};
	return seamark_protect_array_with_halo("block", block, type, dimensions, whole, offset, local, ghosts, NULL);
}

static void refuse_arrays(void)
{
	static double block[64];
	const uint64_t n[2] = {4, 4}, far[2] = {UINT64_MAX, 0}, more[33] = {5, 4}, none[2] = {0, 4}, huge[2] = {INT64_C(1) << 40, INT64_C(1) << 40};
	check_is(seamark_protect_array("a", block, 13, 2, n, NULL, n), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array("a", block, -1, 2, n, NULL, n), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array("a", block, SEAMARK_FLOAT64, 0, n, NULL, n), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array("a", block, SEAMARK_FLOAT64, 33, more, NULL, more), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array("a", block, SEAMARK_FLOAT64, 2, n, NULL, NULL), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array("a", block, SEAMARK_FLOAT64, 2, n, NULL, more), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array("a", block, SEAMARK_FLOAT64, 2, n, far, n), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array("a", block, SEAMARK_FLOAT64, 2, NULL, far, n), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array("a", block, SEAMARK_FLOAT64, 2, huge, NULL, n), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array("a", block, SEAMARK_FLOAT64, 2, NULL, NULL, huge), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array("a", NULL, SEAMARK_FLOAT64, 2, NULL, NULL, n), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array(NULL, block, SEAMARK_FLOAT64, 2, NULL, NULL, n), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_array_with_halo("a", block, SEAMARK_FLOAT64, 2, n, NULL, n, n, more), SEAMARK_E_ARGUMENT);
	check_is(seamark_unprotect("a"), SEAMARK_E_NOT_FOUND);
	check_is(seamark_protect_array("nothing", NULL, SEAMARK_FLOAT64, 2, n, NULL, none), 0);
	check_is(seamark_unprotect("nothing"), 0);
}

static void scenario_array(char **arguments)
{
	static double plain[12];
	const char *how = arguments[0];
	int64_t step = 0;
	begin();
	bool other = rank == size - 1; /* one rank that is at odds is enough */
	uint64_t whole = 4 * (uint64_t)size;
	if (strcmp(how, "make") == 0) {
		refuse_arrays();
		check_is(protect_block(SEAMARK_FLOAT64, 2, whole, 1), 0);
		check_is(seamark_restore(&step), SEAMARK_FRESH);
		check_is(seamark_checkpoint(1, LIMIT_S), 0);
		MPI_Finalize();
		return;
	}
	int wanted = SEAMARK_E_REGION;
	if (strcmp(how, "type") == 0)
		check_is(protect_block(other ? SEAMARK_INT64 : SEAMARK_FLOAT64, 2, whole, 1), 0);
	else if (strcmp(how, "global") == 0)
		check_is(protect_block(SEAMARK_FLOAT64, 2, whole + other, 1), 0);
	else if (strcmp(how, "halo") == 0)
		check_is(seamark_protect_array("block", plain, SEAMARK_FLOAT64, 2, (uint64_t[]){3, whole}, (uint64_t[]){0, 4 * (uint64_t)rank},
					       (uint64_t[]){3, 4}), 0);
	else if (strcmp(how, "dimensions") == 0)
		check_is(seamark_protect_array("block", plain, SEAMARK_FLOAT64, 1, NULL, NULL, (uint64_t[]){12}), 0);
	else if (strcmp(how, "same") == 0)
		wanted = protect_block(SEAMARK_FLOAT64, 2, whole, 1) == 0 ? SEAMARK_RESTORED : 99;
	else if (strcmp(how, "bytes") == 0)
		wanted = seamark_protect("block", plain, sizeof plain) == 0 ? SEAMARK_RESTORED : 99;
	else
		check(strcmp(how, "late") == 0);
	if (strcmp(how, "late") != 0) {
		check_is(seamark_restore(&step), wanted);
	} else {
		check_is(seamark_restore(&step), SEAMARK_RESTORED);
		check_is(protect_block(SEAMARK_INT64, 2, whole, 1), SEAMARK_E_REGION);
		check_is(protect_block(SEAMARK_FLOAT64, 2, whole, 1), 0);
		check_is(seamark_safepoint(2), 0);
	}
	MPI_Finalize();
}

static void check_saved(const char *name, size_t wanted)
{
	size_t bytes = 0;
	check_is(seamark_saved_bytes(name, &bytes), 0);
	check_is(bytes, wanted);
}

static void scenario_protected(char **arguments)
{
	char name[256], more[13] = "";
	double one = 0, six[6] = {0}, four[4] = {0};
	size_t bytes = 17;
	(void)arguments;
	begin();
	check_is(seamark_saved_bytes("grows", &bytes), SEAMARK_E_ORDER);
	check_is(seamark_restore(NULL), SEAMARK_RESTORED);
	memset(name, 'x', 255);
	name[255] = 0;
	check_saved(name, sizeof four);
	check_saved("shrinks", 8);
	check_saved("grows", 48);
	check_saved("moves", sizeof more);
	check_saved("nothing", 0);
	check_is(seamark_saved_bytes("leaves", &bytes), SEAMARK_E_NOT_FOUND);
	check_is(seamark_saved_bytes("hidden", &bytes), SEAMARK_E_NOT_FOUND);
	check_is(seamark_saved_bytes(NULL, &bytes), SEAMARK_E_ARGUMENT);
	check_is(seamark_saved_bytes("grows", NULL), SEAMARK_E_ARGUMENT);
	check_is(bytes, 17);
	/* What is protected after the restore is loaded. */
	check_is(seamark_protect(name, four, sizeof four), 0);
	check_is(seamark_protect("shrinks", &one, 8), 0);
	check_is(seamark_protect("grows", six, sizeof six), 0);
	check_is(seamark_protect("moves", more, sizeof more), 0);
	check_is(seamark_protect("nothing", NULL, 0), 0);
	check(four[3] == 4 && one == 2 && six[5] == 60 && strcmp(more, "more letters") == 0);
	check_is(seamark_safepoint(1), 0);
	check_is(seamark_saved_bytes("grows", &bytes), SEAMARK_E_ORDER);
	MPI_Finalize();
}

/* --- callbacks -------------------------------------------------------------------------------------------------------- */

struct list {
	int count;
	int numbers[100];
	int left;       /* that load does not read */
	int refuse;     /* the value of save or load */
	seamark_writer *writer;
	seamark_reader *reader;
};

static int save_list(seamark_writer *to, void *context)
{
	struct list *list = context;
	list->writer = to;
	check_is(seamark_write(to, &list->count, sizeof list->count), 0);
	check_is(seamark_write(to, NULL, 1), SEAMARK_E_ARGUMENT);
	check_is(seamark_write(to, NULL, 0), 0);
	for (int i = 0; i < list->count; i++)
		check_is(seamark_write(to, &list->numbers[i], sizeof(int)), 0);
	check_is(seamark_protect("inside", &failures, sizeof failures), SEAMARK_E_ORDER);
	return list->refuse;
}

static int load_list(seamark_reader *from, void *context)
{
	struct list *list = context;
	int beyond = -5;
	list->reader = from;
	check_is(seamark_read(from, &list->count, sizeof list->count), 0);
	for (int i = 0; i < list->count - list->left; i++)
		check_is(seamark_read(from, &list->numbers[i], sizeof(int)), 0);
	if (list->left == 0) {
		check_is(seamark_read(from, &beyond, sizeof beyond), SEAMARK_E_REGION);
		check_is(beyond, -5);
		check_is(seamark_read(from, NULL, 0), 0);
	}
	return list->refuse;
}

static void scenario_callbacks(char **arguments)
{
	static struct list list = {.count = 60};
	(void)arguments;
	begin();
	for (int i = 0; i < list.count; i++)
		list.numbers[i] = 1000 * rank + i;
	check_is(seamark_protect_with("list", save_list, NULL, &list), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_with(NULL, save_list, load_list, &list), SEAMARK_E_ARGUMENT);
	check_is(seamark_protect_with("list", save_list, load_list, &list), 0);
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	/* A save that fails on one rank makes the snapshot void everywhere, and the program goes on. */
	list.refuse = rank == size - 1 ? 42 : 0;
	check_is(seamark_checkpoint(1, LIMIT_S), SEAMARK_E_VOID);
	check_is(seamark_committed(NULL, NULL), 0);
	ring(1);
	list.refuse = 0;
	check_is(seamark_checkpoint(2, LIMIT_S), 0);
	check_is(seamark_write(list.writer, &list.count, 4), SEAMARK_E_ORDER);
	MPI_Finalize();
}

/* loads HOW: "whole", "part", "refused" by one rank, "late", "plain": as memory. */
static void scenario_loads(char **arguments)
{
	static struct list list;
	static char plain[61 * sizeof(int)];
	bool late = strcmp(arguments[0], "late") == 0;
	int wanted = strcmp(arguments[0], "refused") == 0 ? SEAMARK_E_REGION : SEAMARK_RESTORED;
	begin();
	list.left = strcmp(arguments[0], "part") == 0 ? 20 : 0;
	list.refuse = wanted < 0 && rank == size - 1 ? 42 : 0;
	if (strcmp(arguments[0], "plain") == 0) {
		check_is(seamark_protect("list", plain, sizeof plain), 0);
	} else if (!late) {
		check_is(seamark_protect_with("list", save_list, load_list, &list), 0);
	}
	check_is(seamark_restore(NULL), wanted);
	if (late) {
		check_saved("list", sizeof plain);
		check_is(seamark_protect_with("list", save_list, load_list, &list), 0);
	}
	if (strcmp(arguments[0], "plain") == 0)
		memcpy(&list.count, plain, sizeof(int)), memcpy(list.numbers, plain + sizeof(int), 60 * sizeof(int));
	else
		check_is(seamark_read(list.reader, &list.count, 4), SEAMARK_E_ORDER);
	check_is(list.count, 60);
	for (int i = 0; i < 60 - list.left; i++)
		check_is(list.numbers[i], 1000 * rank + i);
	ring(1);
	check_is(seamark_safepoint(2), 0);
	MPI_Finalize();
}

/* --- when calls may be made ------------------------------------------------------------------------------------------- */

static void check_all(int wanted)
{
	size_t bytes;
	int64_t number;
	check_is(seamark_protect("a", &failures, sizeof failures), wanted);
	check_is(seamark_protect_with("b", save_list, load_list, NULL), wanted);
	check_is(seamark_unprotect("a"), wanted);
	check_is(seamark_restore(&number), wanted);
	check_is(seamark_saved_bytes("a", &bytes), wanted);
	check_is(seamark_safepoint(1), wanted);
	check_is(seamark_request(), wanted);
	check_is(seamark_wait(-1), wanted);
	check_is(seamark_checkpoint(2, -1), wanted);
	check_is(seamark_committed(&number, &number), wanted);
	check_is(seamark_stopping(), 0);
}

static void check_texts(void)
{
	check(strcmp(seamark_version(), SEAMARK_VERSION) == 0);
	check(strcmp(seamark_strerror(SEAMARK_E_DAMAGED), seamark_strerror(SEAMARK_E_ORDER)) != 0);
	check(strcmp(seamark_strerror(0), "success") == 0);
	for (int error = -80; error < 2; error++)
		check(seamark_strerror(error) != NULL && seamark_strerror(error)[0] != 0);
}

static void scenario_order(char **arguments)
{
	int64_t step = 77;
	(void)arguments;
	check_texts();
	check_all(SEAMARK_E_ORDER);
	begin();
	check_texts();
	check_is(seamark_safepoint(-2), SEAMARK_E_ARGUMENT);
	check_is(seamark_restore(&step), SEAMARK_FRESH);
	check_is(step, 77);
	check_is(seamark_restore(&step), SEAMARK_E_ORDER);
	check_is(seamark_committed(&step, &step), 0);
	check_is(step, 77);
	check_is(seamark_safepoint(5), 0);
	check_is(seamark_safepoint(4), SEAMARK_E_ARGUMENT);
	check_is(seamark_safepoint(-3), SEAMARK_E_ARGUMENT);
	check_is(seamark_safepoint(5), 0);
	check_is(seamark_restore(&step), SEAMARK_E_ORDER);
	check_is(seamark_wait(NAN), SEAMARK_E_ARGUMENT);
	check_is(seamark_checkpoint(5, NAN), SEAMARK_E_ARGUMENT);
	check_is(seamark_checkpoint(4, 1), SEAMARK_E_ARGUMENT);
	check_is(seamark_checkpoint(-9, 1), SEAMARK_E_ARGUMENT);
	MPI_Finalize();
	check_all(SEAMARK_E_ORDER);
	check_texts();
}

static void scenario_settled(char **arguments)
{
	(void)arguments;
	begin();
	check_is(seamark_safepoint(SEAMARK_ANY_STEP), 0);
	check_is(seamark_restore(NULL), SEAMARK_E_ORDER);
	check_is(seamark_checkpoint(SEAMARK_ANY_STEP, LIMIT_S), 0);
	MPI_Finalize();
}

/* all CODE: every call gives this, and the program runs as ever. */
static void scenario_all(char **arguments)
{
	begin();
	check_all(strcmp(arguments[0], "OFF") == 0 ? 0 : code_of(arguments[0]));
	for (int i = 0; i < 20; i++)
		ring(i);
	MPI_Finalize();
}

/* Past the wrappers. Looked up, since a program that imports such a name is noticed at start. */
static int call_below(const char *name)
{
	int (*init)(int *, char ***), (*finalize)(void);
	void *found = dlsym(RTLD_DEFAULT, name);
	check(found != NULL);
	memcpy(&init, &found, sizeof found);
	memcpy(&finalize, &found, sizeof found);
	return strcmp(name, "PMPI_Init") == 0 ? init(NULL, NULL) : finalize();
}

/* As in a program whose MPI_Init is bound to another library than Seamark. */
static void scenario_unwrapped(char **arguments)
{
	(void)arguments;
	check_is(call_below("PMPI_Init"), MPI_SUCCESS);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	check_all(SEAMARK_E_NO_WRAPPERS);
	ring(1);
	check_is(call_below("PMPI_Finalize"), MPI_SUCCESS);
}

/* --- checkpoints and restarts ----------------------------------------------------------------------------------------- */

/* make COUNT [event]: checkpoints at steps 10, 20, ... */
static void scenario_make(char **arguments)
{
	int count = atoi(arguments[0]);
	bool event = arguments[1] != NULL;
	int64_t number = -7, step = -7;
	begin();
	check_is(seamark_protect("field", field, sizeof field), 0);
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	for (int i = 1; i <= count; i++) {
		fill(10 * i);
		check_is(seamark_checkpoint(event ? SEAMARK_ANY_STEP : 10 * i, LIMIT_S), 0);
		check_is(seamark_committed(&number, &step), 1);
		check_is(number, i);
		check_is(step, event ? -1 : 10 * i);
	}
	MPI_Finalize();
}

/* What follows a restore: the program runs and takes checkpoints, unless the restore failed. */
static void go_on(int64_t step, bool event, int wanted)
{
	ring(5);
	check_is(seamark_safepoint(event ? SEAMARK_ANY_STEP : step), 0);
	ring(6);
	check_is(seamark_checkpoint(event ? SEAMARK_ANY_STEP : step + 1, LIMIT_S), wanted);
	check_is(seamark_checkpoint(event ? SEAMARK_ANY_STEP : step + 2, LIMIT_S), wanted);
	ring(7);
}

/* expect CODE [STEP [HOW]]: what the restore gives. HOW: "another" region, "smaller", "event", "lifeless": no checkpoint can be taken afterwards, "twice":
 * what does not fit at first is then corrected. */
static void scenario_expect(char **arguments)
{
	int wanted = code_of(arguments[0]);
	int64_t step = -77, number = -77, stood = -77;
	const char *how = arguments[1] && arguments[2] ? arguments[2] : "";
	bool event = strcmp(how, "event") == 0;
	double other = 5;
	begin();
	blank();
	/* Only one rank's region does not fit: all are told. */
	bool misfit = rank == size - 1;
	check_is(seamark_protect("field", field, strcmp(how, "smaller") == 0 && misfit ? sizeof field / 2 : sizeof field), 0);
	if (strcmp(how, "another") == 0 && misfit)
		check_is(seamark_protect("another", &other, sizeof other), 0);
	int code = seamark_restore(&step);
	check_is(code, wanted);
	same_everywhere(code);
	if (code == SEAMARK_RESTORED) {
		int64_t saved = atoi(arguments[1]);
		check_is(step, event ? -77 : saved);
		check(holds(saved));
		check_is(seamark_committed(&number, &stood), 1);
		check_is(stood, event ? -1 : saved);
	} else {
		check_is(step, -77);
		/* All of these but damage are found before anything is written. */
		check(code == SEAMARK_E_DAMAGED || is_blank());
		check(other == 5);
		step = 0;
	}
	/* Checkpoints of a program that goes on without what it should have been restored from would retire that. */
	go_on(step, event, strcmp(how, "lifeless") == 0 ? wanted : code < 0 ? SEAMARK_E_UNABLE : 0);
	MPI_Finalize();
}

/* A restore that was refused can be made again, with what was wrong put right. */
static void scenario_corrected(char **arguments)
{
	int64_t step = -77;
	double other = 5;
	int in = -1;
	MPI_Request request;
	(void)arguments;
	begin();
	blank();
	check_is(seamark_protect("field", field, sizeof field), 0);
	check_is(seamark_protect("another", &other, sizeof other), 0);
	MPI_Isend(&rank, 1, MPI_INT, next(), 3, MPI_COMM_WORLD, &request);
	check_is(seamark_restore(&step), SEAMARK_E_PENDING);
	MPI_Recv(&in, 1, MPI_INT, previous(), 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	check_is(in, previous());
	MPI_Wait(&request, MPI_STATUS_IGNORE);
	check_is(seamark_restore(&step), SEAMARK_E_REGION);
	check_is(seamark_unprotect("another"), 0);
	check(is_blank() && step == -77);
	check_is(seamark_restore(&step), SEAMARK_RESTORED);
	check_is(step, 20);
	check(holds(20));
	check_is(seamark_restore(&step), SEAMARK_E_ORDER);
	go_on(step, false, 0);
	MPI_Finalize();
}

/* pending HOW: one message of one rank is "unreceived", or its receive is "posted", or its "sender" has not asked: the same on all ranks, and it comes. */
static void scenario_pending(char **arguments)
{
	int out = 99, in = -1, to = size > 1;
	MPI_Request send = MPI_REQUEST_NULL, receive = MPI_REQUEST_NULL;
	begin();
	to = size > 1;
	bool posted = strcmp(arguments[0], "posted") == 0, told = strcmp(arguments[0], "sender") == 0;
	if (rank == to && (posted || told))
		MPI_Irecv(&in, 1, MPI_INT, 0, 3, MPI_COMM_WORLD, &receive);
	if (rank == 0 && !posted)
		MPI_Isend(&out, 1, MPI_INT, to, 3, MPI_COMM_WORLD, &send);
	if (rank == to && told)
		MPI_Wait(&receive, MPI_STATUS_IGNORE);
	check_is(seamark_restore(NULL), told ? SEAMARK_FRESH : SEAMARK_E_PENDING);
	if (rank == 0 && posted)
		MPI_Isend(&out, 1, MPI_INT, to, 3, MPI_COMM_WORLD, &send);
	if (rank == to && !posted && !told)
		MPI_Irecv(&in, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &receive);
	MPI_Wait(&receive, MPI_STATUS_IGNORE);
	MPI_Wait(&send, MPI_STATUS_IGNORE);
	check(rank != to || in == 99);
	if (!told)
		check_is(seamark_restore(NULL), SEAMARK_FRESH);
	go_on(1, false, 0);
	MPI_Finalize();
}

/* What the checkpoint has and one rank has not protected: no snapshot until it has. */
static void scenario_unprotected(char **arguments)
{
	int64_t step = 0;
	(void)arguments;
	begin();
	blank();
	bool late = rank == size - 1;
	if (!late)
		check_is(seamark_protect("field", field, sizeof field), 0);
	check_is(seamark_restore(&step), SEAMARK_RESTORED);
	if (late)
		check(is_blank());
	if (late)
		check_is(seamark_protect("field", field, sizeof field - 8), SEAMARK_E_REGION);
	check(late ? is_blank() : holds(20));
	seamark_request();
	for (int i = 0; i < 40; i++) {
		int code = seamark_safepoint(step + i);
		check_is(code, late ? SEAMARK_E_REGION : code > 0 ? code : 0);
		ring(i);
		pause_s(0.002);
	}
	int64_t number = 0;
	check_is(seamark_committed(&number, NULL), 1);
	check_is(number, 2);
	if (late)
		check_is(seamark_protect("field", field, sizeof field), 0);
	check(holds(20));
	go_on(step + 60, false, 0);
	MPI_Finalize();
}

/* --- requests --------------------------------------------------------------------------------------------------------- */

static int64_t now_step;

/* Steps until the cut of this rank is made; every rank makes as many. */
static void step_until_cut(void)
{
	for (int i = 0; i < 2000; i++) {
		int cut = seamark_safepoint(++now_step);
		check(cut >= 0);
		if (cut != 0)
			return;
		ring(i);
		pause_s(0.0005);
	}
	fail(__LINE__, "no cut in 2000 steps");
}

static void scenario_requests(char **arguments)
{
	int64_t number = 0, last = 0, step = -1;
	(void)arguments;
	begin();
	check_is(seamark_protect("field", field, sizeof field), 0);
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	check_is(seamark_safepoint(now_step), 0);
	check_is(seamark_wait(-1), 0);
	check_is(seamark_wait(0), 0);
	MPI_Barrier(MPI_COMM_WORLD);
	/* From each rank. */
	for (int by = 0; by < size; by++) {
		if (rank == by) {
			check_is(seamark_request(), 0);
			check_is(seamark_wait(-1), SEAMARK_E_NOT_CUT);
		}
		step_until_cut();
		check_is(seamark_wait(LIMIT_S), 0);
		check_is(seamark_committed(&number, &step), 1);
		/* An attempt that was void for a matter of timing has a number too. */
		check(number > last);
		last = number;
		check_is(step, now_step);
		same_everywhere(step);
		check_is(seamark_wait(LIMIT_S), 0);
		MPI_Barrier(MPI_COMM_WORLD);
	}
	/* Several are one. */
	check_is(seamark_request(), 0);
	check_is(seamark_request(), 0);
	MPI_Barrier(MPI_COMM_WORLD);
	step_until_cut();
	check_is(seamark_wait(LIMIT_S), 0);
	for (int i = 0; i < 50; i++) {
		check_is(seamark_safepoint(++now_step), 0);
		ring(i);
	}
	check_is(seamark_committed(&number, NULL), 1);
	check(number > last); /* calls.sh counts the checkpoints */
	/* A limit that is too short. */
	MPI_Barrier(MPI_COMM_WORLD);
	if (size > 1) {
		if (rank == 0)
			check_is(seamark_request(), 0);
		for (bool done = false; !done;) {
			if (rank == size - 1)
				pause_s(0.05);
			int cut = seamark_safepoint(++now_step);
			done = cut == 1;
			if (!done) {
				ring(1);
				continue;
			}
			if (rank == 0)
				check_is(seamark_wait(0.01), SEAMARK_E_TIMEOUT);
			check_is(seamark_wait(LIMIT_S), 0);
		}
	}
	MPI_Finalize();
}

/* Ranks at different places, who never have a step in common. */
static void scenario_event_requests(char **arguments)
{
	int64_t number = 0, step = 0;
	int cuts = 0, flag;
	MPI_Request all = MPI_REQUEST_NULL;
	MPI_Status status;
	(void)arguments;
	begin();
	check_is(seamark_protect("field", field, sizeof field), 0);
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	check_is(seamark_safepoint(SEAMARK_ANY_STEP), 0);
	if (rank == size - 1) {
		check_is(seamark_request(), 0);
		int code = seamark_wait(0);
		check(code == SEAMARK_E_NOT_CUT || code == SEAMARK_E_TIMEOUT || code == 0 || code == SEAMARK_E_VOID);
	}
	int all_sent = 200 + 5 * rank, all_received = 200 + 5 * previous(), in;
	/* The receiver may be this rank: a blocking send to oneself need not return. */
	int *out = malloc((size_t)all_sent * sizeof *out);
	MPI_Request *sends = malloc((size_t)all_sent * sizeof *sends);
	for (int sent = 0, received = 0, left = 0; !left || received < all_received;) {
		int code = seamark_safepoint(SEAMARK_ANY_STEP);
		check(code >= 0);
		cuts += code;
		MPI_Iprobe(MPI_ANY_SOURCE, 4, MPI_COMM_WORLD, &flag, &status);
		if (flag) {
			MPI_Recv(&in, 1, MPI_INT, status.MPI_SOURCE, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
			check_is(in, received++);
		} else if (sent < all_sent) {
			out[sent] = sent;
			MPI_Isend(&out[sent], 1, MPI_INT, next(), 4, MPI_COMM_WORLD, &sends[sent]);
			sent++;
		} else {
			pause_s(0.0002);
		}
		if (all == MPI_REQUEST_NULL && !left && sent == all_sent && seamark_committed(&number, &step) == 1)
			MPI_Ibarrier(MPI_COMM_WORLD, &all);
		if (all != MPI_REQUEST_NULL)
			MPI_Test(&all, &left, MPI_STATUS_IGNORE);
	}
	check(cuts >= 1);
	check_is(step, SEAMARK_ANY_STEP);
	MPI_Waitall(all_sent, sends, MPI_STATUSES_IGNORE);
	free(sends);
	free(out);
	MPI_Finalize();
}

/* --- messages in flight ------------------------------------------------------------------------------------------------ */

enum { FLYING = 3 };

static void receive_flying(int64_t from_step)
{
	/* One tag is a stream: in order. The other may come between. */
	for (int i = 0; i < FLYING; i++) {
		int64_t in[2] = {-1, -1};
		MPI_Status status;
		int count;
		MPI_Recv(in, 2, MPI_INT64_T, i == 0 ? MPI_ANY_SOURCE : previous(), i < 2 ? 1 : MPI_ANY_TAG, MPI_COMM_WORLD, &status);
		MPI_Get_count(&status, MPI_INT64_T, &count);
		check_is(in[0], from_step);
		check_is(in[1], 100 * previous() + i);
		check_is(status.MPI_SOURCE, previous());
		check_is(status.MPI_TAG, i < 2 ? 1 : 2);
		check_is(count, 2);
	}
	for (int tag = 1; tag < 3; tag++) {
		int flag;
		MPI_Iprobe(MPI_ANY_SOURCE, tag, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
		check(!flag);
	}
}

/* flight step|event send|keep|receive: one life sends and saves; the next restores, saves again and receives; the last restores and receives. */
static void scenario_flight(char **arguments)
{
	bool event = strcmp(arguments[0], "event") == 0;
	int64_t step = event ? SEAMARK_ANY_STEP : 5, restored = -77;
	int64_t out[FLYING][2];
	MPI_Request requests[FLYING];
	begin();
	check_is(seamark_protect("field", field, sizeof field), 0);
	check_is(seamark_restore(&restored), strcmp(arguments[1], "send") ? SEAMARK_RESTORED : SEAMARK_FRESH);
	fill(5);
	if (strcmp(arguments[1], "send") == 0) {
		for (int i = 0; i < FLYING; i++) {
			out[i][0] = 5;
			out[i][1] = 100 * rank + i;
			MPI_Isend(out[i], 2, MPI_INT64_T, next(), i < 2 ? 1 : 2, MPI_COMM_WORLD, &requests[i]);
		}
		check_is(seamark_checkpoint(step, LIMIT_S), 0);
		receive_flying(5);
		MPI_Waitall(FLYING, requests, MPI_STATUSES_IGNORE);
	} else if (strcmp(arguments[1], "keep") == 0) {
		check_is(restored, event ? -77 : 5);
		check_is(seamark_checkpoint(event ? step : 6, LIMIT_S), 0);
		receive_flying(5);
	} else {
		check_is(restored, event ? -77 : 6);
		receive_flying(5);
	}
	ring(3);
	MPI_Finalize();
}

/* A collective checkpoint while those of an interval are under way. */
static void scenario_interval(char **arguments)
{
	bool event = strcmp(arguments[0], "event") == 0;
	int good = 0;
	begin();
	check_is(seamark_protect("field", field, sizeof field), 0);
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	for (int i = 0; i < 20; i++) {
		for (int j = 0; j < 5; j++) {
			check(seamark_safepoint(event ? SEAMARK_ANY_STEP : ++now_step) >= 0);
			ring(j);
		}
		int code = seamark_checkpoint(event ? SEAMARK_ANY_STEP : ++now_step, LIMIT_S);
		check(code == 0 || code == SEAMARK_E_VOID);
		same_everywhere(code);
		good += code == 0;
	}
	check(good >= 18);
	MPI_Finalize();
}

/* A synchronous send is pending: whether it is received before or after the cut cannot be undone. */
static void scenario_synchronous(char **arguments)
{
	bool event = strcmp(arguments[0], "event") == 0;
	int in = -1, to;
	MPI_Request request = MPI_REQUEST_NULL;
	begin();
	to = size > 1;
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	if (rank == 0)
		MPI_Issend(&rank, 1, MPI_INT, to, 3, MPI_COMM_WORLD, &request);
	check_is(seamark_checkpoint(event ? SEAMARK_ANY_STEP : 1, LIMIT_S), SEAMARK_E_VOID);
	if (rank == to)
		MPI_Recv(&in, 1, MPI_INT, 0, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	MPI_Wait(&request, MPI_STATUS_IGNORE);
	check(rank != to || in == 0);
	check_is(seamark_checkpoint(event ? SEAMARK_ANY_STEP : 2, LIMIT_S), 0);
	MPI_Finalize();
}

/* A rank that comes late: the others have their limit, and the snapshot goes on. */
static void scenario_late(char **arguments)
{
	(void)arguments;
	begin();
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	check_is(seamark_checkpoint(1, LIMIT_S), 0);
	if (rank == size - 1) {
		pause_s(0.5);
		int code = seamark_checkpoint(2, LIMIT_S);
		check(code == 0 || code == SEAMARK_E_VOID);
	} else {
		check_is(seamark_checkpoint(2, 0.05), SEAMARK_E_TIMEOUT);
	}
	check_is(seamark_checkpoint(3, LIMIT_S), 0);
	MPI_Barrier(MPI_COMM_WORLD);
	check_is(seamark_checkpoint(4, LIMIT_S), 0);
	MPI_Finalize();
}

/* --- signals, and stopping --------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t caught;

static void catch(int number)
{
	(void)number;
	caught++;
}

/* loop step|event stop|commit [chain]: until that has come; then all leave together. */
static void scenario_loop(char **arguments)
{
	bool event = strcmp(arguments[0], "event") == 0, stop = strcmp(arguments[1], "stop") == 0;
	bool chain = arguments[2] != NULL;
	int64_t step = 0;
	int over = 0, flag, in;
	char file[40];
	MPI_Request all = MPI_REQUEST_NULL;
	MPI_Status status;
	if (chain)
		signal(SIGUSR1, catch);
	begin();
	check_is(seamark_protect("field", field, sizeof field), 0);
	check_is(seamark_restore(&step), SEAMARK_FRESH);
	double until = MPI_Wtime() + LIMIT_S, known = 0;
	while (!over) {
		fill(step);
		check(seamark_safepoint(event ? SEAMARK_ANY_STEP : step) >= 0);
		int wish = stop ? seamark_stopping() : seamark_committed(NULL, NULL);
		/* Time for a second one, which must not come. */
		if (wish && known == 0)
			known = MPI_Wtime();
		wish = (wish && (!chain || MPI_Wtime() > known + 0.8)) || MPI_Wtime() > until;
		if (!event && stop && wish)
			break;
		if (!event && !stop)
			MPI_Allreduce(&wish, &over, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
		if (event && wish && all == MPI_REQUEST_NULL)
			MPI_Ibarrier(MPI_COMM_WORLD, &all);
		if (event && all != MPI_REQUEST_NULL)
			MPI_Test(&all, &over, MPI_STATUS_IGNORE);
		if (!event && !over)
			ring((int)step);
		for (MPI_Iprobe(MPI_ANY_SOURCE, 4, MPI_COMM_WORLD, &flag, &status); event && flag;
		     MPI_Iprobe(MPI_ANY_SOURCE, 4, MPI_COMM_WORLD, &flag, &status))
			MPI_Recv(&in, 1, MPI_INT, status.MPI_SOURCE, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		if (event && all == MPI_REQUEST_NULL && next() != rank) /* one to oneself need not return */
			MPI_Send(&rank, 1, MPI_INT, next(), 4, MPI_COMM_WORLD);
		if (step++ == 10) {
			snprintf(file, sizeof file, "pid.%d", rank);
			tell(file);
		}
		pause_s(0.002);
	}
	check(MPI_Wtime() < until);
	check_is(seamark_stopping(), stop);
	check_is(seamark_committed(NULL, NULL), 1);
	if (chain)
		check(caught >= 1);
	if (!event)
		same_everywhere(step);
	if (!event && rank == 0)
		printf("left at step %lld\n", (long long)step);
	MPI_Finalize();
}

/* --- what is not carried ------------------------------------------------------------------------------------------------ */

static const char *program;

static void use_spawn(void)
{
	MPI_Comm child;
	int in = -1;
	char *arguments[] = {(char *)"spawned", NULL};
	MPI_Comm_spawn(program, arguments, 1, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &child, MPI_ERRCODES_IGNORE);
	if (rank == 0)
		MPI_Recv(&in, 1, MPI_INT, 0, 8, child, MPI_STATUS_IGNORE);
	check(rank != 0 || in == 4711);
	MPI_Comm_disconnect(&child);
}

static void scenario_spawned(char **arguments)
{
	MPI_Comm parent;
	int out = 4711;
	(void)arguments;
	begin();
	MPI_Comm_get_parent(&parent);
	MPI_Send(&out, 1, MPI_INT, 0, 8, parent);
	MPI_Comm_disconnect(&parent);
	MPI_Finalize();
}

/* noticed: snapshots commit before the first use of what is not carried, and are void from then on. */
static void scenario_noticed(char **arguments)
{
	int64_t number;
	(void)arguments;
	begin();
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	check_is(seamark_checkpoint(1, LIMIT_S), 0);
	use_spawn();
	check_is(seamark_checkpoint(2, LIMIT_S), SEAMARK_E_UNABLE);
	ring(2);
	check_is(seamark_checkpoint(3, LIMIT_S), SEAMARK_E_UNABLE);
	if (rank == size - 1)
		check_is(seamark_request(), SEAMARK_E_UNABLE);
	check_is(seamark_committed(&number, NULL), 1);
	check_is(number, 1);
	MPI_Finalize();
}

static void scenario_threads(char **arguments)
{
	int provided;
	(void)arguments;
	MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	check_is(provided, MPI_THREAD_MULTIPLE);
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	check_is(seamark_safepoint(1), 0);
	ring(1);
	check_is(seamark_checkpoint(2, LIMIT_S), 0);
	check_is(seamark_committed(NULL, NULL), 1);
	MPI_Finalize();
}

/* --- the end -------------------------------------------------------------------------------------------------------------- */

/* finalize asked: the last rank asks, and all leave; "direct": by PMPI_Finalize; "cut": when they have made their cuts; "open": rank 0 asks, in an event
 * program's open safepoint; "closed": past it; "early": before the first safepoint; "alone": rank 0 goes on for a while, in safepoints only. */
static void scenario_finalize(char **arguments)
{
	const char *what = arguments[0];
	begin();
	check_is(seamark_protect("field", field, sizeof field), 0);
	check_is(seamark_restore(NULL), SEAMARK_FRESH);
	bool event = strcmp(what, "open") == 0 || strcmp(what, "closed") == 0;
	if (strcmp(what, "early") != 0)
		check_is(seamark_safepoint(event ? SEAMARK_ANY_STEP : 0), 0);
	if (strcmp(what, "closed") == 0)
		ring(1);
	/* A request that reaches rank 0 when it has let the others go is not begun. */
	if (rank == (strcmp(what, "open") == 0 ? 0 : size - 1))
		check_is(seamark_request(), 0);
	if (strcmp(what, "cut") == 0)
		step_until_cut();
	for (int i = 0; strcmp(what, "alone") == 0 && rank == 0 && i < 50; i++) {
		seamark_safepoint(++now_step);
		pause_s(0.002);
	}
	if (strcmp(what, "direct") == 0)
		check_is(call_below("PMPI_Finalize"), MPI_SUCCESS);
	else
		MPI_Finalize();
}

/* Holds the folder until the file `go` is there. */
static void scenario_hold(char **arguments)
{
	(void)arguments;
	begin();
	check_is(seamark_protect("field", field, sizeof field), 0);
	check(seamark_restore(NULL) >= 0);
	fill(20);
	check_is(seamark_checkpoint(20, LIMIT_S), 0);
	char file[40];
	snprintf(file, sizeof file, "pid.%d", rank);
	tell(file);
	for (int i = 0; i < 3000 && access("go", F_OK) != 0; i++)
		pause_s(0.02);
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Finalize();
}

/* --- tools for the script, without MPI ----------------------------------------------------------------------------------- */

static void put_number(uint8_t *at, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_number(const uint8_t *at)
{
	uint64_t value = 0;
	for (int i = 8; i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

/* change FILE header|table|data|newer: a bit is turned over in that part of an image; or its version is a later one, and its header's checksum right. */
static void scenario_change(char **arguments)
{
	static uint8_t page[4096];
	FILE *file = fopen(arguments[0], "r+b");
	long at = 4096 + 1234;
	if (file == NULL || fread(page, sizeof page, 1, file) != 1) {
		perror(arguments[0]);
		exit(2);
	}
	if (strcmp(arguments[1], "newer") == 0) {
		page[8]++;
		put_number(page + 4088, XXH3_64bits(page, 4088));
		check(fseek(file, 0, SEEK_SET) == 0 && fwrite(page, sizeof page, 1, file) == 1);
	} else {
		if (strcmp(arguments[1], "header") == 0)
			at = 50;
		else if (strcmp(arguments[1], "table") == 0)
			at = (long)get_number(page + 128 + 8) + 60;
		check(fseek(file, at, SEEK_SET) == 0);
		int byte = fgetc(file);
		check(byte != EOF && fseek(file, at, SEEK_SET) == 0 && fputc(byte ^ 4, file) != EOF);
	}
	check(fclose(file) == 0);
}

/* --- the table ------------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*run)(char **arguments);
} scenarios[] = {
	{"protect", scenario_protect}, {"protected", scenario_protected}, {"array", scenario_array}, {"callbacks", scenario_callbacks},
	{"loads", scenario_loads}, {"order", scenario_order}, {"settled", scenario_settled}, {"all", scenario_all},
	{"unwrapped", scenario_unwrapped}, {"make", scenario_make}, {"expect", scenario_expect},
	{"corrected", scenario_corrected}, {"pending", scenario_pending}, {"unprotected", scenario_unprotected},
	{"requests", scenario_requests}, {"event-requests", scenario_event_requests}, {"flight", scenario_flight},
	{"interval", scenario_interval}, {"synchronous", scenario_synchronous}, {"late", scenario_late},
	{"loop", scenario_loop}, {"noticed", scenario_noticed}, {"spawned", scenario_spawned},
	{"threads", scenario_threads}, {"finalize", scenario_finalize}, {"hold", scenario_hold}, {"change", scenario_change},
};

int main(int argc, char **argv)
{
	static char *none[4];
	program = argv[0];
	for (size_t i = 0; argc > 1 && i < sizeof scenarios / sizeof *scenarios; i++)
		if (strcmp(scenarios[i].name, argv[1]) == 0) {
			char *arguments[4] = {0};
			for (int j = 2; j < argc && j < 5; j++)
				arguments[j - 2] = argv[j];
			scenarios[i].run(argc > 2 ? arguments : none);
			return failures != 0;
		}
	fprintf(stderr, "usage: calls SCENARIO [ARGUMENT...]\n");
	return 2;
}

#endif
