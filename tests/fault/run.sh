#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run.sh: `seamark run` with heat: ranks that are killed, a program that fails by itself, TERM, HUP, USR1, a program that does not leave. Results are those of an undisturbed run.
set -u
command="$TEST_BUILD/apps/seamark" heat="$TEST_BUILD/apps/heat"
launch="$MPIEXEC -n 3"
arguments="--size 240 --steps 700 --every 0" pause=3
export SEAMARK_DIR="$PWD/checkpoints" SEAMARK_EVERY=70ms
supervisor=
trap '[ -z "$supervisor" ] || kill -KILL "$supervisor" 2>/dev/null' EXIT
trap 'exit 1' INT TERM HUP

fail() {
	echo "FAILED: $case: $*"
	cat err
	exit 1
}

# begin CASE OPTIONS...: the supervisor in the background, on a fresh folder.
begin() {
	case=$1
	shift
	rm -rf "$SEAMARK_DIR" field.raw
	go_on "$@"
}

# shellcheck disable=SC2086 # words without blanks
go_on() {
	: >err # or lines of the run before would be read
	"$command" run --backoff 0.1 "$@" -- $launch "$heat" $arguments --pause-ms "$pause" --dump field.raw >out 2>err </dev/null &
	supervisor=$!
}

# until_line N PATTERN: that many lines of the account.
until_line() {
	tries=0
	while [ "$(grep -c "$2" err)" -lt "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || fail "no $1 lines '$2'"
		kill -0 "$supervisor" 2>/dev/null || [ "$(grep -c "$2" err)" -ge "$1" ] || fail "it ended before $1 lines '$2'"
		sleep 0.05
	done
}

# ends WITH: waits for it.
ends() {
	wait "$supervisor"
	status=$?
	supervisor=
	[ "$status" -eq "$1" ] || fail "status $status, not $1"
}

says() {
	grep -q "$1" err || fail "it does not say '$1'"
}

same() {
	cmp -s undisturbed.raw field.raw || fail "another result"
}

# A rank of this folder's run, whoever started it.
kill_rank() {
	for process in $(pgrep -x heat); do
		tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | grep -qx "SEAMARK_DIR=$SEAMARK_DIR" || continue
		tr '\0' '\n' <"/proc/$process/environ" | grep -q "^\(OMPI_COMM_WORLD_RANK\|PMI_RANK\)=$1\$" && kill -KILL "$process" && return
	done
	fail "there is no rank $1 to kill"
}

# shellcheck disable=SC2086
SEAMARK_OFF=1 $launch "$heat" $arguments --dump undisturbed.raw >/dev/null 2>err || { case=undisturbed; fail "heat ends with $?"; }

begin killed --steps 700
until_line 1 'committed in'
kill_rank 2
until_line 1 'restored from checkpoint'
until_line 1 'of 700, '
kill_rank 0
ends 0
says 'done after .*, with 2 restarts'
says 'restarting from checkpoint [0-9]* at step'
same

pause=15 # the file is looked for once a second, and nothing must be done before
begin stopped
until_line 2 'committed in'
kill -TERM "$supervisor"
ends 75
says 'stopped at checkpoint [0-9]* at step'
[ ! -e field.raw ] || fail "it was not stopped"
[ ! -e "$SEAMARK_DIR/stop" ] || fail "the file stop is still there"
pause=3
case="gone on"
go_on
ends 0
says 'restored from checkpoint'
says 'done after .*, with 0 restarts'
same

# SEAMARK_RESTART says where to begin, not where to go on.
case="afresh"
export SEAMARK_RESTART=none
rm -f field.raw
go_on
until_line 1 'fresh start'
until_line 1 'committed in'
kill_rank 1
ends 0
unset SEAMARK_RESTART
says 'restored from checkpoint'
same

begin 'ended'
until_line 1 'committed in'
kill -HUP "$supervisor" # INT is ignored in a script's background
wait "$supervisor"
status=$?
supervisor=
case $status in 0 | 75) fail "status $status" ;; esac
says 'as was asked'
[ "$(grep -c 'fresh start' err)" -eq 1 ] || fail "it was started again"

begin signalled
export SEAMARK_EVERY=none
until_line 1 'fresh start'
kill -USR1 "$supervisor"
until_line 1 'committed in'
ends 0
same
export SEAMARK_EVERY=70ms

# It fails at once, always in the same way.
case="hopeless"
rm -rf "$SEAMARK_DIR"
"$command" run --backoff 0.1 -- sh -c 'exit 3' 2>err
[ $? -eq 3 ] || fail "another status"
says 'the same failure twice'
# shellcheck disable=SC2016 # it is that shell which expands
"$command" run --backoff 0.1 --max-restarts 3 -- sh -c 'n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) >n; exit $((n + 3))' 2>err
[ $? -eq 6 ] || fail "another status"
says 'restarted 3 times'
"$command" run -- ./no-such-launcher 2>err
[ $? -eq 127 ] || fail "another status"
says 'it is not tried again'

# A program that does not ask whether it is to stop; a launcher that leaves a process behind.
case="stubborn"
rm -rf "$SEAMARK_DIR"
mkdir "$SEAMARK_DIR"
"$command" run --commit 1 --leave 1 -- sh -c 'trap "" USR1; exec sleep 60' 2>err &
supervisor=$!
sleep 0.5
kill -TERM "$supervisor"
ends 143
says 'no checkpoint was committed in time'
[ ! -e "$SEAMARK_DIR/stop" ] || fail "the file stop is still there"
case="leftovers"
"$command" run --backoff 0.1 -- sh -c "setsid sleep 77.$$ & exit 4" 2>err
[ $? -eq 4 ] || fail "another status"
says '1 processes of the ended life'
pgrep -f "^sleep 77.$$\$" >/dev/null && fail "it left a process behind"
echo "seamark run: killed, stopped, afresh, ended, signalled, hopeless, stubborn, leftovers: as they should be"
