/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heat: the heat equation on a square plate, as an example of a program with steps.
 *
 *     mpirun -n 4 heat --size 1000 --steps 5000 --output plate.pgm
 *
 * The plate is cut into one block per rank, in two dimensions. In each step a rank exchanges the edges of its
 * block with its neighbours by non-blocking messages and computes the next temperatures from the present ones
 * (explicit five-point scheme).
 *
 * What Seamark needs of it are seven calls, all of them in run() below and in what protects:
 *
 *     seamark_protect    names the problem that the temperatures belong to
 *     seamark_protect_array_with_halo  the temperatures themselves, and where on the plate they lie, so that `seamark export` can write the plate
 *     seamark_restore    brings both back, with the step, if the folder has a checkpoint
 *     seamark_safepoint  at the top of each step: everything that is protected belongs to this step
 *     seamark_protect_array_with_halo  again after each step, as the two arrays change places: the region has moved
 *     seamark_stopping   someone wants the program to leave; its checkpoint is made
 *     seamark_strerror   for the words when something is wrong
 *
 * The messages need nothing: what Seamark must know of them it sees by itself.
 *
 * How we know that it is right: the plate starts as an eigenfunction of the discrete operator, so the value of
 * every point at every step is known in closed form. It is compared at the end. The checksum and the raw field
 * (--dump) are the same, bit for bit, on any number of ranks and with any number of restarts in between.
 */
#include <inttypes.h>
#include <math.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "../common/arguments.h"
#include "field.h"
#include "result.h"
#include "seamark.h"

enum { RIGHT = 0, WRONG = 1, TROUBLE = 2 };

struct options {
	int64_t size;
	int64_t steps;
	double ratio;
	int64_t every;
	int64_t pause_ms;
	const char *picture;
	const char *raw;
};

