/* SPDX-License-Identifier: BSD-3-Clause */
/* How the tables lie in memory that a look from outside reads: whoever was made with others must not read them. Pure. */
#ifndef CHANNEL_TABLES_H
#define CHANNEL_TABLES_H

#include "base/mix.h"
#include "channel/position.h"

static inline uint64_t tables_layout(void)
{
	const size_t made[] = {
		sizeof(struct ledger), offsetof(struct ledger, seen), offsetof(struct ledger, comms), offsetof(struct ledger, comm_room),
		sizeof(struct ledger_table), offsetof(struct ledger_table, shift), sizeof(struct ledger_stream), offsetof(struct ledger_stream, seen),
		sizeof(struct ledger_comm), offsetof(struct ledger_comm, own), offsetof(struct ledger_comm, world), offsetof(struct ledger_comm, begun),
		sizeof(struct sequence), offsetof(struct sequence, turn), sizeof(struct shadow_table), offsetof(struct shadow_table, others),
		sizeof(struct shadow_others), sizeof(struct shadow), offsetof(struct shadow, key), offsetof(struct shadow, kind),
		SHADOW_RECEIVE, SHADOW_SYNCHRONOUS, SHADOW_COLLECTIVE, SHADOW_OTHER, LEDGER_COMM_LIVE,
	};
	uint64_t layout = 1;
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
		layout = mix64_pair(layout, made[i]);
	return layout;
}

#endif
