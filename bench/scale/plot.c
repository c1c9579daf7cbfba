/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <string.h>

#include "scale.h"

enum { WIDTH = 400, HEIGHT = 300, LEFT = 78, TOP = 64, ACROSS = WIDTH + LEFT + 12, LINE = 17, NAMES = 4 };

struct frame {
	FILE *file;
	int x, y;                 /* upper left corner of the axes */
	double from[2], to[2];    /* logarithms, of 2 for x and of 10 for y */
};

static void range_of(const struct panel *panel, struct frame *frame)
{
	frame->from[0] = frame->from[1] = 1e9;
	frame->to[0] = frame->to[1] = -1e9;
	for (int i = 0; i < panel->count; i++)
		for (int j = 0; j < panel->curves[i].count; j++) {
			double at[2] = {log2(panel->curves[i].x[j]), log10(panel->curves[i].y[j])};
			for (int axis = 0; axis < 2; axis++) {
				frame->from[axis] = fmin(frame->from[axis], floor(at[axis]));
				frame->to[axis] = fmax(frame->to[axis], ceil(at[axis]));
			}
		}
}

static double place_x(const struct frame *frame, double exponent)
{
	return frame->x + (exponent - frame->from[0]) / (frame->to[0] - frame->from[0]) * WIDTH;
}

static double place_y(const struct frame *frame, double exponent)
{
	return frame->y + HEIGHT - (exponent - frame->from[1]) / (frame->to[1] - frame->from[1]) * HEIGHT;
}

static void put_power(FILE *file, double x, double y, const char *anchor, int base, int power)
{
	fprintf(file, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">%d<tspan dy=\"-5\" font-size=\"9\">%d</tspan></text>\n", x, y, anchor, base,
		power);
}

static void put_axes(const struct frame *frame, const struct panel *panel)
{
	FILE *file = frame->file;
	fprintf(file, "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n", frame->x, frame->y - 24, panel->title);
	fprintf(file, "<text x=\"%d\" y=\"%d\" fill=\"#555\">%s</text>\n", frame->x, frame->y - 8, panel->unit);
	for (int i = (int)frame->from[0]; i <= (int)frame->to[0]; i += 4) {
		double x = place_x(frame, i);
		fprintf(file, "<path d=\"M%.1f %dv%d\" stroke=\"#ddd\"/>\n", x, frame->y, HEIGHT);
		put_power(file, x, frame->y + HEIGHT + 18, "middle", 2, i);
	}
	int apart = frame->to[1] - frame->from[1] > 8 ? 2 : 1;
	for (int i = (int)frame->from[1]; i <= (int)frame->to[1]; i += apart) {
		double y = place_y(frame, i);
		fprintf(file, "<path d=\"M%d %.1fh%d\" stroke=\"#ddd\"/>\n", frame->x, y, WIDTH);
		put_power(file, frame->x - 8, y + 4, "end", 10, i);
	}
	fprintf(file, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#555\"/>\n", frame->x, frame->y, WIDTH, HEIGHT);
	fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">ranks</text>\n", frame->x + WIDTH / 2, frame->y + HEIGHT + 36);
}

static void put_stroke(FILE *file, const struct curve *curve)
{
	fprintf(file, "fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s/>\n", curve->colour, curve->dashed ? " stroke-dasharray=\"6 4\"" : "");
}

static void put_curves(const struct frame *frame, const struct panel *panel)
{
	for (int i = 0; i < panel->count; i++) {
		const struct curve *curve = &panel->curves[i];
		for (int j = 0; j < curve->count; j++)
			fprintf(frame->file, "%s%.1f,%.1f", j ? " " : "<polyline points=\"", place_x(frame, log2(curve->x[j])),
				place_y(frame, log10(curve->y[j])));
		fputs("\" ", frame->file);
		put_stroke(frame->file, curve);
	}
}

static void put_legend(const struct frame *frame, const struct panel *panel)
{
	for (int i = 0; i < panel->count; i++) {
		int x = frame->x + i % 2 * (WIDTH / 2), y = frame->y + HEIGHT + 62 + i / 2 * LINE;
		fprintf(frame->file, "<path d=\"M%d %dh24\" ", x, y - 4);
		put_stroke(frame->file, &panel->curves[i]);
		fprintf(frame->file, "<text x=\"%d\" y=\"%d\">%s</text>\n", x + 30, y, panel->curves[i].label);
	}
}

bool plot_write(const char *path, const char *title, const struct panel *panels, int count)
{
	FILE *file = fopen(path, "w");
	if (!file)
		return false;
	int width = count * ACROSS + 12, height = TOP + HEIGHT + 62 + NAMES * LINE;
	fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", width, height, width, height);
	fprintf(file, "<text x=\"%d\" y=\"20\" font-size=\"14\">%s</text>\n", LEFT, title);
	for (int i = 0; i < count; i++) {
		struct frame frame = {.file = file, .x = i * ACROSS + LEFT, .y = TOP};
		range_of(&panels[i], &frame);
		put_axes(&frame, &panels[i]);
		put_curves(&frame, &panels[i]);
		put_legend(&frame, &panels[i]);
	}
	fputs("</svg>\n", file);
	bool good = !ferror(file);
	return fclose(file) == 0 && good;
}
