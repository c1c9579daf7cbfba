#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# in_flight.sh STORM THREADS RUN...: traced runs, whose traces have the messages in flight that their checkpoints have, no more and no fewer, and are in causal order (traced.py). RUN is storm:RANKS:SEED:WORK (random
# traffic of every kind), threads:RANKS:MESSAGES (several threads of each rank in MPI), or bank:RANKS:TRANSFERS.
set -u
storm=$1
threads=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
seamark="$TEST_BUILD/apps/seamark"
export SEAMARK_KEEP=all SEAMARK_TRACE=4MiB

fail() {
	echo "FAILED: $run: $*"
	tail -n 20 "$folder.out" "$folder.err"
	exit 1
}

for run; do
	what=${run%%:*} rest=${run#*:}
	ranks=${rest%%:*} rest=${rest#*:}
	folder=$(echo "$run" | tr : -)
	rm -rf "$folder"
	export SEAMARK_DIR="$folder"
	case $what in
	storm) every=${EVERY:-20ms} line="$storm --kind event --seed ${rest%%:*} --work ${rest#*:}" ;;
	threads) every=${EVERY:-20ms} line="$threads run $rest" ;;
	*) every=1h line="$TEST_BUILD/apps/bank --transfers $rest --every $((rest / 3)) --seed $ranks" ;;
	esac
	# shellcheck disable=SC2086 # arguments are words
	SEAMARK_EVERY=$every "$MPIEXEC" -n "$ranks" $line >"$folder.out" 2>"$folder.err" </dev/null || fail "it ended with $?"
	told=$(python3 "$here/traced.py" "$seamark" "$folder" 1) || fail "its traces are wrong"
	echo "$run: $told"
	rm -rf "$folder"
done
