#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# tempest.sh native|quiet|drill|restarts|kills PROGRAM RANKS FIRST SEEDS [KILLS]: random programs against the model of MPI that is in them
# (tests/mpi/tempest): as they are, with Seamark preloaded, under drill; with snapshots all the time and a restart from each; and killed KILLS times. The sums at
# the end are those without Seamark.
test=tempest
# shellcheck disable=SC2034,SC2154 # variables of kill.sh
# shellcheck source-path=SCRIPTDIR/../fault source=kill.sh
. "$(dirname "$0")/../fault/kill.sh"
what=$1 tempest=$2 ranks=$3 first=$4 seeds=$5 kills=${6-0}
seed_from "$first"
LIFE_LIMIT=${LIFE_LIMIT:-600}
# The other one hangs now and then in MPI_Dist_graph_create, without Seamark too (Open MPI 4.1.4).
export OMPI_MCA_topo=^treematch
preload="env LD_PRELOAD=$TEST_BUILD/lib/libseamark.so"

# shellcheck disable=SC2086 # $preload is several words
# play COMMAND...: one life to its end; what it says of itself into $line.
play() {
	begin_life "$ranks" "$@" --seed "$first" --seeds "$seeds"
	end_life
	[ "$status" -eq 0 ] || fail "$what on $ranks ranks: exit status $status"
	line=$(grep '^tempest: .* programs' "life.$life_number.out")
	[ -n "$line" ] || fail "$what on $ranks ranks: it did not come to its end"
	echo "$what: $line"
}

# Without Seamark: its line into $undisturbed, its time into $took.
play_undisturbed() {
	now_ms
	start=$now
	play "$tempest" --safepoints
	now_ms
	took=$((now - start))
	undisturbed=$line
}

same() {
	[ "$line" = "$undisturbed" ] || fail "$1: $line; without Seamark: $undisturbed"
}

verify() {
	"$TEST_BUILD/apps/seamark" verify --dir "$SEAMARK_DIR" >verify.out 2>&1 || fail "seamark verify: $(cat verify.out)"
}

restart_all() {
	export SEAMARK_DIR="$shared/kept" SEAMARK_EVERY=2ms SEAMARK_KEEP=all
	play $preload "$tempest" --safepoints
	same "with snapshots"
	verify
	restarts=0 flying=$(grep -c ' [1-9][0-9]* messages in flight' verify.out)
	numbers=$(find "$shared/kept" -name manifest.json | sed 's|/manifest.json$||; s|.*/0*\([0-9]*\)\.L[0-9]*$|\1|' | sort -n)
	export SEAMARK_DIR="$shared/copy" SEAMARK_EVERY=1000s
	for number in $numbers; do
		rm -rf "$shared/copy"
		cp -r "$shared/kept" "$shared/copy"
		export SEAMARK_RESTART="$number"
		play $preload "$tempest" --safepoints
		grep -q "restored from checkpoint $number\\b" "life.$life_number.out" || fail "the restart from checkpoint $number began elsewhere"
		same "from checkpoint $number"
		restarts=$((restarts + 1))
	done
	echo "restarts: $restarts; $flying of the checkpoints had messages in flight"
	[ "$restarts" -gt 0 ] || fail "no checkpoint"
	[ "$flying" -gt 0 ] || fail "no checkpoint has messages in flight"
}

# The newest checkpoint; none at first.
newest() {
	find "$SEAMARK_DIR" -name manifest.json 2>/dev/null | sort | tail -n 1
}

# The life is over: its sums are right, and its checkpoints are.
end_run() {
	line=$(grep '^tempest: .* programs' "life.$life_number.out")
	[ -n "$line" ] || fail "$what on $ranks ranks: it did not come to its end"
	verify
	same "with kills"
}

# One that comes to its end before it is killed begins anew.
kill_and_go_on() {
	export SEAMARK_DIR="$shared/checkpoints" SEAMARK_EVERY=3ms SEAMARK_KEEP=2
	killed=0 resumed=0 runs=1
	while [ "$killed" -lt "$kills" ]; do
		before=$(newest)
		begin_life "$ranks" $preload "$tempest" --safepoints --seed "$first" --seeds "$seeds"
		program=${tempest##*/}
		# Each life comes a bit further.
		until [ "$(newest)" != "$before" ] || ! [ -d "/proc/$life" ]; do
			nap_ms 20
		done
		draw $((took / kills + 1))
		if kill_life "$drawn" 0; then
			wait "$life"
			killed=$((killed + 1))
			grep -q WRONG "life.$life_number.out" && fail "a life that was killed had found a mistake"
			grep -q 'restored from checkpoint' "life.$life_number.out" && resumed=$((resumed + 1))
		else
			end_life
			[ "$status" -eq 0 ] || fail "$what on $ranks ranks: exit status $status"
			end_run
			rm -rf "$SEAMARK_DIR"
			runs=$((runs + 1))
			[ "$runs" -le "$kills" ] || fail "only $killed of $kills lives could be killed"
		fi
	done
	play $preload "$tempest" --safepoints
	grep -q 'restored from checkpoint' "life.$life_number.out" && resumed=$((resumed + 1))
	end_run
	echo "kills: $killed in $runs runs, and $resumed lives went on from a checkpoint; $(cat life.*.out | grep -c 'committed in') committed"
	[ "$killed" -eq 0 ] || [ "$resumed" -gt 0 ] || fail "no life went on from a checkpoint"
}

case $what in
native) play "$tempest" ;;
quiet) play $preload "$tempest" ;;
drill)
	export SEAMARK_DRILL="${SEAMARK_DRILL-1ms}"
	play $preload "$tempest"
	grep 'drill: [0-9]* cuts' "life.$life_number.out"
	grep -q 'drill: [1-9][0-9]* cuts.*; nothing wrong$' "life.$life_number.out" || fail "the drills: $(grep -m 3 'drill: WRONG' "life.$life_number.out")"
	;;
restarts)
	play_undisturbed
	restart_all
	;;
kills)
	play_undisturbed
	kill_and_go_on
	;;
esac
