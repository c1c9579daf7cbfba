/* SPDX-License-Identifier: BSD-3-Clause */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scale.h"

enum { NETWORKS_MOST = 8, ALL_UP_TO = 32, POWER_MOST = 20 };

static const char help[] =
	"scale: what one snapshot costs, from 2^4 to 2^20 ranks\n"
	"  --sizes A..B                 powers of two (4..20)\n"
	"  --network NAME:L,o,g,G       LogGP, in microseconds and microseconds per byte; may be given again; the first is drawn\n"
	"  --attention US               a rank looks for messages at most this long after they have come (20)\n"
	"  --csv FILE  --plot FILE      the table and the picture as files; the table is also printed\n"
	"  --check N                    the model's counts against the protocol's own objects, up to N ranks\n"
	"  --expect PATTERN RANKS [all] what a snapshot asked for by rank 0 sends, for a test with real MPI\n";

/* Where they are from: docs/scaling.md. */
static struct network networks[NETWORKS_MOST] = {
	{"slingshot-11", 1.43, 0.43, 0.43, 0.0000417},
	{"infiniband", 3.55, 1.15, 0.99, 0.0005},
	{"shared-memory", 0.05, 0.04, 0.06, 0.0000730},
};
static int network_count = 3;
static int from_power = 4, to_power = 20;
static double attention = 20;
static struct real sizes; /* bytes of orders and markers, from the protocol's objects */

/* --- the check -------------------------------------------------------------------------------------------------------------- */

static int differences;

static void compare(const struct run *run, int32_t rank, const char *name, uint64_t model, uint64_t real)
{
	if (model == real)
		return;
	if (++differences <= 20)
		printf("%s, %" PRId32 " ranks, markers %s, %s program, asked for by %" PRId32 ": rank %" PRId32 " sends %" PRIu64
		       " of %s, and the model says %" PRIu64 "\n", pattern_names[run->pattern], run->ranks, run->markers_all ? "all" : "busy",
		       run->events ? "event" : "step", run->asked_by, rank, real, name, model);
}

static void compare_sent(const struct run *run, int32_t rank, const struct sent *model, const struct sent *real)
{
	static const char *const names[ORDERS] = {"announcements", "answers", "orders to cut", "outcomes", "requests"};
	for (int kind = 0; kind < ORDERS; kind++)
		compare(run, rank, names[kind], model->orders[kind], real->orders[kind]);
	compare(run, rank, "markers", model->markers, real->markers);
}

static void check_run(const struct run *run)
{
	struct real real;
	real_run(run, &real);
	struct counts counts = model_counts(run);
	for (int32_t rank = 0; rank < run->ranks; rank++) {
		struct sent model = model_sent(run, rank);
		compare_sent(run, rank, &model, &real.by_rank[rank]);
	}
	compare_sent(run, -1, &counts.all, &real.all);
	compare(run, -1, "entries into the barrier", (uint64_t)run->ranks, (uint64_t)real.barriers);
	compare(run, -1, "entries into the verdict", (uint64_t)run->ranks, (uint64_t)real.verdicts);
	compare(run, -1, "second parts", 0, real.second_parts);
	compare(run, -1, "(messages beyond neighbours and log N)", true, counts.within);
	real_free(&real);
}

/* A rank with 26 neighbours holds as much among a million as among 64, but for the orders to its children. */
static void check_memory(void)
{
	struct memory small = real_memory(64, 26), large = real_memory(1 << 20, 26);
	printf("26 neighbours among 64 ranks: %zu, %zu, %zu bytes; among 2^20: %zu, %zu, %zu\n", small.idle, small.window, small.cut,
	       large.idle, large.window, large.cut);
	if (large.idle > small.idle || large.window > small.window + 4096 || large.cut > small.cut + 8192)
		differences++;
}

static int check(int32_t most)
{
	static const int32_t numbers[] = {1, 2, 3, 4, 5, 7, 8, 16, 27, 31, 32, 33, 36, 64, 100, 128, 250, 256, 500, 512, 1000, 1024, 2048, 4096, 8192, 16384};
	int runs = 0;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers && numbers[i] <= most; i++)
		for (int variant = 0; variant < PATTERNS * 8; variant++) {
			struct run run = {.pattern = (enum pattern)(variant / 8), .ranks = numbers[i], .markers_all = variant & 1,
					  .events = variant & 2, .asked_by = variant & 4 ? numbers[i] * 2 / 3 : 0};
			bool dense = run.markers_all || run.pattern == ALL_TO_ALL;
			if (dense && run.ranks > 256 && (variant & 6 || run.ranks > 1024))
				continue; /* a million markers, once */
			check_run(&run);
			runs++;
		}
	check_memory();
	printf("%d runs, %d differences\n", runs, differences);
	return differences != 0;
}

