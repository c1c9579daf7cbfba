#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# posted.sh PROGRAM RANKS...: a checkpoint with receives posted on each rank, whose list is compared with what was posted.
set -u
program=$1
shift
export SEAMARK_DIR="$PWD/checkpoints"
for ranks; do
	rm -rf checkpoints
	"$MPIEXEC" -n "$ranks" "$program" run || { echo "FAILED: $ranks ranks"; exit 1; }
	"$program" check checkpoints || { echo "FAILED: what $ranks ranks have written"; exit 1; }
done
