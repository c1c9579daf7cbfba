/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of a world as a number, so that orders of events that come to the same are gone on with once. Everything that can matter later goes in: of the protocol every field
 * (those that mean nothing any more only keep states apart), of the program its own state, where it is, and all that it has said and been told, of the oracles the clocks and the cuts.
 * Pointers do not: what they point to does. */
#include <string.h>

#include "base/mix.h"
#include "sim/sim.h"
#include "snapshot/own.h"

static uint64_t of_bytes(uint64_t print, const void *data, size_t size)
{
	const char *at = data;
	uint64_t word;
	for (; size >= sizeof word; at += sizeof word, size -= sizeof word) {
		memcpy(&word, at, sizeof word);
		print = (print ^ word) * UINT64_C(0x9E3779B97F4A7C15);
		print ^= print >> 29;
	}
	word = 0;
	memcpy(&word, at, size);
	return mix64(print ^ word ^ size << 56);
}

#define OF(print, thing) of_bytes(print, &(thing), sizeof(thing))

static uint64_t of_message(const struct message *message)
{
	return message ? mix64_pair((uint64_t)message->source + 1, message->serial) : 0;
}

/* Slots in any order. */
static uint64_t of_ledger(const struct ledger_table *table)
{
	uint64_t sum = table->used;
	for (size_t i = 0; table->slots && i < (size_t)1 << (64 - table->shift); i++)
		if (table->slots[i].key)
			sum += OF(1, table->slots[i]);
	return sum;
}

static uint64_t of_window(const struct window *window)
{
	uint64_t sum = window->count;
	for (size_t i = 0; i < window->count; i++) {
		struct window_stream stream = window->streams[i];
		stream.next = 0;
		sum += OF(2, stream);
	}
	return mix64_pair(sum, window->open);
}

/* What was decoded has padding and text behind its end that mean nothing: field by field. */
static uint64_t of_text(uint64_t print, const char *text)
{
	return of_bytes(print, text, strlen(text));
}

static uint64_t of_outcome(const struct wire_outcome *outcome)
{
	return outcome->epoch == 0 ? 0 : of_text(mix64_pair(outcome->epoch, (uint64_t)outcome->committed << 8 | outcome->reason), outcome->text);
}

static uint64_t of_announce(const struct wire_announce *announce)
{
	uint64_t print = mix64_pair(announce->epoch, announce->number);
	print = mix64_pair(print, (uint64_t)announce->root << 32 | (uint64_t)announce->want);
	print = mix64_pair(mix64_pair(print, (uint64_t)announce->lead), (uint64_t)announce->every);
	print = mix64_pair(print, (uint64_t)announce->world_lead);
	return mix64_pair(print, of_outcome(&announce->last));
}

static uint64_t of_head(const struct wire_head *head)
{
	uint64_t print = mix64_pair(head->epoch, (uint64_t)head->want << 8 | (uint64_t)head->is_void << 1 | head->stepped);
	return mix64_pair(print, mix64_pair((uint64_t)head->step, head->world));
}

static uint64_t of_ended(const struct snapshot_outcome *outcome)
{
	uint64_t print = mix64_pair(outcome->epoch, (uint64_t)outcome->want << 16 | (uint64_t)outcome->reason << 2 |
						    (uint64_t)outcome->committed << 1 | outcome->again);
	print = mix64_pair(print, (uint64_t)outcome->attempts << 32 | (uint32_t)outcome->reason_rank);
	return of_text(mix64_pair(print, (uint64_t)outcome->again_ns << 1 | outcome->resigned), outcome->text);
}

static uint64_t of_channels(const struct channels *channels)
{
	uint64_t sum = channels->count;
	for (size_t i = 0; i < channels->count; i++) {
		const struct channel *channel = &channels->list[i];
		uint64_t own = mix64_pair((uint64_t)channel->from, (uint64_t)channel->marker);
		sum += channel->marker == MARKER_NONE ? own : mix64_pair(own, of_head(&channel->head));
	}
	return mix64(sum);
}

