/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

static bool make_room(struct bytes_out *out, size_t size)
{
	size_t room = out->room ? out->room : 256;
	uint8_t *data;

	if (out->failed)
		return false;
	if (size <= out->room - out->size)
		return true;
	if (size > SIZE_MAX / 2 - out->size) {
		out->failed = true;
		return false;
	}
	while (room < out->size + size)
		room *= 2;
	data = realloc(out->data, room);
	if (!data) {
		out->failed = true;
		return false;
	}
	out->data = data;
	out->room = room;
	return true;
}

void bytes_put(struct bytes_out *out, const void *data, size_t size)
{
	if (!size || !make_room(out, size))
		return;
	memcpy(out->data + out->size, data, size);
	out->size += size;
}

void bytes_put_zeros(struct bytes_out *out, size_t size)
{
	if (!size || !make_room(out, size))
		return;
	memset(out->data + out->size, 0, size);
	out->size += size;
}

void bytes_put_u8(struct bytes_out *out, uint8_t value)
{
	bytes_put(out, &value, 1);
}

void bytes_put_u32(struct bytes_out *out, uint32_t value)
{
	uint8_t coded[4];

	for (size_t i = 0; i < sizeof coded; i++)
		coded[i] = (uint8_t)(value >> 8 * i);
	bytes_put(out, coded, sizeof coded);
}

void bytes_put_u64(struct bytes_out *out, uint64_t value)
{
	uint8_t coded[8];

	for (size_t i = 0; i < sizeof coded; i++)
		coded[i] = (uint8_t)(value >> 8 * i);
	bytes_put(out, coded, sizeof coded);
}

void bytes_put_varint(struct bytes_out *out, uint64_t value)
{
	uint8_t coded[10];
	size_t size = 0;

	do {
		coded[size] = (uint8_t)(value & 0x7F);
		value >>= 7;
		if (value)
			coded[size] |= 0x80;
		size++;
	} while (value);
	bytes_put(out, coded, size);
}

void bytes_put_signed(struct bytes_out *out, int64_t value)
{
	uint64_t twice = (uint64_t)value << 1;

	bytes_put_varint(out, value < 0 ? ~twice : twice);
}

void bytes_put_text(struct bytes_out *out, const char *text)
{
	size_t size = strlen(text);

	bytes_put_varint(out, size);
	bytes_put(out, text, size);
}

void bytes_free(struct bytes_out *out)
{
	free(out->data);
	*out = (struct bytes_out){0};
}

struct bytes_in bytes_from(const void *data, size_t size)
{
	static const uint8_t nothing;

	/* So that no arithmetic is ever done on a null pointer. */
	if (!size)
		data = &nothing;
	return (struct bytes_in){ .at = data, .end = (const uint8_t *)data + size };
}

size_t bytes_left(const struct bytes_in *in)
{
	return in->bad ? 0 : (size_t)(in->end - in->at);
}

const uint8_t *bytes_get(struct bytes_in *in, size_t size)
{
	const uint8_t *at = in->at;

	if (in->bad || size > (size_t)(in->end - in->at)) {
		in->bad = true;
		return NULL;
	}
	in->at += size;
	return at;
}

uint8_t bytes_get_u8(struct bytes_in *in)
{
	const uint8_t *at = bytes_get(in, 1);

	return at ? *at : 0;
}

uint32_t bytes_get_u32(struct bytes_in *in)
{
	const uint8_t *at = bytes_get(in, 4);
	uint32_t value = 0;

	for (size_t i = 0; at && i < 4; i++)
		value |= (uint32_t)at[i] << 8 * i;
	return value;
}

uint64_t bytes_get_u64(struct bytes_in *in)
{
	const uint8_t *at = bytes_get(in, 8);
	uint64_t value = 0;

	for (size_t i = 0; at && i < 8; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

/* Only the shortest form is taken, so that a value has one coding. */
uint64_t bytes_get_varint(struct bytes_in *in)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		const uint8_t *at = bytes_get(in, 1);

		if (!at)
			return 0;
		if ((shift == 63 && *at > 1) || (shift && !*at))
			break;
		value |= (uint64_t)(*at & 0x7F) << shift;
		if (!(*at & 0x80))
			return value;
	}
	in->bad = true;
	return 0;
}

int64_t bytes_get_signed(struct bytes_in *in)
{
	uint64_t folded = bytes_get_varint(in);

	return (int64_t)(folded & 1 ? ~(folded >> 1) : folded >> 1);
}

void bytes_get_text(struct bytes_in *in, char *text, size_t room)
{
	uint64_t size = bytes_get_varint(in);
	const uint8_t *at;

	text[0] = 0;
	if (in->bad || size >= room || size > bytes_left(in) || memchr(in->at, 0, (size_t)size)) {
		in->bad = true;
		return;
	}
	at = bytes_get(in, (size_t)size);
	memcpy(text, at, (size_t)size);
	text[size] = 0;
}