static int expect(const char *name, const char *number, bool all)
{
	struct run run = {.pattern = (enum pattern)pattern_named(name), .ranks = atoi(number), .markers_all = all};
	if (pattern_named(name) < 0 || run.ranks < 1)
		return fputs(help, stderr), 2;
	struct counts counts = model_counts(&run);
	uint64_t orders = 0;
	for (int kind = 0; kind < ORDERS; kind++)
		orders += counts.all.orders[kind];
	printf("%" PRIu64 " orders, %" PRIu64 " markers\n", orders, counts.all.markers);
	return 0;
}

/* --- one line of the table ------------------------------------------------------------------------------------------------------ */

struct line {
	struct run run;
	struct counts counts;
	struct memory typical, most;
	struct times times[NETWORKS_MOST];
};

static struct memory memory_with(int32_t ranks, int32_t neighbours)
{
	return real_memory(ranks, neighbours < ranks ? neighbours : ranks - 1);
}

static void fill(struct line *line, enum pattern pattern, int32_t ranks)
{
	line->run = (struct run){.pattern = pattern, .ranks = ranks, .markers_all = ranks <= ALL_UP_TO};
	line->counts = model_counts(&line->run);
	line->typical = memory_with(ranks, (int32_t)(line->counts.neighbours + 0.5));
	line->most = memory_with(ranks, (line->counts.most_neighbours + 1) / 2);
	for (int i = 0; i < network_count; i++)
		line->times[i] = model_times(&line->run, &networks[i], &sizes, attention);
}

static uint64_t textbook_markers(int32_t ranks)
{
	return (uint64_t)ranks * (uint64_t)(ranks - 1);
}

static void put_csv(FILE *file, const struct line *line)
{
	const struct counts *c = &line->counts;
	for (int i = 0; i < network_count; i++) {
		const struct times *t = &line->times[i];
		fprintf(file, "%s,%" PRId32 ",%.2f,%" PRId32 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.2f,%" PRIu64 ",%" PRIu64 ",%" PRIu64
			",%s,%.1f,%.1f,%.1f,%.1f,%.1f,%.1f,%.1f,%.1f,%zu,%zu,%zu,%zu,%zu,%zu\n",
			pattern_names[line->run.pattern], line->run.ranks, c->neighbours, c->most_neighbours, c->all.markers,
			c->total - c->all.markers - c->barrier - c->verdict, c->barrier + c->verdict, (double)c->total / line->run.ranks, c->most,
			textbook_markers(line->run.ranks), 2 * c->barrier, networks[i].name, t->alert, t->cut, t->markers, t->closure, t->verdict,
			t->posting, t->textbook, t->barrier, line->typical.idle, line->typical.window, line->typical.cut, line->most.idle,
			line->most.window, line->most.cut);
	}
}

static const char csv_head[] =
	"pattern,ranks,neighbours,most_both_ways,markers,orders,barrier_and_verdict,messages_per_rank,most_messages_of_a_rank,"
	"textbook_markers,blocking_messages,network,alert_us,order_to_cut_us,order_to_markers_us,order_to_closure_us,order_to_verdict_us,"
	"posting_us,textbook_us,blocking_us,idle_bytes,window_bytes,cut_bytes,most_idle_bytes,most_window_bytes,most_cut_bytes\n";

static void put_text_head(void)
{
	printf("%-10s %8s %10s %11s %9s %9s", "pattern", "ranks", "markers", "all", "per rank", "most");
	printf(" %13s %9s %9s %9s %9s %9s %9s %9s\n", "textbook", "alert", "closure", "verdict", "textbook", "blocking", "KiB", "most MiB");
}

static void put_text(const struct line *line)
{
	const struct times *t = &line->times[0];
	printf("%-10s %8" PRId32 " %10.3g %11.3g %9.1f %9" PRIu64 " %13.4g %9.0f %9.0f %9.0f %9.0f %9.1f %9.1f %9.2f\n",
	       pattern_names[line->run.pattern], line->run.ranks, (double)line->counts.all.markers, (double)line->counts.total,
	       (double)line->counts.total / line->run.ranks, line->counts.most, (double)textbook_markers(line->run.ranks), t->alert, t->closure,
	       t->verdict, t->textbook, t->barrier, (double)line->typical.cut / 1024, (double)line->most.cut / 1024 / 1024);
	fflush(stdout);
}

/* --- the picture ------------------------------------------------------------------------------------------------------------------ */

static struct panel panels[] = {
	{.title = "Messages of one rank, mean", .unit = "messages per snapshot, sent"},
	{.title = "From the order to the verdict", .unit = "microseconds"},
	{.title = "Memory of the busiest rank, at its cut", .unit = "bytes"},
};