/* What is chained by places in lists goes in as the lists' content, in order of coming. */
static uint64_t of_protocol(const struct snapshot *snapshot)
{
	struct snapshot plain = *snapshot;
	memset(&plain.config, 0, sizeof plain.config);
	memset(&plain.channels, 0, sizeof plain.channels);
	memset(&plain.window, 0, sizeof plain.window);
	memset(&plain.sent, 0, sizeof plain.sent);
	plain.strangers = NULL;
	plain.unsure = NULL;
	plain.stash = NULL;
	plain.stranger_room = plain.unsure_room = plain.stash_room = 0;
	memset(&plain.announce, 0, sizeof plain.announce);
	memset(&plain.early, 0, sizeof plain.early);
	memset(&plain.told, 0, sizeof plain.told);
	memset(&plain.outcome, 0, sizeof plain.outcome);
	memset(plain.text, 0, sizeof plain.text);
	memset(plain.share.text, 0, sizeof plain.share.text);
	/* the scene: told with each event */
	plain.now_ns = 0;
	plain.epoch_open = NULL;
	plain.out = NULL;
	plain.moment = plain.open = false;
	plain.synchronous_pending = plain.collectives_pending = plain.threads_inside = 0;
	plain.undecided = 0;
	uint64_t print = OF(of_channels(&snapshot->channels), plain);
	print = mix64_pair(print, mix64_pair(of_announce(&snapshot->announce), of_outcome(&snapshot->early)));
	print = mix64_pair(print, mix64_pair(of_outcome(&snapshot->told), of_ended(&snapshot->outcome)));
	print = mix64_pair(print, of_window(&snapshot->window));
	print = mix64_pair(print, of_ledger(&snapshot->sent));
	for (size_t i = 0; i < snapshot->stranger_count; i++)
		print = mix64_pair(print, mix64_pair(snapshot->strangers[i].stream.comm, (uint64_t)snapshot->strangers[i].stream.sent));
	for (size_t i = 0; i < snapshot->unsure_count; i++) {
		const struct snapshot_taking *taking = &snapshot->unsure[i].taking;
		print = mix64_pair(mix64_pair(print, taking->key), (uint64_t)taking->position);
		print = mix64_pair(print, taking->token << 4 | (uint64_t)taking->before_cut << 3 | (uint64_t)taking->posted_after << 2 |
					  (uint64_t)taking->from_mailbox << 1 | taking->truncated);
	}
	for (size_t i = 0; i < snapshot->stash_count; i++)
		print = of_bytes(mix64_pair(print, (uint64_t)snapshot->stash[i].kind * 64 + (uint64_t)snapshot->stash[i].peer),
				 snapshot->stash[i].data, snapshot->stash[i].size);
	return print;
}

static uint64_t of_mail(uint64_t print, const struct mail *mail)
{
	const struct message *message;
	memcpy(&message, mail->data, sizeof message);
	print = mix64_pair(print, of_message(message));
	return mix64_pair(mix64_pair(print, mail->turn), (uint64_t)mail->position);
}

static uint64_t of_sequence(const struct sequence *sequence)
{
	uint64_t print = mix64_pair(sequence->turn, sequence->uncertain), shadows = 0;
	for (const struct shadow *shadow = NULL; (shadow = shadow_next(&sequence->shadows, (struct shadow *)shadow));) {
		struct shadow plain = *shadow;
		if (plain.kind == SHADOW_DELIVERY)
			plain.extra = of_mail(1, (const struct mail *)(uintptr_t)shadow->extra);
		shadows += OF(4, plain);
	}
	for (size_t i = 0; i < sequence->uncertain; i++)
		print = OF(print, sequence->doubts[i]);
	for (size_t i = 0; i < sequence->aside_count; i++)
		print = OF(print, sequence->aside[i]);
	return mix64_pair(print, shadows);
}

