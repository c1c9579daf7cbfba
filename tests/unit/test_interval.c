/* SPDX-License-Identifier: BSD-3-Clause */
/* The arithmetic of intervals against what was published, against the minimum of the full model, and the meter of what checkpoints cost. */
#include <CUnit/Basic.h>
#include <math.h>

#include "base/interval.h"
#include "base/mix.h"
#include "suites.h"

#define MIN 60.0
#define H 3600.0
#define DAY (24 * H)
#define NEAR(value, wanted, by) CU_ASSERT_TRUE(fabs((value) - (wanted)) <= (by))

/* Young 1974: the square root of twice the product. Low and others, Distributed GraphLab (VLDB 2012), use it for 64 machines that fail once a year, and checkpoints of
 * two minutes: every three hours. */
static void youngs_interval_is_what_was_published(void)
{
	NEAR(interval_young(2 * MIN, 365 * DAY / 64) / H, 3.0, 0.05);
	NEAR(interval_young(5 * MIN, 24 * H), 120 * MIN, 1e-9);
	NEAR(interval_young(5 * MIN, 6 * H), 60 * MIN, 1e-9);
	CU_ASSERT_EQUAL(interval_young(0, DAY), 0);
}

/* Daly 2006, figures 3, 4 and 5: dumps of 5 minutes. */
static void dalys_interval_is_what_was_published(void)
{
	NEAR(interval_daly(5 * MIN, 24 * H) / MIN, 117, 0.5);
	NEAR(interval_daly(5 * MIN, 6 * H) / MIN, 57, 0.5);
	NEAR(interval_daly(5 * MIN, 15 * MIN) / MIN, 9.1, 0.05);
	CU_ASSERT_EQUAL(interval_daly(0, DAY), 0);
	/* From twice the mean time between failures on. */
	CU_ASSERT_EQUAL(interval_daly(30 * MIN, 15 * MIN), 15 * MIN);
	CU_ASSERT_EQUAL(interval_daly(9 * H, 15 * MIN), 15 * MIN);
}

/* By golden section. */
static double best_of_model(const struct interval_terms *terms)
{
	double low = terms->cost_s / 100, high = 10 * terms->mtbf_s, golden = (sqrt(5) - 1) / 2;

	for (int i = 0; i < 200; i++) {
		double a = high - golden * (high - low), b = low + golden * (high - low);

		if (interval_run_time(1, a, terms) < interval_run_time(1, b, terms))
			high = b;
		else
			low = a;
	}
	return (low + high) / 2;
}

static void dalys_interval_is_the_best_of_his_model(void)
{
	for (double part = 1e-8; part < 2; part *= 3) {
		struct interval_terms terms = { .cost_s = part * DAY, .mtbf_s = DAY, .restart_s = 10 * MIN };
		double best = best_of_model(&terms), daly = interval_daly(terms.cost_s, terms.mtbf_s);

		NEAR(interval_run_time(1, daly, &terms) / interval_run_time(1, best, &terms), 1, part < 0.1 ? 1e-5 : 0.02);
		/* And it is better than Young's, which forgets that dumps can fail too. */
		CU_ASSERT_TRUE(interval_run_time(1, daly, &terms) <= interval_run_time(1, interval_young(terms.cost_s, DAY), &terms) * (1 + 1e-12));
		if (part < 0.01)
			NEAR(daly / best, 1, 0.01);
	}
}

static void waste_is_that_of_the_full_model_in_the_first_order(void)
{
	struct interval_terms terms = { .cost_s = 10, .durable_s = 10, .restart_s = 60, .mtbf_s = 10 * DAY };
	double interval = interval_best(&terms), waste = interval_waste(interval, &terms);

	/* Of the whole run's time, as of the time of computing: the next order is their product. */
	NEAR(1 - 1 / interval_run_time(1, interval - terms.cost_s, &terms), waste, 1.1 * waste * waste);
	/* The least is there, whatever comes later. */
	for (double other = 0.5; other < 2; other += 0.1)
		CU_ASSERT_TRUE(interval_waste(interval * other, &terms) >= waste - 1e-6);
	terms.mtbf_s = 1;
	CU_ASSERT_EQUAL(interval_waste(100, &terms), 1);
}

