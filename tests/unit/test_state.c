/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of a rank: regions by name, memory that cannot be read, the copy that a capture takes, callbacks. */
#include <CUnit/Basic.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mix.h"
#include "state/memory.h"
#include "state/probe.h"
#include "state/state.h"
#include "suites.h"

#define PAGE ((size_t)4096)
#define MIB ((size_t)1 << 20)

static struct state *state;
static struct fault fault;

static enum state_way way;

static int set_up(void)
{
	state = state_new(&(struct state_config){ .way = way, .memory = UINT64_MAX });
	fault = FAULT_NONE;
	return !state;
}

static void begin(void)
{
	if (set_up())
		abort();
}

static void end(void)
{
	state_free(state);
}

static int protect(const char *name, void *data, size_t bytes)
{
	fault = FAULT_NONE;
	return state_protect(state, name, data, bytes, &fault);
}

/* --- names ------------------------------------------------------------------------------------------------------- */

static void regions_keep_the_order_in_which_they_were_protected(void)
{
	char a[10], b[20], c[30], name[] = "second";
	struct state_region_view view;

	begin();
	CU_ASSERT_EQUAL(protect("first", a, sizeof a), 0);
	CU_ASSERT_EQUAL(protect(name, b, sizeof b), 0);
	memset(name, 'x', sizeof name - 1); /* names are copied */
	CU_ASSERT_EQUAL(protect("third", NULL, 0), 0);
	CU_ASSERT_EQUAL(protect("first", c, 29), 0); /* moved and grown, in its old place */
	CU_ASSERT_EQUAL(state_count(state), 3);
	state_view(state, 0, &view);
	CU_ASSERT_STRING_EQUAL(view.name, "first");
	CU_ASSERT_PTR_EQUAL(view.data, c);
	CU_ASSERT_EQUAL(view.bytes, 29);
	state_view(state, 1, &view);
	CU_ASSERT_STRING_EQUAL(view.name, "second");
	CU_ASSERT_PTR_EQUAL(view.data, b);
	CU_ASSERT_FALSE(view.callbacks);
	CU_ASSERT_EQUAL(state_find(state, "third"), 2);
	CU_ASSERT_EQUAL(state_find(state, "fourth"), SIZE_MAX);
	CU_ASSERT_EQUAL(state_unprotect(state, "second", &fault), 0);
	CU_ASSERT_EQUAL(state_find(state, "third"), 1);
	CU_ASSERT_EQUAL(state_unprotect(state, "second", &fault), SEAMARK_E_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "'second'"));
	end();
}

static void names_and_pointers_that_cannot_be_are_refused(void)
{
	char long_name[257], data[4];

	begin();
	memset(long_name, 'n', 256);
	long_name[256] = 0;
	CU_ASSERT_EQUAL(protect(long_name, data, 4), SEAMARK_E_ARGUMENT);
	CU_ASSERT_EQUAL(protect(NULL, data, 4), SEAMARK_E_ARGUMENT);
	CU_ASSERT_EQUAL(protect("", data, 4), SEAMARK_E_ARGUMENT);
	CU_ASSERT_EQUAL(protect("x", NULL, 4), SEAMARK_E_ARGUMENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "'x'"));
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL(state_protect_with(state, "x", NULL, NULL, NULL, &fault), SEAMARK_E_ARGUMENT);
	CU_ASSERT_EQUAL(state_count(state), 0);
	long_name[255] = 0;
	CU_ASSERT_EQUAL(protect(long_name, data, 4), 0);
	CU_ASSERT_EQUAL(state_find(state, long_name), 0);
	end();
}

/* --- memory that the host cannot read ------------------------------------------------------------------------------ */

static uint8_t *map(size_t bytes, int protection)
{
	uint8_t *data = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (data == MAP_FAILED)
		abort();
	return data;
}

