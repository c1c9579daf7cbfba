#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# files.sh BUILD RANKS MIB [ROUNDS [FOLDER]]: a file per rank against one file of all ranks: how long until a checkpoint of MIB random MiB per rank is committed, and until it is back. In each round both take a turn,
# the first in every second round the other; prints medians, their ratio, and the range. FOLDER (default: one in the working directory) has room for three checkpoints.
set -eu
build=$(cd "$1" && pwd) ranks=$2 mib=$3 rounds=${4:-5} folder=${5:-./files.tmp}
mkdir -p "$folder"
export SEAMARK_DIR="$folder/checkpoints" SEAMARK_LOG=quiet SEAMARK_CODEC=none SEAMARK_FULL_EVERY=1 SEAMARK_KEEP=1
: >"$folder/rounds"

# turn ROUND RANKS_PER_FILE
turn() {
	rm -rf "$SEAMARK_DIR"
	# Of three the first makes what the others use again: memory, and the folder.
	SEAMARK_RANKS_PER_FILE=$2 mpirun -n "$ranks" "$build/bench/files" "$mib" 3 | tail -n 2 | sed "s/^/write $2 /" >>"$folder/rounds"
	sync
	{ echo 3 >/proc/sys/vm/drop_caches; } 2>/dev/null || true
	mpirun -n "$ranks" "$build/bench/files" read "$mib" | sed "s/^/read $2 /" >>"$folder/rounds"
}

round=0
while [ "$round" -lt "$rounds" ]; do
	case $((round % 2)) in
	0) turn $round 1; turn $round node ;;
	*) turn $round node; turn $round 1 ;;
	esac
	round=$((round + 1))
done
rm -rf "$SEAMARK_DIR"
for what in write read; do
	for way in 1 node; do
		sort -k 3 -n "$folder/rounds" | awk -v what=$what -v way=$way -v bytes=$((ranks * mib)) '
			$1 == what && $2 == way { v[++n] = $3 }
			END { printf "%s %s %.3f s (%.3f to %.3f), %.2f GB/s\n", what, way == 1 ? "a file per rank" : "one file", v[int((n + 1) / 2)], v[1], v[n], bytes * 1048576 / 1e9 / v[int((n + 1) / 2)] }'
	done
	awk -v what=$what '$1 == what { v[$2, ++n[$2]] = $3 }
		function median(way,  i, j, t) { for (i = 1; i <= n[way]; i++) for (j = i + 1; j <= n[way]; j++) if (v[way, j] < v[way, i]) { t = v[way, i]; v[way, i] = v[way, j]; v[way, j] = t }
			return v[way, int((n[way] + 1) / 2)] }
		END { printf "%s: one file takes %.2f times as long\n", what, median("node") / median(1) }' "$folder/rounds"
done