static uint64_t of_requests(const struct rank *rank)
{
	uint64_t print = rank->made_count;
	for (size_t i = 0; i < rank->made_count; i++) {
		const struct request *request = rank->made[i];
		print = mix64_pair(print, (uint64_t)request->done | (uint64_t)request->told << 1 | (uint64_t)request->cancelled << 2 |
					  (uint64_t)request->kind << 3);
		print = mix64_pair(print, of_message(request->message));
	}
	for (const struct request *request = rank->posted; request; request = request->next)
		print = mix64_pair(print, request->handle);
	for (const struct message *message = rank->visible; message; message = message->next)
		print = mix64_pair(print, of_message(message));
	return print;
}

static uint64_t of_comms(const struct rank *rank)
{
	size_t comms = (size_t)rank->world->comms;
	uint64_t print = of_bytes(5, rank->comm_index, comms * sizeof *rank->comm_index);
	print = of_bytes(print, rank->begun, comms * sizeof *rank->begun);
	for (size_t i = 0; i < rank->ledger.comm_room; i++) {
		const struct ledger_comm *comm = &rank->ledger.comms[i];
		print = mix64_pair(print, (uint64_t)comm->state << 8 | (uint64_t)comm->freed_early << 4 | (uint64_t)comm->held << 5 | (uint64_t)comm->freed_by_all << 6 | (uint64_t)comm->sweeps << 10);
		print = mix64_pair(mix64_pair(print, comm->begun), comm->ahead);
	}
	return mix64_pair(print, rank->ledger.balance);
}

/* Of what is kept per rank only the ranks that there are. */
static uint64_t of_app(uint64_t print, const struct app *app, int ranks)
{
	size_t some = (size_t)ranks * sizeof(int64_t);
	print = of_bytes(print, app, offsetof(struct app, sent));
	print = of_bytes(of_bytes(of_bytes(print, app->sent, some), app->got, some), app->expected, some);
	print = of_bytes(of_bytes(print, app->gave, some), app->took, some);
	return mix64_pair(of_bytes(print, app->flags, sizeof app->flags), app->ended);
}

static uint64_t of_clock(uint64_t print, const int32_t *clock, int ranks)
{
	return of_bytes(print, clock, (size_t)(ranks < PEERS_MOST ? ranks : PEERS_MOST) * sizeof *clock);
}

uint64_t print_rank(const struct rank *rank)
{
	int ranks = rank->world->ranks;
	uint64_t print = mix64_pair(of_protocol(rank->snapshot), of_sequence(&rank->sequence));
	print = mix64_pair(print, mix64_pair(of_ledger(&rank->ledger.sent), of_ledger(&rank->ledger.seen)));
	print = mix64_pair(print, mix64_pair(of_requests(rank), of_comms(rank)));
	print = of_app(mix64_pair(print, rank->spoken), &rank->app, ranks);
	print = of_clock(print, rank->clock, ranks);
	for (const struct mail *mail = rank->mailbox.first; mail; mail = mail->next)
		print = of_mail(print, mail);
	for (size_t i = 0; i < rank->inbox_count; i++)
		print = mix64_pair(print, of_message(rank->inbox[i]) + rank->inbox[i]->has_arrived);
	for (size_t i = 0; i < rank->copy_count; i++)
		print = mix64_pair(print, of_message(rank->copies[i].message) + rank->copies[i].turn * 2 + rank->copies[i].kept);
	const uint64_t rest[] = {
		(uint64_t)(uintptr_t)rank->place, rank->cut_epoch, rank->capture_epoch, rank->rebased_epoch, rank->turn_at_cut, rank->serial,
		rank->collective_calls, rank->collective_ended, (uint64_t)rank->markers_out, rank->synchronous_pending, rank->collectives_pending, rank->audited,
		(uint64_t)rank->open | (uint64_t)rank->finalizing << 1 | (uint64_t)rank->at_end << 2 | (uint64_t)rank->left << 3 |
		(uint64_t)rank->wait_markers << 4 | (uint64_t)rank->wait_barrier << 5 | (uint64_t)rank->wait_verdict << 6 |
		(uint64_t)rank->wait_image << 7 | (uint64_t)rank->wait_publish << 8 | (uint64_t)rank->want_request << 9 |
		(uint64_t)rank->barrier_here << 10 | (uint64_t)rank->verdict_here << 11 | (uint64_t)rank->idle << 12 |
		(uint64_t)(rank->wait_image && rank->image_at == INT64_MAX) << 13 | (uint64_t)rank->begun_program << 14 |
		(uint64_t)(rank->wait_publish && rank->publish_at == INT64_MAX) << 15 | (uint64_t)rank->request_came << 16 | (uint64_t)rank->broken << 17,
	};
	return of_bytes(print, rest, sizeof rest);
}

