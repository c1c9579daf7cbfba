#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# hosts.sh [back]: `seamark run` without Slurm, on hosts of its own (slurm/cluster/hosts.sh; needs root). A host loses its power: the run goes on on those that are left; `back`: and
# when they are too few, on one that comes back. Results are those of an undisturbed run.
test=hosts
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
[ "$(id -u)" -eq 0 ] || { echo "$test: hosts are made of namespaces, which need root: run it as root"; exit 1; }
lab_script=hosts.sh
arguments="--size 240 --steps 200 --every 0"
export SEAMARK_EVERY=300ms

# begin CASE HOSTS OPTIONS...
begin() {
	case=$1 hosts=$2
	shift 2
	export SEAMARK_DIR="$PWD/$case.checkpoints"
	out=out.$case
	# shellcheck disable=SC2086
	on_head "$command" run --backoff 0.2 --watch 2 --hosts "$hosts" "$@" -- "$MPIEXEC" "$heat" $arguments --pause-ms 10 --dump "$PWD/$case.raw" >"$out" 2>&1 &
	supervisor=$!
}

ends() {
	wait "$supervisor" || fail "$case: status $?"
	same "$case.raw"
	grep -q 'restored from checkpoint' "$out" || fail "$case: it did not go on from a checkpoint"
}

# shellcheck disable=SC2086 # words without blanks
undisturbed 4 $arguments
lab_make
sh "$scripts/hosts.sh" up 3 || fail "there are no hosts"

begin spare h1:2,h2:2,h3:2 --ranks 4
until_line 60 "$out" 1 'seamark: checkpoint .* committed'
lab kill 2
ends
grep -q '4 ranks on h1,h2$' "$out" || fail "$case: it did not begin on h1 and h2"
grep -q '4 ranks on h1,h3$' "$out" || fail "$case: it did not go over to h3"

if [ "${1-}" != back ]; then
	echo "$test: right on the hosts that were left"
	exit 0
fi

# h2 is not there from the first.
begin back h1:2,h2:2,h3:2 --ranks 4
until_line 60 "$out" 1 '4 ranks on h1,h3$'
until_line 60 "$out" 1 'seamark: checkpoint .* committed'
lab kill 3
until_line 60 "$out" 1 '4 ranks have no place'
lab start 2
ends
grep -q '4 ranks on h1,h2$' "$out" || fail "$case: it did not go over to h2 when that was back"
echo "$test: right on the hosts that were left, and on one that came back"
