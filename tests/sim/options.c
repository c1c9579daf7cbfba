/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run is like. Each option is given, or drawn from the seed by itself, so that giving one leaves the others as they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mix.h"
#include "sim/sim.h"

#define ROW(field) #field, offsetof(struct options, field)

/* Shrinking tries to make the first ones calm first. */
const struct option_row option_rows[] = {
	{ROW(drill), 0, 0, 1, "drills between the snapshots: cuts anywhere", {0, 0, 0, 0, 0, 0, 0, 1}},
	{ROW(die), 0, 0, 1, "lives end by the death of all ranks", {0, 0, 0, 0, 0, 0, 1, 1}},
	{ROW(away), 0, 0, 1, "ranks stay away, from all calls or from safepoints", {0, 0, 0, 0, 0, 0, 1, 1}},
	{ROW(leap), 0, 0, 1, "the clock stands still, and leaps", {0, 0, 0, 0, 0, 0, 1, 1}},
	{ROW(full), 0, 0, 1, "the disk is full for a time", {0, 0, 0, 0, 0, 0, 0, 1}},
	{ROW(fail), 0, 0, 100, "percent of captures, images and manifests that fail", {0, 0, 0, 0, 0, 5, 5, 30}},
	{ROW(overtaking), 0, 0, 100, "percent of turns in which a message may overtake a marker's head", {0, 0, 0, 0, 0, 0, 30, 100}},
	{ROW(empty), 0, 0, 1, "ledgers are small, and are reset by empty snapshots", {0, 0, 0, 0, 0, 0, 1, 1}},
	{ROW(busy), 0, 0, 1, "markers only where there was traffic, also in small worlds", {0, 0, 0, 0, 0, 1, 1, 1}},
	{ROW(unfair), 0, 0, 1, "some ranks are slow", {0, 0, 0, 0, 0, 1, 1, 1}},
	{ROW(rendezvous), 0, 0, 100, "percent of standard sends that complete when they are matched", {0, 0, 20, 20, 20, 50, 100, 100}},
	{ROW(lives), 0, 0, 100, "restarts after the first life, at most", {0, 1, 1, 1, 1, 2, 2, 4}},
	{ROW(snapshots), 100, 0, 1000, "requests in a life, at most", {100, 100, 100, 100, 100, 100, 100, 100}},
	{ROW(ranks), 3, 1, RANKS_MOST, "", {1, 2, 3, 4, 5, 6, 7, 8}},
	{ROW(length), 0, 0, 1000, "steps, rounds or transfers of a rank, at most; 0: as the program draws them", {0, 0, 0, 0, 0, 0, 0, 0}},
	{ROW(program), 0, 0, PROGRAMS_MOST, "by its name", {0}},
};
const int option_count = sizeof option_rows / sizeof option_rows[0];

int *option_at(struct options *options, const struct option_row *row)
{
	return (int *)((char *)options + row->at);
}

void options_unset(struct options *options)
{
	for (int i = 0; i < option_count; i++)
		*option_at(options, &option_rows[i]) = UNSET;
}

static bool is_program(const struct option_row *row)
{
	return row->at == offsetof(struct options, program);
}

static int program_named(const char *name)
{
	for (int i = 0; i < program_count; i++)
		if (strcmp(programs[i].name, name) == 0)
			return i;
	return UNSET;
}

bool options_set(struct options *options, const char *name, const char *value)
{
	for (int i = 0; i < option_count; i++) {
		const struct option_row *row = &option_rows[i];
		if (strcmp(row->name, name) != 0)
			continue;
		char *end = NULL;
		long number = is_program(row) ? program_named(value) : strtol(value, &end, 10);
		if ((end && *end) || number < row->least || number > row->most)
			return false;
		*option_at(options, row) = (int)number;
		return true;
	}
	return false;
}

void options_draw(struct options *options)
{
	for (int i = 0; i < option_count; i++) {
		const struct option_row *row = &option_rows[i];
		int *value = option_at(options, row);
		uint64_t drawn = mix64_pair(mix64(options->seed), row->at);
		if (*value == UNSET)
			*value = is_program(row) ? (int)(drawn % (uint64_t)program_count) : row->drawn[drawn % 8];
	}
	const struct program *program = &programs[options->program];
	if (options->ranks < program->ranks_least)
		options->ranks = program->ranks_least;
	if (options->ranks > program->ranks_most)
		options->ranks = program->ranks_most;
}

void options_print(const struct options *options, char *text, size_t room)
{
	struct options all = *options;
	size_t used = (size_t)snprintf(text, room, "--seed %llu --calm", (unsigned long long)options->seed);
	for (int i = option_count - 1; i >= 0; i--) {
		const struct option_row *row = &option_rows[i];
		int value = *option_at(&all, row);
		if (is_program(row))
			used += (size_t)snprintf(text + used, room - used, " --program %s", programs[value].name);
		else if (value != row->calm || row->at == offsetof(struct options, ranks))
			used += (size_t)snprintf(text + used, room - used, " --%s %d", row->name, value);
	}
}
