/* SPDX-License-Identifier: BSD-3-Clause */
#include "snapshot/verdict.h"

#include <string.h>

static void take_larger(int64_t *sum, int64_t other)
{
	if (other > *sum)
		*sum = other;
}

void verdict_combine(void *sum_memory, const void *other_memory)
{
	struct verdict *sum = sum_memory;
	const struct verdict *other = other_memory;
	sum->voids += other->voids;
	sum->open += other->open;
	sum->messages += other->messages;
	sum->message_bytes += other->message_bytes;
	sum->image_bytes += other->image_bytes;
	sum->referred_bytes += other->referred_bytes;
	sum->parents |= other->parents;
	sum->collectives += other->collectives;
	sum->tables += other->tables;
	sum->abandoned += other->abandoned;
	sum->orphans += other->orphans;
	take_larger(&sum->held_ns, other->held_ns);
	take_larger(&sum->overshoot, other->overshoot);
	take_larger(&sum->step, other->step);
	take_larger(&sum->step_least, other->step_least);
	take_larger(&sum->world_most, other->world_most);
	take_larger(&sum->world_least, other->world_least);
	if (other->reason_rank < sum->reason_rank) {
		sum->reason_rank = other->reason_rank;
		sum->reason = other->reason;
		memcpy(sum->text, other->text, sizeof sum->text);
	}
}
