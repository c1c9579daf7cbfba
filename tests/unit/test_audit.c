/* SPDX-License-Identifier: BSD-3-Clause */
/* The audit of a drill against streams whose every message is known: what is right is called right, and each single mistake is found. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel/audit.h"

enum { MOST = 24, CASES = 4000 };

static uint64_t state = 88172645463325252u;

static unsigned draw(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % below;
}

/* One stream with messages 1 - carried to `last`: what became of each before the cut and after it. */
enum fate { UNDRAWN, TOLD, HELD, MAIL, ASIDE };
struct stream {
	uint64_t key;
	int64_t carried, drawn, limit;
	enum fate fate[2 * MOST]; /* of position p at p + MOST */
	struct audit_claim claim;
};

static struct ledger ledger;
static struct sequence sequence;
static struct mailbox mailbox;
static struct audit audit;
static uint64_t handle;

static void make(struct stream *stream, unsigned tag)
{
	stream->key = ledger_key(0, 1, tag);
	stream->carried = draw(5);
	stream->drawn = (int64_t)draw(MOST) - (draw(4) == 0 ? stream->carried : 0);
	if (stream->drawn < -stream->carried)
		stream->drawn = -stream->carried;
	stream->limit = draw(MOST);
	struct ledger_stream *seen = ledger_stream(&ledger.seen, stream->key);
	*seen = (struct ledger_stream){.key = stream->key, .total = stream->drawn};
	seen->seen = -stream->carried;
	for (int64_t p = 1 - stream->carried; p <= stream->drawn; p++) {
		enum fate fate = TOLD + draw(4);
		stream->fate[p + MOST] = fate;
		seen->seen += fate == TOLD;
		if (fate == HELD) {
			struct shadow *shadow = shadow_add(&sequence.shadows, handle += 64);
			shadow->kind = SHADOW_RECEIVE;
			shadow->key = stream->key;
			shadow->position = p;
		} else if (fate == MAIL) {
			struct mail *mail = mail_new(0);
			mail->key = stream->key;
			mail->position = p;
			mailbox_put(&mailbox, mail);
		} else if (fate == ASIDE) {
			sequence.aside = realloc(sequence.aside, (sequence.aside_count + 1) * sizeof *sequence.aside);
			sequence.aside[sequence.aside_count++] = (struct taking){.key = stream->key, .position = p, .told = true};
		}
	}
	stream->claim = (struct audit_claim){.key = stream->key, .limit = stream->limit, .seen = seen->seen};
}

static bool is_told(const struct stream *stream, int64_t p)
{
	return p <= stream->drawn && (stream->fate[p + MOST] == TOLD || stream->fate[p + MOST] == ASIDE);
}

/* What the protocol does after the cut, but for the message at `forgotten`. */
static void go_on(struct stream *stream, int64_t forgotten)
{
	for (int64_t p = 1 - stream->carried; p <= stream->drawn || p <= stream->limit; p++) {
		bool aside = p <= stream->drawn && stream->fate[p + MOST] == ASIDE;
		stream->claim.orphans += is_told(stream, p) && p > stream->limit;
		if (p == forgotten)
			continue;
		if (aside) {
			audit_settled(&audit, stream->key, p);
			stream->claim.seen++;
		} else if (!is_told(stream, p) && p <= stream->limit) {
			audit_recorded(&audit, stream->key, p);
			stream->claim.recorded++;
		}
	}
}

static bool begin(struct stream *streams, int count)
{
	CU_ASSERT_FATAL(ledger_open(&ledger) && position_open(&sequence));
	for (int i = 0; i < count; i++)
		make(&streams[i], (unsigned)i);
	audit_cut(&audit, &sequence, &ledger, &mailbox);
	return true;
}

static void end(void)
{
	mailbox_close(&mailbox);
	position_close(&sequence);
	ledger_close(&ledger);
}

static void what_is_right_is_called_right(void)
{
	char text[200];
	for (int i = 0; i < CASES; i++) {
		struct stream streams[3];
		begin(streams, 3);
		for (int s = 0; s < 3; s++)
			go_on(&streams[s], INT64_MAX);
		for (int s = 0; s < 3; s++)
			if (!audit_stream(&audit, &streams[s].claim, text, sizeof text)) {
				CU_FAIL("something is wrong");
				printf("case %d, stream %d: %s\n", i, s, text);
			}
		end();
	}
}

