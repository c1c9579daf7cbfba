#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# ways.sh SHIM: however a checkpoint is written (each codec, with io_uring and without), what is in it is the same: a restart from it ends with the bits of a run
# that nobody disturbed, and it verifies.
set -u
shim=$1
heat="$TEST_BUILD/apps/heat" command="$TEST_BUILD/apps/seamark"
arguments="--size 1100 --steps 60 --every 0"

fail() {
	echo "ways: codec $codec, io_uring $ring: FAILED: $*"
	tail -n 20 log
	exit 1
}

# run FILE ENVIRONMENT...: heat, whose field goes to the file.
run() {
	file=$1
	shift
	# shellcheck disable=SC2086 # words
	env "$@" "$MPIEXEC" -n 2 "$heat" $arguments --dump "$file" >out 2>log || fail "heat ended with $?"
}

codec=any ring=any
run expected SEAMARK_OFF=1
for ring in refused there; do
	for codec in none auto lz4 zstd; do
		export SEAMARK_DIR="$codec.$ring" SEAMARK_CODEC=$codec
		run first LD_PRELOAD="$shim" DISK_RING="$ring" SEAMARK_EVERY="25 steps" SEAMARK_LOG=info
		cmp -s expected first || fail "the result differs"
		case $ring in
		there) way="by way of io_uring" ;;
		*) way="by way of pwrite" ;;
		esac
		grep -q "$way" log || fail "the log does not say '$way'"
		"$command" verify >verify 2>&1 || fail "$(cat verify)"
		run again LD_PRELOAD="$shim" DISK_RING="$ring"
		grep -q 'from step [1-9]' out || fail "it does not go on from a checkpoint"
		cmp -s expected again || fail "the result of the restart differs"
		rm -r "$SEAMARK_DIR"
	done
done
echo "ways: 8 ways of writing, each result equal"
