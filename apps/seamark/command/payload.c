/* SPDX-License-Identifier: BSD-3-Clause */
#include "command/payload.h"

#include <complex.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/shape.h"
#include "command/command.h"

enum { LINE = 16, TEXT_LINE = 64, ELEMENT = 64, WAYS = 32 };

bool payload_parse(const char *text, struct payload_way *way)
{
	const char *names[WAYS] = { "hex", "text" };
	size_t count = 2;
	int choice;

	/* Type 0 is bytes without a type. */
	for (uint32_t type = 1; count < WAYS && shape_type_name(type); type++)
		names[count++] = shape_type_name(type);
	choice = command_choice("payload", text, names, count);
	*way = (struct payload_way){ choice < 2 ? choice ? PAYLOAD_TEXT : PAYLOAD_HEX : PAYLOAD_ELEMENTS, choice < 2 ? 0 : (uint32_t)choice - 1 };
	return choice >= 0;
}

/* --- one element --------------------------------------------------------------------------------------------------------- */

/* As few digits as read back as the same number. */
static int float64_text(double value, char *text, size_t room)
{
	int length = 0;

	for (int digits = 15; digits <= 17; digits++) {
		double back;

		length = snprintf(text, room, "%.*g", digits, value);
		if (sscanf(text, "%lf", &back) == 1 && back == value)
			break;
	}
	return length;
}

static int float32_text(float value, char *text, size_t room)
{
	int length = 0;

	for (int digits = 6; digits <= 9; digits++) {
		float back;

		length = snprintf(text, room, "%.*g", digits, (double)value);
		if (sscanf(text, "%f", &back) == 1 && back == value)
			break;
	}
	return length;
}

static int complex_text(double complex value, bool narrow, char *text, size_t room)
{
	int length = narrow ? float32_text((float)creal(value), text, room) : float64_text(creal(value), text, room);
	char imaginary[ELEMENT / 2];

	if (narrow)
		float32_text((float)cimag(value), imaginary, sizeof imaginary);
	else
		float64_text(cimag(value), imaginary, sizeof imaginary);
	return length + snprintf(text + length, room - (size_t)length, "%s%si", imaginary[0] == '-' ? "" : "+", imaginary);
}

size_t payload_element(uint32_t type, const void *at, char *text, size_t room)
{
	union { int8_t i1; uint8_t u1; int16_t i2; uint16_t u2; int32_t i4; uint32_t u4; int64_t i8; uint64_t u8; float f4; double f8;
		float complex c8; double complex c16; } is;

	memcpy(&is, at, shape_element_size(type));
	switch (type) {
	case SEAMARK_INT8: return (size_t)snprintf(text, room, "%" PRId8, is.i1);
	case SEAMARK_INT16: return (size_t)snprintf(text, room, "%" PRId16, is.i2);
	case SEAMARK_UINT16: return (size_t)snprintf(text, room, "%" PRIu16, is.u2);
	case SEAMARK_INT32: return (size_t)snprintf(text, room, "%" PRId32, is.i4);
	case SEAMARK_UINT32: return (size_t)snprintf(text, room, "%" PRIu32, is.u4);
	case SEAMARK_INT64: return (size_t)snprintf(text, room, "%" PRId64, is.i8);
	case SEAMARK_UINT64: return (size_t)snprintf(text, room, "%" PRIu64, is.u8);
	case SEAMARK_FLOAT32: return (size_t)float32_text(is.f4, text, room);
	case SEAMARK_FLOAT64: return (size_t)float64_text(is.f8, text, room);
	case SEAMARK_COMPLEX64: return (size_t)complex_text(is.c8, true, text, room);
	case SEAMARK_COMPLEX128: return (size_t)complex_text(is.c16, false, text, room);
	default: return (size_t)snprintf(text, room, "%" PRIu8, is.u1);
	}
}

/* --- lines ----------------------------------------------------------------------------------------------------------------- */

static void hex_line(const uint8_t *data, uint64_t at, size_t count, const char *before)
{
	char bytes[3 * LINE + 1] = "", signs[LINE + 1] = "";

	for (size_t i = 0; i < count; i++) {
		snprintf(bytes + 3 * i, 4, " %02x", data[at + i]);
		signs[i] = data[at + i] >= ' ' && data[at + i] < 0x7f ? (char)data[at + i] : '.';
	}
	command_print("%s%08" PRIx64 " %-*s  %s", before, at, 3 * LINE, bytes, signs);
}

static void text_line(const uint8_t *data, uint64_t at, size_t count, const char *before)
{
	char signs[TEXT_LINE + 1] = "";

	for (size_t i = 0; i < count; i++)
		signs[i] = data[at + i] >= ' ' && data[at + i] < 0x7f ? (char)data[at + i] : '.';
	command_print("%s\"%s\"", before, signs);
}

static void elements(uint32_t type, const uint8_t *data, uint64_t bytes, const char *before)
{
	size_t each = shape_element_size(type), length = 0;
	char line[128] = "", element[ELEMENT];

	for (uint64_t at = 0; at + each <= bytes; at += each) {
		payload_element(type, data + at, element, sizeof element);
		if (length + strlen(element) + 2 > 100) {
			command_print("%s%s", before, line);
			length = 0;
		}
		length += (size_t)snprintf(line + length, sizeof line - length, "%s%s", length ? " " : "", element);
	}
	if (length)
		command_print("%s%s", before, line);
	if (bytes % each)
		command_print("%sand %" PRIu64 " bytes that are no whole %s", before, bytes % each, shape_type_name(type));
}

void payload_print(const struct payload_way *way, const void *data, uint64_t bytes, uint64_t most, const char *before)
{
	uint64_t shown = most && bytes > most ? most : bytes;
	size_t line = way->kind == PAYLOAD_TEXT ? TEXT_LINE : LINE;

	if (way->kind == PAYLOAD_ELEMENTS)
		elements(way->type, data, shown, before);
	for (uint64_t at = 0; way->kind != PAYLOAD_ELEMENTS && at < shown; at += line)
		(way->kind == PAYLOAD_TEXT ? text_line : hex_line)(data, at, shown - at < line ? (size_t)(shown - at) : line, before);
	if (shown < bytes)
		command_print("%s... and %s more", before, command_size(bytes - shown).text);
}
