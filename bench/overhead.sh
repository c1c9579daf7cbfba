#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# overhead.sh BUILD [ROUNDS [PART...]]: what messages cost with Seamark idle, against the same program without it; PART: messages, pairs, halo, snapshots; traced: with Seamark idle,
# and with SEAMARK_TRACE=1 besides.
#
# Rounds without and with the library take turns, and change who goes first; told are the medians of the rounds, and their ratio as time: above 1 is slower. Behind it is the ratio of the
# fastest rounds: where it is another, something else ran meanwhile. Two ranks are bound to two cores. The last part compares messages while snapshots are under way with those between them, in one run. Nothing is
# written but the table; what else runs on the machine is in the numbers.
set -eu

build=${1:?"usage: overhead.sh BUILD [ROUNDS [messages|pairs|halo|snapshots|traced]...]"}
rounds=${2:-9}
[ $# -gt 2 ] && shift 2 || set -- messages pairs halo snapshots traced
build=$(cd "$build" && pwd)
overhead=$build/bench/overhead
preload="env LD_PRELOAD=$build/lib/libseamark.so"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
cd "$folder"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=0
export SEAMARK_DIR="$folder/checkpoints" SEAMARK_LOG=quiet
two="mpirun -n 2 --bind-to core"
four="mpirun -n 4 --oversubscribe --bind-to none --mca mpi_yield_when_idle 1"
three="mpirun -n 3 --oversubscribe --bind-to none"

# in_turns WITHOUT WITH: both commands, ROUNDS times.
in_turns() {
	rm -f without with
	round=0
	while [ "$round" -lt "$rounds" ]; do
		if [ $((round % 2)) -eq 0 ]; then
			$1 >>without
			$2 >>with
		else
			$2 >>with
			$1 >>without
		fi
		round=$((round + 1))
	done
}

# Lines "kind bytes ns" of both files into rows of medians.
rows() {
	awk '
		{
			key = $1 " " $2
			if (!(key in seen)) { seen[key] = 1; order[++keys] = key }
			side = FILENAME == "with"
			v[side, key, ++count[side, key]] = $3
		}
		function median(side, key,    n, i, j, t) {
			n = count[side, key]
			for (i = 2; i <= n; i++)
				for (j = i; j > 1 && v[side, key, j] + 0 < v[side, key, j - 1] + 0; j--) {
					t = v[side, key, j]; v[side, key, j] = v[side, key, j - 1]; v[side, key, j - 1] = t
				}
			return n % 2 ? v[side, key, (n + 1) / 2] : (v[side, key, n / 2] + v[side, key, n / 2 + 1]) / 2
		}
		END {
			for (k = 1; k <= keys; k++) {
				split(order[k], part, " ")
				a = median(0, order[k]); b = median(1, order[k])
				rate = part[1] ~ /rate/ ? sprintf("%.2f, %.2f M/s", 1e3 / a, 1e3 / b) : \
					part[1] ~ /bandwidth|bidir/ ? sprintf("%.0f, %.0f MiB/s", part[2] / a * 953.67, part[2] / b * 953.67) : ""
				printf "%-26s %8d %12.1f %12.1f %+9.1f %7.3f %9.3f  %s\n", part[1], part[2], a, b, b - a, b / a, \
					v[1, order[k], 1] / v[0, order[k], 1], rate
			}
		}' without with
}

# Nanoseconds per step of the example with halos, between two of the lines that it prints: starting up is not in it.
halo() {
	$two "$1" --size "$2" --steps "$3" --every $(($3 / 10)) | while read -r line; do
		case $line in
		*"heat: step "*) echo "$(date +%s%N) $line" ;;
		esac
	done | awk -v size="$2" '
		{ sub(":", "", $4) } NR == 1 { begin = $1; step = $4 } { end = $1; last = $4 }
		END { if (last == step) exit 1; printf "halo/heat %d %.1f\n", size, (end - begin) / (last - step) }'
}
halos_without() {
	halo "$build/bench/heat-alone" 64 100000
	halo "$build/bench/heat-alone" 512 3000
}
halos_with() {
	halo "$build/apps/heat" 64 100000
	halo "$build/apps/heat" 512 3000
}

echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg); medians of $rounds rounds"
printf '%-26s %8s %12s %12s %9s %7s %9s\n' "nanoseconds per message" bytes without with more ratio "(fastest)"
for part; do
	rm -rf "$SEAMARK_DIR"
	case $part in
	messages) in_turns "$two $overhead messages" "$two $preload $overhead messages" && rows ;;
	traced)
		echo "(without a trace, and with one)"
		in_turns "$two $preload $overhead messages" "$two $preload SEAMARK_TRACE=1 $overhead messages" && rows
		;;
	pairs) in_turns "$four $overhead pairs" "$four $preload $overhead pairs" && rows ;;
	halo) in_turns halos_without halos_with && rows ;;
	snapshots)
		echo "8 bytes, one message: number, median ns, p99 ns, most ns; then ratios to idle"
		$three $preload "$overhead" snapshots 10 |
			awk '$1 == "idle" { a = $3; b = $4 } { printf "%-8s %8d %10.1f %10.1f %12.1f   %.2f %.2f\n", $1, $2, $3, $4, $5, $3 / a, $4 / b }'
		;;
	*) echo "overhead.sh: no part '$part'" >&2; exit 2 ;;
	esac
done
echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg)"
