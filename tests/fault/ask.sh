#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# ask.sh ELSEWHERE: `seamark snapshot` asks heat for checkpoints, which takes none by itself: by its folder, by a rank, by what launched it, two at once, and to leave. What was written is gone on from, and
# the result is that of a run that nobody disturbed, bit for bit. Ranks that do not come to a safepoint, a program that was killed, one that ended, and somebody who does not wait any longer are told of, and
# leave no request behind. Somebody on another host, who cannot see the lock, waits as long as the program tells of itself.
set -u
# shellcheck source-path=SCRIPTDIR source=processes.sh
. "$(dirname "$0")/processes.sh"
command="$TEST_BUILD/apps/seamark" heat="$TEST_BUILD/apps/heat" elsewhere=$1
unset SEAMARK_EVERY SEAMARK_DIR SEAMARK_RESTART
arguments="--size 60 --every 0"
started=
trap 'for one in $started; do kill -KILL "$one" 2>/dev/null; done' EXIT
trap 'exit 1' INT TERM HUP

fail() {
	echo "FAILED: $*"
	for log in *.log; do
		echo "== $log"
		tail -n 20 "$log"
	done
	cat seamark*/status 2>/dev/null
	exit 1
}

# begin RANKS STEPS: heat in the background, its launcher into $launcher; waits until it has begun to compute.
begin() {
	lives=$((${lives:-0} + 1))
	rm -f "$SEAMARK_DIR/status"
	"$MPIEXEC" -n "$1" "$heat" $arguments --steps "$2" --pause-ms 20 --dump result >"heat.$lives.log" 2>&1 </dev/null &
	launcher=$!
	started="$started $launcher"
	looks=600
	until grep -q '"state": "running"' "$SEAMARK_DIR/status" 2>/dev/null; do
		looks=$((looks - 1))
		[ "$looks" -gt 0 ] || fail "heat on $1 ranks does not begin"
		sleep 0.1
	done
	first=$(sed -n 's/.*"process": \([0-9]*\),.*/\1/p' "$SEAMARK_DIR/status")
	started="$started $first"
}

ends() { # STATUS
	wait "$launcher"
	status=$?
	[ "$status" -eq "$1" ] || fail "heat ends with $status, not $1"
}

# ask STATUS PATTERN ARGUMENTS...
ask() {
	wanted=$1 pattern=$2
	shift 2
	# shellcheck disable=SC2086 # perhaps words
	$command snapshot "$@" >ask.log 2>&1 </dev/null
	status=$?
	[ "$status" -eq "$wanted" ] || fail "snapshot $* ends with $status, not $wanted"
	grep -q -e "$pattern" ask.log || fail "snapshot $* does not say '$pattern'"
}

nothing_left() {
	rest=$(find "$SEAMARK_DIR" -name 'request' -o -name '.request*')
	[ -z "$rest" ] || fail "'$rest' is left over"
}

