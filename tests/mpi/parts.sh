#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# parts.sh HEAT PLAIN: two programs in one world. Both with Seamark: as one. One without (PLAIN): that is said, as MPI has no way to ask it whether it takes part.
set -u
heat=$1 plain=$2
fail() {
	echo "FAILED: $*"
	cat err
	exit 1
}

SEAMARK_EVERY="20 steps" "$MPIEXEC" -n 1 "$heat" --size 60 --steps 60 : -n 1 "$heat" --size 60 --steps 60 >out 2>err || fail "two with Seamark end with $?"
grep -q "committed" err || fail "two with Seamark: no checkpoint"
! grep -q "waits in MPI_Init" err || fail "two with Seamark wait"

for order in 1 2; do
	if [ $order = 1 ]; then
		set -- -n 1 "$heat" : -n 1 "$plain"
	else
		set -- -n 1 "$plain" : -n 1 "$heat"
	fi
	timeout -s KILL 60 "$MPIEXEC" "$@" >out 2>err &
	launcher=$! tries=0
	until grep -q "waits in MPI_Init .* link all with Seamark" err; do
		tries=$((tries + 1))
		[ $tries -lt 500 ] || fail "order $order: nothing is said"
		sleep 0.1
	done
	kill "$launcher"
	wait "$launcher" 2>/dev/null
done
exit 0
