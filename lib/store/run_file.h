/* SPDX-License-Identifier: BSD-3-Clause */
/* run.json: which run a folder is of, and its newest life (docs/format.md, 6). */
#ifndef STORE_RUN_FILE_H
#define STORE_RUN_FILE_H

#include "store/store.h"

enum { RUN_FILE_HOST_MOST = 64 };

struct run_file {
	uint8_t run[16];
	uint32_t life;
	char owner[SETTINGS_NAME_MAX + 1]; /* empty: nobody's */
	char start[SETTINGS_NAME_MAX + 1]; /* of `seamark run`; empty: it was not started so */
	char host[RUN_FILE_HOST_MOST + 1]; /* of rank 0 */
	int64_t process;
};

/* SEAMARK_E_NOT_FOUND: there is none yet; SEAMARK_E_DAMAGED: it is not what was written. */
int run_file_read(const char *folder, struct run_file *file, struct fault *fault);
/* Writes it by way of a temporary file whose name no other life has, and makes it durable. */
int run_file_write(const char *folder, const struct run_file *file, struct fault *fault);
/* "life 3 (process 4711 on host 'n2')". */
void run_file_say(const struct run_file *file, char *text, size_t room);
/* This host's name, with a '?' for what does not belong into one. */
void run_file_host(char host[RUN_FILE_HOST_MOST + 1]);

#endif
