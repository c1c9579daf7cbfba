/* SPDX-License-Identifier: BSD-3-Clause */
/* picture: draws what the simulator tells (sim --trace), or a few lines of that format written by hand, by the code that `seamark trace --svg` draws with.
 *
 *     sim --seed 3 --calm --program bank --ranks 3 --trace | picture - >bank.svg
 *     picture --by order --title "An orphan" orphan.txt >orphan.svg
 *
 * Read are the lines of the first life: send, told, recorded, drained, asks, announce, ready, order, marker, marker-head, cut, void-cut, closed, committed, void. Lines are in causal order, so the number of a line is
 * the place of its event among all.
 */
#include <argp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diagram/diagram.h"

enum { KEY_BY = 256, KEY_TITLE, KEY_SUBTITLE, KEY_EPOCH, KEY_RANKS, KEY_EVERY, KEY_ORDERS, KEY_MOST, KEY_WHOLE };

struct line {
	unsigned life;
	double ms;
	char rank[16], kind[32], stream[64], position[24], rest[160];
	uint32_t epoch;
	uint32_t at;            /* rank as a number */
};

struct message {
	char key[96];           /* stream and position */
	size_t sent, told;      /* lines, or NONE */
};

struct picture {
	struct line *lines;
	size_t count;
	uint32_t ranks, epoch;
	size_t *cut, *cut_spot; /* of each rank, the line; NONE; and its spot, when that is made */
	size_t first, last;     /* lines in the window */
	bool *selected;
	const char *title, *subtitle, *path, *list;
	bool whole;
	struct diagram diagram;
	struct diagram_options options;
};

static void fail(const char *what, const char *text)
{
	fprintf(stderr, "picture: %s: %s\n", what, text);
	exit(2);
}

static void *need(void *memory)
{
	if (!memory)
		fail("memory", "not enough");
	return memory;
}

static bool is(const struct line *line, const char *kind)
{
	return !strcmp(line->kind, kind);
}

static int64_t ns_of(const struct line *line)
{
	return (int64_t)(line->ms * 1e6 + 0.5);
}

/* The number behind a word of the rest, as "to 3". */
static bool number_behind(const struct line *line, const char *word, uint32_t *number)
{
	const char *at = strstr(line->rest, word);

	return at && sscanf(at + strlen(word), " %" SCNu32, number) == 1;
}

static void read_lines(struct picture *picture)
{
	FILE *file = strcmp(picture->path, "-") ? fopen(picture->path, "r") : stdin;
	char text[512];
	size_t room = 0;

	if (!file)
		fail(picture->path, "cannot be opened");
	while (fgets(text, sizeof text, file)) {
		struct line line = {0};

		if (sscanf(text, "%u %lf %15s %31s %" SCNu32 " %63s %23s %159[^\n]", &line.life, &line.ms, line.rank, line.kind, &line.epoch, line.stream, line.position, line.rest) < 7 ||
		    line.life != 1 || sscanf(line.rank, "%" SCNu32, &line.at) != 1)
			continue;
		if (picture->count == room)
			picture->lines = need(realloc(picture->lines, (room = room ? 2 * room : 256) * sizeof line));
		picture->lines[picture->count++] = line;
		if (line.at >= picture->ranks)
			picture->ranks = line.at + 1;
	}
	if (ferror(file) || !picture->count)
		fail(picture->path, "there is no trace in it");
	if (file != stdin)
		fclose(file);
}

static bool is_cut(const struct picture *picture, const struct line *line)
{
	return (is(line, "cut") || is(line, "void-cut")) && line->epoch == picture->epoch;
}

