#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# scaled.sh PROGRAM SCALE RANKS MARKERS PATTERN...: in every snapshot that commits, the ranks send as many orders and markers as the model in bench/scale says.
set -u
program=$1 scale=$2 ranks=$3 markers=$4
shift 4
export SEAMARK_DIR="$PWD/checkpoints" SEAMARK_LOG=debug SEAMARK_MARKERS="$markers" SEAMARK_EVERY=50steps SEAMARK_KEEP=1
bad=0
for pattern; do
	rm -rf "$SEAMARK_DIR"
	"$MPIEXEC" -n "$ranks" "$program" "$pattern" 400 >out 2>err </dev/null || { echo "$pattern: the program failed"; cat out err; exit 1; }
	expected=$("$scale" --expect "$pattern" "$ranks" "$markers") || exit 1
	# Every rank tells of every checkpoint; a line that mpirun lost would be missed in the number of ranks.
	sed -n 's/.*checkpoint \([0-9]*\), committed: this rank has sent \([0-9]*\) orders and \([0-9]*\) markers.*/\1 \2 \3/p' err |
		awk -v ranks="$ranks" '{ told[$1]++; orders[$1] += $2; markers[$1] += $3 }
			END { for (i in told) if (told[i] == ranks) print orders[i] " orders, " markers[i] " markers" }' >seen
	if [ ! -s seen ]; then
		echo "$pattern: no checkpoint of which all ranks told"
		bad=1
	fi
	if grep -qvxF "$expected" seen; then
		echo "$pattern on $ranks ranks, markers $markers: the model says $expected, and it was"
		sort seen | uniq -c
		bad=1
	else
		echo "$pattern on $ranks ranks, markers $markers: $expected, $(grep -c . seen) times"
	fi
done
[ $bad = 0 ] || tail -n 40 err
exit $bad
