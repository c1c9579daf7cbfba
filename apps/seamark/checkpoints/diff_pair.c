/* SPDX-License-Identifier: BSD-3-Clause */
/* Two regions, read at the same time by two threads, each a stored piece ahead, and compared where both have come to. */
#include <complex.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/shape.h"
#include "checkpoints/diff.h"
#include "command/payload.h"

/* --- reading ------------------------------------------------------------------------------------------------------------------ */

/* One side. Its thread hands over a piece and waits until that is done with. */
struct reader {
	struct diff_side *side;
	const char *name;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const uint8_t *data;      /* the piece; null: the next is being read */
	uint64_t left;            /* ... of it */
	bool over, given_up;
	int code;
};

static int take_piece(void *context, uint64_t offset, const void *data, uint64_t bytes)
{
	struct reader *reader = context;
	bool go_on;

	(void)offset;
	pthread_mutex_lock(&reader->lock);
	reader->data = data;
	reader->left = bytes;
	pthread_cond_signal(&reader->changed);
	while (reader->data && !reader->given_up)
		pthread_cond_wait(&reader->changed, &reader->lock);
	go_on = !reader->given_up;
	pthread_mutex_unlock(&reader->lock);
	return go_on ? 0 : 1;
}

static void *read_all(void *context)
{
	struct reader *reader = context;
	int code = seamark_files_read_pieces(reader->side->image, reader->name, take_piece, reader);

	if (code < 0)
		snprintf(reader->side->fault, sizeof reader->side->fault, "%s", seamark_files_error());
	pthread_mutex_lock(&reader->lock);
	reader->code = code < 0 ? code : 0;
	reader->over = true;
	pthread_cond_signal(&reader->changed);
	pthread_mutex_unlock(&reader->lock);
	return NULL;
}

static int begin(struct reader *reader, struct diff_side *side, const char *name)
{
	*reader = (struct reader){ .side = side, .name = name };
	pthread_mutex_init(&reader->lock, NULL);
	pthread_cond_init(&reader->changed, NULL);
	if (!pthread_create(&reader->thread, NULL, read_all, reader))
		return 0;
	snprintf(side->fault, sizeof side->fault, "cannot start a thread");
	return SEAMARK_E_MEMORY;
}

/* false: there is no more. */
static bool has_piece(struct reader *reader)
{
	bool has;

	pthread_mutex_lock(&reader->lock);
	while (!reader->data && !reader->over)
		pthread_cond_wait(&reader->changed, &reader->lock);
	has = reader->data != NULL;
	pthread_mutex_unlock(&reader->lock);
	return has;
}

static void consume(struct reader *reader, uint64_t bytes)
{
	pthread_mutex_lock(&reader->lock);
	reader->left -= bytes;
	reader->data = reader->left ? reader->data + bytes : NULL;
	if (!reader->data)
		pthread_cond_signal(&reader->changed);
	pthread_mutex_unlock(&reader->lock);
}

static int end(struct reader *reader)
{
	pthread_mutex_lock(&reader->lock);
	reader->given_up = true;
	pthread_cond_signal(&reader->changed);
	pthread_mutex_unlock(&reader->lock);
	pthread_join(reader->thread, NULL);
	pthread_cond_destroy(&reader->changed);
	pthread_mutex_destroy(&reader->lock);
	return reader->code;
}

/* --- comparing ------------------------------------------------------------------------------------------------------------------- */

struct comparing {
	uint32_t type;
	size_t each;
	const struct diff_tolerance *tolerance;
	struct diff_found *found;
	/* The beginning of an element that goes on in the next piece. */
	uint8_t begun_a[16], begun_b[16];
	size_t begun;
};

/* An element's value; the imaginary part of what has none is 0. */
static long double value_of(uint32_t type, const void *at, long double *imaginary)
{
	union { int8_t i1; uint8_t u1; int16_t i2; uint16_t u2; int32_t i4; uint32_t u4; int64_t i8; uint64_t u8; float f4[2]; double f8[2]; } is;

	memcpy(&is, at, shape_element_size(type));
	*imaginary = type == SEAMARK_COMPLEX64 ? (long double)is.f4[1] : type == SEAMARK_COMPLEX128 ? (long double)is.f8[1] : 0;
	switch (type) {
	case SEAMARK_INT8: return is.i1;
	case SEAMARK_INT16: return is.i2;
	case SEAMARK_UINT16: return is.u2;
	case SEAMARK_INT32: return is.i4;
	case SEAMARK_UINT32: return is.u4;
	case SEAMARK_INT64: return is.i8;
	case SEAMARK_UINT64: return is.u8;
	case SEAMARK_FLOAT32:
	case SEAMARK_COMPLEX64: return is.f4[0];
	case SEAMARK_FLOAT64:
	case SEAMARK_COMPLEX128: return is.f8[0];
	default: return is.u1;
	}
}

