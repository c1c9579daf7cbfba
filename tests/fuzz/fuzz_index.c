/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of an image: the index and the record. What is accepted is exactly what would be written: it is encoded again, and compared.
 * Input: a byte, even for an index and odd for a record; of an index then 8 bytes, what the header says of its content; the table. */
#include <string.h>
#include <xxhash.h>

#include "fuzz.h"
#include "store/format.h"

size_t fuzz_accepted;

static void compare(const struct bytes_out *again, const uint8_t *data, size_t size)
{
	FUZZ_HOLDS(!again->failed);
	FUZZ_HOLDS(again->size == size && !memcmp(again->data, data, size));
}

static void try_index(uint64_t content, const uint8_t *data, size_t size)
{
	static const struct format_header header = {
		.identity = { .life = 2, .number = 70, .ranks = 4, .step = 5 }, .file_size = 1 << 20, .rank_count = 1,
	};
	struct store_identity own = header.identity;
	struct format_rank rank = { .index_offset = 4096, .index_size = size, .table_hash = XXH3_64bits(data, size), .content = content };
	struct format_index index;
	struct bytes_out again = {0};
	struct fault fault = FAULT_NONE;
	int code = format_get_index(&index, data, size, &header, &rank, "fuzz", &fault);

	FUZZ_HOLDS(!code || (code == fault.code && fault.text[0]));
	for (size_t i = 0; !code && i < index.protected_count; i++)
		FUZZ_HOLDS(format_find_region(&index, index.regions[i].name) == i);
	if (!code) {
		fuzz_accepted++;
		format_put_index(&again, &index, &own, 0);
		compare(&again, data, size);
	}
	bytes_free(&again);
	format_free_index(&index);
}

static void try_record(const uint8_t *data, size_t size)
{
	struct store_record record;
	struct bytes_out again = {0};
	struct fault fault = FAULT_NONE;
	uint64_t bytes = 0, end = 0;
	int code = format_get_record(&record, &bytes, data, size, 4, "fuzz", &fault);

	FUZZ_HOLDS(!code || (code == fault.code && fault.text[0]));
	for (size_t i = 0; !code && i < record.message_count; i++) {
		FUZZ_HOLDS(record.messages[i].comm < record.comm_count && record.messages[i].source_world < 4);
		end = format_message_offset(end) + record.messages[i].bytes;
	}
	for (size_t i = 0; !code && i < record.stream_count; i++)
		FUZZ_HOLDS(record.streams[i].comm < record.comm_count && record.streams[i].peer < 4);
	if (!code) {
		fuzz_accepted++;
		FUZZ_HOLDS(end == bytes);
		format_put_record(&again, &record);
		compare(&again, data, size);
	}
	bytes_free(&again);
	format_free_record(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] % 2)
		try_record(data + 1, size - 1);
	else if (size >= 9)
		try_index(fuzz_number(data + 1, 8), data + 9, size - 9);
	return 0;
}
