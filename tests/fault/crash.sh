#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# crash.sh SHIM [each | all [RANKS [SEED [POINTS]]]]: SIGKILL at every crash point of the library, and a restart. (lib/base/crash.h says what a point is,
# crash.c what happens at one.) `each`: each point once, on a rank drawn from the seed. `all`: on each rank by itself, on all at once, and at the second
# time that it is reached. POINTS is a regular expression: only the points that it matches.
#
# Points differ in what has to happen before they are reached, so there are scenarios: a restart with checkpoints after it, a fresh start, and what
# goes wrong or is asked for. Each is first run without a kill, which tells which points it reaches. A point that belongs to restarting is killed
# at in a restart; the restart after it is killed at the point that comes next; only the third may end.
#
# What must hold after each kill: what has a manifest verifies; the newest of it is not older than what was there before; it is what the next life uses;
# that life ends with the result of a run that nobody disturbed, bit for bit; nothing is left of what was not committed, and no more checkpoints than
# are to be kept, but for those whose files they need. And each point that the library lists must have killed somebody: one that no scenario reaches fails the test.
test=crash
# shellcheck source-path=SCRIPTDIR source=kill.sh
. "$(dirname "$0")/kill.sh"
# shellcheck source-path=SCRIPTDIR source=conveyor.sh
. "$(dirname "$0")/conveyor.sh"
script=$0 shim=$1 how=${2:-each} wanted=${3:-2}
seed_from "${4-}"

steps=200 keep=2 workers=${CRASH_WORKERS:-3}
export SEAMARK_EVERY="15 steps" SEAMARK_DRAIN=2ms SEAMARK_KEEP=$keep SEAMARK_FULL_EVERY=4
unset CRASH_LIST CRASH_LOG CRASH_AT CRASH_RANK CRASH_NTH CRASH_MEET
LIFE_LIMIT=${LIFE_LIMIT:-60}

scenarios="restart fresh void unnamed unsynced leavings damaged stop asked plain together"

# The folder as it is before a scenario's life; what that life needs beside it into $with.
set_scene() {
	rm -rf run result
	mkdir run
	damaged=none with=
	case $1 in
	fresh) ;;
	*) cp -r "$top/prepared" "$SEAMARK_DIR" ;;
	esac
	find_newest
	for last in "$SEAMARK_DIR"/*.L*; do :; done
	case $1 in
	void) with="LD_PRELOAD=$shim DISK_FAILS=fsync:1 DISK_FOR=1" ;;
	unnamed) with="LD_PRELOAD=$shim DISK_FAILS=name:1 DISK_FOR=1" ;;
	unsynced) with="LD_PRELOAD=$shim DISK_FAILS=folder:2 DISK_FOR=1" ;; # the first is that of the checkpoint it goes on from
	leavings)
		mv "$last/manifest.json" "$last/manifest.json.tmp"
		# So long that it is made shorter.
		: >"$SEAMARK_DIR/history.tmp"
		head -c 300000 /dev/zero | tr '\0' '\n' >>"$SEAMARK_DIR/history"
		for folder in "$SEAMARK_DIR"/*.L*; do
			[ ! -e "$folder/manifest.json" ] || : >"$folder/whole-00000.smk"
		done
		# More traces than are kept.
		with="SEAMARK_TRACE=64KiB"
		for number in 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17; do
			mkdir -p "$SEAMARK_DIR/trace/00000$number.L01"
			: >"$SEAMARK_DIR/trace/00000$number.L01/rank-00000.trace"
		done
		;;
	damaged)
		damaged=$newest
		printf garbled | dd of="$last/rank-00001.smk" bs=1 seek=200000 conv=notrunc 2>/dev/null
		;;
	stop) : >"$SEAMARK_DIR/stop" ;;
	asked) echo '{"format": 1, "token": "0000000000000001", "life": 0, "stop": false, "xxh3": "8b046475a0fa3971"}' >"$SEAMARK_DIR/request" ;;
	plain) with="LD_PRELOAD=$shim DISK_RING=refused" ;;
	together) with="SEAMARK_RANKS_PER_FILE=node" ;;
	esac
	find_newest
	before=$newest
}

complain() {
	fail "$what: $* (in $PWD)"
}

# One life that is to be killed. False: it ended before it came to the point.
live_to_die() {
	rm -f log meet
	# shellcheck disable=SC2086 # words
	live $with CRASH_LOG=log CRASH_MEET=meet "CRASH_AT=$1" "CRASH_RANK=$2" "CRASH_NTH=$3"
	if [ ! -e log ] || ! grep -q '^killed' log; then
		[ "$status" -eq 0 ] || complain "the life ended with $status, and was not killed at $1"
		return 1
	fi
	[ "$status" -ne 0 ] || complain "a life that was killed at $1 ended well"
	sed -n 's/^killed/&/p' log >>"$deaths"
	# Ranks may outlive mpirun: what the first of them holds is free when it is gone.
	[ ! -e "$SEAMARK_DIR/lock" ] || flock "$SEAMARK_DIR/lock" true
	find_newest
	[ "$newest" -ge "$before" ] || complain "checkpoint $before is lost: the newest is $newest"
	before=$newest
	[ "$damaged" != none ] || verify
}

verify() {
	[ "$newest" -eq 0 ] || "$command" verify >verify.out 2>&1 || complain "what is committed does not verify: $(cat verify.out)"
}

# Lives until one ends with a result: one, or one more if the program was asked to stop.
live_on() {
	for again in 1 2; do
		find_newest
		live
		[ "$status" -eq 0 ] || complain "the restart ended with $status"
		from=$(sed -n 's/^conveyor: from checkpoint \([0-9]*\) .*/\1/p' "$out")
		[ "${from:-0}" -eq "$newest" ] || complain "the restart is from checkpoint ${from:-0}, but $newest is the newest"
		grep -q '^conveyor: stopped' "$out" || break
	done
	cmp -s result "$top/expected" || complain "the result differs from that of an undisturbed run"
}