static const struct argp_option option_table[] = {
	{"size", 's', "POINTS", 0, "points along each side of the plate, 1 to 32768 (default 512)", 0},
	{"steps", 'n', "STEPS", 0, "steps to compute (default 1000)", 0},
	{"ratio", 'r', "NUMBER", 0, "conductivity x time step / spacing^2, above 0 and at most 0.25 (default 0.2)", 0},
	{"every", 'e', "STEPS", 0, "tell the largest change of a step every so many steps; 0: never (default 100)", 0},
	{"output", 'o', "FILE", 0, "write the plate as a picture (PGM) at the end", 0},
	{"dump", 'd', "FILE", 0, "write the plate as raw doubles, row by row, at the end", 0},
	{"pause-ms", 'p', "MS", 0, "sleep so many milliseconds in each step, to have time to watch or to kill (default 0)", 0},
	{0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 's':
		options->size = argument_integer(state, "--size", text, 1, 32768);
		return 0;
	case 'n':
		options->steps = argument_integer(state, "--steps", text, 0, INT64_MAX / 2);
		return 0;
	case 'r':
		options->ratio = argument_real(state, "--ratio", text, 0, 0.25);
		return 0;
	case 'e':
		options->every = argument_integer(state, "--every", text, 0, INT64_MAX / 2);
		return 0;
	case 'o':
		options->picture = text;
		return 0;
	case 'd':
		options->raw = text;
		return 0;
	case 'p':
		options->pause_ms = argument_integer(state, "--pause-ms", text, 0, 3600 * 1000);
		return 0;
	case ARGP_KEY_END:
		/* Beyond this nothing is left to compare: doubles end at 1e-308. */
		if (pow(field_factor(options->size, options->ratio), (double)options->steps) < 1e-250)
			argp_error(state, "after %" PRId64 " steps a plate of %" PRId64 " points has cooled to nothing: "
				   "give fewer steps, a larger size or a smaller ratio", options->steps, options->size);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {
	option_table, parse_option, NULL,
	"Computes the heat equation on a square plate under MPI, and goes on from its last Seamark checkpoint after it was killed."
	"\vExit status: 0 if every value is right (or the run was asked to stop), 1 if not, 2 for trouble.",
	NULL, NULL, NULL,
};

/* What the temperatures belong to. Saved with them, so that they are not continued as something else. */
struct problem {
	int64_t size;
	double ratio;
};

static void fail(const char *what, int error)
{
	fprintf(stderr, "heat: %s: %s\n", what, seamark_strerror(error));
	MPI_Abort(MPI_COMM_WORLD, TROUBLE);
}

/* The block with its border, of which the inner part is the plate's. */
static void protect_temperature(const struct field *field)
{
	const uint64_t plate[2] = {(uint64_t)field->size, (uint64_t)field->size};
	const uint64_t first[2] = {(uint64_t)field->first_row, (uint64_t)field->first_column};
	const uint64_t block[2] = {(uint64_t)field->rows + 2, (uint64_t)field->columns + 2};
	const uint64_t border[2] = {1, 1};
	int result = seamark_protect_array_with_halo("temperature", field->now, SEAMARK_FLOAT64, 2, plate, first, block, border, border);

	if (result < 0)
		fail("temperature", result);
}

static void pause_for(int64_t ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	if (ms > 0)
		nanosleep(&time, NULL);
}

static void tell_change(const struct field *field, int64_t step, int rank)
{
	double change = field_change(field);
	double largest;

	MPI_Allreduce(&change, &largest, 1, MPI_DOUBLE, MPI_MAX, field->ranks);
	if (rank == 0)
		printf("heat: step %" PRId64 ": largest change %.6e\n", step, largest);
}

/* Computes until the last step, or until someone asks the program to leave. Returns the number of steps that are done. */
static int64_t compute(struct field *field, const struct options *options, int64_t step, int rank)
{
	for (; step < options->steps; step++) {
		int result = seamark_safepoint(step);

		if (result < 0)
			fail("safepoint", result);
		if (seamark_stopping())
			break;
		field_advance(field);
		if (options->every > 0 && (step + 1) % options->every == 0)
			tell_change(field, step + 1, rank);
		field_swap(field);
		protect_temperature(field);
		pause_for(options->pause_ms);
	}
	return step;
}

/* Tells, checks and writes the result. */
static int finish(const struct field *field, const struct options *options, int64_t step, int rank)
{
	uint64_t checksum = result_checksum(field);
	bool right = result_right(field, step);
	bool written = true;

	if (rank == 0)
		printf("heat: checksum %016" PRIx64 "\n", checksum);
	if (options->raw != NULL)
		written = result_write_raw(field, options->raw) && written;
	if (options->picture != NULL)
		written = result_write_picture(field, options->picture) && written;
	if (!right)
		return WRONG;
	return written ? RIGHT : TROUBLE;
}

static int run(struct field *field, const struct options *options, int rank)
{
	struct problem problem = {.size = options->size, .ratio = options->ratio};
	int64_t step = 0;

	int result = seamark_protect("problem", &problem, sizeof problem);
	if (result < 0)
		fail("problem", result);
	protect_temperature(field);
	int restored = seamark_restore(&step);
	if (restored < 0) {
		if (rank == 0)
			fprintf(stderr, "heat: cannot go on from the checkpoint: %s\n", seamark_strerror(restored));
		return TROUBLE;
	}
	if (problem.size != options->size || problem.ratio != options->ratio) {
		if (rank == 0)
			fprintf(stderr, "heat: the checkpoint is of --size %" PRId64 " --ratio %.17g\n", problem.size,
				problem.ratio);
		return TROUBLE;
	}
	if (rank == 0)
		printf("heat: %" PRId64 " x %" PRId64 " points in %d x %d blocks, from step %" PRId64 " to %" PRId64 "\n",
		       field->size, field->size, field->parts[0], field->parts[1], step, options->steps);

	step = compute(field, options, step, rank);
	if (step < options->steps) {
		if (rank == 0)
			printf("heat: stopped before step %" PRId64 ", as was asked; start again to go on\n", step);
		return RIGHT;
	}
	return finish(field, options, step, rank);
}

int main(int argc, char **argv)
{
	struct options options = {.size = 512, .steps = 1000, .ratio = 0.2, .every = 100};
	struct field field;
	int rank, status = TROUBLE;

	setvbuf(stdout, NULL, _IOLBF, 0); /* a killed run has said what it had to say */
	argp_err_exit_status = ARGUMENTS_STATUS;
	argp_parse(&parser, argc, argv, 0, NULL, &options);
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	if (field_make(&field, options.size, options.ratio) == 0)
		status = run(&field, &options, rank);
	else if (rank == 0)
		fprintf(stderr, "heat: more ranks along one side (%d x %d) than points (%" PRId64 ")\n", field.parts[0],
			field.parts[1], options.size);
	field_free(&field);
	MPI_Finalize();
	return status;
}