/* Makes one mistake; false: this one cannot be made here. */
static bool mistake(struct stream *stream, unsigned which)
{
	int64_t p = 1 - stream->carried + draw((unsigned)(stream->carried + MOST));
	bool told = is_told(stream, p), aside = told && stream->fate[p + MOST] == ASIDE;
	switch (which) {
	case 0: /* a message is lost */
		if ((told && !aside) || p > stream->limit || p > (stream->drawn > stream->limit ? stream->drawn : stream->limit))
			return false;
		go_on(stream, p);
		return true;
	case 1: /* one that was told is recorded as well */
		if (!told || p > stream->limit)
			return false;
		go_on(stream, INT64_MAX);
		audit_recorded(&audit, stream->key, p);
		stream->claim.recorded++;
		return true;
	case 2: /* recorded twice */
		if (told || p > stream->limit)
			return false;
		go_on(stream, INT64_MAX);
		audit_recorded(&audit, stream->key, p);
		stream->claim.recorded++;
		return true;
	case 3: /* one from after the sender's cut is recorded */
		if (told || p <= stream->limit || p <= 0)
			return false;
		go_on(stream, INT64_MAX);
		audit_recorded(&audit, stream->key, p);
		stream->claim.recorded++;
		return true;
	case 4: /* another one than is missing: sums balance */
		if (told || p > stream->limit || p <= 0 || stream->limit + 1 <= stream->drawn)
			return false;
		go_on(stream, p);
		audit_recorded(&audit, stream->key, stream->limit + 1);
		stream->claim.recorded++;
		return true;
	case 5: /* the protocol counted otherwise */
		go_on(stream, INT64_MAX);
		*(int64_t *[]){&stream->claim.seen, &stream->claim.recorded, &stream->claim.orphans, &stream->claim.limit}[draw(4)] += draw(2) ? 1 : -1;
		return true;
	default:
		return false;
	}
}

static void each_mistake_is_found(void)
{
	char text[200];
	int made[6] = {0};
	for (int i = 0; i < CASES; i++) {
		struct stream streams[2];
		unsigned which = draw(6);
		begin(streams, 2);
		go_on(&streams[1], INT64_MAX);
		if (mistake(&streams[0], which)) {
			made[which]++;
			if (audit_stream(&audit, &streams[0].claim, text, sizeof text)) {
				CU_FAIL("a mistake was not found");
				printf("case %d: mistake %u\n", i, which);
			}
			CU_ASSERT_TRUE(audit_stream(&audit, &streams[1].claim, text, sizeof text));
		}
		end();
	}
	for (int i = 0; i < 6; i++)
		CU_ASSERT_TRUE(made[i] > 20);
}

/* Something was received and not counted: what was drawn, and what is held, do not go together. */
static void a_ledger_that_does_not_add_up_is_found(void)
{
	char text[200];
	struct stream stream;
	begin(&stream, 1);
	ledger_stream(&ledger.seen, stream.key)->seen++;
	audit_cut(&audit, &sequence, &ledger, &mailbox);
	go_on(&stream, INT64_MAX);
	CU_ASSERT_FALSE(audit_stream(&audit, &stream.claim, text, sizeof text));
	end();
}

static void orphans_are_counted(void)
{
	for (int i = 0; i < CASES; i++) {
		struct stream stream;
		int64_t orphans = 0, limit = draw(MOST);
		begin(&stream, 1);
		for (int64_t p = limit + 1; p <= stream.drawn; p++)
			orphans += is_told(&stream, p);
		for (int64_t p = stream.drawn; p >= 1 - stream.carried; p--)
			if (stream.fate[p + MOST] == ASIDE)
				audit_settled(&audit, stream.key, p);
		CU_ASSERT_EQUAL(audit_told_beyond(&audit, stream.key, limit), orphans);
		end();
	}
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite suite = CU_add_suite("audit", NULL, NULL);
	CU_add_test(suite, "what is right is called right", what_is_right_is_called_right);
	CU_add_test(suite, "each mistake is found", each_mistake_is_found);
	CU_add_test(suite, "a ledger that does not add up is found", a_ledger_that_does_not_add_up_is_found);
	CU_add_test(suite, "orphans are counted", orphans_are_counted);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	audit_close(&audit);
	return failures != 0;
}
