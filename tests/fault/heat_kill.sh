#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# heat_kill.sh [RUNS [RANKS [SEED]]]: runs of heat that are killed with SIGKILL, one to three times each, and
# restarted at once. In two of five runs a kill falls while the newest checkpoint's folder has no manifest. Every
# field must be, bit for bit, that of a run that nobody disturbed. HEAT_SIZE and HEAT_STEPS: of what.
test=heat_kill
# shellcheck source-path=SCRIPTDIR source=kill.sh
. "$(dirname "$0")/kill.sh"
runs=${1:-4} wanted=${2:-4}
seed_from "${3-}"

heat="$TEST_BUILD/apps/heat"
arguments="--size ${HEAT_SIZE:-240} --steps ${HEAT_STEPS:-1200} --pause-ms 1 --every 200"
export SEAMARK_EVERY=40ms

# shellcheck disable=SC2086 # options without spaces
{
	now_ms
	start=$now
	SEAMARK_OFF=1 begin_life "$wanted" "$heat" $arguments --dump undisturbed.raw
	end_life
	[ "$status" -eq 0 ] || fail "the undisturbed run ended with $status"
	now_ms
	took=$((now - start))

	run=0 tried=0 resumed=0
	# A kill may come before the first checkpoint: until one came after it.
	while [ "$run" -lt "$runs" ] || [ "$resumed" -eq 0 ]; do
		tried=$((tried + 1))
		[ "$tried" -le $((2 * runs + 5)) ] || fail "$tried runs, and only $run were still there to be killed"
		export SEAMARK_DIR="$PWD/checkpoints"
		rm -rf "$SEAMARK_DIR"
		draw 3
		kills=$((drawn + 1)) killed=0
		while :; do
			rm -f field.raw
			begin_life "$wanted" "$heat" $arguments --dump "field.$life_number.raw"
			dump="field.$((life_number - 1)).raw"
			[ "$killed" -lt "$kills" ] || break
			draw $((took * 3 / 4))
			want_unborn=$((unborn < ((run + 1) * 2 + 4) / 5))
			kill_life "$drawn" "$want_unborn" || break
			killed=$((killed + 1))
		done
		end_life
		[ "$status" -eq 0 ] || fail "run $run ended with $status after $killed kills"
		cmp -s undisturbed.raw "$dump" || fail "run $run: the field differs after $killed kills"
		grep -q 'from step [1-9]' "life.$life_number.out" && resumed=$((resumed + 1))
		[ "$killed" -eq 0 ] || run=$((run + 1))
		wait
		rm -f field.*.raw
	done
}
tell_kills
echo "$test: $run killed runs on $wanted ranks, $resumed of them ended from a checkpoint: every field is equal, bit for bit"
[ "$resumed" -gt 0 ] || fail "no run went on from a checkpoint"
[ "$runs" -lt 5 ] || [ "$unborn" -ge $((runs * 2 / 5)) ] || fail "only $unborn kills met a folder without a manifest"
