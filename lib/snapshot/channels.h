/* SPDX-License-Identifier: BSD-3-Clause */
/* The incoming channels of one snapshot on which something has happened: a marker came, or a message was seen. The others have no entry, so that a
 * rank's memory and work grow with its neighbours and not with the world. */
#ifndef SNAPSHOT_CHANNELS_H
#define SNAPSHOT_CHANNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/index.h"
#include "snapshot/wire.h"

enum marker_state { MARKER_NONE, MARKER_HEAD, MARKER_COUNTS };

struct channel {
	int32_t from;             /* world rank */
	enum marker_state marker;
	int64_t first;            /* its streams in the window, chained; -1: none */
	int64_t unsure, unsure_last; /* the messages that wait for its marker, chained in order; -1: none */
	struct wire_head head;    /* from MARKER_HEAD on */
};

struct channels {
	struct channel *list;     /* dense, in order of appearance */
	size_t count;
	size_t room;
	struct index index;       /* by rank */
	bool failed;              /* no memory for a channel */
};

void channels_clear(struct channels *channels);
void channels_free(struct channels *channels);
/* null: it has no entry. Valid until the next one is made. */
struct channel *channels_find(const struct channels *channels, int32_t from);
/* The channel, made without a marker if it is new; null: no memory. */
struct channel *channels_at(struct channels *channels, int32_t from);

#endif