# --- on 1, 2 and 4 ranks: by the folder, by a rank, and to leave by the launcher -----------------------------------------
for ranks in 1 2 4; do
	export SEAMARK_DIR="$PWD/seamark$ranks"
	rm -f result
	begin $ranks 100000
	ask 0 '^checkpoint 1 at step [0-9]* is committed' "$SEAMARK_DIR"
	if [ $ranks -ne 4 ]; then
		ask 0 '^checkpoint 2 at step [0-9]* is committed' --pid "$first"
	else
		"$command" snapshot --json >both.log 2>&1 &
		other=$!
		ask 0 '^checkpoint [23] at step [0-9]* is committed' "$SEAMARK_DIR"
		wait $other || fail "the second who asks is not answered"
		grep -q '"result": "committed"' both.log || fail "the second is answered otherwise"
	fi
	ask 0 'is committed.*asked to leave' --stop "$launcher"
	ends 0
	grep -q 'stopped before step' "heat.$lives.log" || fail "heat was not asked to leave"
	nothing_left
	ask 5 'no program uses' "$SEAMARK_DIR"
	number=$(sed -n 's/.*"committed": {"number": \([0-9]*\), "step": \([0-9]*\),.*/\1 at step \2/p' "$SEAMARK_DIR/status")
	# So many steps that it has to go on.
	steps=$((${number##* } + 50))
	SEAMARK_OFF=1 "$MPIEXEC" -n 1 "$heat" $arguments --steps $steps --dump expected >off.log 2>&1 || fail "the undisturbed run fails"
	"$MPIEXEC" -n $ranks "$heat" $arguments --steps $steps --dump result >again.log 2>&1 || fail "the restart fails"
	grep -q "restored from checkpoint $number" again.log || fail "it does not go on from checkpoint $number"
	cmp -s result expected || fail "the result on $ranks ranks differs from that of an undisturbed run"
done

# --- ranks that do not come to a safepoint ------------------------------------------------------------------------------------
export SEAMARK_DIR="$PWD/seamark"
begin 2 100000
second=
for one in $(all_of "$launcher"); do
	# The other rank: it has its own folder open nowhere, but is the same program.
	[ "$one" = "$first" ] || [ "$(readlink "/proc/$one/exe")" != "$(readlink "/proc/$first/exe")" ] || second=$one
done
[ -n "$second" ] || fail "there is no second rank"
started="$started $second"
kill -STOP "$second"
env LD_PRELOAD="$elsewhere" "$command" snapshot >elsewhere.log 2>&1 </dev/null &
from_elsewhere=$!
until_elsewhere=$(($(date +%s) + 12))
ask 4 'announced: 1 of 2 ranks have answered.*taken all the same' --timeout 8s
kill -STOP "$first"
ask 4 'rank 0 has not taken the request.*taken back' --timeout 2s
nothing_left
"$command" snapshot >left.log 2>&1 &
asker=$!
looks=100
until [ -e "$SEAMARK_DIR/request" ]; do
	looks=$((looks - 1))
	[ $looks -gt 0 ] || fail "nobody asks"
	sleep 0.1
done
kill -TERM $asker
wait $asker
[ $? -eq 143 ] || fail "who was told to end does not"
nothing_left
kill -CONT "$first"
# It has been waiting for longer than one is waited for that is not there.
while [ "$(date +%s)" -lt "$until_elsewhere" ]; do sleep 0.2; done
kill -0 $from_elsewhere 2>/dev/null || fail "who asks from elsewhere does not wait: $(cat elsewhere.log)"
kill -CONT "$second"
wait $from_elsewhere || fail "who asks from elsewhere is not answered: $(cat elsewhere.log)"
grep -q 'is committed' elsewhere.log || fail "who asks from elsewhere is answered otherwise: $(cat elsewhere.log)"
ask 0 '^checkpoint [0-9]* at step [0-9]* is committed' "$SEAMARK_DIR"

# --- a checkpoint that cannot be written --------------------------------------------------------------------------------------------
number=$(sed -n 's/.*"committed": {"number": \([0-9]*\),.*/\1/p' "$SEAMARK_DIR/status")
: >"$SEAMARK_DIR/$(printf %07d $((number + 1))).L01"
ask 1 "attempt $((number + 1)) is void, and is not tried again: an image could not be written" "$SEAMARK_DIR"

# --- one that is killed ----------------------------------------------------------------------------------------------------------
# shellcheck disable=SC2046 # a word for each process
kill -KILL $(all_of "$launcher") "$first" "$second" 2>/dev/null
wait "$launcher" 2>/dev/null
flock "$SEAMARK_DIR/lock" true
ask 5 "no program uses '.*' (the last was life 1, process $first on host" "$SEAMARK_DIR"
ask_command=$command command="env LD_PRELOAD=$elsewhere $command"
ask 5 "no program uses '.*' (the last was life 1, process $first on host" "$SEAMARK_DIR"
command=$ask_command
nothing_left
grep -q '"state": "running"' "$SEAMARK_DIR/status" || fail "a program that was killed has told of its end"
mkdir unused
ask 5 'no program has used' unused
ask 3 'neither a folder nor a number' nowhere
(cd / && exec env -i "$(command -v sleep)" 120) &
other=$!
started="$started $other"
until [ "$(cat /proc/$other/comm)" = sleep ]; do sleep 0.1; done
ask 3 'neither it nor a process that came of it' --pid $other
echo "ask: checkpoints on 1, 2 and 4 ranks, asked for by folder, process and launcher, were gone on from with the right result"
