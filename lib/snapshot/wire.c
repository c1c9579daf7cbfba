/* SPDX-License-Identifier: BSD-3-Clause */
#include "snapshot/wire.h"

#include <string.h>

/* --- both ways ------------------------------------------------------------------------------------------------------ */

static bool whole(const struct bytes_in *in)
{
	return !in->bad && bytes_left(in) == 0;
}

static struct bytes_in begin(const void *data, size_t size, enum wire_kind kind)
{
	struct bytes_in in = bytes_from(data, size);
	if (bytes_get_u8(&in) != kind)
		in.bad = true;
	return in;
}

enum wire_kind wire_kind(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	return size > 0 && bytes[0] >= WIRE_REQUEST && bytes[0] <= WIRE_OUTCOME ? (enum wire_kind)bytes[0] : 0;
}

static void put_flag(struct bytes_out *out, bool flag)
{
	bytes_put_u8(out, flag);
}

static bool get_flag(struct bytes_in *in)
{
	return bytes_get_u8(in) != 0;
}

/* --- orders --------------------------------------------------------------------------------------------------------- */

void wire_put_request(struct bytes_out *out, const struct wire_request *request)
{
	bytes_put_u8(out, WIRE_REQUEST);
	bytes_put_u8(out, request->want);
}

bool wire_get_request(const void *data, size_t size, struct wire_request *request)
{
	struct bytes_in in = begin(data, size, WIRE_REQUEST);
	*request = (struct wire_request){.want = bytes_get_u8(&in)};
	return whole(&in);
}

static void put_outcome_fields(struct bytes_out *out, const struct wire_outcome *outcome)
{
	bytes_put_varint(out, outcome->epoch);
	put_flag(out, outcome->committed);
	bytes_put_u8(out, outcome->reason);
	bytes_put_text(out, outcome->text);
}

static void get_outcome_fields(struct bytes_in *in, struct wire_outcome *outcome)
{
	outcome->epoch = bytes_get_varint(in);
	outcome->committed = get_flag(in);
	outcome->reason = bytes_get_u8(in);
	bytes_get_text(in, outcome->text, sizeof outcome->text);
}

void wire_put_announce(struct bytes_out *out, const struct wire_announce *announce)
{
	bytes_put_u8(out, WIRE_ANNOUNCE);
	bytes_put_varint(out, announce->epoch);
	bytes_put_varint(out, announce->number);
	bytes_put_u64(out, announce->nonce);
	bytes_put(out, announce->run, sizeof announce->run);
	bytes_put_u32(out, announce->life);
	bytes_put_u32(out, announce->root);
	bytes_put_u8(out, announce->want);
	bytes_put_signed(out, announce->lead);
	bytes_put_signed(out, announce->world_lead);
	bytes_put_signed(out, announce->every);
	put_outcome_fields(out, &announce->last);
}

bool wire_get_announce(const void *data, size_t size, struct wire_announce *announce)
{
	struct bytes_in in = begin(data, size, WIRE_ANNOUNCE);
	announce->epoch = bytes_get_varint(&in);
	announce->number = bytes_get_varint(&in);
	announce->nonce = bytes_get_u64(&in);
	const uint8_t *run = bytes_get(&in, sizeof announce->run);
	if (run)
		memcpy(announce->run, run, sizeof announce->run);
	announce->life = bytes_get_u32(&in);
	announce->root = bytes_get_u32(&in);
	announce->want = bytes_get_u8(&in);
	announce->lead = bytes_get_signed(&in);
	announce->world_lead = bytes_get_signed(&in);
	announce->every = bytes_get_signed(&in);
	get_outcome_fields(&in, &announce->last);
	return whole(&in);
}

void wire_put_ready(struct bytes_out *out, const struct wire_ready *ready)
{
	bytes_put_u8(out, WIRE_READY);
	bytes_put_varint(out, ready->epoch);
	bytes_put_signed(out, ready->step);
	bytes_put_varint(out, ready->world);
	bytes_put_u8(out, ready->kinds);
}

