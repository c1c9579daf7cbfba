/* SPDX-License-Identifier: BSD-3-Clause */
/* The traces of a snapshot, of up to four ranks that need not agree in anything: read, made one model of, and shown in every way. Input: a byte that says how many files there are, whether a rank has none, and whether
 * the first is as it comes, with its head (which else is made here, so that the files are of one attempt); then each file as two bytes for its length and so many bytes: its clock, eight bytes of its time of day, and
 * what follows the head (docs/format.md, 10). Checksums are made here. */
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "command/command.h"
#include "fuzz.h"
#include "test_store_fixture.h"
#include "tracing/trace.h"
#include "trace_holds.h"
#include "tracing/svg.h"

size_t fuzz_accepted;

enum { FILES_MOST = 4, HEAD = 80, SUM = 8, RANKS_MOST = 1024 };
/* Of the first byte, above the two bits of the number of files. */
enum { ONE_MISSING = 4, OTHERS_HEAD = 8, AS_IT_IS = 16, LEAVE_SUM = 32, OTHER_NAME = 64 };

static char folder[256], path[320];
static int nowhere;           /* instead of standard output */

static void clean_up(void)
{
	fixture_remove(folder);
}

static void begin(void)
{
	if (!getenv("TMPDIR") && !access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 1);
	fixture_folder(folder);
	atexit(clean_up);
	snprintf(path, sizeof path, "%s/trace", folder);
	FUZZ_HOLDS(!mkdir(path, 0777));
	snprintf(path, sizeof path, "%s/trace/0000001.L01", folder);
	FUZZ_HOLDS(!mkdir(path, 0777));
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	FUZZ_HOLDS(nowhere >= 0);
}

/* --- the files ---------------------------------------------------------------------------------------------------------- */

static void put_head(uint8_t *head, unsigned rank, unsigned ranks, uint8_t flags, const uint8_t *said, size_t size)
{
	static const uint8_t magic[] = { 0x89, 'S', 'M', 'T', '\r', '\n', 0x1a, '\n', 1, 0, 0, 0 };
	uint8_t clock[9] = { 0 };

	memcpy(clock, said, size < sizeof clock ? size : sizeof clock);
	memset(head, 0, HEAD);
	memcpy(head, magic, sizeof magic);
	fuzz_put(head + 12, 7, 8);
	fuzz_put(head + 28, 1 + (flags & OTHERS_HEAD && rank == 1), 8);
	fuzz_put(head + 36, 5, 8);
	fuzz_put(head + 44, 1, 8);
	fuzz_put(head + 52, 1, 4);
	fuzz_put(head + 56, rank, 4);
	fuzz_put(head + 60, ranks, 4);
	fuzz_put(head + 64, clock[0], 8);
	fuzz_put(head + 72, fuzz_number(clock + 1, 8) & (UINT64_MAX >> 2), 8);
}

static void put_file(unsigned name, const uint8_t *data, size_t size)
{
	char file[400];
	int fd;

	snprintf(file, sizeof file, "%s/rank-%05u.trace", path, name);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	FUZZ_HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static void remove_files(void)
{
	for (unsigned name = 0; name <= FILES_MOST; name++) {
		char file[400];

		snprintf(file, sizeof file, "%s/rank-%05u.trace", path, name);
		unlink(file);
	}
}

/* What is accepted is the same when it is written and read again. */
static void try_file(const uint8_t *data, size_t size)
{
	struct trace_file file, again;
	struct bytes_out out = { 0 }, second = { 0 };
	struct fault fault = FAULT_NONE;
	const int code = trace_get(&file, data, size, "fuzz", &fault);

	FUZZ_HOLDS(!code || (code == fault.code && fault.text[0]));
	if (code)
		return;
	trace_put(&out, &file);
	FUZZ_HOLDS(!out.failed && !trace_get(&again, out.data, out.size, "again", &fault));
	FUZZ_HOLDS(again.event_count == file.event_count && !memcmp(again.events, file.events, file.event_count * sizeof *file.events));
	trace_put(&second, &again);
	FUZZ_HOLDS(second.size == out.size && !memcmp(second.data, out.data, out.size));
	bytes_free(&out);
	bytes_free(&second);
	trace_file_free(&file);
	trace_file_free(&again);
}

/* Returns the bytes that it took. */
static size_t make_file(const uint8_t *data, size_t size, unsigned rank, unsigned ranks, uint8_t flags)
{
	static uint8_t file[HEAD + UINT16_MAX + SUM];
	const bool raw = !rank && flags & AS_IT_IS;
	const uint8_t *from = data + 2;
	size_t length, whole;

	if (size < 2)
		return size;
	length = fuzz_number(data, 2);
	if (length > size - 2)
		length = size - 2;
	if (raw) {
		memcpy(file, from, length);
		whole = length;
		/* So many ranks are only slow. */
		if (length >= HEAD && fuzz_number(file + 60, 4) > RANKS_MOST)
			fuzz_put(file + 60, RANKS_MOST, 4);
	} else {
		put_head(file, rank, ranks, flags, from, length);
		whole = HEAD;
		if (length > 9) {
			memcpy(file + HEAD, from + 9, length - 9);
			whole += length - 9;
		}
	}
	if (!(flags & LEAVE_SUM && raw)) {
		fuzz_put(file + whole, XXH3_64bits(file, whole), SUM);
		whole += SUM;
	}
	try_file(file, whole);
	put_file(flags & OTHER_NAME && rank == 1 ? FILES_MOST : rank, file, whole);
	return length + 2;
}

/* --- what is shown of it -------------------------------------------------------------------------------------------------- */

static char *text;            /* of the last that was shown; freed by the next */
static size_t text_size;

static FILE *open_text(void)
{
	FILE *to;

	free(text);
	text = NULL;
	to = open_memstream(&text, &text_size);
	FUZZ_HOLDS(to);
	return to;
}

static void check_json(const struct trace_model *model, const struct trace_view *view)
{
	json_t *document = trace_json(model, view);
	char *printed;

	FUZZ_HOLDS(document);
	printed = json_dumps(document, JSON_COMPACT);
	FUZZ_HOLDS(printed);
	FUZZ_HOLDS(json_array_size(json_object_get(document, "messages")) == model->message_count);
	free(printed);
	json_decref(document);
}

/* A flow ends after it has begun. */
static void check_flows(const json_t *events, bool sound)
{
	double began = 0;

	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *event = json_array_get(events, i);
		const char *phase = json_string_value(json_object_get(event, "ph"));
		const double ts = json_number_value(json_object_get(event, "ts"));

		FUZZ_HOLDS(phase && ts >= 0);
		if (*phase == 'X')
			FUZZ_HOLDS(json_number_value(json_object_get(event, "dur")) >= 0);
		if (*phase == 'f' && sound)
			FUZZ_HOLDS(ts > began);
		began = ts;
	}
}

