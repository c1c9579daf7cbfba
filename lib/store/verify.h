/* SPDX-License-Identifier: BSD-3-Clause */
/* The certificate: proves from the files alone that a checkpoint is whole and lost nothing. */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include "store/store.h"

struct verify_proof {
	uint64_t problems;
	uint64_t images;
	uint64_t regions;
	uint64_t bytes;
	uint64_t streams;
	uint64_t messages;
	uint64_t abandoned;
	uint64_t referred;         /* stored bytes of chunks that lie in other checkpoints */
	uint64_t parents;          /* these checkpoints */
};

/* told: for each problem, in the order of ranks (-1: the checkpoint as a whole; code 0: worth knowing, no problem). 0 if all holds, SEAMARK_E_DAMAGED if there
 * were problems, else why it could not be done. */
int store_verify(const struct store_checkpoint *checkpoint, void (*told)(void *context, int code, int64_t rank, const char *text),
		 void *context, struct verify_proof *proof, struct fault *fault);

#endif