bool wire_get_ready(const void *data, size_t size, struct wire_ready *ready)
{
	struct bytes_in in = begin(data, size, WIRE_READY);
	ready->epoch = bytes_get_varint(&in);
	ready->step = bytes_get_signed(&in);
	ready->world = bytes_get_varint(&in);
	ready->kinds = bytes_get_u8(&in);
	return whole(&in);
}

void wire_put_cut(struct bytes_out *out, const struct wire_cut *cut)
{
	bytes_put_u8(out, WIRE_CUT);
	bytes_put_varint(out, cut->epoch);
	bytes_put_signed(out, cut->step);
	bytes_put_signed(out, cut->world);
	put_flag(out, cut->mixed);
}

bool wire_get_cut(const void *data, size_t size, struct wire_cut *cut)
{
	struct bytes_in in = begin(data, size, WIRE_CUT);
	cut->epoch = bytes_get_varint(&in);
	cut->step = bytes_get_signed(&in);
	cut->world = bytes_get_signed(&in);
	cut->mixed = get_flag(&in);
	return whole(&in);
}

void wire_put_hasten(struct bytes_out *out, const struct wire_hasten *hasten)
{
	bytes_put_u8(out, WIRE_HASTEN);
	bytes_put_varint(out, hasten->epoch);
}

bool wire_get_hasten(const void *data, size_t size, struct wire_hasten *hasten)
{
	struct bytes_in in = begin(data, size, WIRE_HASTEN);
	hasten->epoch = bytes_get_varint(&in);
	return whole(&in);
}

void wire_put_outcome(struct bytes_out *out, const struct wire_outcome *outcome)
{
	bytes_put_u8(out, WIRE_OUTCOME);
	put_outcome_fields(out, outcome);
}

bool wire_get_outcome(const void *data, size_t size, struct wire_outcome *outcome)
{
	struct bytes_in in = begin(data, size, WIRE_OUTCOME);
	get_outcome_fields(&in, outcome);
	return whole(&in);
}

/* --- markers -------------------------------------------------------------------------------------------------------- */

void wire_put_head(struct bytes_out *out, const struct wire_head *head)
{
	bytes_put_varint(out, head->epoch);
	bytes_put_varint(out, head->number);
	bytes_put_u64(out, head->nonce);
	bytes_put_u8(out, head->want);
	put_flag(out, head->is_void);
	put_flag(out, head->stepped);
	bytes_put_signed(out, head->step);
	bytes_put_varint(out, head->world);
}

bool wire_get_head(const void *data, size_t size, struct wire_head *head)
{
	struct bytes_in in = bytes_from(data, size);
	head->epoch = bytes_get_varint(&in);
	head->number = bytes_get_varint(&in);
	head->nonce = bytes_get_u64(&in);
	head->want = bytes_get_u8(&in);
	head->is_void = get_flag(&in);
	head->stepped = get_flag(&in);
	head->step = bytes_get_signed(&in);
	head->world = bytes_get_varint(&in);
	return whole(&in);
}

void wire_put_stream(struct bytes_out *out, const struct wire_stream *stream)
{
	bytes_put_u64(out, stream->comm);
	bytes_put_varint(out, stream->peer);
	bytes_put_varint(out, (uint64_t)stream->tag << 1 | stream->had_synchronous);
	bytes_put_signed(out, stream->sent);
	if (stream->had_synchronous)
		bytes_put_signed(out, stream->synchronous);
}

void wire_get_stream(struct bytes_in *in, struct wire_stream *stream)
{
	stream->comm = bytes_get_u64(in);
	stream->peer = (uint32_t)bytes_get_varint(in);
	uint64_t tag = bytes_get_varint(in);
	stream->tag = (uint32_t)(tag >> 1);
	stream->had_synchronous = tag & 1;
	stream->sent = bytes_get_signed(in);
	stream->synchronous = stream->had_synchronous ? bytes_get_signed(in) : INT64_MIN;
}

void wire_put_begun(struct bytes_out *out, const struct wire_begun *begun)
{
	bytes_put_u64(out, begun->comm);
	bytes_put_varint(out, begun->begun);
}

void wire_get_begun(struct bytes_in *in, struct wire_begun *begun)
{
	begun->comm = bytes_get_u64(in);
	begun->begun = bytes_get_varint(in);
}
