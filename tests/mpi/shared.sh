#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# shared.sh NODES RANKS...: several ranks in one file. heat runs on so many ranks, with as many of them to a file as can be said, on one node and (NODES is preloaded) on several that are made up:
# the checkpoints verify and have the files that they should have, the log says so, the result is right, and a run that goes on from the newest with another number of ranks to a file ends with the same bits, and
# leaves checkpoints of its own that verify.
set -u
nodes=$1
shift
heat="$TEST_BUILD/apps/heat" command="$TEST_BUILD/apps/seamark"

fail() {
	echo "shared: $ranks ranks, $per to a file, nodes '$where': FAILED: $*"
	tail -n 20 log
	exit 1
}

# run FILE ENVIRONMENT...: heat, whose field goes to the file.
run() {
	file=$1
	shift
	env LD_PRELOAD="$nodes" "$@" "$MPIEXEC" -n "$ranks" "$heat" --size 150 --steps "$steps" --every 0 --dump "$file" >out 2>log || fail "heat ended with $?"
	"$command" verify >verify 2>&1 || fail "$(cat verify)"
}

# one PER EXPECTED AGAIN NODES...: that many files in each checkpoint. Then once more with AGAIN ranks to a file.
cases=0
one() {
	per=$1 files=$2 again=$3
	shift 3
	where=$*
	rm -rf "$SEAMARK_DIR"
	steps=100
	run first TEST_NODES="$where" SEAMARK_RANKS_PER_FILE="$per" SEAMARK_EVERY="30 steps" SEAMARK_LOG=info SEAMARK_FULL_EVERY=3
	cmp -s first "expected.100" || fail "the result differs"
	seen=0
	for folder in "$SEAMARK_DIR"/*.L01; do
		[ -e "$folder/manifest.json" ] || continue
		seen=$((seen + 1)) count=$(find "$folder" -name 'rank-*.smk' | wc -l)
		[ "$count" -eq "$files" ] || fail "$folder has $count files, not $files"
	done
	[ "$seen" -gt 0 ] || fail "there is no checkpoint"
	case $files in
	"$ranks") [ "$per" = auto ] || grep -q "each rank makes files of its own" log || fail "the log does not say why each rank has a file" ;;
	*) grep -q "a checkpoint has $files files, of up to" log || fail "the log does not say that there are $files files" ;;
	esac
	steps=160
	run second SEAMARK_RANKS_PER_FILE="$again" SEAMARK_EVERY="20 steps" SEAMARK_FULL_EVERY=64
	grep -q 'from step [1-9]' out || fail "it does not go on from a checkpoint"
	cmp -s second "expected.160" || fail "the result of the restart differs"
	cases=$((cases + 1))
}

export SEAMARK_DIR="$PWD/checkpoints"
for ranks in "$@"; do
	per=any where=one
	for steps in 100 160; do
		env SEAMARK_OFF=1 "$MPIEXEC" -n "$ranks" "$heat" --size 150 --steps $steps --every 0 --dump expected.$steps >out 2>log || fail "heat ended with $?"
	done
	[ "$ranks" -gt 1 ] || { one node 1 1; continue; }
	one 2 $(((ranks + 1) / 2)) node
	one node 1 1
	[ "$ranks" -gt 2 ] || continue
	one auto "$ranks" 3
	one 3 $(((ranks + 2) / 3)) 2
	one node "$ranks" node in turns 2
	one node $(((ranks + 1) / 2)) node by 2
	[ "$ranks" -lt 6 ] || one node $((ranks < 7 ? 3 : ranks < 11 ? 4 : ranks < 16 ? 5 : 6)) 2 mixed
done
echo "shared: $cases ways to share files, on $* ranks: each result and each restart equal"
