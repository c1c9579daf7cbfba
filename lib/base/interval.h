/* SPDX-License-Identifier: BSD-3-Clause */
/* How often to take a checkpoint, and what it costs. Pure arithmetic; all times in seconds.
 *
 * J. W. Young, A first order approximation to the optimum checkpoint interval, CACM 17 (9), 1974.
 * J. T. Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, Future Generation Computer Systems 22 (3), 2006.
 * N. H. Vaidya, Impact of checkpoint latency on overhead ratio of a checkpointing scheme, IEEE Transactions on Computers 46 (8), 1997: a checkpoint that
 * is written while the program goes on has two times, what the program loses by it (its overhead, here the cost) and until it counts (its latency). Only the first decides how often. */
#ifndef BASE_INTERVAL_H
#define BASE_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interval_terms {
	double cost_s;     /* what the program loses by a checkpoint */
	double durable_s;  /* from the cut until a failure does not cost it any more; as long as cost_s, if the program waits for it */
	double restart_s;  /* from a failure until the program computes again */
	double mtbf_s;     /* mean time between failures */
};

/* The time of computing between two checkpoints: Young's, of the first order, and Daly's, of higher order. 0 if the cost is 0. */
double interval_young(double cost_s, double mtbf_s);
double interval_daly(double cost_s, double mtbf_s);
/* From one cut to the next: Daly's time and the checkpoint's own; no shorter than one takes to be durable, as only one is under way at a time. */
double interval_best(const struct interval_terms *terms);
/* The share of the time that is lost, from 0 to 1, with a cut every so often: by checkpoints, by what is computed again, by restarts. A failure in the time until a checkpoint is durable goes
 * back to the one before, so that half an interval and that time are lost on average. First order; failures are Poisson's. */
double interval_waste(double interval_s, const struct interval_terms *terms);
/* Daly's complete model (his equation 20): how long a run of `solve_s` of computing takes, if it waits for its checkpoints. */
double interval_run_time(double solve_s, double interval_s, const struct interval_terms *terms);

/* The mean time between failures of a run that has lived for so long, with so many of them. Before anything is known it is a day: as if a quarter of a failure had been seen in six hours, which a few real
 * ones outweigh (the mean of a gamma prior's posterior rate). */
double interval_mtbf(double lived_s, double failures);
#define INTERVAL_MTBF_S 86400.0

/* --- what a checkpoint costs -------------------------------------------------------------------------------------------- */

/* A program with steps loses what its steps take longer while a checkpoint is written beside them. Steps are compared with those since the last checkpoint was over. Single
 * differences are mostly noise, so they count where the mean of the last ones is more than twice its standard error. */
enum { INTERVAL_SAMPLES = 8 };

struct interval_meter {
	int64_t free_step, free_ns;   /* since when there has been none; free_ns 0: not known */
	int64_t cut_step, cut_ns;
	double held_s, durable_s;     /* moving means; 0: none yet */
	double lost_s[INTERVAL_SAMPLES];
	unsigned lost_count;          /* the newest is at (lost_count - 1) % INTERVAL_SAMPLES */
	bool cut;
};

/* The times are of safepoints, the steps are theirs; -1: the program has none. */
void interval_meter_cut(struct interval_meter *meter, int64_t step, int64_t now_ns);
/* The checkpoint is durable; the last safepoint before that. */
void interval_meter_over(struct interval_meter *meter, int64_t step, int64_t safepoint_ns, double held_s, double durable_s);
/* It was void, or something else was under way: nothing is to be learned of this time. */
void interval_meter_disturbed(struct interval_meter *meter);
/* What the program loses by one; *by_steps: more than it is held for. 0: not known yet. */
double interval_meter_cost(const struct interval_meter *meter, bool *by_steps);

/* The same from what the history tells of a run's checkpoints, in their order: what a life that begins then knows. */
struct interval_told {
	double held_s, durable_s;     /* moving means; 0: none yet */
	double cost_s;                /* what the program is thought to lose by one; 0: not known */
	bool by_steps;                /* ... which is more than it is held for */
	bool begins;                  /* the next is the first of its life */
};
void interval_told_life(struct interval_told *told);
/* thought_s: what the program was thought to lose by one until then; held_s itself if it thought nothing. */
void interval_told_over(struct interval_told *told, double held_s, double thought_s, double durable_s);

#endif
