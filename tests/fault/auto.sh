#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# auto.sh: SEAMARK_EVERY=auto with heat, over lives. What the log says of cost and mean time between failures gives the interval that it says; a life that was killed is a failure to the next one, one that
# was asked to leave is none; the cost is learned from the life before; results are those of an undisturbed run.
test=auto
# shellcheck source-path=SCRIPTDIR source=kill.sh
. "$(dirname "$0")/kill.sh"
seed_from "${1-}"
heat="$TEST_BUILD/apps/heat"
export SEAMARK_DIR="$PWD/checkpoints"
steps=3500

# live NAME=VALUE...: a life in the background.
live() {
	for setting; do
		export "${setting?}"
	done
	begin_life 2 "$heat" --size 100 --steps $steps --every 0 --pause-ms 1 --dump field.raw
	out=life.$life_number.out
}

until_line() {
	tries=0
	until [ "$(grep -c "$2" "$out")" -ge "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || fail "no $1 lines '$2'"
		sleep 0.05
	done
}

says() {
	grep -q "$1" "$out" || fail "it does not say '$1'"
}

# The first number after some words, in seconds.
seconds_after() {
	sed -n "s/.*$1 \\([0-9.]*\\) \\(us\\|ms\\|s\\|min\\|h\\)[^a-z].*/\\1 \\2/p" "$out" | head -n 1 |
		awk '{ print $1 * ($2 == "us" ? 1e-6 : $2 == "ms" ? 1e-3 : $2 == "min" ? 60 : $2 == "h" ? 3600 : 1) }'
}

# What is told first in a life is what those before it have left, in so many commits.
is_dalys() {
	durable=$(sed -n 's/.*"durable_s": \([0-9.e-]*\),.*/\1/p' "$SEAMARK_DIR/history" | head -n "$1" | awk '{ mean = NR == 1 ? $1 : mean + ($1 - mean) / 8 } END { print mean }')
	awk -v interval="$(seconds_after "a checkpoint every")" -v cost="$(seconds_after "one costs the program")" -v mtbf="$(seconds_after "is to be expected every")" -v durable="$durable" '
		BEGIN {
			part = cost / 2 / mtbf
			daly = sqrt(2 * cost * mtbf) * (1 + sqrt(part) / 3 + part / 9)
			if (daly < durable) daly = durable
			if (!(interval > 0.9 * daly && interval < 1.1 * daly)) {
				print "a cost of " cost " s and a failure every " mtbf " s, durable in " durable " s, give " daly " s, not " interval " s"
				exit 1
			}
		}' || fail "the interval is not Daly's"
}

live SEAMARK_OFF=1
wait "$life" || fail "the undisturbed life ended with $?"
unset SEAMARK_OFF
mv field.raw undisturbed.raw

# Nothing is known: a minute would be too long for a test, but a checkpoint that somebody asks for tells as much.
live SEAMARK_EVERY=auto
until_line 1 'the first checkpoint is taken after'
pkill -USR1 -P "$life"
until_line 1 'checkpoint 1 at .*committed in'
until_line 1 'a checkpoint every'
says 'is to be expected every 24.0 h (assumed'
is_dalys 1
find_ranks || fail "the ranks are not there"
# shellcheck disable=SC2086 # numbers
kill -KILL $rank_pids
wait "$life"
flock "$SEAMARK_DIR/lock" true

# It knows what one costs, and of the failure.
live SEAMARK_EVERY=auto
until_line 1 'restored from checkpoint 1'
until_line 1 'a checkpoint every'
grep -q 'the first checkpoint is taken' "$out" && fail "it has learned nothing"
says 'is to be expected every 4.8 h (this run has had 1 in'
: >"$SEAMARK_DIR/stop"
wait "$life" || fail "it ended with $?"
says 'checkpoint .* committed in'

# The stop was no failure. What `seamark plan` says now is what the next life begins with.
planned=$("$TEST_BUILD/apps/seamark" plan "$SEAMARK_DIR" --mtbf 20s --json | sed -n 's/.*"best_s": \([0-9.e-]*\),.*/\1/p')
# Given a mean time, it takes many; each is counted in the history.
live SEAMARK_EVERY=auto SEAMARK_MTBF=20s
until_line 1 'a checkpoint every'
says 'is to be expected every 20.00 s (SEAMARK_MTBF)'
awk -v begun="$(seconds_after "a checkpoint every")" -v planned="$planned" 'BEGIN { exit !(planned > 0 && begun > 0.99 * planned && begun < 1.01 * planned) }' ||
	fail "seamark plan says $planned s, and the life begins with $(seconds_after "a checkpoint every") s"
is_dalys "$(sed '/"life": 3/,$d' "$SEAMARK_DIR/history" | grep -c '"commit"')"
wait "$life" || fail "it ended with $?"
cmp -s field.raw undisturbed.raw || fail "another result"
taken=$(grep -c 'committed in' "$out")
[ "$taken" -ge 3 ] || fail "only $taken checkpoints"
[ "$(grep -c '"commit", "life": 3,' "$SEAMARK_DIR/history")" -eq "$taken" ] || fail "the history has not the $taken commits of life 3"
[ "$(grep -c '"event": "begin"' "$SEAMARK_DIR/history")" -eq 3 ] || fail "the history has not three lives"
grep -q '"event": "end", "life": 2, .*"how": "stopped"' "$SEAMARK_DIR/history" || fail "the stop is not in the history"
grep -q '"event": "end", "life": 3, .*"how": "finalized"' "$SEAMARK_DIR/history" || fail "the end is not in the history"

steps=50
rm -f field.raw
live SEAMARK_MTBF=learned SEAMARK_RESTART=none
until_line 1 'is to be expected every .* (this run has had 1 in'
wait "$life" || fail "it ended with $?"
echo "auto: $taken checkpoints with a failure expected every 20 s; intervals are Daly's, failures are learned"
