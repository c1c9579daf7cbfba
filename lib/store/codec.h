/* SPDX-License-Identifier: BSD-3-Clause */
/* A chunk's content, coded: docs/format.md, 3. A codec is used by one thread at a time. */
#ifndef STORE_CODEC_H
#define STORE_CODEC_H

#include "store/format.h"

struct codec;

/* null: no memory. What the codings need is taken when it is first needed. */
struct codec *codec_open(void);
void codec_close(struct codec *codec);

/* How many bytes it took, fewer than `size`; 0: it does not fit into `room`, or cannot be done. */
size_t codec_encode(struct codec *codec, enum format_codec how, void *to, size_t room, const void *from, size_t size);
/* Whether those bytes are exactly one coding of `size` bytes, which are then in `to`. */
bool codec_decode(struct codec *codec, enum format_codec how, void *to, size_t size, const void *from, size_t stored);
bool codec_is_zero(const void *data, size_t size);
const char *codec_name(enum format_codec how);

#endif
