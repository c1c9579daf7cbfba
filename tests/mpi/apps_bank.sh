#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# bank: the money is conserved, in the run and in every checkpoint; the audit sees what is missing.
set -u
bank="$TEST_BUILD/apps/bank"
program=$bank
# shellcheck source-path=SCRIPTDIR source=apps.sh
. "$(dirname "$0")/apps.sh"

# audit FOLDER
audit() {
	"$bank" --audit "$1" >out 2>err
	status=$?
}

export SEAMARK_KEEP=all SEAMARK_DIR=checkpoints
run 3 --transfers 100000 --every 20000 --seed 7
[ "$status" -eq 0 ] || fail "status $status"
grep -q 'the 3 branches hold 3000000 of 3000000: right' out || fail "the money is not there"
grep -q 'seed 7' out || fail "the seed is not told"
audit checkpoints
[ "$status" -eq 0 ] || fail "the audit ends with $status"
grep -q '^[1-9][0-9]* of [1-9][0-9]* checkpoints are right' out || fail "the audit has found nothing"

# What is damaged is not called right.
cp -r checkpoints damaged
image=$(find damaged -type f -size +4k ! -name '*.json' | sort | head -n 1)
[ -n "$image" ] || fail "there is no image to damage"
size=$(wc -c <"$image")
head -c $((size / 2)) "$image" >part && mv part "$image"
audit damaged
[ "$status" -eq 1 ] || fail "the audit of a damaged folder ends with $status"
mkdir -p empty
audit empty
[ "$status" -eq 2 ] || fail "the audit of an empty folder ends with $status"
audit nowhere
[ "$status" -eq 2 ] || fail "the audit of no folder ends with $status"

# Asked to stop by a file, it leaves with success, all branches together; started again it goes on.
export SEAMARK_DIR=stopped
(
	when_committed stopped
	touch stopped/stop
) &
SEAMARK_EVERY=50ms run 4 --seconds 60
[ "$status" -eq 0 ] || fail "asked to stop it ends with $status"
grep -q 'stopped, as was asked' out || fail "it does not stop when it is asked to"
wait
run 4 --seconds 0.5
[ "$status" -eq 0 ] || fail "going on after the stop ends with $status"
grep -q 'going on' out || fail "it does not go on after the stop"
audit stopped
[ "$status" -eq 0 ] || fail "the audit after the stop ends with $status"

run 1
[ "$status" -eq 2 ] || fail "one branch: status $status"