/* The cuts, and the window: from what began the snapshot to the last closing, or all of a short trace. */
static void find_window(struct picture *picture)
{
	bool begun = false;

	picture->cut = need(malloc(picture->ranks * sizeof *picture->cut));
	picture->cut_spot = need(malloc(picture->ranks * sizeof *picture->cut_spot));
	for (uint32_t rank = 0; rank < picture->ranks; rank++)
		picture->cut[rank] = picture->cut_spot[rank] = DIAGRAM_NONE;
	for (size_t i = 0; i < picture->count; i++) {
		const struct line *line = &picture->lines[i];

		if (is_cut(picture, line))
			picture->cut[line->at] = i;
		if ((is(line, "announce") || is(line, "cut")) && line->epoch == picture->epoch && !begun) {
			picture->first = i;
			begun = true;
		}
		if ((is(line, "closed") || is(line, "marker-head")) && line->epoch == picture->epoch)
			picture->last = i;
	}
	if (picture->whole || !begun || !picture->last) {
		picture->first = 0;
		picture->last = picture->count - 1;
		return;
	}
	/* And a little more on both sides. */
	double margin = 0.3 * (picture->lines[picture->last].ms - picture->lines[picture->first].ms);
	double from = picture->lines[picture->first].ms - margin, end = picture->lines[picture->last].ms + margin;
	while (picture->first && picture->lines[picture->first - 1].ms >= from)
		picture->first--;
	while (picture->last + 1 < picture->count && picture->lines[picture->last + 1].ms <= end)
		picture->last++;
}

static bool is_in(const struct picture *picture, size_t line)
{
	return line != DIAGRAM_NONE && line >= picture->first && line <= picture->last;
}

/* A cut and its markers are one act, and one spot. */
static size_t spot_of(struct picture *picture, size_t line)
{
	const struct line *at = &picture->lines[line];

	if (picture->cut[at->at] == line) {
		if (picture->cut_spot[at->at] == DIAGRAM_NONE)
			picture->cut_spot[at->at] = diagram_add_spot(&picture->diagram, at->at, ns_of(at), line);
		return picture->cut_spot[at->at];
	}
	return diagram_add_spot(&picture->diagram, at->at, ns_of(at), line);
}

static bool is_after(const struct picture *picture, size_t line, uint32_t rank)
{
	return picture->cut[rank] != DIAGRAM_NONE && line > picture->cut[rank];
}

static void add_message(struct picture *picture, const struct message *message)
{
	static const enum diagram_fate fates[2][2] = { { DIAGRAM_BEFORE, DIAGRAM_LATE }, { DIAGRAM_ORPHAN, DIAGRAM_AFTER } };
	struct diagram_arrow *arrow;
	uint32_t from, to;
	unsigned tag;
	static char communicators[256][16];
	unsigned communicator;

	if (sscanf(message->key, "%" SCNu32 ">%" SCNu32 ":%u:%u", &from, &to, &communicator, &tag) != 4 || communicator >= 256 || from >= picture->ranks || to >= picture->ranks)
		return;
	bool sent_after = is_after(picture, message->sent, from), told_after = is_after(picture, message->told, to);
	bool crosses = sent_after != told_after && message->told != DIAGRAM_NONE;

	if (!crosses && !is_in(picture, message->sent) && !is_in(picture, message->told))
		return;
	arrow = need(diagram_add_arrow(&picture->diagram));
	size_t index = picture->diagram.arrow_count - 1;
	snprintf(communicators[communicator], sizeof communicators[0], communicator ? "comm %u" : "world", communicator);
	*arrow = (struct diagram_arrow){ .kind = DIAGRAM_MESSAGE, .fate = fates[sent_after][told_after], .from = from, .to = to, .communicator = communicators[communicator], .tag = tag,
					 .position = atoll(strchr(message->key, ' ')), .bytes = 8, .told = -1, .start = DIAGRAM_NONE, .end = DIAGRAM_NONE };
	if (is_in(picture, message->sent))
		picture->diagram.arrows[index].start = spot_of(picture, message->sent);
	if (is_in(picture, message->told))
		picture->diagram.arrows[index].end = spot_of(picture, message->told);
}

static int by_key(const void *a, const void *b)
{
	const struct message *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : x->sent < y->sent ? -1 : 1;
}

static int by_sending(const void *a, const void *b)
{
	const struct message *x = a, *y = b;

	return x->sent < y->sent ? -1 : x->sent > y->sent;
}

