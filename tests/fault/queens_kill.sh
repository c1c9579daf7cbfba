#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# queens_kill.sh [RUNS [RANKS [SEED]]]: runs of `queens 16` with a checkpoint every 50 ms, killed at random and
# restarted at once; QUEENS_EVERY says another interval. RANKS is a list ("1 2 4 8"), with RUNS for each. The count must always be right. On 4 ranks
# and more, checkpoints with messages in flight must occur.
test=queens_kill
# shellcheck source-path=SCRIPTDIR source=kill.sh
. "$(dirname "$0")/kill.sh"
runs=${1:-1} list=${2:-2 4}
seed_from "${3-}"

queens="$TEST_BUILD/apps/queens"
known=14772512
export SEAMARK_EVERY="${QUEENS_EVERY:-50ms}" SEAMARK_KEEP=all
resumed=0 total=0

# All checkpoints of a run are kept, so their manifests can be counted.
count_checkpoints() {
	for manifest in "$SEAMARK_DIR"/*.L*/manifest.json; do
		[ -e "$manifest" ] || continue
		checkpoints=$((checkpoints + 1))
		if grep -q '"messages" *: *[1-9]' "$manifest"; then
			flying=$((flying + 1))
		fi
	done
}

for wanted in $list; do
	checkpoints=0 flying=0 run=0 killed_runs=0
	now_ms
	start=$now
	SEAMARK_OFF=1 begin_life "$wanted" "$queens" 16
	end_life
	[ "$status" -eq 0 ] || fail "the undisturbed run ended with $status"
	now_ms
	took=$((now - start))
	# A kill may come before the first checkpoint: until one came after it, in reason.
	while [ "$run" -lt "$runs" ] || { [ "$resumed" -eq 0 ] && [ "$run" -lt $((runs + 6)) ]; }; do
		run=$((run + 1))
		export SEAMARK_DIR="$PWD/checkpoints"
		rm -rf "$SEAMARK_DIR"
		draw 3
		kills=$((drawn + 1)) killed=0
		while :; do
			begin_life "$wanted" "$queens" 16
			[ "$killed" -lt "$kills" ] || break
			draw $((took * 3 / 4))
			kill_life "$drawn" 0 || break
			killed=$((killed + 1))
		done
		end_life
		[ "$status" -eq 0 ] || fail "run $run on $wanted ranks ended with $status after $killed kills"
		grep -q "16 queens: $known solutions" "life.$life_number.out" ||
			fail "run $run on $wanted ranks: wrong count after $killed kills"
		grep -q 'going on' "life.$life_number.out" && resumed=$((resumed + 1))
		[ "$killed" -eq 0 ] || killed_runs=$((killed_runs + 1))
		wait
		count_checkpoints
	done
	total=$((total + killed_runs))
	echo "$test: $wanted ranks: $runs runs, $killed_runs killed: always $known;" \
		"$flying of $checkpoints checkpoints had messages in flight"
	[ "$checkpoints" -gt 0 ] || fail "no checkpoint on $wanted ranks"
	# On 4 ranks one of sixteen has (60 of 985 were seen), on 8 one of four to one of ten: so few that a short run may meet none.
	enough=200
	[ "$wanted" -lt 8 ] || enough=100
	[ "$wanted" -lt 4 ] || [ "$checkpoints" -lt "$enough" ] || [ "$flying" -gt 0 ] ||
		fail "none of $checkpoints checkpoints had messages in flight on $wanted ranks"
done
tell_kills
echo "$test: $resumed runs ended from a checkpoint"
[ "$total" -gt 0 ] || fail "no run was still there to be killed"
[ "$resumed" -gt 0 ] || fail "no run went on from a checkpoint"
