#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# fuzz.sh SECONDS HARNESS...: builds the harnesses with clang's libFuzzer and sanitizers and lets each run for its share of the time, from the corpus that is kept. What it finds
# stays in the working folder as crash-..., what reaches new code in new/HARNESS. 77: there is no clang.
set -u
seconds=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

clang=
for candidate in clang clang-14 clang-15 clang-16 clang-17 clang-18; do
	[ -n "$clang" ] || ! command -v "$candidate" >/dev/null 2>&1 || clang=$candidate
done
if [ -z "$clang" ]; then
	echo "skipped: there is no clang, whose libFuzzer this needs (Debian: clang, libclang-rt-14-dev)"
	exit 77
fi

packages="jansson libxxhash liburing"
for optional in liblz4 libzstd hwloc; do
	if pkg-config --exists $optional; then packages="$packages $optional"; fi
done
# shellcheck disable=SC2086,SC2046 # options are words
build() {
	more=
	# What a harness needs beside the store.
	if [ -f "$here/$1.sources" ]; then more="-I$root/apps/seamark $root/lib/trace/format.c $(sed "s|^|$root/|" "$here/$1.sources")"; fi
	"$clang" -g -O1 -std=gnu11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -I"$root/lib" -I"$root/tests/unit" \
		$(pkg-config --cflags $packages) "$here/fuzz_$1.c" "$root"/lib/base/*.c "$root"/lib/store/*.c "$root/lib/api/version.c" \
		"$root"/lib/snapshot/ledger*.c $more -o "fuzz_$1" $(pkg-config --libs $packages) -lm -lpthread
}

status=0
share=$((seconds / $#))
for harness; do
	build "$harness" || { echo "cannot build '$harness'"; exit 1; }
	mkdir -p "new/$harness"
	ASAN_OPTIONS=detect_leaks=1 "./fuzz_$harness" -max_total_time="$share" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=8192 -use_value_profile=1 \
		-print_final_stats=1 "new/$harness" "$here/corpus/$harness" >"$harness.log" 2>&1 || {
		echo "$harness: a finding"
		tail -n 60 "$harness.log"
		status=1
	}
	sed -n 's/^stat::number_of_executed_units: */'"$harness"': executed /p' "$harness.log"
done
exit $status
