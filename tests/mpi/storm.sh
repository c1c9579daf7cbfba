#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# storm.sh PROGRAM KINDS RANKS SEEDS WORK RESTARTS KILLS [SEED]: random traffic with a snapshot every 2 ms. For each kind (event, step), number of
# ranks and seed: an undisturbed run; a run whose checkpoints are all kept, and verified; RESTARTS of them (or `all`), at random, each restarted
# in a copy of the folder and run to its end; and a run that is killed KILLS times on its way. The program is its own oracle; of step programs the digest must be
# that of the undisturbed run. Says how many snapshots were committed, were void and why, and had messages in flight.
test=storm
# shellcheck disable=SC2034,SC2154 # variables of kill.sh
# shellcheck source-path=SCRIPTDIR/../fault source=kill.sh
. "$(dirname "$0")/../fault/kill.sh"
storm=$1 kinds=$2 list=$3 seeds=$4 work=$5 restarts=$6 kills=$7
seed_from "${8-}"
first=$seed
command="$TEST_BUILD/apps/seamark"
# In memory: it is not the disk that is tested.
kept="$shared/kept" copy="$shared/copy"
LIFE_LIMIT=300

# The checkpoints and the log of what went wrong stay behind.
bad() {
	rm -rf failed
	cp -r "$kept" failed 2>/dev/null
	fail "$flavour on $ranks ranks, storm --kind $flavour --seed $seed --work $amount: $*"
}

# play WHAT: one life to its end.
play() {
	begin_life "$ranks" "$storm" --kind "$flavour" --seed "$seed" --work "$amount"
	end_life
	[ "$status" -eq 0 ] || bad "$1 ended with $status"
	digest=$(sed -n 's/^storm: .*messages, digest //p' "life.$life_number.out")
	[ -n "$digest" ] || bad "$1 has no result"
}

same() {
	[ "$flavour" = event ] || [ "$digest" = "$undisturbed" ] || bad "$1 has digest $digest, the undisturbed run $undisturbed"
}

count_snapshots() {
	grep -h 'seamark: checkpoint [0-9]' "life.$life_number.out" >>"snapshots.$flavour"
	grep -q 'restored from checkpoint' "life.$life_number.out" && resumed=$((resumed + 1))
}

restart_from() {
	rm -rf "$copy"
	cp -r "$kept" "$copy"
	export SEAMARK_DIR="$copy" SEAMARK_RESTART="$1" SEAMARK_KEEP=2
	play "the restart from checkpoint $1"
	grep -q "restored from checkpoint $1\\b" "life.$life_number.out" || bad "the restart from checkpoint $1 began elsewhere"
	same "the restart from checkpoint $1"
	count_snapshots
	tried=$((tried + 1))
	unset SEAMARK_RESTART
}

kill_and_go_on() {
	rm -rf "$copy"
	export SEAMARK_DIR="$copy" SEAMARK_KEEP=2
	killed=0
	while [ "$killed" -lt "$kills" ]; do
		begin_life "$ranks" "$storm" --kind "$flavour" --seed "$seed" --work "$amount"
		draw $((took * 3 / 4 + 1))
		if ! kill_life "$drawn" 0; then
			wait "$life"
			break
		fi
		killed=$((killed + 1))
		wait "$life"
		grep -q 'WRONG' "life.$life_number.out" && bad "a life that was killed found a mistake before"
		count_snapshots
	done
	play "the last life, after $killed kills"
	same "the last life, after $killed kills"
	count_snapshots
}

one() {
	rm -f life.*.out
	rm -rf "$kept"
	now_ms
	start=$now
	export SEAMARK_OFF=1
	play "the undisturbed run"
	unset SEAMARK_OFF
	undisturbed=$digest
	now_ms
	took=$((now - start))
	export SEAMARK_EVERY=2ms SEAMARK_KEEP=all SEAMARK_DIR="$kept"
	case $((seed % 3)) in 0) export SEAMARK_DRAIN=1ms ;; 1) export SEAMARK_DRAIN=20ms ;; *) unset SEAMARK_DRAIN ;; esac
	play "the run with snapshots"
	same "the run with snapshots"
	count_snapshots
	if [ -n "$(find "$kept" -name manifest.json 2>/dev/null | head -n 1)" ]; then
		"$command" verify --dir "$kept" >verify.out 2>&1 || bad "seamark verify: $(grep -v 'is whole' verify.out | head -n 3)"
		proved=$((proved + $(grep -c 'is whole' verify.out)))
		numbers=$(find "$kept" -name manifest.json | sed 's|/manifest.json$||; s|.*/0*\([0-9]*\)\.L[0-9]*$|\1|' | sort -n)
		count=$(echo "$numbers" | wc -l)
		if [ "$restarts" = all ]; then
			chosen=$numbers
		else
			chosen=""
			for _ in $(seq "$restarts"); do
				draw "$count"
				chosen="$chosen $(echo "$numbers" | sed -n "$((drawn + 1))p")"
			done
		fi
		for number in $chosen; do
			restart_from "$number"
		done
	fi
	[ "$kills" -eq 0 ] || kill_and_go_on
}

tried=0 resumed=0 proved=0
rm -f snapshots.*
for flavour in $kinds; do
	: >"snapshots.$flavour"
	amount=$work
	[ "$flavour" = event ] || amount=$((work / 8))
	for ranks in $list; do
		seed=$first
		while [ "$seed" -lt $((first + seeds)) ]; do
			one
			seed=$((seed + 1))
		done
	done
	awk -v kind="$flavour" '
		/committed in/ { commits++; if ($0 !~ / 0 messages in flight/) flying++ }
		/ is void: / { voids++; reason = $0; sub(/^.*is void: /, "", reason); sub(/ \(.*$/, "", reason); sub(/;.*$/, "", reason); why[reason]++ }
		END {
			printf "storm: %s: %d snapshots committed, %d of them with messages in flight; %d void\n", kind, commits, flying, voids
			for (reason in why) printf "  %d void: %s\n", why[reason], reason
			if (flying == 0) { print "storm: none had messages in flight"; exit 1 }
		}' "snapshots.$flavour" || fail "too few snapshots for a test"
done
tell_kills
echo "storm: $proved checkpoints proved by seamark verify, $tried restarts from chosen ones, $resumed lives went on from a checkpoint; seeds $first to $((first + seeds - 1))"