/* A send and a told of one stream and position are the two ends of one message. */
static void add_messages(struct picture *picture)
{
	struct message *messages = need(calloc(picture->count, sizeof *messages));
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < picture->count; i++) {
		const struct line *line = &picture->lines[i];

		if (!is(line, "send") && !is(line, "told"))
			continue;
		messages[count] = (struct message){ .sent = is(line, "send") ? i : DIAGRAM_NONE, .told = is(line, "told") ? i : DIAGRAM_NONE };
		snprintf(messages[count++].key, sizeof messages[0].key, "%s %s", line->stream, line->position);
	}
	qsort(messages, count, sizeof *messages, by_key);
	for (size_t i = 0; i < count; i++)
		if (kept && !strcmp(messages[kept - 1].key, messages[i].key))
			messages[kept - 1].told = messages[i].told;
		else if (messages[i].sent != DIAGRAM_NONE)
			messages[kept++] = messages[i];
	qsort(messages, kept, sizeof *messages, by_sending);
	for (size_t i = 0; i < kept; i++)
		add_message(picture, &messages[i]);
	free(messages);
}

/* Messages that are in the count of a marker: all that were sent on its channel before. */
static int64_t sent_before(const struct picture *picture, size_t marker, uint32_t from, uint32_t to)
{
	int64_t sent = 0;
	uint32_t s, r;

	for (size_t i = 0; i < marker; i++)
		sent += is(&picture->lines[i], "send") && sscanf(picture->lines[i].stream, "%" SCNu32 ">%" SCNu32, &s, &r) == 2 && s == from && r == to;
	return sent;
}

static size_t find_end(const struct picture *picture, size_t from, const char *kind, uint32_t rank, uint32_t source)
{
	uint32_t other;

	for (size_t i = from; i < picture->count; i++) {
		const struct line *line = &picture->lines[i];

		if (is(line, kind) && line->at == rank && number_behind(line, "from", &other) && other == source && (line->epoch == picture->epoch || strcmp(kind, "marker-head")))
			return i;
	}
	return DIAGRAM_NONE;
}

static void add_marker(struct picture *picture, size_t marker)
{
	const struct line *line = &picture->lines[marker];
	struct diagram_arrow arrow = { .kind = DIAGRAM_MARKER, .from = line->at, .start = DIAGRAM_NONE, .end = DIAGRAM_NONE };
	size_t head;

	if (!number_behind(line, "to", &arrow.to) || arrow.to >= picture->ranks)
		return;
	head = find_end(picture, marker, "marker-head", arrow.to, arrow.from);
	arrow.told = sent_before(picture, marker, arrow.from, arrow.to);
	arrow.start = spot_of(picture, picture->cut[line->at] == DIAGRAM_NONE ? marker : picture->cut[line->at]);
	if (head != DIAGRAM_NONE)
		arrow.end = spot_of(picture, head);
	*(struct diagram_arrow *)need(diagram_add_arrow(&picture->diagram)) = arrow;
}

static void add_order(struct picture *picture, size_t at)
{
	const struct line *line = &picture->lines[at];
	struct diagram_arrow arrow = { .kind = DIAGRAM_ORDER, .from = line->at, .what = line->kind, .start = spot_of(picture, at), .end = DIAGRAM_NONE, .told = -1 };
	uint32_t other;
	char took[48];

	if (!number_behind(line, "to", &arrow.to) || arrow.to >= picture->ranks)
		return;
	snprintf(took, sizeof took, "%s from", line->kind);
	for (size_t i = at; i < picture->count && arrow.end == DIAGRAM_NONE; i++)
		if (is(&picture->lines[i], "takes") && picture->lines[i].at == arrow.to && number_behind(&picture->lines[i], took, &other) && other == arrow.from)
			arrow.end = spot_of(picture, i);
	*(struct diagram_arrow *)need(diagram_add_arrow(&picture->diagram)) = arrow;
}

