/* SPDX-License-Identifier: BSD-3-Clause */
/* Codecs give back what they were given, and refuse what they did not make; `auto` compresses in time that is there, and never what is random. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/mix.h"
#include "store/choice.h"
#include "suites.h"

enum { CHUNK = 4 << 20, MIB = 1 << 20 };

static struct codec *codec;
static uint8_t *content, *coded, *decoded;

static int begin(void)
{
	codec = codec_open();
	content = malloc(CHUNK);
	coded = malloc(CHUNK + 64);
	decoded = malloc(CHUNK + 64);
	return !codec || !content || !coded || !decoded;
}

static int end(void)
{
	codec_close(codec);
	free(content);
	free(coded);
	free(decoded);
	return 0;
}

static void fill_random(size_t size)
{
	for (size_t i = 0; i < size; i++)
		content[i] = (uint8_t)mix64(i);
}

static void fill_text(size_t size)
{
	static const char *const words[] = { "the ", "buoy ", "that ", "marks ", "a ", "channel ", "and ", "what ", "passed ", "it " };
	size_t at = 0;

	for (uint64_t i = 0; at < size; i++) {
		const char *word = words[mix64(i) % 10];
		size_t length = strlen(word) < size - at ? strlen(word) : size - at;

		memcpy(content + at, word, length);
		at += length;
	}
}

static const size_t sizes[] = { 1, 2, 17, 4095, 4096, 4097, MIB + 5, CHUNK };
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void go_round(size_t size, bool shrinks)
{
	for (enum format_codec how = FORMAT_LZ4; how <= FORMAT_ZSTD; how++) {
		size_t took = codec_encode(codec, how, coded, CHUNK, content, size);

		CU_ASSERT_TRUE(took < size);
		CU_ASSERT_TRUE(took || !shrinks);
		if (!took)
			continue;
		memset(decoded, 0xAA, CHUNK);
		memset(decoded + size, 0x55, 64);
		CU_ASSERT_TRUE(codec_decode(codec, how, decoded, size, coded, took));
		CU_ASSERT_FALSE(memcmp(decoded, content, size));
		for (int i = 0; i < 64; i++)
			CU_ASSERT_EQUAL(decoded[size + (size_t)i], 0x55);
	}
}

static void what_is_coded_comes_back(void)
{
	for (int i = 0; i < SIZES; i++) {
		fill_random(sizes[i]);
		go_round(sizes[i], false);
		fill_text(sizes[i]);
		go_round(sizes[i], sizes[i] > 1000);
		memset(content, 7, sizes[i]);
		go_round(sizes[i], sizes[i] > 1000);
	}
}

static void too_little_room_is_no_coding(void)
{
	fill_text(CHUNK);
	for (enum format_codec how = FORMAT_LZ4; how <= FORMAT_ZSTD; how++) {
		size_t took = codec_encode(codec, how, coded, CHUNK, content, CHUNK);

		memset(coded + took - 1, 0x55, 64);
		CU_ASSERT_EQUAL(codec_encode(codec, how, coded, took - 1, content, CHUNK), 0);
		for (size_t i = 0; i < 64; i++)
			CU_ASSERT_EQUAL(coded[took - 1 + i], 0x55);
	}
}

/* Whatever a stream says, nothing is written outside, and a stream that is not whole, or is of another length, is refused. */
static void hostile_streams_are_refused(void)
{
	const size_t size = 50000;

	fill_text(size);
	for (enum format_codec how = FORMAT_LZ4; how <= FORMAT_ZSTD; how++) {
		size_t took = codec_encode(codec, how, coded, CHUNK, content, size);

		CU_ASSERT_FALSE(codec_decode(codec, how, decoded, size - 1, coded, took));
		CU_ASSERT_FALSE(codec_decode(codec, how, decoded, size + 1, coded, took));
		CU_ASSERT_FALSE(codec_decode(codec, how, decoded, size, coded, took - 1));
		coded[took] = 0;
		CU_ASSERT_FALSE(codec_decode(codec, how, decoded, size, coded, took + 1));
		CU_ASSERT_FALSE(codec_decode(codec, how, decoded, size, coded, 0));
		CU_ASSERT_FALSE(codec_decode(codec, how, decoded, size, coded, size));
		for (uint64_t i = 0; i < 5000; i++) {
			size_t at = mix64(i) % took;
			uint8_t was = coded[at];

			coded[at] = (uint8_t)mix64(i + 1000000);
			memset(decoded + size, 0x55, 64);
			codec_decode(codec, how, decoded, size, coded, took);
			for (size_t k = 0; k < 64; k++)
				CU_ASSERT_EQUAL_FATAL(decoded[size + k], 0x55);
			coded[at] = was;
		}
		CU_ASSERT_TRUE(codec_decode(codec, how, decoded, size, coded, took));
	}
	CU_ASSERT_FALSE(codec_decode(codec, FORMAT_PLAIN, decoded, size, coded, 100));
	CU_ASSERT_FALSE(codec_decode(codec, FORMAT_ZERO, decoded, size, coded, 0));
}

