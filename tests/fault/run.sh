#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run.sh: `seamark run` with heat: ranks that are killed, a program that fails by itself, TERM, HUP, USR1, a program that does not leave. Results are those of an undisturbed run.
# shellcheck source-path=SCRIPTDIR source=supervised.sh
. "$(dirname "$0")/supervised.sh"

begin killed --steps 700
until_line 1 'committed in'
kill_rank 2
until_line 1 'restored from checkpoint'
until_line 1 ' % of 700 steps'
kill_rank 0
ends 0
says 'done after .*, with 2 restarts'
says 'restarting from checkpoint [0-9]* at step'
says '^seamark run: checkpoint [0-9]* at step [0-9]* held .* % of 700 steps'
# Not every launcher knows, or says it there.
! "$MPIEXEC" --version | grep -q 'Open MPI\|OpenRTE' ||
	grep -A 1 '^seamark run: lost rank 2 on ' err | grep -q '^seamark run: it ended with' || fail "it does not say which rank was lost"
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

# As long as it is told, and again, until it is done.
case="in time"
rm -rf "$SEAMARK_DIR" field.raw
starts=0 span=5
while :; do
	pause=$((10 * span * span / 25))
	began=$(date +%s)
	go_on --time "${span}s" --margin 0.5
	wait "$supervisor"
	status=$?
	supervisor=
	took=$(($(date +%s) - began))
	# A busy machine may need seconds more for any start and end: the next one has more to do, and more time.
	if [ "$took" -gt $((span * 8 / 5)) ] || grep -q 'no checkpoint was committed in time' err; then
		span=$((span + 5))
		[ "$span" -le 40 ] || fail "it ran for $took s, or has no time for a checkpoint in $span s"
	fi
	[ "$status" -eq 75 ] || break
	says 'the time is over in'
	if ! grep -q 'no checkpoint was committed in time' err; then
		says 'stopped at checkpoint [0-9]* at step'
		starts=$((starts + 1))
	fi
	[ "$starts" -lt 20 ] || fail "it does not come to an end"
done
[ "$status" -eq 0 ] || fail "status $status"
[ "$starts" -ge 2 ] || fail "it was not stopped"
same
pause=3

case="told that time is over"
pause=15
begin "$case" --leave-on USR2
until_line 2 'committed in'
kill -USR2 "$supervisor"
ends 75
says 'signal USR2: the time is nearly over'
says 'stopped at checkpoint'
pause=3

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
echo "seamark run: killed, stopped, afresh, ended, signalled, in time, hopeless, stubborn, leftovers: as they should be"
