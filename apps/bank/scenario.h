/* SPDX-License-Identifier: BSD-3-Clause */
/* A scenario: processes with a state each, messages that change the receiver's state, and who starts the snapshot. */
#ifndef BANK_SCENARIO_H
#define BANK_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { SCENARIO_PROCESSES = 1024, SCENARIO_MESSAGES = 10000 };
#define SCENARIO_VALUE INT64_C(1000000000000) /* no sum of what is allowed leaves 64 bits */

struct scenario_message {
	int64_t sender, receiver; /* from 0 */
	int64_t value;
};

struct scenario {
	int64_t processes;
	int64_t messages;
	int64_t initiator;        /* from 0 */
	int64_t *state;           /* of each process */
	struct scenario_message *message;
};

/* Reads a scenario; says what is wrong, and where, on standard error. Prompts go to standard output. */
bool scenario_read(struct scenario *scenario, FILE *file, const char *name, bool prompts);
/* The same, from a path, or from standard input (with prompts if it is a terminal) for "-". */
bool scenario_open(struct scenario *scenario, const char *path);
/* Writes it so that scenario_read can read it. */
bool scenario_write(const struct scenario *scenario, FILE *file);
/* Memory for as many processes and messages as it says. */
bool scenario_allocate(struct scenario *scenario);
void scenario_free(struct scenario *scenario);

#endif
