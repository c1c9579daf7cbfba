# SPDX-License-Identifier: BSD-3-Clause
# apps.sh: what the tests of the example programs have in common; sourced by them. $program is the one that is tested.
# shellcheck shell=sh disable=SC2154 # $program is the test's

# Waits until a folder has its first checkpoint: then the run is under way.
when_committed() {
	tries=0
	until ls "$1"/*.L*/manifest.json >/dev/null 2>&1 || [ "$tries" -ge 400 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
}

fail() {
	echo "FAILED: $*"
	tail -n 20 out err 2>/dev/null
	exit 1
}

# run RANKS ARGUMENTS...: its exit status into $status.
run() {
	ranks=$1
	shift
	"$MPIEXEC" -n "$ranks" "$program" "$@" >out 2>err </dev/null
	status=$?
}