/* A million failures, at random: what is lost when a checkpoint counts only some time after its cut. */
static void what_a_failure_costs_has_the_time_until_durable_in_it(void)
{
	const double interval = 100, durable = 30;
	const int failures = 1000000;
	double lost = 0;

	for (int i = 0; i < failures; i++) {
		double since = interval * ldexp((double)(mix64((uint64_t)i + 7) >> 11), -53);

		lost += since + (since < durable ? interval : 0);
	}
	NEAR(lost / failures, interval / 2 + durable, 0.2);
	NEAR(interval_waste(interval, &(struct interval_terms){ .durable_s = durable, .mtbf_s = 1e5 }) * 1e5, interval / 2 + durable, 1e-6);
}

static void what_is_written_beside_the_program_is_taken_as_often_as_its_cost_says(void)
{
	struct interval_terms terms = { .cost_s = 0.01, .durable_s = 5, .mtbf_s = DAY };

	NEAR(interval_best(&terms), interval_young(0.01, DAY), 0.1);
	/* But not before the last one is durable. */
	terms.durable_s = 600;
	CU_ASSERT_EQUAL(interval_best(&terms), 600);
	terms.cost_s = 0;
	CU_ASSERT_EQUAL(interval_best(&terms), 600);
	/* The same as with waiting, if the program waits. */
	terms = (struct interval_terms){ .cost_s = 5 * MIN, .durable_s = 5 * MIN, .mtbf_s = 6 * H };
	NEAR(interval_best(&terms) / MIN, 57 + 5, 0.5);
}

static void failures_that_were_seen_outweigh_what_was_assumed(void)
{
	CU_ASSERT_EQUAL(interval_mtbf(0, 0), DAY);
	CU_ASSERT_TRUE(interval_mtbf(DAY, 0) > DAY);
	CU_ASSERT_TRUE(interval_mtbf(3, 1) < 6 * H);
	NEAR(interval_mtbf(30 * DAY, 30) / DAY, 1, 0.01);
	NEAR(interval_mtbf(1000 * H, 1000) / H, 1, 0.01);
	CU_ASSERT_TRUE(interval_mtbf(100 * MIN, 10) < H);
}

/* --- the meter ---------------------------------------------------------------------------------------------------------- */

#define MS INT64_C(1000000)

/* So many steps of so long, and then a checkpoint during `beside` steps that take `slow_ms` each. */
static void one_checkpoint(struct interval_meter *meter, int64_t *step, int64_t *now_ns, int64_t step_ms, int64_t beside, int64_t slow_ms)
{
	*step += 100;
	*now_ns += 100 * step_ms * MS;
	interval_meter_cut(meter, *step, *now_ns);
	*step += beside;
	*now_ns += beside * slow_ms * MS;
	interval_meter_over(meter, *step, *now_ns, 0.002, 0.1);
}

static void what_steps_lose_is_part_of_the_cost(void)
{
	struct interval_meter meter = { 0 };
	int64_t step = 0, now_ns = MS;
	bool by_steps;

	CU_ASSERT_EQUAL(interval_meter_cost(&meter, &by_steps), 0);
	one_checkpoint(&meter, &step, &now_ns, 10, 20, 13);
	CU_ASSERT_EQUAL(interval_meter_cost(&meter, &by_steps), 0.002); /* nothing to compare with yet */
	CU_ASSERT_FALSE(by_steps);
	for (int i = 0; i < 12; i++)
		one_checkpoint(&meter, &step, &now_ns, 10, 20, 13);
	NEAR(interval_meter_cost(&meter, &by_steps), 0.060, 1e-9);
	CU_ASSERT_TRUE(by_steps);
	/* They go on as they were: after some checkpoints it is forgotten. */
	for (int i = 0; i < INTERVAL_SAMPLES; i++)
		one_checkpoint(&meter, &step, &now_ns, 10, 20, 10);
	CU_ASSERT_EQUAL(interval_meter_cost(&meter, &by_steps), 0.002);
}

static void noise_is_no_cost(void)
{
	struct interval_meter meter = { 0 };
	int64_t step = 0, now_ns = MS;
	bool by_steps;

	for (int i = 0; i < 100; i++) {
		one_checkpoint(&meter, &step, &now_ns, 10, 20, i % 2 ? 13 : 8);
		CU_ASSERT_EQUAL(interval_meter_cost(&meter, &by_steps), 0.002);
	}
}

