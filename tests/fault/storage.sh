#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# storage.sh LIB [short | all | hangs | held | WHEN HOW RANK FROM FOR [MS]] [RANKS]: the folder of a running program fails in each way (storage.c), on one rank or on all, while images are written, while a
# checkpoint is committed, while older ones are retired, while one is restored.
#
# What must hold: the program ends with the bits of a run that nobody disturbed; what failed is void and the log says of which error; interrupted, short and slow calls fail
# nothing; when the fault is over the next checkpoint is committed; what is committed verifies, and the newest of it is the last that the log tells of; a restart goes on from that one, ends with
# the same bits, and leaves nothing of what was void. A restart that meets the fault ends well from some checkpoint, or says why it cannot, and the next one
# goes on from the newest all the same. A disk that never comes back holds up nobody: the program ends in time, with its result.
test=storage
# shellcheck source-path=SCRIPTDIR source=kill.sh
. "$(dirname "$0")/kill.sh"
# shellcheck source-path=SCRIPTDIR source=conveyor.sh
. "$(dirname "$0")/conveyor.sh"
lib=$1 what=${2:-short}
shift
steps=${STORAGE_STEPS:-300} keep=2
export SEAMARK_DIR="$PWD/run" SEAMARK_EVERY="10 steps" SEAMARK_DRAIN=2ms SEAMARK_KEEP=$keep SEAMARK_FULL_EVERY=3
LIFE_LIMIT=90 seed=none trials=0
export CONVEYOR_PAUSE_US=2000

complain() {
	fail "$when $how, rank $rank, from call $from for $for, $ring io_uring: $*"
}

is_right() {
	cmp -s result expected || complain "the result differs from that of an undisturbed run"
}

verify() {
	find_newest
	[ "$newest" -eq 0 ] || "$command" verify >verify.out 2>&1 || complain "what is committed does not verify: $(cat verify.out)"
}

look_at_voids() {
	voids=$(grep -c 'is void: .*could not be written' "$out")
	case $how in
	short | slow | EINTR)
		[ "$voids" -eq 0 ] || complain "it made a checkpoint void"
		return
		;;
	EIO) words="Input/output error" ;;
	ENOSPC) words="No space left" ;;
	EDQUOT) words="quota exceeded" ;;
	EROFS) words="Read-only file system" ;;
	EMFILE) words="Too many open files" ;;
	ENOMEM) words="Cannot allocate memory" ;;
	stuck) words="SEAMARK_TIMEOUT" ;;
	away | gone) words="No such file or directory" ;;
	memory) words="no memory" ;;
	esac
	[ "$when" != retirement ] || return
	# There is memory that can be done without.
	[ "$how" != memory ] || [ "$voids" -gt 0 ] || return
	if [ "${SEAMARK_CAPTURE-}" = hold ] && [ "$voids" -eq 0 ]; then
		return
	fi
	[ "$voids" -gt 0 ] || complain "nothing is void"
	grep -q "is void: .*$words" "$out" || complain "no void says '$words'"
}

look_at_what_follows() {
	[ "$ms" = ever ] && return
	sed -n '/the fault is over/,$p' "$out" | grep -q 'committed in' || complain "nothing was committed after the fault was over"
}

# The restart that nothing disturbs, and what is left then.
go_on() {
	find_newest
	live
	[ "$status" -eq 0 ] || complain "the restart ended with $status"
	from_there=$(sed -n 's/^conveyor: from checkpoint \([0-9]*\) .*/\1/p' "$out")
	[ "${from_there:-0}" -eq "$newest" ] || complain "the restart is from checkpoint ${from_there:-0}, but $newest is the newest"
	is_right
	verify
	# A life's own claim stays until the next begins.
	rest=$(find "$SEAMARK_DIR" -name '*.tmp' -o -name 'whole-*' -o -name '.life-*' | grep -v "/\.life-$(sed -n 's/.*"life": \([0-9]*\).*/\1/p' "$SEAMARK_DIR/run.json")\$")
	[ -z "$rest" ] || complain "'$rest' is left over"
	for folder in "$SEAMARK_DIR"/*.L*; do
		[ ! -d "$folder" ] || [ -e "$folder/manifest.json" ] || [ -e "$folder/manifest.held" ] || complain "'$folder' is left of what was void"
	done
}

# trial WHEN HOW RANK FROM FOR [MS]
trial() {
	when=$1 how=$2 rank=$3 from=$4 for=$5 ms=${6:-0}
	trials=$((trials + 1))
	ring=with
	[ $((trials % 2)) -eq 1 ] || ring=without
	rm -rf run run.away result life.*.out
	[ "$when" = writing ] || [ "$when" = commit ] || cp -r prepared run
	set -- LD_PRELOAD="$lib" STORAGE_ROOT="$SEAMARK_DIR" STORAGE_HOW="$how" STORAGE_WHEN="$when" STORAGE_RANK="$rank" STORAGE_FROM="$from" \
		STORAGE_FOR="$for" STORAGE_MS="$ms"
	[ "$ring" = with ] || set -- "$@" STORAGE_RING=refused
	case $how in stuck) set -- "$@" SEAMARK_TIMEOUT=1s ;; esac
	[ "$ms" -lt 1000 ] 2>/dev/null || [ "$ms" = ever ] || set -- "$@" CONVEYOR_PAUSE_US=15000
	now_ms
	start=$now
	live "$@"
	now_ms
	took=$((now - start))
	first_status=$status voids=no
	grep -q 'the fault begins' "$out" || [ "$how" = memory ] || complain "no call met it"
	[ "$ms" != ever ] || [ "$took" -lt 40000 ] || complain "the program ended after $took ms"
	if [ "$when" = restore ]; then
		[ "$status" -eq 0 ] || grep -q 'seamark_restore' "$out" || complain "the life ended with $status, and does not say why"
		grep 'checkpoint 0 cannot be used' "$out" && complain "what fails is no checkpoint"
		[ "$status" -ne 0 ] || is_right
		[ ! -d run.away ] || mv run.away run
		verify
		# Whatever it used, or did not: nothing of what was there has suffered, unless newer ones have taken its place.
		find_newest
		[ "$newest" -ge "$prepared" ] || complain "checkpoint $prepared is lost"
	else
		[ "$status" -eq 0 ] || complain "the life ended with $status"
		is_right
		look_at_voids
		look_at_what_follows
		verify
		find_newest
		last=$(sed -n 's/.*checkpoint \([0-9]*\) at step.* committed in .*/\1/p' "$out" | tail -n 1)
		[ "${last:-0}" -eq "$newest" ] || complain "checkpoint ${last:-0} was committed last, and $newest is the newest"
	fi
	if [ "${SEAMARK_CAPTURE-}" = hold ] && [ -e run/0000001.L01/manifest.json ]; then
		live SEAMARK_RESTART=1
		[ "$status" -eq 0 ] || complain "the restart from the checkpoint that met the fault ended with $status"
		is_right
		voids="$voids, and what was committed at that moment is right: 0"
	fi
	[ "$ms" != ever ] || [ "$how" != stuck ] || grep -q "the writer's thread hangs in .* and is left behind" "$out" || complain "nobody says what hangs"
	go_on
	echo "$when $how, rank $rank, from call $from for $for, $ms ms, $ring io_uring: ended with $first_status after $took ms, $voids could not be written"
}

