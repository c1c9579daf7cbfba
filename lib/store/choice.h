/* SPDX-License-Identifier: BSD-3-Clause */
/* Which codec a chunk gets. SEAMARK_CODEC=auto compresses only while the image is durable sooner by it. Where the pieces under way tell how busy the disk is: what is done
 * while it has enough to do costs nothing, and what is done while it waits makes everything later. Where they do not: if coding and writing
 * what is left takes less than writing, by what the last images took. */
#ifndef STORE_CHOICE_H
#define STORE_CHOICE_H

#include "base/settings.h"
#include "store/codec.h"

/* Learnt from chunk to chunk and image to image of a process. */
struct choice {
	enum settings_codec wanted;
	double disk_rate;             /* bytes a second; 0: not known */
	int64_t window_ns;            /* since when the disk has always had enough to do; 0: it has not */
	uint64_t window_bytes;        /* what it has taken since */
	double skill[FORMAT_CODECS];  /* how long a chunk takes, to what its sample made expect; 0: not known */
	double expected_s;            /* by the last sample */
	unsigned in_vain, skip;       /* samples in a row that were of no use; how many chunks go without one */
};

/* What is known when a chunk is about to be put. */
struct choice_moment {
	bool watched;                 /* whether `behind` tells how busy the disk is */
	uint64_t behind;              /* bytes that it has still to take */
	double held_s;                /* for how long nothing may be written, by a limit of the rate */
};

/* The codec for a chunk, by a sample of it, and an estimate of what it will take then. */
enum format_codec choice_of(struct choice *choice, const struct choice_moment *moment, struct codec *codec, const void *data, size_t size,
			    size_t *estimate);
/* The chunk for which that codec was chosen took so long. */
void choice_took(struct choice *choice, enum format_codec how, double seconds);
/* The disk has taken a piece, and `behind` bytes are left. Only where they tell how busy it is. */
void choice_saw(struct choice *choice, int64_t now_ns, size_t taken, uint64_t behind);
/* An image has become durable, in so many seconds that did not go into coding. Where they do not. */
void choice_learn(struct choice *choice, uint64_t stored, double seconds);

#endif
