#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# changing.sh WAYS RANKS STEPS DISK [SEED]: for each way of taking the state, a run whose regions change in every manner is killed once and restarted, and every checkpoint that is
# there then, and at the end, is compared with what it has to be, byte by byte; once with a disk (DISK: failing_disk, or -) that is full for a while. Chains are as long as is drawn.
test=changing
# shellcheck source-path=SCRIPTDIR source=../fault/kill.sh
. "$(dirname "$0")/../fault/kill.sh"
ways=$1 wanted=$2 steps=$3 disk=$4
seed_from "${5-}"
changing="$TEST_BUILD/tests/mpi/changing"
export SEAMARK_DIR="$PWD/checkpoints" SEAMARK_EVERY="2 steps" SEAMARK_LOG=info

check() {
	"$changing" --check "$seed" >checked 2>&1 || fail "$what: $(cat checked)"
	# shellcheck disable=SC2046 # two words
	set -- $(sed -n 's/^changing: checked \([0-9]*\) chained \([0-9]*\)$/\1 \2/p' checked)
	checked=$((checked + $1)) chained=$((chained + $2))
}

live() {
	begin_life "$wanted" env "$@" "$changing" "$steps" "$seed"
	wait "$life" || fail "$what: life $life_number ended with $?"
}

checked=0 chained=0
for way in $ways; do
	what="SEAMARK_CAPTURE=$way"
	rm -rf "$SEAMARK_DIR"
	draw 12
	export SEAMARK_CAPTURE=$way SEAMARK_KEEP=6 SEAMARK_FULL_EVERY=$((drawn + 2))
	begin_life "$wanted" "$changing" "$steps" "$seed"
	draw 800
	kill_life "$((drawn + 200))" 0
	wait "$life"
	[ ! -d "$SEAMARK_DIR" ] || check
	live
	check
	[ "$disk" = - ] && continue
	what="SEAMARK_CAPTURE=$way, and a disk that is full for a while"
	rm -rf "$SEAMARK_DIR"
	live LD_PRELOAD="$disk" DISK_FAILS=full:20 DISK_FOR=10
	check
done
echo "$test: $checked checkpoints are right in every byte, $chained of them by way of others"
[ "$chained" -gt 0 ] || fail "no checkpoint has been an increment"