/* --- the world -------------------------------------------------------------------------------------------------------- */

static uint64_t of_epoch(const struct epoch *epoch, int ranks)
{
	uint64_t print = mix64_pair((uint64_t)epoch->at_barrier << 32 | (uint64_t)epoch->at_verdict,
				    (uint64_t)epoch->ended << 16 | (uint64_t)epoch->rebased << 1 | epoch->committed);
	print = mix64_pair(print, mix64_pair(epoch->sum.voids, epoch->sum.open));
	print = mix64_pair(print, mix64_pair(epoch->sum.messages, epoch->sum.collectives));
	for (int i = 0; i < ranks; i++) {
		const struct cut *cut = &epoch->cuts[i];
		print = mix64_pair(print, (uint64_t)cut->captured << 1 | (uint64_t)cut->imaged);
		if (cut->captured)
			print = of_app(of_clock(print, cut->clock, ranks), &cut->app, ranks);
		for (size_t j = 0; j < cut->record_count; j++)
			print = mix64_pair(print, of_message(cut->record[j]));
	}
	return print;
}

/* Where each message is and between which cuts. */
static uint64_t of_messages(const struct world *world)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < world->message_count; i++) {
		const struct message *message = world->messages[i];
		uint64_t own = mix64_pair(of_message(message), (uint64_t)message->state * 4 + message->has_arrived * 2 + message->is_started);
		own = mix64_pair(own, message->sent_after << 32 | message->told_after);
		own = mix64_pair(own, (uint64_t)message->comm << 40 | (uint64_t)message->target << 20 | (uint64_t)message->part);
		own = of_clock(mix64_pair(own, (uint64_t)message->index), message->clock, world->ranks);
		if (message->comm >= COMMS_MOST && message->state != MESSAGE_TOLD)
			own = of_bytes(own, message->data.data, message->data.size);
		sum += own;
	}
	return sum;
}

uint64_t print_world(const struct world *world)
{
	uint64_t print = of_messages(world), soon = 0;
	for (int i = 0; i < world->ranks; i++)
		print = mix64_pair(print, print_rank(world->rank[i]) + world->rank[i]->resting);
	for (size_t i = 0; i < world->completing_count; i++)
		soon += mix64_pair((uint64_t)world->completing[i]->owner, world->completing[i]->handle);
	for (size_t i = 0; i < world->epoch_count; i++)
		if (world->epochs[i])
			print = mix64_pair(print, of_epoch(world->epochs[i], world->ranks) + i);
	for (int comm = 0; comm < world->comms; comm++)
		for (size_t i = 0; i < world->collective_count[comm]; i++)
			print = mix64_pair(print, (uint64_t)world->collectives[comm][i].entered);
	print = mix64_pair(print, (uint64_t)world->at_end << 32 | (uint64_t)world->left_count);
	print = mix64_pair(print, (uint64_t)world->breaks_left << 32 | (uint64_t)world->leaps_left);
	return mix64_pair(mix64_pair(print, soon), (uint64_t)world->now_ns);
}