static void one_unreadable_page_of(size_t pages, size_t hidden, bool unmapped)
{
	uint8_t *data = map(pages * PAGE, PROT_READ | PROT_WRITE);

	CU_ASSERT_EQUAL(protect("whole", data, pages * PAGE), 0);
	CU_ASSERT_EQUAL(state_unprotect(state, "whole", &fault), 0);
	if (unmapped)
		munmap(data + hidden * PAGE, PAGE);
	else
		mprotect(data + hidden * PAGE, PAGE, PROT_NONE);
	CU_ASSERT_EQUAL(protect("grid", data, pages * PAGE), SEAMARK_E_DEVICE);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault.text, "region 'grid': the host cannot read"));
	CU_ASSERT_EQUAL(state_count(state), 0);
	/* Up to its border, and behind it. */
	if (hidden)
		CU_ASSERT_EQUAL(protect("before", data + 1, hidden * PAGE - 1), 0);
	if (hidden)
		CU_ASSERT_EQUAL(protect("before", data, hidden * PAGE + 1), SEAMARK_E_DEVICE);
	if (hidden + 1 < pages)
		CU_ASSERT_EQUAL(protect("behind", data + (hidden + 1) * PAGE, (pages - hidden - 1) * PAGE), 0);
	if (hidden + 1 < pages)
		CU_ASSERT_EQUAL(protect("behind", data + (hidden + 1) * PAGE - 1, 2), SEAMARK_E_DEVICE);
	state_unprotect(state, "before", NULL);
	state_unprotect(state, "behind", NULL);
	munmap(data, pages * PAGE);
}

static void a_page_that_cannot_be_read_is_found_wherever_it_is(void)
{
	static const size_t sizes[] = { 1, 2, 3, 256, 257, 4099 };

	begin();
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (int unmapped = 0; unmapped < 2; unmapped++) {
			one_unreadable_page_of(sizes[i], 0, unmapped);
			one_unreadable_page_of(sizes[i], sizes[i] - 1, unmapped);
			one_unreadable_page_of(sizes[i], sizes[i] / 2, unmapped);
			one_unreadable_page_of(sizes[i], sizes[i] / 3, unmapped);
		}
	end();
}

static void a_mapping_longer_than_its_file_cannot_be_read(void)
{
	int file = memfd_create("short", 0);
	uint8_t *data;

	begin();
	if (file < 0 || ftruncate(file, (off_t)PAGE))
		abort();
	data = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, file, 0);
	CU_ASSERT_EQUAL(protect("file", data, PAGE), 0);
	CU_ASSERT_EQUAL(protect("file", data, 2 * PAGE), SEAMARK_E_DEVICE);
	munmap(data, 2 * PAGE);
	close(file);
	end();
}

static void wild_ranges_are_refused(void)
{
	char data[8];

	begin();
	CU_ASSERT_EQUAL(protect("x", data, SIZE_MAX), SEAMARK_E_DEVICE);
	CU_ASSERT_EQUAL(protect("x", data, SIZE_MAX / 2), SEAMARK_E_DEVICE);
	CU_ASSERT_EQUAL(protect("x", (void *)8, 8), SEAMARK_E_DEVICE);
	CU_ASSERT_EQUAL(protect("x", (void *)UINT64_C(0x8000000000000000), 8), SEAMARK_E_DEVICE);
	CU_ASSERT_EQUAL(state_count(state), 0);
	end();
}

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void a_failed_move_leaves_the_region_as_it_was(void)
{
	uint8_t *hidden = map(PAGE, PROT_NONE);
	uint64_t value = 7;
	struct state_capture capture;
	int before = descriptors();

	begin();
	CU_ASSERT_EQUAL(protect("v", &value, sizeof value), 0);
	CU_ASSERT_EQUAL(protect("v", hidden, PAGE), SEAMARK_E_DEVICE);
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	CU_ASSERT_EQUAL(capture.bytes, sizeof value);
	CU_ASSERT_EQUAL(memcmp(capture.regions[0].data, &value, sizeof value), 0);
	CU_ASSERT_EQUAL(descriptors(), before);
	munmap(hidden, PAGE);
	end();
}

