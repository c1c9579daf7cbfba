/* SPDX-License-Identifier: BSD-3-Clause */
/* How long the messages of a checkpoint had been on the way, where its run kept a trace. */
#ifndef MESSAGES_WAY_H
#define MESSAGES_WAY_H

#include "command/command.h"

struct ways;

/* Null: there is no trace of this checkpoint. */
struct ways *ways_open(const struct seamark_files_entry *entry);
void ways_close(struct ways *ways);
/* From its sending to the cut of the receiver, in nanoseconds; -1: not known. */
int64_t ways_of(const struct ways *ways, const struct seamark_files_message *message, uint32_t to);

#endif
