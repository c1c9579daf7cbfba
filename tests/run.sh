#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run.sh: installs what is missing, builds, and runs the tests; then those of MPI again with MPICH, and the unit tests
# with the sanitizers. Its last line is
# "N passed, N failed"; the exit status is 0 only if tests ran and all passed. TEST_DEEP=1 runs the long tests too.
set -u
cd "$(dirname "$0")/.." || exit 1

passed=0
failed=0

finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] && exit 0
	exit 1
}

give_up() {
	echo "run.sh: $1" >&2
	failed=$((failed + 1))
	finish
}

build() {
	cmake --preset "$1" >"$log" 2>&1 || { cat "$log"; give_up "cannot configure '$1'"; }
	cmake --build --preset "$1" -j "$jobs" >"$log" 2>&1 || { cat "$log"; give_up "cannot build '$1'"; }
}

# run PRESET ctest options...: adds what ctest counted.
run() {
	preset=$1
	shift
	echo "== tests of build/$preset"
	# Many wait most of the time, for daemons, clocks and disks.
	{ ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j $((jobs + 1)) "$@" 2>&1; echo $? >"$log.status"; } |
		tee "$log"
	status=$(cat "$log.status")
	# "97% tests passed, 2 tests failed out of 71"
	counts=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\)$/\1 \2/p' "$log" | tail -n 1)
	[ -n "$counts" ] || give_up "no test of '$preset' ran"
	bad=${counts% *}
	passed=$((passed + ${counts#* } - bad))
	failed=$((failed + bad))
	[ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || give_up "ctest of '$preset' ended with $status"
}

log=$(mktemp)
trap 'rm -f "$log" "$log.status"' EXIT
jobs=$(nproc 2>/dev/null || echo 2)

sh cmake/packages.sh build-essential gfortran cmake ninja-build pkg-config libopenmpi-dev openmpi-bin mpich libmpich-dev libhwloc-dev \
	libjansson-dev libxxhash-dev liburing-dev liblz4-dev libzstd-dev libcunit1-dev patch spin python3 python3-mpi4py python3-numpy python3-h5py python3-jsonschema libhdf5-dev \
	slurmctld slurmd slurm-client munge iproute2 util-linux procps shellcheck groff-base chromium zsh || give_up "packages are missing"

build ci
if [ "${TEST_DEEP-0}" = 1 ]; then
	run ci
else
	run ci -LE '^deep$'
fi
build mpich
run mpich -L '^mpich$' -LE '^deep$'
build asan
run asan -L '^(unit|asan)$' -LE '^(deep|plain)$'
finish
