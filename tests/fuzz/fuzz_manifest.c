/* SPDX-License-Identifier: BSD-3-Clause */
/* A manifest, with the checksum that it should have. What is accepted has files that can be named, and says the same when it is written again. Input: the text. */
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "fuzz.h"
#include "store/manifest.h"

size_t fuzz_accepted;

static const char tail[] = ",\n  \"xxh3\": \"0123456789abcdef\"\n}\n";
enum { TAIL = sizeof tail - 1, DIGITS = 13 };

/* Whatever stands at its end, if there is room for it. */
static void seal(char *text, size_t size)
{
	char *at = text + size - TAIL;

	memcpy(at, tail, TAIL);
	snprintf(at + DIGITS, 17, "%016" PRIx64, (uint64_t)XXH3_64bits(text, size - TAIL));
	at[DIGITS + 16] = '"';
}

static void check_names(const struct store_checkpoint *found)
{
	const uint64_t ranks[] = { 0, 1, found->ranks / 2, found->ranks - 1, found->ranks, UINT32_MAX };

	for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
		char name[96];
		uint32_t group;
		bool there = manifest_locate(found, (uint32_t)ranks[i], name, sizeof name, &group);

		FUZZ_HOLDS(there == ((uint32_t)ranks[i] < found->ranks));
		FUZZ_HOLDS(!there || (name[0] && name[0] != '.' && !strchr(name, '/')));
	}
}

static void check_again(const struct store_checkpoint *found)
{
	struct store_checkpoint *again = calloc(1, sizeof *again);
	char *text = manifest_text(found);
	struct fault fault = FAULT_NONE;

	FUZZ_HOLDS(again && text);
	FUZZ_HOLDS(!manifest_decode(again, text, strlen(text), "fuzz", &fault));
	FUZZ_HOLDS(again->number == found->number && again->life == found->life && again->ranks == found->ranks && again->step == found->step);
	FUZZ_HOLDS(!memcmp(&again->identity, &found->identity, sizeof found->identity));
	FUZZ_HOLDS(again->table_sum == found->table_sum && again->messages == found->messages && again->message_bytes == found->message_bytes);
	FUZZ_HOLDS(again->bytes == found->bytes && again->referred == found->referred && again->taken_ns == found->taken_ns);
	FUZZ_HOLDS(again->locator_count == found->locator_count && !memcmp(again->locators, found->locators, sizeof found->locators));
	FUZZ_HOLDS(again->parent_count == found->parent_count && !memcmp(again->parents, found->parents, sizeof found->parents));
	free(text);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_checkpoint *found = calloc(1, sizeof *found);
	char *text = malloc(size + 1);
	struct fault fault = FAULT_NONE;
	int code;

	FUZZ_HOLDS(found && text);
	memcpy(text, data, size);
	text[size] = 0;
	if (size >= TAIL)
		seal(text, size);
	code = manifest_decode(found, text, size, "fuzz", &fault);
	FUZZ_HOLDS(!code || (code == fault.code && fault.text[0]));
	if (!code) {
		fuzz_accepted++;
		check_names(found);
		check_again(found);
	}
	free(text);
	free(found);
	return 0;
}
