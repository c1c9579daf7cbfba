#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# queens: the known counts, on any number of ranks, with checkpoints in between; goes on after it was asked to stop.
set -u
queens="$TEST_BUILD/apps/queens"
program=$queens
# shellcheck source-path=SCRIPTDIR source=apps.sh
. "$(dirname "$0")/apps.sh"

export SEAMARK_EVERY=20ms
for line in "1 8 92" "3 1 1" "4 3 0" "2 8 92" "8 8 92" "4 12 14200" "3 13 73712" "2 14 365596" "8 15 2279184" "4 16 14772512"; do
	# shellcheck disable=SC2086 # three numbers
	set -- $line
	export SEAMARK_DIR="checkpoints.$1.$2"
	run "$1" "$2"
	[ "$status" -eq 0 ] || fail "$2 queens on $1 ranks: status $status"
	grep -q "$2 queens: $3 solutions" out || fail "$2 queens on $1 ranks: not $3"
done
ls checkpoints.4.16/*.L*/manifest.json >/dev/null 2>&1 || fail "16 queens have left no checkpoint"

# Asked to stop by a signal, which mpirun hands on, it leaves with success, all ranks together; started again it goes on.
export SEAMARK_DIR=stopped
stop=USR2
"$MPIEXEC" --version 2>&1 | grep -q HYDRA && stop=ALRM # MPICH's launcher dies of USR2
SEAMARK_STOP_SIGNAL=$stop "$MPIEXEC" -n 4 "$queens" 16 >out 2>err </dev/null &
when_committed stopped
kill -s "$stop" $!
wait $!
status=$?
[ "$status" -eq 0 ] || fail "asked to stop it ends with $status"
grep -q 'stopped, as was asked' out || fail "it does not stop when it is asked to"
run 4 12
[ "$status" -eq 2 ] || fail "a checkpoint of 16 queens is continued with 12: status $status"
run 4 16
[ "$status" -eq 0 ] || fail "going on after the stop ends with $status"
grep -q 'going on' out || fail "it does not go on after the stop"
grep -q '16 queens: 14772512 solutions' out || fail "wrong count after the stop"