/* --- captures ---------------------------------------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
	seed = mix64(seed);
	return seed % below;
}

#define MOST 12

/* What the state should be, and what the last capture should still be. */
struct model {
	struct { char name[8]; uint8_t *data; size_t bytes; } regions[MOST];
	size_t count;
	struct { char name[8]; uint8_t *data; size_t bytes; } taken[MOST];
	size_t taken_count;
	bool live;
};

static void fill(uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 97)
		data[i] = (uint8_t)draw(256);
}

static void model_protect(struct model *model, const char *name)
{
	size_t bytes = draw(4) ? (size_t)draw(3000) : (size_t)draw(300000);
	uint8_t *data = calloc(1, bytes + 1);
	size_t at = 0;

	while (at < model->count && strcmp(model->regions[at].name, name))
		at++;
	if (at == MOST) {
		free(data);
		return;
	}
	fill(data, bytes);
	CU_ASSERT_EQUAL(protect(name, data, bytes), 0);
	if (at == model->count) {
		strcpy(model->regions[model->count++].name, name);
	} else {
		free(model->regions[at].data);
	}
	model->regions[at].data = data;
	model->regions[at].bytes = bytes;
}

static void model_unprotect(struct model *model, size_t at)
{
	CU_ASSERT_EQUAL(state_unprotect(state, model->regions[at].name, &fault), 0);
	free(model->regions[at].data);
	model->count--;
	memmove(model->regions + at, model->regions + at + 1, (model->count - at) * sizeof model->regions[0]);
}

static void model_change(struct model *model, size_t at)
{
	fill(model->regions[at].data, model->regions[at].bytes);
}

static void forget_taken(struct model *model)
{
	for (size_t i = 0; i < model->taken_count; i++)
		free(model->taken[i].data);
	model->taken_count = 0;
	model->live = false;
}

static void model_capture(struct model *model, struct state_capture *capture)
{
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL(state_capture(state, capture, &fault), 0);
	CU_ASSERT_TRUE(capture->copied);
	forget_taken(model);
	for (size_t i = 0; i < model->count; i++) {
		strcpy(model->taken[i].name, model->regions[i].name);
		model->taken[i].bytes = model->regions[i].bytes;
		model->taken[i].data = malloc(model->regions[i].bytes + 1);
		memcpy(model->taken[i].data, model->regions[i].data, model->regions[i].bytes);
	}
	model->taken_count = model->count;
	model->live = true;
}

static bool is_as_taken(const struct model *model, const struct state_capture *capture)
{
	uint64_t bytes = 0;

	if (capture->count != model->taken_count)
		return false;
	for (size_t i = 0; i < capture->count; i++) {
		const struct state_captured *region = &capture->regions[i];

		if (strcmp(region->name, model->taken[i].name) || region->bytes != model->taken[i].bytes ||
		    memcmp(region->data, model->taken[i].data, region->bytes))
			return false;
		bytes += region->bytes;
	}
	return bytes == capture->bytes;
}

/* Whatever happens to regions after a capture, it stays what it was, until the next or until it is done with. */
static void a_capture_stays_what_it_was_whatever_the_program_does(void)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" };
	struct state_capture capture = { 0 };
	struct model model = { 0 };

	seed = 20240719;
	printf(" (seed %llu) ", (unsigned long long)seed);
	begin();
	for (int turn = 0; turn < 6000; turn++) {
		uint64_t what = draw(20);

		if (what < 6)
			model_protect(&model, names[draw(10)]);
		else if (what < 8 && model.count)
			model_unprotect(&model, (size_t)draw(model.count));
		else if (what < 12 && model.count)
			model_change(&model, (size_t)draw(model.count));
		else if (what < 16)
			state_prepare(state);
		else if (what < 19)
			model_capture(&model, &capture);
		else
			state_capture_done(state), forget_taken(&model);
		if (model.live && !is_as_taken(&model, &capture)) {
			CU_FAIL("the capture has changed");
			break;
		}
	}
	forget_taken(&model);
	while (model.count)
		model_unprotect(&model, 0);
	end();
}

