#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# windows.sh PROGRAM RANKS KIND STEPS WHAT: runs test_windows, and has every checkpoint that was made looked through for operations that are lost or
# doubled. WHAT is
#   commits   there must be some
#   right     there may be some
#   REASON    there must be none, and the log gives this reason
#   restart   a rank kills itself, twice; the run is started again, and its end is right
set -u
program=$1 ranks=$2 kind=$3 steps=$4 what=$5
export SEAMARK_DIR="$PWD/checkpoints" SEAMARK_EVERY=2ms SEAMARK_KEEP=all

fail() {
	echo "windows.sh: $*"
	cat log
	exit 1
}

# run [STEP]: to its end, or to the step where a rank kills itself
run() {
	"$MPIEXEC" -n "$ranks" "$program" "$kind" "$steps" "$@" > log 2>&1
}

look() {
	count=$("$program" check "$kind" "$SEAMARK_DIR") || fail "a checkpoint is wrong"
	echo "$kind on $ranks ranks: $count checkpoints"
}

case $what in
restart)
	for die in 2 3; do
		run $((steps * (die - 1) / 3)) && fail "nobody died"
		look
		[ "$count" -gt 0 ] || fail "no checkpoint was made"
	done
	run || fail "it does not end well"
	grep -q '^restored at step' log || fail "it was not restored"
	look
	;;
*)
	run || fail "it does not end well"
	look
	case $what in
	commits) [ "$count" -gt 0 ] || fail "no checkpoint was made" ;;
	right) ;;
	*)
		[ "$count" -eq 0 ] || fail "$count checkpoints were made"
		grep -q "is void: $what" log || fail "the reason '$what' was not given"
		;;
	esac
	;;
esac
