#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# usual.sh BUILD FOLDER [RANKS [MIB [EVERY [CHECKPOINTS [ROUNDS]]]]]: a whole run with checkpoints by Seamark and by the usual ways, and without any.
#
# RANKS (2) ranks of MIB (1024) MiB each, a checkpoint every EVERY (30) seconds of computing, CHECKPOINTS (3) in a run; ROUNDS (3) rounds in which all ways take turns. The files go to FOLDER, which should
# be on the disk that is meant; it needs three checkpoints' room. Told are medians; "run" is the whole run as a ratio to the run without checkpoints in the same round. Before a restart the page cache is emptied, if that is
# allowed. Writes FOLDER/usual.csv, and FOLDER/usual.svg if gnuplot is there.
set -eu

build=${1:?"usage: usual.sh BUILD FOLDER [RANKS [MIB [EVERY [CHECKPOINTS [ROUNDS]]]]]"}
folder=${2:?"usual.sh: a folder on the disk that is meant"}
ranks=${3:-2} mib=${4:-1024} every=${5:-30} checkpoints=${6:-3} rounds=${7:-3}
build=$(cd "$build" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
usual=$build/bench/usual
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
files=$folder/files
trap 'rm -rf "$files" "$folder/out" "$folder/err"' EXIT
trap 'exit 1' INT TERM HUP
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
launch="mpirun -n $ranks"
[ "$ranks" -le "$(nproc)" ] || launch="mpirun -n $ranks --oversubscribe"

# play WAY ...: one run; its line in $line, and for Seamark the times until checkpoints were committed in `err`.
play() {
	SEAMARK_DIR=$files SEAMARK_KEEP=2 $launch "$usual" "$@" >"$folder/out" 2>"$folder/err" ||
		{ cat "$folder/err" >&2; echo "usual.sh: '$*' failed" >&2; exit 1; }
	line=$(cat "$folder/out")
}

# The median of "committed in 1.2 s" and the like, in seconds; for the others nothing is durable later than it is held.
durable() {
	sed -n 's/.*committed in \([0-9.]*\) \([a-zµ]*\)$/\1 \2/p' "$folder/err" |
		awk '{ print $2 == "s" ? $1 : $2 == "ms" ? $1 / 1e3 : $2 == "min" ? $1 * 60 : $1 / 1e6 }' | sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'
}

fresh() {
	rm -rf "$files"
	mkdir "$files"
}

cold() {
	sync
	{ echo 3 >/proc/sys/vm/drop_caches; } 2>/dev/null || warm="the page cache was not emptied before restarts"
}

ways="files mpiio"
{ fresh; $launch "$usual" run hdf5 1 2 2 "$files" >/dev/null 2>&1 && ways="$ways hdf5"; } || echo "without parallel HDF5: libhdf5-openmpi-dev was not there when it was built"
ways="none $ways seamark"
warm=

fresh
play run none "$mib" 10 10 "$files"
per=$(echo "$line" | awk -v every="$every" '{ n = int(every / ($6 / 10)); print n < 2 ? 2 : n }')
steps=$((per * checkpoints))
echo "way,round,run_s,held_s,durable_s,written_bytes,restart_s" >"$folder/usual.csv"
round=1
while [ "$round" -le "$rounds" ]; do
	for way in $ways; do
		fresh
		play run "$way" "$mib" "$steps" "$per" "$files"
		later=$(durable)
		row=$(echo "$line" | awk -v way="$way" -v round="$round" -v later="$later" '{ printf "%s,%d,%s,%s,%s,%s", way, round, $6, $7, later != "" ? later : $7, $8 }')
		back=
		if [ "$way" != none ]; then
			cold
			play restart "$way" "$mib" "$files"
			back=$(echo "$line" | awk '{ print $5 }')
		fi
		echo "$row,$back" >>"$folder/usual.csv"
	done
	round=$((round + 1))
done

echo "$ranks ranks of $mib MiB, all of it new in each step; a checkpoint every $per steps, about ${every} s; $checkpoints in a run, $rounds rounds; medians"
[ -z "$warm" ] || echo "$warm"
awk -F, '
	function median(n, list,    i, j, t) {
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && list[j] + 0 < list[j - 1] + 0; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
		return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
	}
	function column(way, c,    i, n, list) {
		n = 0
		for (i = 1; i <= rows; i++)
			if (w[i] == way) list[++n] = c == 3 ? v[i, 3] / none[r[i]] : v[i, c]
		return median(n, list)
	}
	NR > 1 {
		w[++rows] = $1; r[rows] = $2
		for (c = 3; c <= 7; c++) v[rows, c] = $c
		if ($1 == "none") none[$2] = $3
		if (!($1 in seen)) { seen[$1] = 1; order[++ways] = $1 }
	}
	END {
		printf "%-8s %9s %9s %10s %12s %10s\n", "way", "run", "held s", "durable s", "GB written", "restart s"
		for (i = 1; i <= ways; i++)
			if (order[i] == "none") printf "%-8s %9.4f\n", "none", 1
			else printf "%-8s %9.4f %9.3f %10.3f %12.2f %10.3f\n", order[i], column(order[i], 3), column(order[i], 4), column(order[i], 5), column(order[i], 6) / 1e9, column(order[i], 7)
	}' "$folder/usual.csv" | tee "$folder/usual.txt"
if command -v gnuplot >/dev/null; then
	gnuplot -e "table='$folder/usual.txt'; output='$folder/usual.svg'" "$here/usual.gnuplot"
fi