static long resident_pages(void)
{
	long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2)
		abort();
	fclose(file);
	return resident;
}

static void prepared_memory_is_touched_and_a_capture_is_a_copy(void)
{
	const size_t bytes = 32 * MIB;
	uint8_t *data = map(bytes, PROT_READ | PROT_WRITE);
	struct state_capture capture;
	struct rusage before, after;

	begin();
	memset(data, 1, bytes);
	CU_ASSERT_EQUAL(protect("grid", data, bytes), 0);
	state_prepare(state);
	getrusage(RUSAGE_SELF, &before);
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	getrusage(RUSAGE_SELF, &after);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they touch shadows of their own */
	CU_ASSERT_TRUE(after.ru_minflt - before.ru_minflt < 16);
#endif
	CU_ASSERT_TRUE(capture.copied);
	CU_ASSERT_PTR_NOT_EQUAL(capture.regions[0].data, data);
	CU_ASSERT_EQUAL(memcmp(capture.regions[0].data, data, bytes), 0);
	munmap(data, bytes);
	end();
}

static void memory_is_given_back(void)
{
	uint8_t *data = map(64 * MIB, PROT_READ | PROT_WRITE);
	struct state_capture capture;
	long before = resident_pages();

	memset(data, 1, 64 * MIB);
	before = resident_pages();
	begin();
	CU_ASSERT_EQUAL(protect("grid", data, 64 * MIB), 0);
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	CU_ASSERT_TRUE(resident_pages() - before > 15000);
	CU_ASSERT_EQUAL(protect("grid", data, MIB), 0);
	state_capture_done(state);
	state_prepare(state);
#ifndef __SANITIZE_ADDRESS__
	CU_ASSERT_TRUE(resident_pages() - before < 1500);
#endif
	end();
	munmap(data, 64 * MIB);
}

static void an_empty_state_can_be_captured(void)
{
	struct state_capture capture;

	begin();
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	CU_ASSERT_EQUAL(capture.count, 0);
	CU_ASSERT_EQUAL(capture.bytes, 0);
	CU_ASSERT_EQUAL(protect("nothing", NULL, 0), 0);
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	CU_ASSERT_EQUAL(capture.count, 1);
	CU_ASSERT_EQUAL(capture.regions[0].bytes, 0);
	end();
}

/* What log_say writes while `run` runs. */
static void told(void (*run)(void), char *text, size_t room)
{
	int ends[2], old = dup(STDERR_FILENO);
	ssize_t size;

	if (old < 0 || pipe2(ends, O_NONBLOCK))
		abort();
	dup2(ends[1], STDERR_FILENO);
	run();
	dup2(old, STDERR_FILENO);
	size = read(ends[0], text, room - 1);
	text[size > 0 ? size : 0] = 0;
	close(old);
	close(ends[0]);
	close(ends[1]);
}

static void capture_thrice(void)
{
	struct state_capture capture;

	for (int i = 0; i < 3; i++) {
		state_prepare(state);
		CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
		CU_ASSERT_FALSE(capture.copied);
	}
}

static int save_nine(seamark_writer *to, void *context)
{
	(void)context;
	return seamark_write(to, "nine bytes", 9);
}

static int load_nothing(seamark_reader *from, void *context)
{
	(void)from;
	(void)context;
	return 0;
}

