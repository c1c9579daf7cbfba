/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/choice.h"

#include "store/io.h"

/* BUSY: with less to do a disk may not be at its best. WINDOW: a rate is told by so much. */
enum { SAMPLE = 32 << 10, SAMPLES = 2, BUSY = 8 << 20, WINDOW = 16 << 20, BEHIND = 12 << 20, SKIP_MOST = 15 };

/* What nearly random data leaves is not worth it; and some of the time that there seems to be may not be there. */
#define NEARLY_RANDOM 0.9
#define SPARE 0.7

struct trial {
	double ratio;                 /* of what is left */
	double seconds;               /* for the chunk, if nothing is known better */
};

static struct trial try_sample(struct codec *codec, enum format_codec how, const uint8_t *data, size_t size)
{
	uint8_t room[SAMPLE];
	size_t took = 0, step = size / SAMPLES;
	int64_t begun = io_now_ns();

	for (size_t i = 0; i < SAMPLES; i++) {
		size_t one = codec_encode(codec, how, room, sizeof room, data + i * step + (step - SAMPLE) / 2, SAMPLE);

		took += one ? one : SAMPLE;
	}
	return (struct trial){
		.ratio = (double)took / (SAMPLE * SAMPLES),
		.seconds = (double)(io_now_ns() - begun) * 1e-9 * (double)size / (SAMPLE * SAMPLES),
	};
}

/* Where somebody wants it, a little less is enough. (A chunk finds more to refer to than a sample.) */
static enum format_codec forced(enum format_codec how, struct codec *codec, const void *data, size_t size, size_t *estimate)
{
	struct trial trial;

	*estimate = size;
	if (size < 4 * SAMPLE)
		return how;
	trial = try_sample(codec, how, data, size);
	*estimate = (size_t)(trial.ratio * (double)size);
	return trial.ratio > 0.999 ? FORMAT_PLAIN : how;
}

/* The less the better, of what the time allows. */
static double worth(const struct choice *choice, const struct choice_moment *moment, enum format_codec how, const struct trial *trial, size_t size)
{
	double spare = moment->held_s, writing = (double)size / choice->disk_rate, seconds = trial->seconds * choice->skill[how];

	/* What is not known is tried once: then seconds is 0. */
	if (trial->ratio > NEARLY_RANDOM)
		return 1;
	if (moment->watched || moment->held_s > 0) {
		if (moment->watched && choice->disk_rate > 0)
			spare += (double)moment->behind / choice->disk_rate;
		return seconds < SPARE * spare ? trial->ratio : 1;
	}
	return (seconds + trial->ratio * writing) / writing;
}

static bool has_time(struct choice *choice, const struct choice_moment *moment)
{
	if (moment->held_s <= 0 && (choice->disk_rate <= 0 || (moment->watched && moment->behind < BEHIND)))
		return false;
	if (!choice->skip)
		return true;
	choice->skip--;
	return false;
}

static enum format_codec best_of(struct choice *choice, const struct choice_moment *moment, struct codec *codec, const void *data, size_t size,
				 size_t *estimate)
{
	enum format_codec best = FORMAT_PLAIN;
	double least = NEARLY_RANDOM;

	for (enum format_codec how = FORMAT_LZ4; how <= FORMAT_ZSTD; how++) {
		struct trial trial = try_sample(codec, how, data, size);
		double cost = worth(choice, moment, how, &trial, size);

		if (cost < least) {
			least = cost;
			best = how;
			*estimate = (size_t)(trial.ratio * (double)size);
			choice->expected_s = trial.seconds;
		}
	}
	return best;
}

enum format_codec choice_of(struct choice *choice, const struct choice_moment *moment, struct codec *codec, const void *data, size_t size,
			    size_t *estimate)
{
	enum format_codec best;

	choice->expected_s = 0;
	if (choice->wanted == CODEC_LZ4 || choice->wanted == CODEC_ZSTD)
		return forced(choice->wanted == CODEC_LZ4 ? FORMAT_LZ4 : FORMAT_ZSTD, codec, data, size, estimate);
	if (choice->wanted == CODEC_NONE || size < 4 * SAMPLE || !has_time(choice, moment))
		return FORMAT_PLAIN;
	best = best_of(choice, moment, codec, data, size, estimate);
	choice->in_vain = best == FORMAT_PLAIN ? choice->in_vain + 1 : 0;
	choice->skip = choice->in_vain < 4 ? (1U << choice->in_vain) - 1 : SKIP_MOST;
	return best;
}

static void smooth(double *value, double now)
{
	*value = *value > 0 ? *value * 0.75 + now * 0.25 : now;
}

void choice_took(struct choice *choice, enum format_codec how, double seconds)
{
	if (choice->expected_s > 0)
		smooth(&choice->skill[how], seconds / choice->expected_s);
}

void choice_saw(struct choice *choice, int64_t now_ns, size_t taken, uint64_t behind)
{
	if (behind < BUSY) {
		choice->window_ns = 0;
		return;
	}
	if (!choice->window_ns) {
		choice->window_ns = now_ns;
		choice->window_bytes = 0;
		return;
	}
	choice->window_bytes += taken;
	if (choice->window_bytes < WINDOW || now_ns <= choice->window_ns)
		return;
	smooth(&choice->disk_rate, (double)choice->window_bytes * 1e9 / (double)(now_ns - choice->window_ns));
	choice->window_ns = now_ns;
	choice->window_bytes = 0;
}

void choice_learn(struct choice *choice, uint64_t stored, double seconds)
{
	/* With a few MiB, most of the time is what the disk takes to answer at all. */
	if (stored >= WINDOW && seconds > 0)
		smooth(&choice->disk_rate, (double)stored / seconds);
}
