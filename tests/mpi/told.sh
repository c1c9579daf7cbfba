#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# told.sh PROGRAM WHAT RANKS: told.c with a trace, and what that must tell (told.py). Whether there is an orphan is a matter of timing: it is tried until there is one.
set -u
program=$1 what=$2 ranks=$3
here=$(cd "$(dirname "$0")" && pwd)
export SEAMARK_KEEP=all SEAMARK_TRACE=1MiB SEAMARK_DIR=folder
try=0
while :; do
	rm -rf folder
	"$MPIEXEC" -n "$ranks" "$program" "$what" >out 2>err </dev/null || { echo "FAILED: it ended with $?"; tail -n 20 out err; exit 1; }
	python3 "$here/told.py" "$TEST_BUILD/apps/seamark" "$what" folder "$ranks"
	status=$?
	case $status in
	0) exit 0 ;;
	75) ;;
	*) grep -q "a trace is not kept" err || exit "$status" ;; # a disk may be too slow for all of them; that is said
	esac
	try=$((try + 1))
	[ "$try" -lt 20 ] || { echo "FAILED: nothing to be told in 20 runs"; exit 1; }
done