static void check_perfetto(const struct trace_model *model, const struct trace_view *view)
{
	FILE *to = open_text();
	json_t *document;

	FUZZ_HOLDS(trace_put_perfetto(model, view, to) && !fclose(to));
	document = json_loadb(text, text_size, 0, NULL);
	FUZZ_HOLDS(document);
	/* Numbers have 16 digits. */
	check_flows(json_object_get(document, "traceEvents"), !model->unordered && model->span_ns[1] - model->span_ns[0] < INT64_C(1000000000000000));
	json_decref(document);
}

static void check_shiviz(const struct trace_model *model, const struct trace_view *view)
{
	FILE *to = open_text();
	size_t lines = 0;

	FUZZ_HOLDS(trace_put_shiviz(model, view, to) == (view->shown <= 256) && !fclose(to));
	for (size_t i = 0; i < text_size; i++) {
		FUZZ_HOLDS(text[i] == '\n' || ((unsigned char)text[i] >= ' ' && text[i] != 0x7f));
		lines += text[i] == '\n';
	}
	FUZZ_HOLDS(view->shown > 256 || (lines >= 2 && lines % 2 == 0));
}

/* Elements are closed in their order; no number is none. */
static void check_svg(const struct trace_model *model, enum diagram_by by, bool orders)
{
	FILE *to = open_text();
	int depth = 0;

	FUZZ_HOLDS(trace_svg_write(to, model, &(struct diagram_options){ .by = by, .orders = orders }) && !fclose(to));
	for (size_t i = 0; i < text_size; i++) {
		FUZZ_HOLDS(text[i] == '\n' || ((unsigned char)text[i] >= ' ' && (unsigned char)text[i] < 0x7f));
		if (text[i] == '<')
			depth += text[i + 1] == '/' ? -1 : 1;
		else if (text[i] == '>' && text[i - 1] == '/')
			depth--;
		FUZZ_HOLDS(depth >= 0);
		if (text[i] == '=' && text[i + 1] == '"')
			FUZZ_HOLDS(strncmp(text + i + 2, "nan", 3) && strncmp(text + i + 2, "-nan", 4) && strncmp(text + i + 2, "inf", 3) && strncmp(text + i + 2, "-inf", 4));
	}
	FUZZ_HOLDS(!depth);
}

static void print(const struct trace_model *model, struct trace_view *view)
{
	int screen;

	fflush(stdout);
	screen = dup(STDOUT_FILENO);
	FUZZ_HOLDS(screen >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0);
	trace_print(model, view);
	view->all = true;
	trace_print(model, view);
	view->all = false;
	fflush(stdout);
	dup2(screen, STDOUT_FILENO);
	close(screen);
}

static void show(const struct trace_model *model)
{
	struct trace_view view = { .ranks = malloc(model->ranks * sizeof *view.ranks), .shown = model->ranks };

	FUZZ_HOLDS(view.ranks);
	memset(view.ranks, true, model->ranks * sizeof *view.ranks);
	check_json(model, &view);
	check_perfetto(model, &view);
	check_shiviz(model, &view);
	check_svg(model, DIAGRAM_BY_TIME, true);
	check_svg(model, DIAGRAM_BY_ORDER, false);
	check_svg(model, DIAGRAM_BY_CUT, false);
	print(model, &view);
	free(view.ranks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_model *model;
	struct fault fault = FAULT_NONE;
	size_t taken = 1;
	int code;

	if (!folder[0])
		begin();
	if (!size)
		return 0;
	remove_files();
	for (unsigned rank = 0, files = 1 + data[0] % FILES_MOST; rank < files; rank++)
		taken += make_file(data + taken, size - taken, rank, files + (data[0] & ONE_MISSING ? 1 : 0), data[0]);
	code = trace_model_of_snapshot(folder, 1, &model, &fault);
	FUZZ_HOLDS(!code || (code == fault.code && fault.text[0]));
	if (code)
		return 0;
	const char *wrong = trace_holds(model);

	if (wrong)
		fprintf(stderr, "not so: %s\n", wrong);
	FUZZ_HOLDS(!wrong);
	fuzz_accepted += model->event_count > 0;
	show(model);
	trace_model_free(model);
	return 0;
}