/* Two frames that together are right, and a frame that does not tell its length, are not what the format says. */
static void one_frame_and_nothing_else(void)
{
	size_t first, second;
	ZSTD_CCtx *context = ZSTD_createCCtx();

	fill_text(20000);
	first = ZSTD_compress(coded, CHUNK, content, 10000, 1);
	second = ZSTD_compress(coded + first, CHUNK - first, content + 10000, 10000, 1);
	CU_ASSERT_FALSE(codec_decode(codec, FORMAT_ZSTD, decoded, 20000, coded, first + second));
	ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
	first = ZSTD_compress2(context, coded, CHUNK, content, 20000);
	CU_ASSERT_FALSE(ZSTD_isError(first));
	CU_ASSERT_FALSE(codec_decode(codec, FORMAT_ZSTD, decoded, 20000, coded, first));
	ZSTD_freeCCtx(context);
}

static void zeros_are_zeros(void)
{
	for (int i = 0; i < SIZES; i++) {
		memset(content, 0, sizes[i]);
		CU_ASSERT_TRUE(codec_is_zero(content, sizes[i]));
		for (int k = 0; k < 8; k++) {
			size_t at = k ? mix64((uint64_t)k) % sizes[i] : sizes[i] - 1;

			content[at] = 1;
			CU_ASSERT_FALSE(codec_is_zero(content, sizes[i]));
			content[at] = 0;
		}
	}
}

/* --- auto -------------------------------------------------------------------------------------------------------------- */

static enum format_codec choose(struct choice *choice, struct choice_moment moment)
{
	size_t estimate = 0;
	enum format_codec how = choice_of(choice, &moment, codec, content, CHUNK, &estimate);

	CU_ASSERT_TRUE(how == FORMAT_PLAIN || (estimate > 0 && estimate <= CHUNK));
	return how;
}

static void the_disk_is_never_kept_waiting(void)
{
	struct choice choice = { .wanted = CODEC_AUTO };
	const struct choice_moment idle = { .watched = true }, busy = { .watched = true, .behind = 28 * MIB };

	fill_text(CHUNK);
	/* Nothing is known of the disk. */
	CU_ASSERT_EQUAL(choose(&choice, busy), FORMAT_PLAIN);
	/* One that takes ages: there is time, as long as it has something to do. */
	choice.disk_rate = 1e6;
	CU_ASSERT_NOT_EQUAL(choose(&choice, busy), FORMAT_PLAIN);
	CU_ASSERT_EQUAL(choose(&choice, idle), FORMAT_PLAIN);
	/* One that is faster than any compression, as soon as it is known how long that takes. */
	choice.disk_rate = 1e15;
	for (enum format_codec how = FORMAT_LZ4; how <= FORMAT_ZSTD; how++) {
		choice.expected_s = 1;
		choice_took(&choice, how, 1);
	}
	CU_ASSERT_EQUAL(choose(&choice, busy), FORMAT_PLAIN);
}

static void a_limit_gives_time(void)
{
	struct choice choice = { .wanted = CODEC_AUTO };

	fill_text(CHUNK);
	CU_ASSERT_NOT_EQUAL(choose(&choice, (struct choice_moment){ .watched = true, .held_s = 60 }), FORMAT_PLAIN);
	CU_ASSERT_NOT_EQUAL(choose(&choice, (struct choice_moment){ .held_s = 60 }), FORMAT_PLAIN);
}

