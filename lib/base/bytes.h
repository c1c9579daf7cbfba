/* SPDX-License-Identifier: BSD-3-Clause */
/* Encoding of bytes: little-endian, without padding. Writing grows the buffer; failure and short input are remembered, so that a
 * whole structure is coded in a row and asked once. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes_out {
	uint8_t *data; /* owned; bytes_free() */
	size_t size;
	size_t room;
	bool failed;   /* no memory: what was put since is lost */
};

void bytes_put(struct bytes_out *out, const void *data, size_t size);
void bytes_put_u8(struct bytes_out *out, uint8_t value);
void bytes_put_u32(struct bytes_out *out, uint32_t value);
void bytes_put_u64(struct bytes_out *out, uint64_t value);
void bytes_put_zeros(struct bytes_out *out, size_t size);
/* LEB128: small numbers are short. Signed ones are folded (0, -1, 1, -2 ...). */
void bytes_put_varint(struct bytes_out *out, uint64_t value);
void bytes_put_signed(struct bytes_out *out, int64_t value);
/* A varint length, then the bytes. */
void bytes_put_text(struct bytes_out *out, const char *text);
void bytes_free(struct bytes_out *out);

struct bytes_in {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;      /* something was asked for that is not there; every later value is 0 */
};

struct bytes_in bytes_from(const void *data, size_t size);
size_t bytes_left(const struct bytes_in *in);
/* The next `size` bytes in place, or null. */
const uint8_t *bytes_get(struct bytes_in *in, size_t size);
uint8_t bytes_get_u8(struct bytes_in *in);
uint32_t bytes_get_u32(struct bytes_in *in);
uint64_t bytes_get_u64(struct bytes_in *in);
uint64_t bytes_get_varint(struct bytes_in *in);
int64_t bytes_get_signed(struct bytes_in *in);
/* Copies a text of at most room - 1 bytes, without a NUL inside, and ends it with one; else bad. */
void bytes_get_text(struct bytes_in *in, char *text, size_t room);

#endif
