#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# growth.sh PROGRAM RANKS [KIND COUNT]...: neither memory nor time grows; see growth.c. If one does, it is told what it is without Seamark.
set -u
program=$1 ranks=$2
shift 2
SEAMARK_DIR=$(mktemp -d /dev/shm/growth.XXXXXX) || exit 1 # it is not the disk that is tested
trap 'rm -rf "$SEAMARK_DIR"' EXIT
trap 'exit 1' INT TERM HUP
export SEAMARK_DIR

bad=0
while [ $# -gt 0 ]; do
	rm -rf "$SEAMARK_DIR"
	if "$MPIEXEC" -n "$ranks" "$program" "$1" "$2" >out 2>err </dev/null; then
		cat out
	else
		bad=1
		cat out
		grep -v '^-' err | tail -n 20
		echo "without Seamark:"
		SEAMARK_OFF=1 "$MPIEXEC" -n "$ranks" "$program" "$1" "$2" 2>/dev/null </dev/null
	fi
	grep -F 'snapshots are void from now on' err && bad=1
	shift 2
done
exit $bad
