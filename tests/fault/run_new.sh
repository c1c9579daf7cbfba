#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run_new.sh: `seamark run` is told that the time is over just after a checkpoint that took more than 10 s: no other is taken, the program is ended at that one, and that is no failure: not to who learns
# how often the run fails, and not to `seamark run`. A rank that is killed is one.
size=700 steps=140
# shellcheck source-path=SCRIPTDIR source=supervised.sh
. "$(dirname "$0")/supervised.sh"
# The checkpoint is new for a quarter of the time that it took. A machine that was busy elsewhere for that long has another one taken, as is right: once more.
turns=0
while :; do
	turns=$((turns + 1))
	[ "$turns" -le 5 ] || fail "it is never told in time"
	pause=400 SEAMARK_EVERY=100ms
	export SEAMARK_RATE=100kB/s SEAMARK_CODEC=none # for 1.3 MB
	begin "new" --leave-on USR2
	unset SEAMARK_RATE SEAMARK_CODEC
	until_line 1 'committed in'
	kill -USR2 "$supervisor"
	ends 75
	! grep -q 'checkpoint 1 at step .* was committed just now, and no other is taken' err || break
	says 'asked to leave'
done
says 'stopped at checkpoint 1 at step'
! grep -q 'the same failure' err || fail "it is taken for a failure"
[ "$(grep -c 'committed in' err)" -eq 1 ] || fail "another was taken"
[ ! -e field.raw ] || fail "it was not ended"
[ "$(grep -c '"event": "end", "life": 1, .*"how": "ended"' "$SEAMARK_DIR/history")" -eq 1 ] || fail "the history does not say how it ended: $(cat "$SEAMARK_DIR/history")"

# The next life knows of no failure; and of one that had come after.
case="gone on" pause=50 SEAMARK_EVERY=auto
go_on
until_line 1 'is to be expected every 24.* (assumed, as this run has had none'
until_line 1 'restored from checkpoint 1'
kill_rank 1
until_line 1 '(this run has had 1 in'
ends 0
says 'done after .*, with 1 restart'
same
echo "seamark run: ended at a new checkpoint, which is no failure (told in time at turn $turns)"
