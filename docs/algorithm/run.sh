#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run.sh BUILD OUT: the pictures of docs/algorithm.md that come from real runs of apps/bank, drawn by `seamark trace`. They are different each time, a little, and the page says of some how many messages are in flight.
# MPIEXEC: mpirun, with its options.
set -eu
build=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SEAMARK_TRACE=1
export SEAMARK_TRACE

# drawn FOLDER NUMBER NAME options...
drawn() {
	folder=$1 number=$2 name=$3
	shift 3
	"$build/apps/seamark" trace --dir "$work/$folder" --svg "$out/$name.svg" "$@" "$number"
}

SEAMARK_DIR=$work/example ${MPIEXEC:-mpirun} -n 3 "$build/apps/bank" --example
drawn example 1 example --by order
drawn example 1 example-time --orders
SEAMARK_DIR=$work/scenario ${MPIEXEC:-mpirun} -n 4 "$build/apps/bank" --script "$here/scenario.txt" --delay
drawn scenario 1 scenario --by order
SEAMARK_DIR=$work/many ${MPIEXEC:-mpirun} -n 64 "$build/apps/bank" --checkpoints 1 --seed 3
drawn many 0 many
