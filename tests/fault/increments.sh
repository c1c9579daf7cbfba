#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# increments.sh [RANKS [KILLS [SEED]]]: a run that is killed again and again and goes on each time from an increment of increments ends with the numbers of one that nobody
# disturbed. Then what increments rest on is damaged: the newest that does not rest on it is taken, by the run and by seamark alike; and a checkpoint is made
# whole and restored from where no other is.
test=increments
# shellcheck source-path=SCRIPTDIR source=kill.sh
. "$(dirname "$0")/kill.sh"
wanted=${1:-2} kills=${2:-4}
seed_from "${3-}"

conveyor="$TEST_BUILD/tests/fault/conveyor" command="$TEST_BUILD/apps/seamark"
steps=2000
export SEAMARK_DIR="$PWD/checkpoints" SEAMARK_EVERY="20 steps" SEAMARK_DRAIN=2ms SEAMARK_LOG=info

live() {
	begin_life "$wanted" env "$@"
	wait "$life"
	status=$?
	out=life.$life_number.out
	[ "$status" -eq 0 ] || fail "life $life_number ended with $status"
}

# The oldest number that the manifest at a path names as a parent, or nothing.
parent_of() {
	sed -n '/"parents"/,$ s/.*"number": \([0-9]*\),$/\1/p' "$1" | head -n 1
}

# The newest manifest into $last, and its oldest parent into $parent.
find_last() {
	last=/
	for manifest in "$SEAMARK_DIR"/*.L*/manifest.json; do
		[ ! -e "$manifest" ] || last=$manifest
	done
	parent=$(parent_of "$last" 2>/dev/null)
}

# Lives are numbered from here on as Seamark numbers them.
live SEAMARK_OFF=1 "$conveyor" $steps expected
life_number=0

# --- killed ---------------------------------------------------------------------------------------------------------

export SEAMARK_FULL_EVERY=64 SEAMARK_KEEP=2
killed=0
# Waits until this life has committed an increment; false: it has ended before.
await_increment() {
	while kill -0 "$life" 2>/dev/null; do
		find_last
		life_here=${last%/manifest.json}
		[ "${life_here##*.L}" != "$(printf %02d "$life_number")" ] || [ -z "$parent" ] || return 0
		sleep 0.02
	done
	return 1
}

while [ "$killed" -lt "$kills" ]; do
	begin_life "$wanted" "$conveyor" $steps result
	await_increment || break
	draw 100
	kill_life "$drawn" 0 || break
	killed=$((killed + 1))
	wait "$life"
done
wait "$life"
[ "$killed" -gt 0 ] || fail "nobody was killed: the program is too fast"
live "$conveyor" $steps result
cmp -s result expected || fail "the result differs from that of an undisturbed run"
"$command" verify >verify.out 2>&1 || fail "what is there does not verify: $(cat verify.out)"

# --- damaged --------------------------------------------------------------------------------------------------------

export SEAMARK_FULL_EVERY=3 SEAMARK_KEEP=all SEAMARK_EVERY="40 steps"
# On a busy machine steps go on while checkpoints take long, and there are few.
for again in 1 2 3 4 5; do
	rm -rf "$SEAMARK_DIR"
	live "$conveyor" 600 unused
	find_last
	# The newest may be a whole one: then it goes, and the one before is an increment.
	if [ -z "$parent" ]; then
		rm -r "${last%/manifest.json}"
		find_last
	fi
	[ "${parent:-0}" -le 1 ] || break
done
[ "${parent:-0}" -gt 1 ] || fail "in five lives no increment rests on another than the first"
cp -r "$SEAMARK_DIR" kept
# Wherever in its file it has what never changes.
file=$(printf '%s/%07d.L01/rank-00001.smk' "$SEAMARK_DIR" "$parent")
size=$(stat -c %s "$file")
at=4196
while [ "$at" -lt "$size" ]; do
	printf garbled | dd of="$file" bs=1 seek="$at" conv=notrunc 2>/dev/null
	at=$((at + 1000))
done
"$command" verify >verify.out 2>&1 && fail "seamark verify finds nothing wrong"
live "$conveyor" $steps result
cmp -s result expected || fail "the result differs after a parent was damaged"
newest=$(sed -n 's/^conveyor: from checkpoint \([0-9]*\) .*/\1/p' "$out")
[ "${newest:-0}" -eq $((parent - 1)) ] || fail "the restart is from checkpoint ${newest:-none}, not from $((parent - 1)), the one before what was damaged"
grep "cannot be used: .*; the one before it is tried" "$out" >/dev/null || fail "the damaged ones are not named"

# --- made whole -----------------------------------------------------------------------------------------------------

number=${last%.L*}
number=${number##*/}
rm -rf "$SEAMARK_DIR"
mkdir apart
cp -r "kept/$number.L01" apart/
if SEAMARK_RESTART="$PWD/apart/$number.L01" "$MPIEXEC" -n "$wanted" "$conveyor" $steps result >alone.out 2>&1; then
	fail "an increment was restored without what it needs"
fi
grep "needs files of checkpoint $parent, and there is no '$PWD/apart/.*seamark compact" alone.out >/dev/null || fail "what is missing is not named: $(cat alone.out)"
"$command" compact --dir kept "$(echo "$number" | sed 's/^0*//')" >compact.out || fail "it cannot be made whole"
rm -rf apart "$SEAMARK_DIR"
mkdir apart
mv "kept/$number.L01" apart/
live SEAMARK_RESTART="$PWD/apart/$number.L01" "$conveyor" $steps result
cmp -s result expected || fail "the result differs after a restart from one that was made whole"
tell_kills
echo "$test: went on from increments after $killed kills; from before what was damaged; and from one that was made whole, by itself: each result is equal, bit for bit"
