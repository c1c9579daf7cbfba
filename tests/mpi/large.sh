#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# large.sh PROGRAM: a message over 2^31 bytes in flight at a checkpoint, received in each way after a restart.
set -eu
export SEAMARK_DIR=checkpoints
rm -rf checkpoints
"$MPIEXEC" -n 2 "$1" send >send.out 2>&1 || true # a life that ends so is a failure to its launcher
cat send.out
"$TEST_BUILD/apps/seamark" list --dir checkpoints --json | grep -q "\"messages\": 1,"
for way in recv matched persistent; do
	"$MPIEXEC" -n 2 "$1" receive $way
done
