#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# look.sh PROGRAM RANKS: looks are written to files, and explained from them: a deadlock from one, by whatever the program was named, and from two of it; and of a program
# that goes on, that nobody receives some of its messages, from two.
set -u
program=$1 ranks=$2
seamark="$TEST_BUILD/apps/seamark"
launcher=
trap '[ -z "$launcher" ] || kill "$launcher" 2>/dev/null; wait' EXIT
trap 'exit 1' INT TERM HUP
until=$(($(date +%s) + 240))

fail() {
	echo "FAILED: $*"
	cat said log
	exit 1
}

in_time() {
	[ "$(date +%s)" -lt "$until" ] || fail "not in time"
	kill -0 "$launcher" 2>/dev/null || fail "it has ended"
	sleep 0.2
}

start() {
	SEAMARK_DIR="$PWD/checkpoints" SEAMARK_LOG=quiet SLURM_JOB_ID=4242 "$MPIEXEC" -n "$ranks" env LD_PRELOAD="$TEST_BUILD/lib/libseamark.so" \
		"$program" "$1" >log 2>&1 </dev/null &
	launcher=$!
}

stop() {
	kill "$launcher"
	wait "$launcher" 2>/dev/null
	launcher=
}

mkdir checkpoints looks
start receives
until "$seamark" explain "$launcher" >said 2>&1; [ $? -eq 1 ]; do
	in_time
done
rank=$("$seamark" snapshot --look -o - "$launcher" | sed -n 's/^ *"pid": \([0-9]*\),/\1/p' | head -n 1)
for target in "$launcher" "$rank" checkpoints; do
	rm -f looks/*
	"$seamark" snapshot --look -o looks "$target" >said 2>&1 || fail "no look at $target"
	grep -q "^looks/look-.*: $ranks of $ranks ranks" said || fail "it does not say where the look is"
	"$seamark" explain looks >said 2>&1
	[ $? -eq 1 ] || fail "no deadlock in the look at $target"
done
"$seamark" snapshot --look -o first "$launcher" >said 2>&1 && "$seamark" snapshot --look -o second "$launcher" >said 2>&1 || fail "no two looks"
"$seamark" explain first second >said 2>&1
[ $? -eq 1 ] || fail "no deadlock in two looks"
"$seamark" snapshot --look -o - checkpoints/nowhere >said 2>&1
[ $? -eq 3 ] || fail "a look at nothing"
stop

# While ranks wait the base of their counts moves: what is told is of the new one.
export SEAMARK_EVERY=50ms SEAMARK_RESTART=none
start moved
until "$seamark" snapshot --look -o moved "$launcher" >said 2>&1 && python3 - "$ranks" <<'END'
import json, sys
processes = {process["rank"]: process for process in json.load(open("moved", encoding="utf-8"))["processes"]}
if len(processes) < int(sys.argv[1]) or any(process["base"] == 0 or not process["calls"] or not process["calls"][0]["same"] for process in processes.values()):
    sys.exit(1)
for rank, process in processes.items():
    awaited = process["calls"][0]["awaits"][0]
    sent = sum(stream[3] for stream in processes[awaited["peer"]]["sent"] if stream[:3] == ["world", rank, 7])
    if awaited["number"] != sent + 1:
        sys.exit("rank %d waits for message %d of which %d were sent" % (rank, awaited["number"], sent))
# The base may have moved again between two ranks.
if len({process["base"] for process in processes.values()}) > 1:
    sys.exit(1)
END
do
	in_time
done
"$seamark" explain moved >said 2>&1
[ $? -eq 1 ] || fail "no deadlock in a look after the base has moved"
stop
unset SEAMARK_EVERY

start leak
# All of them must have come.
until "$seamark" snapshot --look -o before "$launcher" >said 2>&1 && grep -q ": $ranks of $ranks ranks" said; do
	in_time
done
while "$seamark" snapshot --look -o after "$launcher" >said 2>&1 && "$seamark" explain before after >said 2>&1; do
	! grep -q 'messages from rank 0 to rank 1, tag 9: they become more' said || break
	in_time
done
grep -q '^No deadlock' said || fail "no verdict"
cat said
stop
