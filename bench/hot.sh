#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# hot.sh BUILD [ROUNDS]: what Seamark adds to MPI calls between snapshots.
#
# Instructions, by callgrind: each loop is run with two numbers of turns, with and without the library preloaded; the difference of the
# differences is what the library adds to a turn, and starting up cancels out. Polls are counted off: valgrind is so slow that every call would make
# one, which happens every few tens of microseconds else. Time, by a ping-pong on two ranks: rounds with and without the library take turns, and
# medians are compared. In both, SEAMARK_OFF=1 shows what its merely being there costs.
set -eu

build=${1:?"usage: hot.sh BUILD [ROUNDS]"}
rounds=${2:-9}
build=$(cd "$build" && pwd)
hot=$build/bench/hot
library=$build/lib/libseamark.so
turns=2000
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=0
export SEAMARK_DIR="$folder/checkpoints" SEAMARK_LOG=quiet

# instructions CALLS TURNS [NAME=VALUE...]: of the whole run but for polls.
instructions() {
	calls=$1
	count=$2
	shift 2
	rm -f out.callgrind
	mpirun -n 1 env "$@" valgrind --tool=callgrind --callgrind-out-file=out.callgrind "$hot" "$calls" "$count" >valgrind.log 2>&1 ||
		{ cat valgrind.log >&2; exit 1; }
	callgrind_annotate --inclusive=yes --threshold=100 out.callgrind >annotated
	awk '{ gsub(",", "", $1) }
		/PROGRAM TOTALS/ { all = $1 }
		/:session_look( |$)/ && !polls { polls = $1 }
		END { print all - polls }' annotated
}

# added CALLS NAME=VALUE...: instructions per turn beyond those without the library.
added() {
	calls=$1
	shift
	few=$(instructions "$calls" $turns "$@")
	many=$(instructions "$calls" $((2 * turns)) "$@")
	echo $(((many - few) / turns))
}

echo "instructions per turn: MPI's own, and added by Seamark"
if command -v valgrind >/dev/null; then
	for calls in send recv recv-any isend-wait irecv-wait irecv-test irecv-isend-waitall 4-irecv-4-isend-waitall iprobe-nothing barrier; do
		bare=$(added $calls MPI=bare)
		on=$(added $calls LD_PRELOAD="$library")
		off=$(added $calls LD_PRELOAD="$library" SEAMARK_OFF=1)
		printf '%-24s %6d %+6d   off %+d\n' $calls "$bare" $((on - bare)) $((off - bare))
	done
else
	echo "(valgrind is not installed)"
fi

ping() {
	bytes=$1
	shift
	mpirun --oversubscribe -n 2 env "$@" "$hot" ping 2000 "$bytes"
}

echo "nanoseconds from a send to its receive, medians of $rounds rounds"
for bytes in 8 1024 65536; do
	rm -f bare on off
	i=0
	while [ $i -lt "$rounds" ]; do
		ping $bytes MPI=bare >>bare
		ping $bytes LD_PRELOAD="$library" >>on
		ping $bytes LD_PRELOAD="$library" SEAMARK_OFF=1 >>off
		i=$((i + 1))
	done
	for file in bare on off; do
		sort -n $file | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }' >$file.median
	done
	echo "$bytes $(cat bare.median) $(cat on.median) $(cat off.median)" |
		awk '{ printf "%6d bytes: %8.1f without, %8.1f with (x %.3f), %8.1f off (x %.3f)\n", $1, $2, $3, $3 / $2, $4, $4 / $2 }'
done
