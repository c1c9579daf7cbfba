/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/interval.h"

#include <math.h>

/* Fewer steps say nothing. */
enum { STEPS_LEAST = 4, SAMPLES_LEAST = 3 };

#define PRIOR_FAILURES 0.25
#define PRIOR_S (PRIOR_FAILURES * INTERVAL_MTBF_S)

double interval_young(double cost_s, double mtbf_s)
{
	return sqrt(2 * cost_s * mtbf_s);
}

/* His equation 37. */
double interval_daly(double cost_s, double mtbf_s)
{
	double part = cost_s / (2 * mtbf_s);

	if (part >= 1)
		return mtbf_s;
	return interval_young(cost_s, mtbf_s) * (1 + sqrt(part) / 3 + part / 9) - cost_s;
}

double interval_best(const struct interval_terms *terms)
{
	return fmax(interval_daly(terms->cost_s, terms->mtbf_s) + terms->cost_s, terms->durable_s);
}

double interval_waste(double interval_s, const struct interval_terms *terms)
{
	double waste = terms->cost_s / interval_s + (interval_s / 2 + terms->durable_s + terms->restart_s) / terms->mtbf_s;

	return fmin(waste, 1);
}

double interval_run_time(double solve_s, double interval_s, const struct interval_terms *terms)
{
	double mtbf = terms->mtbf_s;

	return mtbf * exp(terms->restart_s / mtbf) * expm1((interval_s + terms->cost_s) / mtbf) * solve_s / interval_s;
}

double interval_mtbf(double lived_s, double failures)
{
	return (lived_s + PRIOR_S) / (failures + PRIOR_FAILURES);
}

/* --- what a checkpoint costs -------------------------------------------------------------------------------------------- */

void interval_meter_cut(struct interval_meter *meter, int64_t step, int64_t now_ns)
{
	meter->cut = true;
	meter->cut_step = step;
	meter->cut_ns = now_ns;
}

void interval_meter_disturbed(struct interval_meter *meter)
{
	meter->cut = false;
	meter->free_ns = 0;
}

static void learn_loss(struct interval_meter *meter, int64_t step, int64_t safepoint_ns)
{
	int64_t free_steps = meter->cut_step - meter->free_step, steps = step - meter->cut_step;
	double step_s;

	if (!meter->cut || !meter->free_ns || meter->free_step < 0 || meter->cut_step < 0 || free_steps < STEPS_LEAST || steps < STEPS_LEAST)
		return;
	step_s = (double)(meter->cut_ns - meter->free_ns) / 1e9 / (double)free_steps;
	meter->lost_s[meter->lost_count++ % INTERVAL_SAMPLES] = (double)(safepoint_ns - meter->cut_ns) / 1e9 - (double)steps * step_s;
}

/* The first counts in full, later ones for an eighth. */
static double moved(double mean, double value)
{
	return mean > 0 ? mean + (value - mean) / 8 : value;
}

void interval_meter_over(struct interval_meter *meter, int64_t step, int64_t safepoint_ns, double held_s, double durable_s)
{
	learn_loss(meter, step, safepoint_ns);
	meter->held_s = moved(meter->held_s, held_s);
	meter->durable_s = moved(meter->durable_s, durable_s);
	meter->cut = false;
	meter->free_step = step;
	meter->free_ns = safepoint_ns;
}

double interval_meter_cost(const struct interval_meter *meter, bool *by_steps)
{
	unsigned count = meter->lost_count < INTERVAL_SAMPLES ? meter->lost_count : INTERVAL_SAMPLES;
	double mean = 0, squares = 0;

	*by_steps = false;
	for (unsigned i = 0; i < count; i++)
		mean += meter->lost_s[i] / count;
	for (unsigned i = 0; i < count; i++)
		squares += (meter->lost_s[i] - mean) * (meter->lost_s[i] - mean);
	if (count < SAMPLES_LEAST || mean <= meter->held_s || mean <= 2 * sqrt(squares / (count - 1) / count))
		return meter->held_s;
	*by_steps = true;
	return mean;
}

/* --- what the history tells of that ------------------------------------------------------------------------------------- */

/* Times are written with nine digits. */
#define ROUNDED (1 + 1e-6)

void interval_told_life(struct interval_told *told)
{
	told->begins = true;
}

void interval_told_over(struct interval_told *told, double held_s, double thought_s, double durable_s)
{
	bool thinks = thought_s > 0 && thought_s != held_s;

	/* It had that from the life before. */
	if (thinks && told->begins)
		told->held_s = thought_s;
	told->by_steps = thinks && thought_s > told->held_s * ROUNDED;
	told->held_s = moved(told->held_s, held_s);
	told->durable_s = moved(told->durable_s, durable_s);
	told->cost_s = told->by_steps ? fmax(thought_s, told->held_s) : told->held_s;
	told->begins = false;
}