static void add_point(struct panel *panel, const char *label, const char *colour, bool dashed, double x, double y)
{
	int i = 0;
	while (i < panel->count && strcmp(panel->curves[i].label, label) != 0)
		i++;
	struct curve *curve = &panel->curves[i];
	if (i == panel->count)
		panel->curves[panel->count++] = (struct curve){.label = label, .colour = colour, .dashed = dashed};
	curve->x[curve->count] = x;
	curve->y[curve->count++] = y;
}

static void draw(const struct line *line)
{
	static const char *const colours[PATTERNS] = {"#1b6ca8", "#2a9d8f", "#e9a13b", "#8e5ea2", "#c0392b"};
	const char *name = pattern_names[line->run.pattern], *colour = colours[line->run.pattern];
	double ranks = line->run.ranks;
	add_point(&panels[0], name, colour, false, ranks, (double)line->counts.total / ranks);
	add_point(&panels[1], name, colour, false, ranks, line->times[0].verdict);
	add_point(&panels[2], name, colour, false, ranks, (double)line->most.cut);
	if (line->run.pattern != ALL_TO_ALL)
		return;
	add_point(&panels[0], "textbook: N - 1", "#000", true, ranks, ranks - 1);
	add_point(&panels[0], "blocking: two barriers", "#777", true, ranks, 2.0 * model_log2(line->run.ranks));
	add_point(&panels[1], "textbook, to closure", "#000", true, ranks, line->times[0].textbook);
	add_point(&panels[1], "blocking: all stand still", "#777", true, ranks, line->times[0].barrier);
}

/* --- options -------------------------------------------------------------------------------------------------------------------------- */

static bool take_network(const char *text, bool first)
{
	if (first)
		network_count = 0;
	if (network_count == NETWORKS_MOST)
		return false;
	struct network *net = &networks[network_count];
	*net = (struct network){.L = -1};
	if (sscanf(text, "%31[^:]:%lf,%lf,%lf,%lf", net->name, &net->L, &net->o, &net->g, &net->G) != 5)
		return false;
	network_count++;
	return net->L >= 0 && net->o >= 0 && net->g >= 0 && net->G >= 0;
}

static int table(const char *csv_path, const char *plot_path)
{
	char title[160];
	FILE *csv = csv_path ? fopen(csv_path, "w") : NULL;
	if (csv_path && !csv)
		return perror(csv_path), 1;
	if (csv)
		fputs(csv_head, csv);
	snprintf(title, sizeof title, "%s: L %.2f, o %.2f, g %.2f us; G %.3f ns per byte; a rank looks within %.0f us", networks[0].name, networks[0].L,
		 networks[0].o, networks[0].g, networks[0].G * 1000, attention);
	printf("%s; times in us\n\n", title);
	put_text_head();
	for (int pattern = 0; pattern < PATTERNS; pattern++)
		for (int power = from_power; power <= to_power; power++) {
			struct line line;
			fill(&line, (enum pattern)pattern, (int32_t)1 << power);
			if ((power - from_power) % 4 == 0 || power == to_power)
				put_text(&line);
			draw(&line);
			if (csv)
				put_csv(csv, &line);
		}
	if (csv && fclose(csv) != 0)
		return perror(csv_path), 1;
	if (plot_path && !plot_write(plot_path, title, panels, sizeof panels / sizeof *panels))
		return perror(plot_path), 1;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{"sizes", required_argument, NULL, 's'}, {"network", required_argument, NULL, 'n'}, {"attention", required_argument, NULL, 'a'},
		{"csv", required_argument, NULL, 'c'}, {"plot", required_argument, NULL, 'p'}, {"check", required_argument, NULL, 'k'},
		{"expect", required_argument, NULL, 'e'}, {NULL, 0, NULL, 0},
	};
	const char *csv = NULL, *plot = NULL;
	bool first = true, good = true;
	for (int letter; (letter = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		switch (letter) {
		case 's':
			good = sscanf(optarg, "%d..%d", &from_power, &to_power) == 2 && from_power >= 1 && to_power <= POWER_MOST && from_power < to_power;
			break;
		case 'n':
			good = take_network(optarg, first);
			first = false;
			break;
		case 'a':
			attention = atof(optarg);
			break;
		case 'c':
			csv = optarg;
			break;
		case 'p':
			plot = optarg;
			break;
		case 'k':
			return check(atoi(optarg));
		case 'e':
			return expect(optarg, optind < argc ? argv[optind] : "", argc > optind + 1 && strcmp(argv[optind + 1], "all") == 0);
		default:
			good = false;
		}
		if (!good)
			return fputs(help, stderr), 2;
	}
	real_run(&(struct run){.pattern = HALO_2D, .ranks = 1024}, &sizes);
	return table(csv, plot);
}