/* A terabyte that costs nothing: pages of zeros, never written. */
static void without_memory_for_a_copy_the_regions_themselves_are_given(void)
{
	const size_t tera = (size_t)1 << 40;
	uint8_t *data = map(tera, PROT_READ);
	char small[] = "small", text[2000];
	struct state_capture capture;

	way = STATE_COPY; /* and not by a child process, which needs no memory for that */
	begin();
	way = STATE_AUTO;
	CU_ASSERT_EQUAL(protect("huge", data, tera), 0);
	CU_ASSERT_EQUAL(protect("small", small, sizeof small), 0);
	CU_ASSERT_EQUAL(state_protect_with(state, "nine", save_nine, load_nothing, NULL, &fault), 0);
	told(capture_thrice, text, sizeof text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "seamark: no memory for a copy of the state: 1048576.0 MiB needed, "));
	CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1); /* once */
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	CU_ASSERT_PTR_EQUAL(capture.regions[0].data, data);
	CU_ASSERT_PTR_EQUAL(capture.regions[1].data, small);
	CU_ASSERT_EQUAL(capture.regions[2].bytes, 9);
	CU_ASSERT_EQUAL(memcmp(capture.regions[2].data, "nine byte", 9), 0);
	CU_ASSERT_EQUAL(capture.bytes, tera + sizeof small + 9);
	CU_ASSERT_EQUAL(state_unprotect(state, "huge", &fault), 0);
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	CU_ASSERT_TRUE(capture.copied);
	CU_ASSERT_PTR_NOT_EQUAL(capture.regions[0].data, small);
	munmap(data, tera);
	end();
}

static void memory_that_is_not_there_is_not_taken(void)
{
	struct memory memory = { NULL, 0 };

	CU_ASSERT_TRUE(memory_is_there(PAGE));
	CU_ASSERT_FALSE(memory_is_there(UINT64_C(1) << 50));
	CU_ASSERT_FALSE(memory_is_there(UINT64_MAX - 1));
	CU_ASSERT_FALSE(memory_take(&memory, SIZE_MAX));
	CU_ASSERT_FALSE(memory_extend(&memory, SIZE_MAX));
	CU_ASSERT_PTR_NULL(memory.data);
	CU_ASSERT_TRUE(memory_take(&memory, 5 * MIB));
	CU_ASSERT_EQUAL((uintptr_t)memory.data % (2 * MIB), 0);
	memory.data[5 * MIB - 1] = 9;
	CU_ASSERT_FALSE(memory_extend(&memory, (size_t)1 << 50));
	CU_ASSERT_EQUAL(memory.data[5 * MIB - 1], 9);
	CU_ASSERT_TRUE(memory_extend(&memory, 20 * MIB));
	CU_ASSERT_EQUAL(memory.data[5 * MIB - 1], 9);
	memory.data[20 * MIB - 1] = 1;
	memory_give_back(&memory);
}

/* --- callbacks --------------------------------------------------------------------------------------------------- */

struct list {
	uint32_t *values;
	size_t count;
	int answer;
	int nested;               /* what protecting inside the callback said */
	seamark_writer *writer;   /* kept, against the rules */
};

static int save_list(seamark_writer *to, void *context)
{
	struct list *list = context;
	struct state_capture capture;
	uint64_t count = list->count;

	list->writer = to;
	if (seamark_write(to, &count, sizeof count))
		return -1;
	for (size_t i = 0; i < list->count; i++)
		if (seamark_write(to, &list->values[i], sizeof list->values[i]))
			return -2;
	list->nested = state_protect(state, "nested", list, sizeof *list, NULL);
	CU_ASSERT_EQUAL(state_unprotect(state, "list", NULL), SEAMARK_E_ORDER);
	CU_ASSERT_EQUAL(state_capture(state, &capture, NULL), SEAMARK_E_ORDER);
	state_prepare(state);
	CU_ASSERT_EQUAL(seamark_write(to, NULL, 4), SEAMARK_E_ARGUMENT);
	CU_ASSERT_EQUAL(seamark_write(to, NULL, 0), 0);
	return list->answer;
}

