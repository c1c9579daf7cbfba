#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# takeover.sh: a second start of a run takes the place of one that still computes. Four at a time, since a start waits 15 s for the one before: heat that is healthy; queens, stopped in all its processes
# and let go on when its successor is done; heat that makes no MPI call; and two `seamark run`. The first ends with status 76 and says why, the second goes on from the newest checkpoint and has the
# right result, and what is in the folder verifies.
set -u
# shellcheck source-path=SCRIPTDIR source=processes.sh
. "$(dirname "$0")/processes.sh"
command="$TEST_BUILD/apps/seamark" heat="$TEST_BUILD/apps/heat" queens="$TEST_BUILD/apps/queens"
launch="$MPIEXEC -n 2"
started=
trap 'for one in $started; do kill -KILL "$one" 2>/dev/null; done' EXIT
trap 'exit 1' INT TERM HUP
unset SEAMARK_START
export SEAMARK_OWNER="takeover-$$" SEAMARK_EVERY=100ms
arguments="--size 200 --steps 400 --every 0"

fail() {
	echo "FAILED: $case: $*"
	for log in "$case".*; do
		case $log in *.raw) continue ;; esac
		[ ! -f "$log" ] || { echo "== $log"; tail -n 15 "$log"; }
	done
	exit 1
}

# start NAME.WHICH COMMAND...: in the background, in the folder NAME; its number into $begun.
start() {
	log=$1
	shift
	SEAMARK_DIR="$PWD/${log%.*}" "$@" >"$log.out" 2>"$log.err" </dev/null &
	begun=$!
	started="$started $begun"
}

until_line() { # SECONDS FILE PATTERN
	looks=$(($1 * 20))
	until grep -q -e "$3" "$2"; do
		looks=$((looks - 1))
		[ "$looks" -gt 0 ] || fail "no line '$3' in $2"
		sleep 0.05
	done
}

ends() { # PROCESS STATUS
	wait "$1"
	status=$?
	[ "$status" -eq "$2" ] || fail "$3 ends with $status, not $2"
}

newest_in() {
	sed -n 's/.*checkpoint \([0-9]*\).* committed in.*/\1/p' "$1" | tail -n 1
}

# check NAME: what both have said of checkpoints, and what is there.
check() {
	grep -q 'has taken the place of this one' "$case.1.err" || fail "the first does not say why it ends"
	from=$(sed -n 's/.*restored from checkpoint \([0-9]*\).*/\1/p' "$case.2.err" | head -n 1)
	[ -n "$from" ] || fail "the second does not go on from a checkpoint"
	[ "$from" -ge "$(newest_in "$case.1.err")" ] || fail "the first committed $(newest_in "$case.1.err"), the second went on from $from"
	SEAMARK_DIR="$PWD/$case" "$command" verify >"$case.verify" 2>&1 || fail "it does not verify: $(cat "$case.verify")"
	[ -z "$(find "$case" -name '*.void' -o -name '.stop-*' -o -name '*.tmp')" ] || fail "something is left over in the folder"
}

# shellcheck disable=SC2086 # words without blanks
{
	SEAMARK_OFF=1 $launch "$heat" $arguments --dump undisturbed.raw >undisturbed.log 2>&1 || { status=$?; case=undisturbed; fail "heat ends with $status"; }

	start healthy.1 $launch "$heat" $arguments --pause-ms 200
	healthy=$begun
	start frozen.1 env SEAMARK_EVERY=20ms $launch "$queens" 16
	frozen=$begun
	start silent.1 "$MPIEXEC" -n 1 "$heat" $arguments --pause-ms 120000
	silent=$begun
	start run.1 "$command" run --backoff 0.1 -- $launch "$heat" $arguments --pause-ms 200
	run=$begun

	for case in healthy frozen run; do until_line 30 $case.1.err 'committed in'; done
	case=frozen
	frozen_all=$(all_of "$frozen")
	kill -STOP $frozen_all
	started="$started $frozen_all"

	start healthy.2 $launch "$heat" $arguments --dump healthy.raw
	healthy_next=$begun
	start frozen.2 $launch "$queens" 16
	frozen_next=$begun
	start silent.2 "$MPIEXEC" -n 1 "$heat" $arguments --dump silent.raw
	silent_next=$begun
	start run.2 "$command" run --backoff 0.1 -- $launch "$heat" $arguments --dump run.raw
	run_next=$begun
}

case=healthy
ends "$healthy" 76 "the first"
ends "$healthy_next" 0 "the second"
cmp -s undisturbed.raw healthy.raw || fail "another result"
check

case=run
ends "$run" 76 "the first"
grep -q 'another start goes on with this run' run.1.err || fail "the first supervisor does not say that it is over"
[ "$(grep -c 'seamark: Seamark' run.1.err)" -eq 1 ] || fail "it was started again"
ends "$run_next" 0 "the second"
cmp -s undisturbed.raw run.raw || fail "another result"
check

case=silent
ends "$silent" 76 "the first, which calls nothing,"
grep -q 'has taken the place of this one' silent.1.err || fail "the first does not say why it ends"
ends "$silent_next" 0 "the second"
cmp -s undisturbed.raw silent.raw || fail "another result"

case=frozen
ends "$frozen_next" 0 "the second"
grep -q "14772512" frozen.2.out || fail "another count: $(cat frozen.2.out)"
# shellcheck disable=SC2086
kill -CONT $frozen_all
ends "$frozen" 76 "the first"
check
echo "takeover: healthy, frozen, silent, run: the first ends with 76, the second goes on with what it had committed and has the right result"
