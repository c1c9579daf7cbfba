/* SPDX-License-Identifier: BSD-3-Clause */
/* The one table of settings: it serves the environment, the command's help and the docs. */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/log.h"

enum { SETTINGS_NAME_MAX = 127 }; /* bytes of an owner's or a start's name */

enum settings_codec { CODEC_AUTO, CODEC_NONE, CODEC_LZ4, CODEC_ZSTD };

/* As many ranks in a file as a node has, within what a file can have. */
enum { SETTINGS_RANKS_MAX = 509, SETTINGS_NODE = SETTINGS_RANKS_MAX + 1 };

struct settings {
	char dir[4096];            /* SEAMARK_DIR, default "seamark" (below the working directory) */
	int64_t every_steps;       /* SEAMARK_EVERY in steps; 0: not by steps */
	int64_t every_ns;          /* SEAMARK_EVERY as a time; 0: not by the clock */
	bool every_auto;           /* SEAMARK_EVERY=auto: by the clock, as often as is worth it */
	int64_t mtbf_ns;           /* SEAMARK_MTBF; 0: as is learned */
	uint64_t keep;             /* SEAMARK_KEEP; 0: all */
	bool read_back;            /* SEAMARK_READ_BACK */
	uint32_t full_every;       /* SEAMARK_FULL_EVERY, default 8; 1: each */
	char restart[4096];        /* SEAMARK_RESTART: "newest", "none", a number, or a path */
	int64_t timeout_ns;        /* SEAMARK_TIMEOUT, default 10min */
	int64_t drain_ns;          /* SEAMARK_DRAIN, default 1s; 0: at once */
	enum { MARKERS_AUTO, MARKERS_ALL, MARKERS_BUSY } markers; /* SEAMARK_MARKERS, default auto: all up to 32 ranks, then busy */
	int64_t drill_ns;          /* SEAMARK_DRILL as a time; 0: not by the clock */
	int64_t drill_calls;       /* SEAMARK_DRILL in calls; 0: not by calls */
	bool drill_seeded;         /* ... with a seed */
	uint64_t drill_seed;
	enum { CAPTURE_AUTO, CAPTURE_COPY, CAPTURE_CHANGES, CAPTURE_FORK, CAPTURE_HOLD } capture; /* SEAMARK_CAPTURE, default auto */
	uint64_t memory;           /* SEAMARK_MEMORY in bytes; UINT64_MAX: what is free */
	uint64_t memory_percent;   /* ... in percent of the machine's; 0: not so */
	int signal;                /* SEAMARK_SIGNAL, default SIGUSR1; 0: none */
	int stop_signal;           /* SEAMARK_STOP_SIGNAL, default 0: none */
	enum settings_codec codec; /* SEAMARK_CODEC, default auto */
	uint64_t rate;             /* SEAMARK_RATE in bytes a second; 0: any */
	int ranks_per_file;        /* SEAMARK_RANKS_PER_FILE, at most; SETTINGS_NODE: all of a node; default 0: auto */
	enum log_level log;        /* SEAMARK_LOG, default notice */
	char owner[SETTINGS_NAME_MAX + 1]; /* SEAMARK_OWNER; empty: nobody's */
	char start[SETTINGS_NAME_MAX + 1]; /* SEAMARK_START; empty: not a start of `seamark run` */
	bool start_fenced;         /* ... which goes on only if no other has begun a life after this one */
	uint32_t start_after;
	uint64_t trace;            /* SEAMARK_TRACE: bytes of memory; 0: off */
	bool off;                  /* SEAMARK_OFF=1 */
};

/* One row of the table, for help and docs. */
struct settings_row {
	const char *name;          /* "SEAMARK_EVERY" */
	const char *type;          /* "steps or time" */
	const char *range;         /* what is allowed, in words */
	const char *fallback;      /* the default, as it would be written */
	const char *help;          /* one sentence */
	bool (*read)(struct settings *settings, const char *value); /* false: it cannot be, nothing was changed */
};
/* The table; *count rows. */
const struct settings_row *settings_table(size_t *count);

/* Reads the settings from an environment (a null-ended list of "NAME=value"). An empty value is no value; blanks around one do
 * not matter, but in paths. A value that cannot be is SEAMARK_E_SETTING, naming the variable, the value and what is allowed;
 * *settings then holds what could be read, and the default for the rest. SEAMARK_OFF is read first: when it is on, nothing
 * else can be wrong. */
int settings_load(struct settings *settings, char *const *environment, struct fault *fault);

/* Tells, through log_say, of each SEAMARK_ name in the environment that is no setting, with the nearest that is. For one rank, in
 * MPI_Init: the library may be preloaded into shells and launchers that have nothing to say. */
void settings_tell_unknown(char *const *environment);

#endif