static void add_rest(struct picture *picture)
{
	bool asked = false, ended = false;

	for (size_t i = 0; i < picture->count; i++) {
		const struct line *line = &picture->lines[i];
		bool of_epoch = line->epoch == picture->epoch;

		if (is(line, "asks") && !asked) {
			diagram_add_point(&picture->diagram, DIAGRAM_START, spot_of(picture, i), DIAGRAM_NONE, NULL);
			asked = true;
		}
		if (of_epoch && is(line, "marker"))
			add_marker(picture, i);
		if (of_epoch && picture->options.orders && (is(line, "announce") || is(line, "ready") || is(line, "order")))
			add_order(picture, i);
		if (is_cut(picture, line))
			diagram_add_point(&picture->diagram, is(line, "cut") ? DIAGRAM_CUT : DIAGRAM_VOID_CUT, spot_of(picture, i), DIAGRAM_NONE, NULL);
		if (of_epoch && is(line, "closed"))
			diagram_add_point(&picture->diagram, DIAGRAM_CLOSED, spot_of(picture, i), DIAGRAM_NONE, NULL);
		if (of_epoch && !ended && (is(line, "committed") || is(line, "void"))) {
			diagram_add_point(&picture->diagram, is(line, "void") ? DIAGRAM_VOID : DIAGRAM_COMMIT, spot_of(picture, i), DIAGRAM_NONE, NULL);
			picture->diagram.is_void = is(line, "void");
			ended = true;
		}
	}
}

static void read_ranks(struct picture *picture)
{
	char *list = need(strdup(picture->list)), *rest;

	picture->selected = need(calloc(picture->ranks, sizeof *picture->selected));
	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		uint32_t first, last;
		int words = sscanf(word, "%" SCNu32 "-%" SCNu32, &first, &last);

		for (uint32_t rank = first; words >= 1 && rank <= (words == 2 ? last : first) && rank < picture->ranks; rank++)
			picture->selected[rank] = true;
	}
	picture->options.selected = picture->selected;
	free(list);
}

static const struct argp_option option_table[] = {
	{"by", KEY_BY, "HOW", 0, "time (default), order or cut", 0},
	{"title", KEY_TITLE, "TEXT", 0, "stands above it", 0},
	{"subtitle", KEY_SUBTITLE, "TEXT", 0, "stands below that", 0},
	{"epoch", KEY_EPOCH, "N", 0, "which attempt (default 1)", 0},
	{"ranks", KEY_RANKS, "LIST", 0, "which have lines of their own", 0},
	{"every", KEY_EVERY, NULL, 0, "all have", 0},
	{"orders", KEY_ORDERS, NULL, 0, "announcements and orders too", 0},
	{"most", KEY_MOST, "N", 0, "arrows before they are bundled", 0},
	{"whole", KEY_WHOLE, NULL, 0, "all of the trace, and not only the snapshot", 0},
	{0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct picture *picture = state->input;

	switch (key) {
	case KEY_BY:
		picture->options.by = !strcmp(text, "order") ? DIAGRAM_BY_ORDER : !strcmp(text, "cut") ? DIAGRAM_BY_CUT : DIAGRAM_BY_TIME;
		return 0;
	case KEY_TITLE:
		picture->title = text;
		return 0;
	case KEY_SUBTITLE:
		picture->subtitle = text;
		return 0;
	case KEY_EPOCH:
		picture->epoch = (uint32_t)atoi(text);
		return 0;
	case KEY_RANKS:
		picture->list = text;
		return 0;
	case KEY_EVERY:
		picture->options.every = true;
		return 0;
	case KEY_ORDERS:
		picture->options.orders = true;
		return 0;
	case KEY_MOST:
		picture->options.most = (uint32_t)atoi(text);
		return 0;
	case KEY_WHOLE:
		picture->whole = true;
		return 0;
	case ARGP_KEY_ARG:
		picture->path = text;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp parser = { option_table, parse_option, "FILE", "Draws a trace of the simulator as SVG.", NULL, NULL, NULL };
	struct picture picture = { .epoch = 1, .path = "-" };
	bool drawn;

	argp_parse(&parser, argc, argv, 0, NULL, &picture);
	read_lines(&picture);
	find_window(&picture);
	if (picture.list)
		read_ranks(&picture);
	picture.diagram.ranks = picture.ranks;
	picture.diagram.title = picture.title ? need(strdup(picture.title)) : NULL;
	picture.diagram.subtitle = picture.subtitle ? need(strdup(picture.subtitle)) : NULL;
	add_messages(&picture);
	add_rest(&picture);
	drawn = diagram_draw(&picture.diagram, &picture.options, stdout);
	diagram_free(&picture.diagram);
	free(picture.selected);
	free(picture.cut);
	free(picture.cut_spot);
	free(picture.lines);
	return drawn ? 0 : 2;
}
