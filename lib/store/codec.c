/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/codec.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* The fastest of Zstandard's: what it packs better than LZ4 is in the coding of entropy, which all levels have. */
enum { ZSTD_LEVEL = 1 };

struct codec {
	void *lz4;           /* its table */
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
};

struct codec *codec_open(void)
{
	return calloc(1, sizeof(struct codec));
}

void codec_close(struct codec *codec)
{
	if (!codec)
		return;
	free(codec->lz4);
	ZSTD_freeCCtx(codec->pack);
	ZSTD_freeDCtx(codec->unpack);
	free(codec);
}

static size_t encode_lz4(struct codec *codec, void *to, size_t room, const void *from, size_t size)
{
	int result;

	if (!codec->lz4)
		codec->lz4 = malloc((size_t)LZ4_sizeofState());
	if (!codec->lz4 || size > LZ4_MAX_INPUT_SIZE)
		return 0;
	result = LZ4_compress_fast_extState(codec->lz4, from, to, (int)size, room < INT32_MAX ? (int)room : INT32_MAX, 1);
	return result > 0 ? (size_t)result : 0;
}

static size_t encode_zstd(struct codec *codec, void *to, size_t room, const void *from, size_t size)
{
	size_t result;

	if (!codec->pack)
		codec->pack = ZSTD_createCCtx();
	if (!codec->pack)
		return 0;
	result = ZSTD_compressCCtx(codec->pack, to, room, from, size, ZSTD_LEVEL);
	return ZSTD_isError(result) ? 0 : result;
}

size_t codec_encode(struct codec *codec, enum format_codec how, void *to, size_t room, const void *from, size_t size)
{
	size_t took = 0;

	if (how == FORMAT_LZ4)
		took = encode_lz4(codec, to, room, from, size);
	else if (how == FORMAT_ZSTD)
		took = encode_zstd(codec, to, room, from, size);
	return took < size ? took : 0;
}

/* One frame, with its size in its head, and nothing else. */
static bool decode_zstd(struct codec *codec, void *to, size_t size, const void *from, size_t stored)
{
	if (ZSTD_getFrameContentSize(from, stored) != size || ZSTD_findFrameCompressedSize(from, stored) != stored)
		return false;
	if (!codec->unpack)
		codec->unpack = ZSTD_createDCtx();
	return codec->unpack && ZSTD_decompressDCtx(codec->unpack, to, size, from, stored) == size;
}

bool codec_decode(struct codec *codec, enum format_codec how, void *to, size_t size, const void *from, size_t stored)
{
	if (stored >= size || size > INT32_MAX)
		return false;
	switch (how) {
	case FORMAT_LZ4:
		return LZ4_decompress_safe(from, to, (int)stored, (int)size) == (int)size;
	case FORMAT_ZSTD:
		return decode_zstd(codec, to, size, from, stored);
	case FORMAT_PLAIN:
	case FORMAT_ZERO:
		break;
	}
	return false;
}

bool codec_is_zero(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	/* Each byte is the one before it, and the first is 0. */
	return !size || (!bytes[0] && !memcmp(bytes, bytes + 1, size - 1));
}

const char *codec_name(enum format_codec how)
{
	static const char *const names[] = { "plain", "zero", "lz4", "zstd" };

	return names[how];
}