static void without_steps_or_with_few_the_cost_is_what_the_program_was_held(void)
{
	struct interval_meter meter = { 0 };
	int64_t step = 0, now_ns = MS;
	bool by_steps;

	for (int i = 0; i < 10; i++)
		one_checkpoint(&meter, &step, &now_ns, 10, 3, 1000);
	for (int i = 0; i < 10; i++) {
		interval_meter_cut(&meter, -1, now_ns += 1000 * MS);
		interval_meter_over(&meter, -1, now_ns += 1000 * MS, 0.002, 0.1);
	}
	CU_ASSERT_EQUAL(interval_meter_cost(&meter, &by_steps), 0.002);
	NEAR(meter.durable_s, 0.1, 1e-9);
}

/* A void attempt between two checkpoints is no quiet time. */
static void what_was_disturbed_is_not_compared_with(void)
{
	struct interval_meter meter = { 0 };
	int64_t step = 0, now_ns = MS;
	bool by_steps;

	for (int i = 0; i < 10; i++) {
		interval_meter_disturbed(&meter);
		one_checkpoint(&meter, &step, &now_ns, 10, 20, 13);
	}
	CU_ASSERT_EQUAL(meter.lost_count, 0);
	CU_ASSERT_EQUAL(interval_meter_cost(&meter, &by_steps), 0.002);
}

/* Lives that measure, one after the other: what a history tells of them is what the last one knew. */
static void what_is_told_is_what_was_measured(void)
{
	struct interval_told told = { .begins = true };
	uint64_t seed = 8;

	for (int life = 0; life < 40; life++) {
		struct interval_meter meter = { .held_s = told.cost_s, .durable_s = told.durable_s };

		interval_told_life(&told);
		for (uint64_t i = 0, count = mix64(seed++) % 20; i < count; i++) {
			double held_s = (double)(1 + mix64(seed++) % 1000) / 1e4, durable_s = (double)(1 + mix64(seed++) % 1000) / 1e2;
			bool by_steps;
			double thought_s = interval_meter_cost(&meter, &by_steps);

			interval_meter_over(&meter, -1, 0, held_s, durable_s);
			interval_told_over(&told, held_s, thought_s > 0 ? thought_s : held_s, durable_s);
			NEAR(told.cost_s, interval_meter_cost(&meter, &by_steps), 1e-12);
			NEAR(told.durable_s, meter.durable_s, 1e-12);
			CU_ASSERT_FALSE(told.by_steps);
		}
	}
	/* What steps lose is more; and counts as long as it is told of. */
	interval_told_over(&told, 0.01, 3, 1);
	CU_ASSERT_TRUE(told.by_steps && told.cost_s == 3);
	interval_told_over(&told, 0.01, told.held_s, 1);
	CU_ASSERT_TRUE(!told.by_steps && told.cost_s == told.held_s && told.cost_s < 0.2);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "Young's interval is what was published", youngs_interval_is_what_was_published },
		{ "Daly's interval is what was published", dalys_interval_is_what_was_published },
		{ "Daly's interval is the best of his model", dalys_interval_is_the_best_of_his_model },
		{ "waste is that of the full model in the first order", waste_is_that_of_the_full_model_in_the_first_order },
		{ "what a failure costs has the time until durable in it", what_a_failure_costs_has_the_time_until_durable_in_it },
		{ "what is told is what was measured", what_is_told_is_what_was_measured },
		{ "what is written beside the program is taken as often as its cost says", what_is_written_beside_the_program_is_taken_as_often_as_its_cost_says },
		{ "failures that were seen outweigh what was assumed", failures_that_were_seen_outweigh_what_was_assumed },
		CU_TEST_INFO_NULL,
	};
	CU_TestInfo meter[] = {
		{ "what steps lose is part of the cost", what_steps_lose_is_part_of_the_cost },
		{ "noise is no cost", noise_is_no_cost },
		{ "without steps, or with few, the cost is what the program was held", without_steps_or_with_few_the_cost_is_what_the_program_was_held },
		{ "what was disturbed is not compared with", what_was_disturbed_is_not_compared_with },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "intervals", NULL, NULL, NULL, NULL, tests },
		{ "what a checkpoint costs", NULL, NULL, NULL, NULL, meter },
		CU_SUITE_INFO_NULL,
	};

	return suites_run(suites);
}