# Whether a manifest names the folder's checkpoint as a parent.
is_needed() {
	number=${1#"$SEAMARK_DIR"/}
	number=$(echo "${number%%.L*}" | sed 's/^0*//')
	for manifest in "$SEAMARK_DIR"/*.L*/manifest.json; do
		sed -n '/"parents"/,$p' "$manifest" | grep -q "\"number\": $number,\$" && return 0
	done
	return 1
}

look_at_leavings() {
	rest=$(find "$SEAMARK_DIR" -name '*.tmp' -o -name 'whole-*')
	[ -z "$rest" ] || complain "'$rest' is left over"
	count=0
	for folder in "$SEAMARK_DIR"/*.L*; do
		[ -d "$folder" ] || continue
		if [ -e "$folder/manifest.held" ]; then
			is_needed "$folder" || complain "'$folder' is held for nobody"
			continue
		fi
		[ -e "$folder/manifest.json" ] || complain "'$folder' is left of what was not committed"
		count=$((count + 1))
	done
	grep -q 'committed in' "$out" || return 0
	[ "$count" -le $keep ] || complain "$count checkpoints are kept"
}

# one_case SCENARIO POINT RANK NTH NEXT: NEXT is where the second life is killed, or -. False: the life did not come to the point.
one_case() {
	what="$1, $2 on rank $3, time $4"
	rm -f life.*.out
	set_scene "$1"
	live_to_die "$2" "$3" "$4" || return 1
	[ "$5" = - ] || live_to_die "$5" "$3" 1 || echo "missed $*" >>"$deaths"
	with=
	live_on
	[ "$damaged" != none ] || { find_newest && verify; }
	look_at_leavings
}

# A worker does every so manieth line of the file of cases.
if [ "$how" = work ]; then
	number=$5 top=$6
	seed=$4 # the parent's, to be said in complaints
	mkdir "worker.$number" && cd "worker.$number" || exit 1
	export SEAMARK_DIR="$PWD/run/checkpoints"
	deaths=$PWD/deaths
	: >"$deaths"
	awk -v n="$workers" -v w="$number" 'NR % n == w' "$top/cases" >cases
	while read -r scenario point who nth next; do
		one_case "$scenario" "$point" "$who" "$nth" "$next" </dev/null && continue
		# A void that nobody arranged may have brought that scenario there, or one rank's being faster than another: again, and where else it was reached.
		others=
		[ "$nth" -gt 1 ] || others="$scenario $(awk -v point="$point" '$2 == point { print $1 }' "$top/reached")"
		for other in $others; do
			one_case "$other" "$point" "$who" "$nth" - </dev/null && continue 2
		done
		echo "missed $scenario $point $who $nth $next" >>"$deaths"
	done <cases
	exit 0
fi

# --- what is there ------------------------------------------------------------------------------------------------------

top=$PWD
export SEAMARK_DIR="$PWD/run/checkpoints"
CRASH_LIST=1 "$conveyor" >names
[ "$(wc -l <names)" -gt 50 ] || fail "the library lists only $(wc -l <names) points"
twice=$(sort names | uniq -d)
[ -z "$twice" ] || fail "two points have one name: $twice"

what=undisturbed with=
live SEAMARK_OFF=1
[ "$status" -eq 0 ] || fail "the undisturbed run ended with $status"
mv result expected

# On a busy machine steps go on while checkpoints take long, and few are left for what is to come: such lives are repeated.
what="the first life" damaged=none
for again in 1 2 3 4 5; do
	rm -rf log run
	mkdir run
	live CRASH_LOG=log CRASH_AT=end-told CRASH_RANK=0 CRASH_NTH=3
	grep -q '^killed' log || continue
	sed -n 's/.*checkpoint 3 at step \([0-9]*\):.*/\1/p' "$out" | grep -q '^[1-9]\?[0-9]$' && break
done
find_newest
[ "$newest" -ge 3 ] || fail "there were no three checkpoints to begin with"
mv run/checkpoints prepared

# Whether a scenario's life, which nobody killed, met what the scenario is for.
was_met() {
	case $1 in
	stop) grep -q '^conveyor: stopped' "$out" ;;
	void | unnamed | unsynced) grep -q 'is void.*Input/output error' "$out" ;;
	damaged) grep -q 'cannot be used' "$out" ;;
	asked) [ ! -e "$SEAMARK_DIR/request" ] && grep -q 0000000000000001 "$SEAMARK_DIR/status" ;;
	*) grep -q 'committed in' "$out" ;;
	esac
}

