#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# threads.sh PROGRAM RANKS MESSAGES LIVES: the threads' streams over some lives, each of which but the last is ended by a rank that leaves without warning.
set -u
program=$1
ranks=$2
messages=$3
lives=$4
export SEAMARK_EVERY=5ms SEAMARK_DIR=checkpoints
rm -rf checkpoints
restored=0
life=1
while [ "$life" -lt "$lives" ]; do
	"$MPIEXEC" -n "$ranks" "$program" run "$messages" die $((life + 1)) >life.out 2>life.err
	status=$?
	if grep -q WRONG life.err; then
		cat life.err
		exit 1
	fi
	[ "$status" -ne 0 ] || { echo "life $life came to its end: too few messages"; exit 1; }
	life=$((life + 1))
done
"$MPIEXEC" -n "$ranks" "$program" run "$messages" >life.out 2>life.err || { cat life.out life.err; exit 1; }
cat life.out
grep -q restored life.out || { echo "the last life was not restored"; cat life.err; exit 1; }