static void random_data_is_left_alone(void)
{
	struct choice choice = { .wanted = CODEC_AUTO, .disk_rate = 1e6 };

	fill_random(CHUNK);
	for (int i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(choose(&choice, (struct choice_moment){ .watched = true, .behind = 28 * MIB }), FORMAT_PLAIN);
	/* What comes after it is found again. */
	fill_text(CHUNK);
	bool found = false;
	for (int i = 0; i < 20; i++)
		found = choose(&choice, (struct choice_moment){ .watched = true, .behind = 28 * MIB }) != FORMAT_PLAIN || found;
	CU_ASSERT_TRUE(found);
}

/* By what the last images took. */
static void where_the_disk_cannot_be_seen_its_rate_decides(void)
{
	struct choice choice = { .wanted = CODEC_AUTO };

	fill_text(CHUNK);
	CU_ASSERT_EQUAL(choose(&choice, (struct choice_moment){ 0 }), FORMAT_PLAIN);
	choice_learn(&choice, 100 * MIB, 100);
	CU_ASSERT_NOT_EQUAL(choose(&choice, (struct choice_moment){ 0 }), FORMAT_PLAIN);
	choice = (struct choice){ .wanted = CODEC_AUTO, .skill = { 1, 1, 1, 1 } };
	choice_learn(&choice, 100 * MIB, 1e-7);
	CU_ASSERT_EQUAL(choose(&choice, (struct choice_moment){ 0 }), FORMAT_PLAIN);
}

static void the_rate_is_that_of_a_disk_with_enough_to_do(void)
{
	struct choice choice = { .wanted = CODEC_AUTO };
	int64_t now = 1;

	/* 4 MiB in 10 ms while there is enough; and whatever, slower, while there is not. */
	for (int i = 0; i < 100; i++) {
		choice_saw(&choice, now += i % 20 < 10 ? 10000000 : 500000000, 4 * MIB, i % 20 < 10 ? 16 * MIB : 0);
	}
	CU_ASSERT_DOUBLE_EQUAL(choice.disk_rate, 4 * MIB / 0.01, 1e6);
}

static void what_is_wanted_is_done(void)
{
	struct choice choice = { .wanted = CODEC_LZ4 };

	fill_text(CHUNK);
	CU_ASSERT_EQUAL(choose(&choice, (struct choice_moment){ 0 }), FORMAT_LZ4);
	choice.wanted = CODEC_ZSTD;
	CU_ASSERT_EQUAL(choose(&choice, (struct choice_moment){ .watched = true }), FORMAT_ZSTD);
	choice.wanted = CODEC_NONE;
	choice.disk_rate = 1e6;
	CU_ASSERT_EQUAL(choose(&choice, (struct choice_moment){ .watched = true, .behind = 28 * MIB }), FORMAT_PLAIN);
	fill_random(CHUNK);
	choice.wanted = CODEC_ZSTD;
	CU_ASSERT_EQUAL(choose(&choice, (struct choice_moment){ .watched = true }), FORMAT_PLAIN);
}

int main(void)
{
	CU_TestInfo codecs[] = {
		{ "what is coded comes back", what_is_coded_comes_back },
		{ "too little room is no coding", too_little_room_is_no_coding },
		{ "hostile streams are refused", hostile_streams_are_refused },
		{ "one frame and nothing else", one_frame_and_nothing_else },
		{ "zeros are zeros", zeros_are_zeros },
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo choices[] = {
		{ "the disk is never kept waiting", the_disk_is_never_kept_waiting },
		{ "a limit gives time", a_limit_gives_time },
		{ "random data is left alone", random_data_is_left_alone },
		{ "where the disk cannot be seen its rate decides", where_the_disk_cannot_be_seen_its_rate_decides },
		{ "the rate is that of a disk with enough to do", the_rate_is_that_of_a_disk_with_enough_to_do },
		{ "what is wanted is done", what_is_wanted_is_done },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "codec", begin, end, NULL, NULL, codecs },
		{ "choice", begin, end, NULL, NULL, choices },
		CU_SUITE_INFO_NULL,
	};

	return suites_run(suites);
}
