#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# sparse.sh PROGRAM RANKS WAY [MEMORY [MiB [STEPS]]]: runs sparse with SEAMARK_CAPTURE=WAY and a checkpoint every few steps, restarts it from every checkpoint, and
# lets it go on from one.
set -u
program=$1 ranks=$2 way=$3 memory=${4:-free} mib=${5:-3} steps=${6:-48}
SEAMARK_DIR=$(mktemp -d /dev/shm/sparse.XXXXXX) || exit 1 # it is not the disk that is tested
trap 'rm -rf "$SEAMARK_DIR"' EXIT
trap 'exit 1' INT TERM HUP
export SEAMARK_DIR SEAMARK_KEEP=all SEAMARK_CAPTURE="$way" SEAMARK_MEMORY="$memory" SEAMARK_LOG=info

fail() {
	echo "sparse: SEAMARK_CAPTURE=$way SEAMARK_MEMORY=$memory: $*"
	grep -v '^-' err | tail -n 20
	exit 1
}

SEAMARK_EVERY="4 steps" "$MPIEXEC" -n "$ranks" "$program" "$steps" "$mib" >out 2>err </dev/null || fail "the run ended with $?"
cp err first.err
right=0
for manifest in "$SEAMARK_DIR"/*.L01/manifest.json; do
	folder=${manifest%/manifest.json}
	number=${folder##*/}
	number=$(echo "${number%.L01}" | sed 's/^0*//')
	SEAMARK_RESTART=$number "$MPIEXEC" -n "$ranks" "$program" "$steps" "$mib" verify >out 2>err </dev/null || fail "checkpoint $number: $?"
	grep -q "is right" out || fail "checkpoint $number was not restored"
	right=$((right + 1))
done
[ "$right" -ge 4 ] || fail "only $right checkpoints"
SEAMARK_EVERY="3 steps" SEAMARK_RESTART=2 "$MPIEXEC" -n "$ranks" "$program" "$steps" "$mib" >out 2>err </dev/null || fail "going on ended with $?"
grep -q "$steps steps are right" out || fail "going on"
grep -h "region 'field'\|no memory for\|held while" first.err | sed 's/^seamark[^:]*: //' | sort | uniq -c | sed 's/^/  /'
echo "sparse: SEAMARK_CAPTURE=$way SEAMARK_MEMORY=$memory on $ranks ranks: $right checkpoints are right"
