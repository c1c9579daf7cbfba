#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# in_flight.sh STORM THREADS RUN...: traced runs, whose traces have the messages in flight that their checkpoints have, no more and no fewer, and are in causal order (traced.py). RUN is storm:RANKS:SEED:WORK (random
# traffic of every kind, where everything may be void), threads:RANKS:MESSAGES (several threads of each rank in MPI), or bank:RANKS:TRANSFERS. One that is over too soon is made once more, with twice the work.
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

# once WORK: plays it.
once() {
	case $what in
	storm) least=0 line="$storm --kind event --seed $seed --work $1" ;;
	threads) least=1 line="$threads run $1" ;;
	*) least=1 line="$TEST_BUILD/apps/bank --transfers $1 --every $(($1 / 3)) --seed $ranks" ;;
	esac
	[ "$what" = bank ] && every=1h || every=${EVERY:-20ms}
	rm -rf "$folder"
	# shellcheck disable=SC2086 # arguments are words
	SEAMARK_EVERY=$every SEAMARK_DIR="$folder" "$MPIEXEC" -n "$ranks" $line >"$folder.out" 2>"$folder.err" </dev/null || fail "it ended with $?"
}

# enough: there is something to compare.
enough() {
	# A disk may be too slow for all traces; that is said.
	grep -q "a trace is not kept" "$folder.err" && return 1
	for found in "$folder"/[0-9]*.L*/manifest.json "$folder"/trace/[0-9]*; do
		[ "$least" -eq 1 ] && [ "${found%manifest.json}" = "$found" ] && continue
		[ -e "$found" ] && return
	done
	return 1
}

for run; do
	what=${run%%:*} rest=${run#*:}
	ranks=${rest%%:*} work=${rest##*:} seed=${rest#*:}
	seed=${seed%%:*}
	folder=$(echo "$run" | tr : -)
	once "$work"
	for _ in 1 2 3 4 5 6; do
		enough && break
		work=$((work * 2))
		once "$work"
	done
	told=$(python3 "$here/traced.py" "$seamark" "$folder" "$least") || fail "its traces are wrong"
	echo "$run: $told"
	rm -rf "$folder"
done
