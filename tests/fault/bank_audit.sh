#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# bank_audit.sh [CHECKPOINTS [RANKS [RESTARTS [SEED]]]]: the bank under full traffic until so many checkpoints are
# committed, all kept. The audit, which needs nothing but the files, must be right for each, transfers must be in
# flight in many; and the bank, restarted from RESTARTS of them drawn at random, must end with its money. RANKS is
# a list.
test=bank_audit
# shellcheck source-path=SCRIPTDIR source=kill.sh
. "$(dirname "$0")/kill.sh"
checkpoints=${1:-40} list=${2:-4} restarts=${3:-2}
seed_from "${4-}"

bank="$TEST_BUILD/apps/bank"
LIFE_LIMIT=${LIFE_LIMIT:-600}

# audit FOLDER AT_LEAST: the audit is right, for so many checkpoints; how many had transfers in flight into $flying.
audit() {
	"$bank" --audit "$1" >audit.out 2>audit.err || fail "audit of $1: $(tail -n 3 audit.out audit.err)"
	last=$(tail -n 1 audit.out)
	right=${last%% *}
	flying=$(echo "$last" | sed -n 's/.*; \([0-9]*\) had transfers in flight/\1/p')
	[ "$right" -ge "$2" ] || fail "only $right checkpoints in $1"
	[ "$(grep -c ': right$' audit.out)" -eq "$right" ] || fail "the audit contradicts itself"
}

for wanted in $list; do
	export SEAMARK_DIR="$PWD/bank.$wanted" SEAMARK_KEEP=all
	rm -rf "$SEAMARK_DIR"
	begin_life "$wanted" "$bank" --checkpoints "$checkpoints" --seed "$seed"
	end_life
	[ "$status" -eq 0 ] || fail "the bank on $wanted ranks ended with $status"
	audit "$SEAMARK_DIR" "$checkpoints"
	echo "$test: $wanted ranks: $right checkpoints, the audit is right for each; $flying had transfers in flight"
	[ "$flying" -ge $((right / 10)) ] || fail "transfers were in flight in $flying checkpoints only"

	whole=$SEAMARK_DIR restart=0
	while [ "$restart" -lt "$restarts" ]; do
		restart=$((restart + 1))
		draw "$right"
		number=$(sed -n "$((drawn + 1))s/^checkpoint \([0-9]*\):.*/\1/p" audit.out)
		export SEAMARK_DIR="$PWD/again"
		rm -rf "$SEAMARK_DIR"
		cp -r "$whole" "$SEAMARK_DIR"
		SEAMARK_RESTART=$number SEAMARK_EVERY=50ms begin_life "$wanted" "$bank" --seconds 0.5
		end_life
		[ "$status" -eq 0 ] || fail "the bank restarted from checkpoint $number ended with $status"
		grep -q 'going on' "life.$life_number.out" || fail "the bank did not go on from checkpoint $number"
		cp audit.out whole.out
		audit "$SEAMARK_DIR" 1
		cp whole.out audit.out
	done
	right=$(grep -c ': right$' audit.out)
	echo "$test: $wanted ranks: restarted from $restarts of them: the money is there"
done