static int load_list(seamark_reader *from, void *context)
{
	struct list *list = context;
	uint64_t count;
	uint32_t beyond = 77;

	if (seamark_read(from, &count, sizeof count))
		return -1;
	list->count = (size_t)count;
	list->values = malloc(list->count * sizeof *list->values);
	for (size_t i = 0; i < list->count; i++)
		if (seamark_read(from, &list->values[i], sizeof list->values[i]))
			return -2;
	CU_ASSERT_EQUAL(seamark_read(from, &beyond, sizeof beyond), SEAMARK_E_REGION);
	CU_ASSERT_EQUAL(beyond, 77);
	CU_ASSERT_EQUAL(seamark_read(from, NULL, 0), 0);
	return list->answer;
}

static void what_callbacks_stream_out_they_stream_in(void)
{
	struct list out = { .count = 300000 }, in = { 0 };
	struct state_capture capture;
	uint8_t before[1000], after[100];

	begin();
	out.values = malloc(out.count * sizeof *out.values);
	for (size_t i = 0; i < out.count; i++)
		out.values[i] = (uint32_t)mix64(i);
	memset(before, 3, sizeof before);
	memset(after, 4, sizeof after);
	CU_ASSERT_EQUAL(protect("before", before, sizeof before), 0);
	CU_ASSERT_EQUAL(state_protect_with(state, "list", save_list, load_list, &out, &fault), 0);
	CU_ASSERT_EQUAL(protect("after", after, sizeof after), 0);
	CU_ASSERT_EQUAL(state_protect_with(state, "nine", save_nine, load_nothing, NULL, &fault), 0);
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	CU_ASSERT_EQUAL(out.nested, SEAMARK_E_ORDER);
	CU_ASSERT_EQUAL(capture.count, 4);
	CU_ASSERT_EQUAL(capture.bytes, sizeof before + 8 + 4 * out.count + sizeof after + 9);
	CU_ASSERT_EQUAL(capture.regions[1].bytes, 8 + 4 * out.count);
	CU_ASSERT_EQUAL(memcmp((const uint8_t *)capture.regions[1].data + 8, out.values, 4 * out.count), 0);
	CU_ASSERT_EQUAL(memcmp(capture.regions[2].data, after, sizeof after), 0);
	CU_ASSERT_EQUAL(memcmp(capture.regions[3].data, "nine byte", 9), 0);
	CU_ASSERT_EQUAL(seamark_write(out.writer, "late", 4), SEAMARK_E_ORDER);

	CU_ASSERT_EQUAL(state_protect_with(state, "list", save_list, load_list, &in, &fault), 0);
	CU_ASSERT_EQUAL(state_load(state, 1, capture.regions[1].data, capture.regions[1].bytes, &fault), 0);
	CU_ASSERT_EQUAL(in.count, out.count);
	CU_ASSERT_EQUAL(memcmp(in.values, out.values, 4 * out.count), 0);
	free(out.values);
	free(in.values);
	end();
}

static void a_failed_callback_is_told_and_the_next_capture_works(void)
{
	uint32_t value = 5;
	struct list list = { .values = &value, .count = 1, .answer = 42 };
	struct state_capture capture;
	uint64_t count = 1;

	begin();
	CU_ASSERT_EQUAL(state_protect_with(state, "list", save_list, load_list, &list, &fault), 0);
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), SEAMARK_E_REGION);
	CU_ASSERT_STRING_EQUAL(fault.text, "region 'list': its save callback failed with 42");
	CU_ASSERT_EQUAL(capture.count, 0);
	list.answer = 0;
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	CU_ASSERT_EQUAL(capture.bytes, 12);
	fault = FAULT_NONE;
	CU_ASSERT_EQUAL(state_load(state, 0, &count, sizeof count, &fault), SEAMARK_E_REGION); /* values are missing */
	CU_ASSERT_STRING_EQUAL(fault.text, "region 'list': its load callback failed with -2");
	free(list.values);
	end();
}

