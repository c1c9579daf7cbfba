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

# again LIFE...: the same life again, and slower, until a checkpoint was made: whether the ranks' cuts fit together in so short a life is a matter of chance.
again() {
	for slow in 0 100 200 400 800 1600 3200 6400; do
		export WINDOWS_SLOW_US=$slow
		"$@"
		look
		[ "$count" -gt 0 ] && return
	done
	fail "no checkpoint was made in eight lives"
}

# die_at THIRD: of the steps
die_at() {
	run $((steps * $1 / 3)) && fail "nobody died"
}

end_well() {
	run || fail "it does not end well"
}

case $what in
restart)
	for die in 2 3; do
		again die_at $((die - 1))
	done
	end_well
	grep -q '^restored at step' log || fail "it was not restored"
	look
	;;
commits) again end_well ;;
right)
	end_well
	look
	;;
*)
	end_well
	look
	[ "$count" -eq 0 ] || fail "$count checkpoints were made"
	grep -q "is void: $what" log || fail "the reason '$what' was not given"
	;;
esac
