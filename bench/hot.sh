#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# hot.sh BUILD [ROUNDS]: what Seamark adds to MPI calls between snapshots.
#
# Instructions, by callgrind: each loop is run with two numbers of turns, with and without the library preloaded; the difference of the
# differences is what a turn takes more, and starting up cancels out. Told are all of them, which includes what the MPI library does more (a receive is
# a posted receive and tests), and those in code of our own. Valgrind is so slow that every call would make a poll, which happens every few tens of
# microseconds else: a build of the library is counted in which that is longer, and what polls there are is counted off. Time, by a ping-pong on two ranks: rounds with and without the library take turns, and medians are
# compared; with SEAMARK_OFF=1 it is the cost of the library's merely being there.
set -eu

build=${1:?"usage: hot.sh BUILD [ROUNDS]"}
rounds=${2:-9}
build=$(cd "$build" && pwd)
hot=$build/bench/hot
library=$build/lib/libseamark.so
seldom=$build/bench/libseamark_seldom.so
turns=2000
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
cd "$folder"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=0
export SEAMARK_DIR="$folder/checkpoints" SEAMARK_LOG=quiet

# instructions CALLS TURNS [NAME=VALUE...]: of the whole run but for polls, and those in our own code.
instructions() {
	calls=$1
	count=$2
	shift 2
	mpirun -n 1 env "$@" valgrind --tool=callgrind --callgrind-out-file=out.callgrind "$hot" "$calls" "$count" >valgrind.log 2>&1 ||
		{ cat valgrind.log >&2; exit 1; }
	callgrind_annotate --auto=no --inclusive=yes --threshold=100 out.callgrind >inclusive
	callgrind_annotate --auto=no --threshold=100 out.callgrind >exclusive
	awk '{ gsub(",", "", $1) }
		FILENAME == "inclusive" && /PROGRAM TOTALS/ { all = $1 }
		FILENAME == "inclusive" && /:session_look( |$)/ && $1 > polls { polls = $1 }
		FILENAME == "exclusive" && /\/lib\/(interpose|channel|session|snapshot\/ledger\.h)/ &&
			!/:session_look( |$)|\/session\/(drive|signals)\.c|\/carrier\.[ch]/ { own += $1 }
		END { print all - polls, own + 0 }' inclusive exclusive
}

# added CALLS [NAME=VALUE...]: both numbers per turn.
added() {
	calls=$1
	shift
	few=$(instructions "$calls" $turns "$@")
	many=$(instructions "$calls" $((2 * turns)) "$@")
	echo "$few $many $turns" | awk '{ printf "%.0f %.0f\n", ($3 - $1) / $5, ($4 - $2) / $5 }'
}

if command -v valgrind >/dev/null; then
	printf '%-24s %8s %8s %8s\n' "instructions per turn" without more "of them our own"
	for calls in send recv recv-any isend-wait irecv-wait irecv-test irecv-isend-waitall 4-irecv-4-isend-waitall irecv-any-wait 64-irecv-waitall 64-irecv-any-waitall iprobe-nothing barrier; do
		without=$(added $calls MPI=alone)
		with=$(added $calls LD_PRELOAD="$seldom")
		printf '%-24s %8d %+8d %8d\n' $calls "${without% *}" $((${with% *} - ${without% *})) "${with#* }"
	done
else
	echo "(valgrind is not installed: no instructions)"
fi

ping() {
	bytes=$1
	shift
	mpirun --oversubscribe -n 2 env "$@" "$hot" ping $((1000000 / (bytes + 500))) "$bytes"
}

echo "nanoseconds from a send to its receive, medians of $rounds rounds"
for bytes in 8 1024 65536; do
	rm -f alone on off
	i=0
	while [ $i -lt "$rounds" ]; do
		ping $bytes MPI=alone >>alone
		ping $bytes LD_PRELOAD="$library" >>on
		ping $bytes LD_PRELOAD="$library" SEAMARK_OFF=1 >>off
		i=$((i + 1))
	done
	for file in alone on off; do
		sort -n $file | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }' >$file.median
	done
	echo "$bytes $(cat alone.median) $(cat on.median) $(cat off.median)" |
		awk '{ printf "%6d bytes: %8.1f without, %8.1f with (x %.3f), %8.1f off (x %.3f)\n", $1, $2, $3, $3 / $2, $4, $4 / $2 }'
done