static int save_without_end(seamark_writer *to, void *context)
{
	static const uint8_t block[4096];

	(void)context;
	CU_ASSERT_EQUAL(seamark_write(to, block, SIZE_MAX), SEAMARK_E_MEMORY);
	CU_ASSERT_EQUAL(seamark_write(to, block, 1), SEAMARK_E_MEMORY);
	return 0; /* says it went well */
}

static void a_callback_that_hides_that_memory_ran_out_does_not_pass(void)
{
	struct state_capture capture;

	begin();
	CU_ASSERT_EQUAL(state_protect_with(state, "x", save_without_end, load_nothing, NULL, &fault), 0);
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), SEAMARK_E_MEMORY);
	CU_ASSERT_EQUAL(capture.count, 0);
	end();
}

static void a_region_may_change_its_kind(void)
{
	uint64_t value = 9;
	struct state_capture capture;
	struct state_region_view view;

	begin();
	CU_ASSERT_EQUAL(protect("x", &value, sizeof value), 0);
	state_prepare(state);
	CU_ASSERT_EQUAL(state_protect_with(state, "x", save_nine, load_nothing, NULL, &fault), 0);
	state_view(state, 0, &view);
	CU_ASSERT_TRUE(view.callbacks && !view.data && !view.bytes);
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	CU_ASSERT_EQUAL(capture.bytes, 9);
	CU_ASSERT_EQUAL(protect("x", &value, sizeof value), 0);
	CU_ASSERT_EQUAL(state_capture(state, &capture, &fault), 0);
	CU_ASSERT_EQUAL(capture.bytes, 8);
	CU_ASSERT_EQUAL(memcmp(capture.regions[0].data, &value, 8), 0);
	end();
}

static void a_block_is_loaded_whole_or_not_at_all(void)
{
	uint64_t value = 1, saved = 2;

	begin();
	CU_ASSERT_EQUAL(protect("v", &value, sizeof value), 0);
	CU_ASSERT_EQUAL(state_load(state, 0, &saved, 7, &fault), SEAMARK_E_REGION);
	CU_ASSERT_EQUAL(value, 1);
	CU_ASSERT_EQUAL(state_load(state, 0, &saved, 8, &fault), 0);
	CU_ASSERT_EQUAL(value, 2);
	end();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "regions keep the order in which they were protected", regions_keep_the_order_in_which_they_were_protected },
		{ "names and pointers that cannot be are refused", names_and_pointers_that_cannot_be_are_refused },
		{ "a page that cannot be read is found wherever it is", a_page_that_cannot_be_read_is_found_wherever_it_is },
		{ "a mapping longer than its file cannot be read", a_mapping_longer_than_its_file_cannot_be_read },
		{ "wild ranges are refused", wild_ranges_are_refused },
		{ "a failed move leaves the region as it was", a_failed_move_leaves_the_region_as_it_was },
		{ "a capture stays what it was whatever the program does", a_capture_stays_what_it_was_whatever_the_program_does },
		{ "prepared memory is touched and a capture is a copy", prepared_memory_is_touched_and_a_capture_is_a_copy },
		{ "memory is given back", memory_is_given_back },
		{ "an empty state can be captured", an_empty_state_can_be_captured },
		{ "without memory for a copy the regions themselves are given",
		  without_memory_for_a_copy_the_regions_themselves_are_given },
		{ "memory that is not there is not taken", memory_that_is_not_there_is_not_taken },
		{ "what callbacks stream out they stream in", what_callbacks_stream_out_they_stream_in },
		{ "a failed callback is told and the next capture works", a_failed_callback_is_told_and_the_next_capture_works },
		{ "a callback that hides that memory ran out does not pass",
		  a_callback_that_hides_that_memory_ran_out_does_not_pass },
		{ "a region may change its kind", a_region_may_change_its_kind },
		{ "a block is loaded whole or not at all", a_block_is_loaded_whole_or_not_at_all },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = { { "state", NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };

	return suites_run(suites);
}
