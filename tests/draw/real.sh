#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# real.sh COMMAND BANK RANKS...: real runs with SEAMARK_TRACE, drawn in every way: the example, a scenario of four, and branches that trade. What crosses the cut in a picture is what the checkpoint has recorded.
set -eu
command=$1
bank=$2
shift 2
here=$(dirname "$0")
SEAMARK_TRACE=16MiB
export SEAMARK_TRACE

# check DIR N: every picture of a snapshot against its checkpoint.
check() {
	for by in time order cut; do
		"$command" trace --dir "$1" --svg "$1-$by.svg" --by $by "$2"
		"$command" messages --dir "$1" --json "$2" >"$1.json"
		python3 "$here/crosses.py" "$1-$by.svg" $by "$1.json"
	done
	"$command" trace --dir "$1" --svg "$1-orders.svg" --orders --ranks 0,1 "$2"
	python3 "$here/crosses.py" "$1-orders.svg" time "$1.json"
}

SEAMARK_DIR=example "$MPIEXEC" -n 3 "$bank" --example
check example 1
SEAMARK_DIR=scenario "$MPIEXEC" -n 4 "$bank" --script "$TEST_SOURCE/docs/algorithm/scenario.txt" --delay
check scenario 1
# Few enough messages for all of them to be in the trace.
for ranks; do
	SEAMARK_DIR=trade$ranks SEAMARK_KEEP=9 "$MPIEXEC" -n "$ranks" "$bank" --transfers 2000 --every 1000 --seed 3 2>err || { cat err; exit 1; }
	for number in $(ls "trade$ranks/trace" | sed -E 's/^0*([0-9]+)\..*/\1/'); do
		if "$command" show --dir "trade$ranks" "$number" >/dev/null 2>&1; then
			check "trade$ranks" "$number"
		else # void: all ranks tell why, unless the disk was too slow for all traces, which is said
			"$command" trace --dir "trade$ranks" --svg void.svg "$number" || grep "a trace is not kept" err
			python3 "$here/crosses.py" void.svg time
		fi
	done
done