/* How far apart two real or imaginary parts are. Nothing is between those that are infinite alike, and between two that are no numbers. NaN: one alone is none. */
static long double part_apart(long double a, long double b)
{
	return a == b || (isnan(a) && isnan(b)) ? 0 : fabsl(a - b);
}

/* Most numbers have no imaginary part, and hypotl takes its time. */
static long double size_of(long double real, long double imaginary)
{
	if (imaginary == 0 || isnan(imaginary))
		return isnan(real) ? 0 : fabsl(real);
	return hypotl(isnan(real) ? 0 : real, imaginary);
}

/* Whether two elements, of which some bits differ, count as different. */
static bool measure(const struct comparing *comparing, const void *a, const void *b)
{
	struct diff_found *found = comparing->found;
	const struct diff_tolerance *tolerance = comparing->tolerance;
	long double ai, bi, ar = value_of(comparing->type, a, &ai), br = value_of(comparing->type, b, &bi), real = part_apart(ar, br),
		    imaginary = part_apart(ai, bi), apart = size_of(real, imaginary), larger = fmaxl(size_of(ar, ai), size_of(br, bi));

	/* Bytes may be parts of anything. */
	if (comparing->type == SEAMARK_BYTE)
		return true;
	if (isnan(real) || isnan(imaginary)) {
		found->not_numbers++;
		return true;
	}
	if (apart == 0)
		return !tolerance->given;
	/* A part of what is infinite would be any distance. */
	if (tolerance->given && apart <= tolerance->absolute + (isinf(larger) ? 0 : tolerance->relative * larger))
		return false;
	found->absolute = fmaxl(found->absolute, apart);
	if (isinf(apart) || !isinf(larger))
		found->relative = fmaxl(found->relative, isinf(apart) ? apart : apart / larger);
	return true;
}

/* One NaN reads like another. */
static void add_bits(const uint8_t *at, size_t each, char *text, size_t room)
{
	size_t length = strlen(text);

	length += (size_t)snprintf(text + length, room - length, " 0x");
	for (size_t i = each; i-- && length + 3 <= room;)
		length += (size_t)snprintf(text + length, room - length, "%02x", at[i]);
}

static void compare_element(const struct comparing *comparing, const void *a, const void *b)
{
	struct diff_found *found = comparing->found;

	if (memcmp(a, b, comparing->each) && measure(comparing, a, b)) {
		if (!found->differ++) {
			found->first = found->elements;
			payload_element(comparing->type, a, found->a, sizeof found->a);
			payload_element(comparing->type, b, found->b, sizeof found->b);
			if (!strcmp(found->a, found->b)) {
				add_bits(a, comparing->each, found->a, sizeof found->a);
				add_bits(b, comparing->each, found->b, sizeof found->b);
			}
		}
	}
	found->elements++;
}

static void compare(struct comparing *comparing, const uint8_t *a, const uint8_t *b, uint64_t bytes)
{
	enum { STRETCH = 1 << 16 };

	for (; bytes && (comparing->begun || bytes < comparing->each); bytes--) {
		comparing->begun_a[comparing->begun] = *a++;
		comparing->begun_b[comparing->begun++] = *b++;
		if (comparing->begun < comparing->each)
			continue;
		compare_element(comparing, comparing->begun_a, comparing->begun_b);
		comparing->begun = 0;
	}
	while (bytes >= comparing->each) {
		uint64_t stretch = bytes < STRETCH ? bytes - bytes % comparing->each : STRETCH;

		if (!memcmp(a, b, stretch))
			comparing->found->elements += stretch / comparing->each;
		else
			for (uint64_t at = 0; at < stretch; at += comparing->each)
				compare_element(comparing, a + at, b + at);
		a += stretch;
		b += stretch;
		bytes -= stretch;
	}
	if (bytes)
		compare(comparing, a, b, bytes);
}

int diff_pair(struct diff_side *a, struct diff_side *b, const char *name, uint32_t type, const struct diff_tolerance *tolerance, struct diff_found *found)
{
	struct comparing comparing = { .type = type, .each = shape_element_size(type), .tolerance = tolerance, .found = found };
	struct reader readers[2];
	int code, other;

	*found = (struct diff_found){ 0 };
	code = begin(&readers[0], a, name);
	if (code)
		return code;
	code = begin(&readers[1], b, name);
	if (code) {
		end(&readers[0]);
		return code;
	}
	while (has_piece(&readers[0]) && has_piece(&readers[1])) {
		uint64_t bytes = readers[0].left < readers[1].left ? readers[0].left : readers[1].left;

		compare(&comparing, readers[0].data, readers[1].data, bytes);
		consume(&readers[0], bytes);
		consume(&readers[1], bytes);
	}
	code = end(&readers[0]);
	other = end(&readers[1]);
	return code ? code : other;
}
