/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"

#define MIB ((size_t)1 << 20)
#define HUGE_PAGE (2 * MIB)
/* Ranks of a node take memory at the same time. Each looks again after so much, and then sees what the others took. */
#define SLAB (64 * MIB)
#define SMALL MIB

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t whole_pages(size_t bytes)
{
	size_t page = page_size();

	return (bytes + page - 1) / page * page;
}

bool memory_is_there(uint64_t bytes)
{
	struct limits_memory memory = limits_memory("");

	if (memory.left == UINT64_MAX)
		return true;
	return memory.left >= bytes && memory.left - bytes >= memory.whole / 32;
}

static bool map(struct memory *memory, size_t size)
{
	size_t extra = size >= HUGE_PAGE ? HUGE_PAGE : 0;
	uint8_t *data = mmap(NULL, size + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (data == MAP_FAILED)
		return false;
	before = extra ? (HUGE_PAGE - (uintptr_t)data % HUGE_PAGE) % HUGE_PAGE : 0;
	if (before)
		munmap(data, before);
	if (extra - before)
		munmap(data + before + size, extra - before);
	memory->data = data + before;
	memory->size = size;
	if (extra)
		madvise(memory->data, size, MADV_HUGEPAGE);
	return true;
}

/* A first touch costs more than a copy, and would be paid in the cut. */
static bool touch(struct memory *memory)
{
	size_t page = page_size();

	for (size_t at = 0; at < memory->size; at += page) {
		if (at % SLAB == 0 && at && !memory_is_there(memory->size - at))
			return false;
		((volatile uint8_t *)memory->data)[at] = 0;
	}
	return true;
}

bool memory_take(struct memory *memory, size_t bytes)
{
	if (bytes <= memory->size)
		return true;
	memory_give_back(memory);
	if (bytes > SIZE_MAX / 2 || !memory_is_there(bytes) || !map(memory, whole_pages(bytes)))
		return false;
	if (!touch(memory)) {
		memory_give_back(memory);
		return false;
	}
	return true;
}

static bool extend_to(struct memory *memory, size_t size)
{
	uint8_t *data;

	if (size - memory->size >= SMALL && !memory_is_there(size - memory->size))
		return false;
	if (!memory->data)
		return map(memory, size);
	data = mremap(memory->data, memory->size, size, MREMAP_MAYMOVE);
	if (data == MAP_FAILED)
		return false;
	memory->data = data;
	memory->size = size;
	if (size >= HUGE_PAGE)
		madvise(data, size, MADV_HUGEPAGE);
	return true;
}

bool memory_extend(struct memory *memory, size_t bytes)
{
	if (bytes <= memory->size)
		return true;
	if (bytes > SIZE_MAX / 4)
		return false;
	if (2 * memory->size > bytes && extend_to(memory, 2 * memory->size))
		return true;
	return extend_to(memory, whole_pages(bytes));
}

void memory_shrink(struct memory *memory, size_t bytes)
{
	size_t size = whole_pages(bytes);

	if (!size) {
		memory_give_back(memory);
	} else if (size < memory->size) {
		munmap(memory->data + size, memory->size - size);
		memory->size = size;
	}
}

void memory_give_back(struct memory *memory)
{
	if (memory->data)
		munmap(memory->data, memory->size);
	*memory = (struct memory){ NULL, 0 };
}
