#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# patterns.sh PROGRAM RANKS AMOUNT: the traffic of real programs without Seamark, with it, under drill every millisecond, and with snapshots all the
# time, as programs with and without steps. Each run checks itself and ends with the digest that it has without Seamark; every checkpoint that was kept is proved whole.
set -u
program=$1 ranks=$2 amount=$3
command="$TEST_BUILD/apps/seamark"
SEAMARK_DIR=$(mktemp -d /dev/shm/patterns.XXXXXX) || exit 1 # it is not the disk that is tested
keep=50
trap 'rm -rf "$SEAMARK_DIR"' EXIT
trap 'exit 1' INT TERM HUP
export SEAMARK_DIR SEAMARK_KEEP=$keep

fail() {
	echo "FAILED: patterns $kind $amount on $ranks ranks, $how: $*"
	tail -n 20 out err
	exit 1
}

# play HOW KIND: its digest into $digest.
play() {
	how=$1 kind=$2
	rm -rf "$SEAMARK_DIR"
	"$MPIEXEC" -n "$ranks" "$program" "$kind" "$amount" >out 2>err </dev/null || fail "exit status $?"
	digest=$(sed -n 's/^patterns: digest //p' out)
	[ -n "$digest" ] || fail "no digest"
}

same() {
	[ "$digest" = "$native" ] || fail "digest $digest, and $native without Seamark"
}

# Those that were given up were so for a matter of timing, or because the program was at its end.
with_snapshots() {
	SEAMARK_EVERY=1ms play "with snapshots" "$1"
	same
	grep 'is void.*not tried again' err | grep -v MPI_Finalize && fail "a snapshot that could not be"
	commits=$(grep -c 'committed in' err)
	"$command" verify >verify.out 2>&1 || [ "$commits" -eq 0 ] || { tail -n 20 verify.out; fail "a checkpoint is not whole"; }
	proved=$(grep -c 'is whole' verify.out)
	[ "$proved" -eq "$((commits < keep ? commits : keep))" ] || fail "$commits checkpoints, and $proved are proved"
	echo "$1 $amount: $commits checkpoints, $proved proved, $(grep -c 'is void' err) given up"
}

# A program without steps that exchanges with its neighbours all the time commits when all its ranks happen to cut in one round: on a fast machine a few
# attempts in a life of a tenth of a second may all be void. It commits if it lives longer.
until_a_checkpoint() {
	amount=$shots
	for longer in 1 2 3 4 5 6; do
		ground "$1"
		with_snapshots "$1"
		[ "$commits" -gt 0 ] && return
		amount=$((2 * amount))
	done
	fail "no checkpoint in $longer lives, the longest of $amount"
}

under_drill() {
	SEAMARK_DRILL=1ms play "under drill" none
	same
	grep 'drill: WRONG' err && fail "a message that was not understood"
	grep '^seamark: drill: [1-9].*nothing wrong$' err || fail "no word of drills"
}

# ground KIND: what it is without Seamark.
ground() {
	SEAMARK_OFF=1 play "without Seamark" "$1"
	native=$digest
}

shots=$amount
amount=$((3 * shots))
ground none
play "quiet" none
same
under_drill
until_a_checkpoint event
until_a_checkpoint step
