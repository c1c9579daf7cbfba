#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# durable.sh BUILD [MIB [ROUNDS [FOLDER]]]: how fast an image is durable, and back in memory, against the best that fio reaches on the same disk with as many bytes in the
# same run. In each round every way of fio and every kind of content take one turn. Prints medians in GB/s of the program's memory, their ratio to fio's best, and the
# range; FOLDER/rounds.csv keeps every turn. Needs fio and twice MIB of space below FOLDER (default: a folder in the working directory).
set -eu
build=$1 mib=${2:-1024} rounds=${3:-7} folder=${4:-./durable.tmp}
mkdir -p "$folder"
durable=$(cd "$build" && pwd)/bench/durable
csv="$folder/rounds.csv"
export SEAMARK_LOG=quiet
unset SEAMARK_CODEC SEAMARK_RATE
# fio's buffers in huge pages, as the copies of the state are: that is worth up to a factor of two.
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
: >"$csv"

# note ROUND KIND WAY SECONDS
note() {
	awk -v r="$1" -v kind="$2" -v way="$3" -v s="$4" -v mib="$mib" 'BEGIN { printf "%d,%s,%s,%.4f\n", r, kind, way, mib * 1048576 / s / 1e9 }' >>"$csv"
}

# one_fio ROUND write|read ENGINE BLOCK DEPTH FILE
one_fio() {
	direct=1
	[ "$3" != psync-cached ] || direct=0
	kib=$(fio --name=x --filename="$6" --rw="$2" --size="${mib}m" --bs="$4" --ioengine="${3%-cached}" --iodepth="$5" --direct=$direct --end_fsync=1 --scramble_buffers=0 \
		--invalidate=1 --output-format=terse --terse-version=3 | awk -F';' -v rw="$2" '$1 == 3 { print rw == "read" ? $7 : $48 }')
	note "$1" "$2" "fio $3 $4 x $5" "$(awk -v kib="$kib" -v mib="$mib" 'BEGIN { print mib * 1024 / kib }')"
}

# one_seamark ROUND CODEC CONTENT: written, and by some read back, by fio too.
one_seamark() {
	seconds=$(SEAMARK_CODEC=$2 "$durable" write "$folder/checkpoints" "$mib" "$3" | cut -d' ' -f1)
	note "$1" write "seamark $2 $3" "$seconds"
	case "$2 $3" in
	none\ random | auto\ field | zstd\ field)
		note "$1" read "seamark $2 $3" "$("$durable" read "$folder/checkpoints")" ;;
	esac
	[ "$2 $3" = "none random" ] || return 0
	for image in "$folder"/checkpoints/*.L*/rank-00000.smk; do
		for way in "io_uring 1m 8" "io_uring 4m 4" "io_uring 4m 8" "psync 4m 1"; do
			# shellcheck disable=SC2086 # words
			one_fio "$1" read $way "$image"
		done
	done
}

turns="fio io_uring 1m 4
seamark none random
fio io_uring 1m 8
seamark auto random
fio io_uring 1m 16
seamark none field
fio io_uring 4m 4
seamark auto field
fio io_uring 4m 8
seamark lz4 field
fio psync 4m 1
seamark zstd field
seamark none mixed
fio psync-cached 1m 1
seamark auto mixed"

# Each round begins with another turn: what one leaves to the disk to do (to let go of its space, say), falls on the next.
round=1
while [ "$round" -le "$rounds" ]; do
	echo "$turns" | awk -v by=$((round * 4)) '{ turn[NR] = $0 } END { for (i = 0; i < NR; i++) print turn[(i + by) % NR + 1] }' >"$folder/turns"
	while read -r who turn; do
		rm -rf "$folder/checkpoints" "$folder/fio"
		sync
		sleep 0.3
		# shellcheck disable=SC2086
		if [ "$who" = fio ]; then
			one_fio $round write $turn "$folder/fio"
		else
			one_seamark $round $turn
		fi </dev/null
	done <"$folder/turns"
	round=$((round + 1))
done
rm -rf "$folder/checkpoints" "$folder/fio" "$folder/turns"

echo "$mib MiB, $rounds rounds, GB/s"
for kind in write read; do
	grep ",$kind," "$csv" | sort -t, -k3,3 -k4,4n | awk -F, -v kind=$kind '
		function over() {
			if (!n) return
			median[way] = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
			range[way] = sprintf("%.2f to %.2f", v[1], v[n])
			order[++ways] = way
			if (way ~ /^fio/ && median[way] > best) { best = median[way]; whose = way }
			n = 0
		}
		$3 != way { over(); way = $3 }
		{ v[++n] = $4 }
		END {
			over()
			printf "%s, best of fio: %s\n", kind, whose
			for (i = 1; i <= ways; i++)
				printf "  %-28s %6.2f  %5.2f  (%s)\n", order[i], median[order[i]], median[order[i]] / best, range[order[i]]
		}'
done
