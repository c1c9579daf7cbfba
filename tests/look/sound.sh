#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# sound.sh LOOKS RANKS PROGRAM ARGUMENTS...: a program that is in order is looked at so many times while it runs, over and over again if it ends before, and at no time a
# deadlock is told. Some looks must have found ranks in calls.
set -u
looks=$1 ranks=$2
shift 2
seamark="$TEST_BUILD/apps/seamark"
launcher=
trap '[ -z "$launcher" ] || kill "$launcher" 2>/dev/null; wait' EXIT
trap 'exit 1' INT TERM HUP
until=$(($(date +%s) + ${SOUND_S:-300}))
done=0 waited=0

start() {
	SEAMARK_DIR="$PWD/checkpoints" SEAMARK_LOG=quiet SEAMARK_RESTART=none "$MPIEXEC" -n "$ranks" "$@" >log 2>&1 </dev/null &
	launcher=$!
}

start "$@"
while [ $done -lt "$looks" ]; do
	"$seamark" explain "$launcher" >said 2>complaints
	status=$?
	case $status in
	0) done=$((done + 1)) ;;
	3)  # it has not begun yet, or ended meanwhile
		kill -0 "$launcher" 2>/dev/null || { wait "$launcher" || { cat log; exit 1; }; start "$@"; }
		;;
	*)
		cat said complaints
		exit 1
		;;
	esac
	! grep -q ': MPI_' said || waited=$((waited + 1))
	[ "$(date +%s)" -lt $until ] || { echo "only $done looks in ${SOUND_S:-300} s"; cat said complaints log; exit 1; }
done
kill "$launcher" 2>/dev/null
wait "$launcher" 2>/dev/null
launcher=
echo "$done looks at $*: no deadlock; in $waited of them ranks waited"
