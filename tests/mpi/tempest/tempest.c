/* SPDX-License-Identifier: BSD-3-Clause */
/* Random MPI programs, each from a seed, against a model of MPI's rules: tempest [--seed S] [--seeds N] [--only a,b] [--without a,b] [--safepoints]
 * [--verbose]. The program is its own oracle, and the same binary runs without Seamark, preloaded with it, and under SEAMARK_DRILL. With --safepoints it
 * is one that can be restarted: it protects its state and passes a safepoint every few calls (Seamark must then be preloaded).
 *
 * Exit status 0: all was right. Else the finding is on standard error, with what repeats it, and the run is aborted. */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tempest.h"

struct state state;
struct plan plan;
int rank, ranks;
bool verbose, mpich;

static uint64_t first_seed = 1, seeds = 1;
static int uses = USE_ALL;
static bool safepoints;
static char options[512];
static int (*protect)(const char *, void *, size_t), (*restore)(int64_t *), (*pass)(int64_t);

static const char *const use_names[] = {
	"types", "persistent", "matched", "probe", "anysource", "anytag", "loose", "collective", "icollective", "comms", "inter", "synchronous", "buffered",
	"ready", "sendrecv", "large", "truncate", "cancel", "freed", "nowhere", "grequest", "peek", "handler", "blocking", "self", "idup",
};

void wrong(const char *format, ...)
{
	va_list arguments;
	char text[700];
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	fprintf(stderr, "tempest: WRONG: rank %d of %d, seed %llu, action %d of %d in slot %d: %s\n  again: tempest --seed %llu%s on %d ranks\n", rank, ranks,
		(unsigned long long)plan.seed, state.next, plan.actions_count,
		state.next < plan.actions_count ? (int)(plan.actions[state.next].key >> 20) : plan.slots, text, (unsigned long long)plan.seed, options,
		ranks);
	fflush(stderr);
	MPI_Abort(MPI_COMM_WORLD, 9);
	abort();
}

int expect_ok(int code, const char *call)
{
	char text[MPI_MAX_ERROR_STRING];
	int length;
	if (code == MPI_SUCCESS)
		return code;
	MPI_Error_string(code, text, &length);
	wrong("%s: %s", call, text);
}

uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t value = a * UINT64_C(0x9E3779B97F4A7C15) + b + UINT64_C(0x7F4A7C159E3779B9);
	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

uint64_t dice_word(struct dice *dice)
{
	return mix(dice->at += UINT64_C(0x9E3779B97F4A7C15), 1);
}

int dice_draw(struct dice *dice, int below)
{
	return (int)(dice_word(dice) % (uint64_t)below);
}

bool dice_chance(struct dice *dice, int percent)
{
	return dice_draw(dice, 100) < percent;
}

void safepoint(void)
{
	if (pass && pass(state.step) < 0)
		wrong("seamark_safepoint(%lld) failed", (long long)state.step);
	state.step++;
}

static int named(char *list)
{
	int set = 0;
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		int i = 0;
		while (i < 26 && strcmp(name, use_names[i]))
			i++;
		if (i == 26)
			wrong("no such use: %s", name);
		set |= 1 << i;
	}
	return set;
}

static void read_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *option = argv[i];
		bool repeats = strcmp(option, "--seed") && strcmp(option, "--seeds");
		if (repeats) {
			strncat(options, " ", sizeof options - strlen(options) - 1);
			strncat(options, option, sizeof options - strlen(options) - 1);
		}
		if (!strcmp(option, "--safepoints")) {
			safepoints = true;
			continue;
		}
		if (!strcmp(option, "--verbose")) {
			verbose = true;
			continue;
		}
		if (i + 1 == argc)
			wrong("%s needs a value", option);
		char *value = argv[++i];
		if (repeats) {
			strncat(options, " ", sizeof options - strlen(options) - 1);
			strncat(options, value, sizeof options - strlen(options) - 1);
		}
		if (!strcmp(option, "--seed"))
			first_seed = strtoull(value, NULL, 10);
		else if (!strcmp(option, "--seeds"))
			seeds = strtoull(value, NULL, 10);
		else if (!strcmp(option, "--only"))
			uses = named(value);
		else if (!strcmp(option, "--without"))
			uses &= ~named(value);
		else
			wrong("no such option: %s", option);
	}
}

/* Where the libraries do wrong, each in its own way, plans differ. */
static void find_library(void)
{
	char version[MPI_MAX_LIBRARY_VERSION_STRING];
	int length;
	OK(MPI_Get_library_version(version, &length));
	mpich = strstr(version, "MPICH") != NULL;
}

/* Seamark's calls, if it is there: this program is not linked with it. */
static void find_seamark(void)
{
	*(void **)&protect = dlsym(RTLD_DEFAULT, "seamark_protect");
	*(void **)&restore = dlsym(RTLD_DEFAULT, "seamark_restore");
	*(void **)&pass = dlsym(RTLD_DEFAULT, "seamark_safepoint");
}

static bool restart(void)
{
	int64_t step = -1;
	if (!protect)
		return false;
	if (protect("state", &state, sizeof state) < 0)
		wrong("seamark_protect failed");
	int result = restore(&step);
	if (result < 0)
		wrong("seamark_restore gave %d", result);
	if (result > 0 && step != state.step)
		wrong("restored at step %lld with the state of step %lld", (long long)step, (long long)state.step);
	return result > 0;
}

/* Everything but the counts that go on from seed to seed. */
static void next_state(void)
{
	struct state next = {.seeds_done = state.seeds_done, .messages = state.messages, .collectives = state.collectives, .step = state.step};
	state = next;
}

int main(int argc, char **argv)
{
	uint64_t all[2] = {0}, own[2];
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	read_options(argc, argv);
	if (ranks > RANKS_MOST)
		wrong("at most %d ranks", RANKS_MOST);
	find_library();
	worlds_start();
	bool again = false;
	if (safepoints) {
		find_seamark();
		again = restart();
	}
	for (; state.seeds_done < seeds; state.seeds_done++) {
		plan_make(first_seed + state.seeds_done, uses, safepoints);
		if (verbose)
			fprintf(stderr, "%d: seed %llu\n", rank, (unsigned long long)plan.seed);
		if (verbose && rank == 0)
			plan_print();
		worlds_begin();
		run_begin();
		if (again)
			run_again();
		else
			next_state();
		again = false;
		run_actions();
		run_end();
	}
	own[0] = state.messages;
	own[1] = state.collectives;
	OK(MPI_Reduce(own, all, 2, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD));
	if (rank == 0)
		printf("tempest: %llu programs from seed %llu on %d ranks: %llu messages, %llu collectives\n", (unsigned long long)seeds,
		       (unsigned long long)first_seed, ranks, (unsigned long long)all[0], (unsigned long long)all[1]);
	MPI_Finalize();
	return 0;
}