for scenario in $scenarios; do
	what="$scenario, nobody killed"
	for again in 1 2 3 4 5; do
		set_scene "$scenario"
		rm -f log
		# shellcheck disable=SC2086 # words
		live $with CRASH_LOG=log
		[ "$status" -eq 0 ] || complain "the life ended with $status"
		from=$(sed -n 's/^conveyor: from checkpoint \([0-9]*\) .*/\1/p' "$out")
		[ "${from:-0}" -eq "$before" ] || complain "it is from checkpoint ${from:-0}, not from $before"
		grep -q '^conveyor: stopped' "$out" || cmp -s result expected || complain "the result differs from that of an undisturbed run"
		was_met "$scenario" && break
	done
	was_met "$scenario" || complain "five lives did not meet what the scenario is for"
	mv log "reached.$scenario"
done

# --- the cases ----------------------------------------------------------------------------------------------------------

# Lines: scenario, point, ranks that reach it; whether before a restart is over, and then the next point of the first of these ranks, or -.
for scenario in $scenarios; do
	awk -v scenario="$scenario" '
		{
			if (!($3 in ranks)) {
				order[++count] = $3
				first[$3] = $2
				early[$3] = !settled[$2]
			}
			ranks[$3] = ranks[$3] (ranks[$3] == "" ? "" : ",") $2
			if ($2 in last && !settled[$2] && first[last[$2]] == $2)
				after[last[$2]] = $3
			if ($3 == "restore-settled")
				settled[$2] = 1
			last[$2] = $3
		}
		END {
			for (i = 1; i <= count; i++) {
				point = order[i]
				print scenario, point, ranks[point], early[point], scenario == "restart" && point in after ? after[point] : "-"
			}
		}' "reached.$scenario"
done >reached

# A restart that meets leavings or damage has the points of one that does not, and something else happens between them.
awk -v how="$how" '{ again = how == "all" && $4 && ($1 == "leavings" || $1 == "damaged") } again || !($2 in done) { done[$2] = 1; print }' reached >chosen
while read -r scenario point ranks_there _ next; do
	if [ "$how" = all ]; then
		for who in $(echo "$ranks_there" | tr , ' ') all; do
			echo "$scenario $point $who 1 $next"
		done
		echo "$scenario $point ${ranks_there%%,*} 2 -"
	else
		draw "$(echo "$ranks_there" | tr , '\n' | wc -l)"
		[ "$next" = - ] || drawn=0 # the rank whose next point it is
		echo "$scenario $point $(echo "$ranks_there" | cut -d , -f $((drawn + 1))) 1 $next"
	fi
done <chosen | grep -E "^[a-z]+ [^ ]*(${5-})" >cases

# --- the kills ----------------------------------------------------------------------------------------------------------

hands=
trap 'kill $hands 2>/dev/null; end_all' EXIT
number=0
while [ "$number" -lt "$workers" ]; do
	CRASH_WORKERS=$workers sh "$script" "$shim" work "$wanted" "$seed" "$number" "$top" >"work.$number" 2>&1 &
	hands="$hands $!"
	number=$((number + 1))
done
failed=
for hand in $hands; do
	wait "$hand" || failed=1
done
hands=
[ -z "$failed" ] || {
	grep -v "^$test: seed $seed\$" work.* | sed 's/^work\.[0-9]*://'
	fail "see above"
}

# Who is killed in the moment in which the memory that the ranks of a file have in common has a name, leaves it: nobody keeps one for so long.
find /dev/shm -maxdepth 1 -name 'seamark-????????????????????????????????' -mmin +0.1 -delete

cat worker.*/deaths >deaths
# There may be no second time, and what one rank waits for another may not come to.
missed=$(grep -c '^missed.* 1 [^ ]*$' deaths)
sed -n 's/^killed [0-9]* \([^=]*\).*/\1/p' deaths | sort -u >killed
never=$(grep -E "${5-}" names | sort | comm -23 - killed)
[ -z "$never" ] || fail "nobody was killed at: $(echo "$never" | tr '\n' ' ')"
echo "$test: $(wc -l <names) points, $(wc -l <cases) cases on $wanted ranks, $(grep -c '^killed' deaths) ranks killed at a point: each restart was" \
	"from the newest checkpoint, each result is equal, bit for bit; $missed cases did not come to their point"
[ "$missed" -le $(($(wc -l <cases) / 10)) ] || fail "too many: $(grep '^missed.* 1 [^ ]*$' deaths | head -n 20)"