errors="EIO ENOSPC EDQUOT EROFS EMFILE ENOMEM EINTR short slow memory"

each_way() {
	for who in 0 1 all; do
		for error in $errors; do
			first=5
			[ "$error" != memory ] || first=60
			trial writing $error $who $first 2
		done
		trial writing EIO $who 12 1
		trial writing ENOSPC $who 9 6
		trial writing stuck $who 9 1 2500
		trial writing away $who 9 1 150
		trial writing gone $who 9 1 150
	done
	for error in $errors; do
		[ "$error" = memory ] || trial commit $error 0 4 2
		[ "$error" = memory ] || trial retirement $error 0 6 4
	done
	for first in 1 2 3 4 5 6 7 8; do
		trial commit EIO 0 $first 1
	done
	trial commit stuck 0 7 1 2500
	trial commit away 0 7 1 150
	trial commit gone 0 7 1 150
	trial retirement stuck 0 9 1 2500
	for who in 0 1 all; do
		for error in EIO EMFILE ENOMEM EINTR short slow; do
			trial restore $error $who 1 3
			trial restore $error $who 3 2
		done
		trial restore EIO $who 1 1000
		trial restore stuck $who 9 1 2500
	done
}

# The program is held for its writing, longer than SEAMARK_TIMEOUT, and the disk comes back as soon as it goes on: what is written then is not what was to be. (On a busy
# machine the disk may come back before the program has gone on. Then it is.)
held() {
	export SEAMARK_CAPTURE=hold SEAMARK_KEEP=all
	for moment in "$@"; do
		trial writing stuck 0 4 1 "$moment"
	done
	unset SEAMARK_CAPTURE
	export SEAMARK_KEEP=$keep
}

hangs() {
	# Of a commit that has others before it, and of the first.
	for first in 1 2 3 4 20 21 22 23 24 25 26; do
		trial commit stuck 0 $first 1 ever
	done
	for who in 0 1 all; do
		trial writing stuck $who 9 1 ever
		trial writing stuck $who 14 1 ever
	done
	for first in 1 2 3 4 5 6 7 8; do
		trial retirement stuck 0 $first 1 ever
	done
}

wanted=2
case $what in
short | all | hangs | held) wanted=${2:-2} ;;
esac
when=first how=none rank=none from=0 for=0 ring=with
SEAMARK_OFF=1
export SEAMARK_OFF
live
unset SEAMARK_OFF
[ "$status" -eq 0 ] || fail "the undisturbed run ended with $status"
mv result expected
live CRASH_LOG=log CRASH_AT=end-told CRASH_RANK=0 CRASH_NTH=6
find_newest
prepared=$newest
[ "$prepared" -ge 3 ] || fail "there were no three checkpoints to begin with"
mv run prepared

case $what in
short)
	trial writing ENOSPC all 5 3
	trial writing EMFILE 1 5 2
	trial commit EIO 0 7 1
	trial commit stuck 0 20 1 ever
	trial writing gone 0 9 1 150
	held 1002
	trial retirement EROFS 0 6 4
	trial restore EMFILE 1 3 2
	;;
all) each_way ;;
hangs) hangs ;;
held) held 1001 1002 1003 1005 1010 1020 1050 ;;
*) trial "$@" ;;
esac
echo "$test: $trials ways of failing: each result is right, each restart from the newest checkpoint"
