#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# disk.sh SHIM: no failure of storage harms the running program, and a failed checkpoint never costs an older one. heat runs on a disk that
# fails in one way after the other: its result is right, each failed checkpoint is said to be void and why, what was committed verifies,
# nothing is left of the others, and the run goes on from it.
set -u
shim=$1 ranks=4
heat="$TEST_BUILD/apps/heat" command="$TEST_BUILD/apps/seamark"

fail() {
	echo "disk: $how: FAILED: $*"
	tail -n 30 "$how.log"
	exit 1
}

# run ENVIRONMENT...: heat, with these set.
run() {
	env "$@" SEAMARK_DIR="$how.smk" SEAMARK_EVERY="60 steps" "$MPIEXEC" -n $ranks "$heat" --size 256 --steps 3000 >"$how.out" 2>"$how.log"
}

for how in full:5 full:12 fsync:3 name:3 full:8-for-a-while full:5-without-io_uring full:8-for-a-while-without-io_uring; do
	for_writes= ring=
	case $how in *-without-io_uring) ring=DISK_RING=refused ;; esac
	case $how in
	*-for-a-while*) for_writes=DISK_FOR=8 ;;
	fsync:* | name:*) for_writes=DISK_FOR=1 ;;
	esac
	run LD_PRELOAD="$shim" DISK_FAILS="${how%%-*}" ${for_writes:+"$for_writes"} ${ring:+"$ring"} || fail "heat ended with $?"
	case $how in
	name:*) words="manifest" ;;
	fsync:*) words="Input/output error" ;;
	*) words="No space left" ;;
	esac
	grep "is void: .*$words" "$how.log" >/dev/null || fail "no void checkpoint says '$words'"
	grep "committed in" "$how.log" >/dev/null || fail "nothing was committed"
	case $how in *-for-a-while* | fsync:* | name:*)
		sed -n '/is void/,$p' "$how.log" | grep "committed in" >/dev/null || fail "nothing was committed after the disk was well again" ;;
	esac
	SEAMARK_DIR="$how.smk" "$command" verify >"$how.verify" 2>&1 || { cat "$how.verify"; fail "what was committed does not verify"; }
	for folder in "$how.smk"/*.L*; do
		# One that is held for others is not: that they verify shows that it is whole.
		if [ ! -e "$folder/manifest.json" ] && [ ! -e "$folder/manifest.held" ] && find "$folder" -type f | grep .; then
			fail "'$folder' is left of a void checkpoint"
		fi
	done
	run SEAMARK_LOG=notice || fail "the restart ended with $?"
	grep "restored from checkpoint" "$how.log" >/dev/null || fail "the run did not go on"
	echo "disk: $how: $(grep -c 'is void' "$how.log") void in the second run, right in both"
done
