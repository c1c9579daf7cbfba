#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run.sh worlds|formulas|broken|deep SOURCE [name]: has spin look through worlds of the model, every state of each. docs/model.md says what they are.
# run.sh traces SOURCE SIM FIRST LAST: has it follow the simulator's traces of these seeds; and, first, refuse a trace that was tampered with.
# A world counts only if the search was complete; a broken model only if spin found an error.
set -u
what=$1 source=$2 only=${3-}
count=0 failed=0
[ "$what" = traces ] && only=

fail() {
	echo "FAILED: $1"
	[ -f pan.log ] && tail -n 25 pan.log
	failed=$((failed + 1))
}

# make_pan NAME "world" "how": in a folder of its own
make_pan() {
	rm -rf "$1" && mkdir "$1" && cd "$1" || exit 1
	# shellcheck disable=SC2086
	spin -a $2 "$source/protocol.pml" >spin.log 2>&1 || { cat spin.log; return 1; }
	# shellcheck disable=SC2086
	"${CC:-cc}" "$optimize" -w -DMEMLIM=6000 $3 -o pan pan.c || return 1
}

is_complete() {
	grep -q 'errors: 0$' pan.log && ! grep -qE 'Search not completed|max search depth too small|out of memory|not all' pan.log
}

tell() {
	echo "$1: $(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1 states/p' pan.log | head -n 1), $(sed -n 's/^pan: elapsed time \(.*\) seconds$/\1 s/p' pan.log)"
}

# world NAME flags...: every state is right
world() {
	name=$1
	shift
	[ -z "$only" ] || [ "$only" = "$name" ] || return
	count=$((count + 1))
	make_pan "$name" "$*" "-DSAFETY -DNOCLAIM" && { ./pan -m200000 -w22 >pan.log 2>&1; tell "$name $*"; is_complete; } || fail "$name"
	cd ..
}

# formula NAME LTL flags...: it holds, with weak fairness
formula() {
	name=$1 formula=$2
	shift 2
	[ -z "$only" ] || [ "$only" = "$name" ] || return
	count=$((count + 1))
	make_pan "$name" "$*" "-DNFAIR=4" && { ./pan -a -f -N "$formula" -m400000 -w22 >pan.log 2>&1; tell "$name $*"; is_complete; } || fail "$name"
	cd ..
}

# broken MISTAKE flags...: spin finds an error
broken() {
	name=$1
	shift
	[ -z "$only" ] || [ "$only" = "$name" ] || return
	count=$((count + 1))
	make_pan "$name" "-DBROKEN_$name $*" "-DSAFETY -DNOCLAIM" && { ./pan -m200000 -w20 >pan.log 2>&1; tell "$name"; grep -q 'errors: 1$' pan.log; } ||
		fail "$name was not found"
	sed -n 's/^pan:1: \(.*\)/	\1/p' pan.log
	cd ..
}

broken_formula() {
	name=$1 formula=$2
	shift 2
	[ -z "$only" ] || [ "$only" = "$name" ] || return
	count=$((count + 1))
	make_pan "$name" "-DBROKEN_$name $*" "-DNFAIR=4" && { ./pan -a -f -N "$formula" -m200000 -w20 >pan.log 2>&1; tell "$name"; grep -q 'errors: 1$' pan.log; } ||
		fail "$name was not found"
	sed -n 's/^pan:1: \(.*\)/	\1/p' pan.log
	cd ..
}

# trace RANKS sim's options...: events.txt. 3: the trace has what the model has not.
trace() {
	ranks=$1
	shift
	"$sim" "$@" --ranks "$ranks" --lives 0 --drill 0 --die 0 --trace >trace.txt || { echo "sim $*"; return 1; }
	python3 "$source/follow.py" "$ranks" 8 <trace.txt >events.txt
}

# What spin says of events.txt
is_followed() {
	MODEL_TRACE=events.txt "./follow$ranks/pan" -m1000000 -w16 >pan.log 2>&1
	is_complete
}

follow() {
	trace "$@"
	status=$?
	[ $status -eq 3 ] && { skipped=$((skipped + 1)); return; }
	count=$((count + 1))
	[ $status -eq 0 ] && is_followed && return
	fail "sim of $*"
	at=$(sed -n 's/^followed \([0-9]*\) of.*/\1/p' pan.log)
	[ -n "$at" ] && echo "the model cannot follow: $(sed -n "$((at + 1))p" events.txt)"
}

# tamper WHAT awk: a trace that is followed is not followed any more. done: set by the change
tamper() {
	count=$((count + 1))
	trace 3 --seed 3 --calm --program bank --length 6 || { fail "no trace"; return; }
	is_followed || { fail "the trace itself is not followed"; return; }
	awk "$2" events.txt >tampered.txt
	cmp -s events.txt tampered.txt && { fail "nothing was changed: $1"; return; }
	mv tampered.txt events.txt
	is_followed && fail "not refused: $1"
	echo "refused at $(sed -n 's/^followed \(.*\)/\1/p' pan.log): $1"
}

two="-DRANKS=2"
three="-DRANKS=3"
messages="-DWAVES=0 -DWHOLE=1"

case $what in broken) optimize=-O0 ;; *) optimize=-O1 ;; esac
case $what in
deep)
	formula every-snapshot-ends-on-every-rank ends_here $two -DRING=1 -DPENDING=1 -DATTEMPTS=0 -DSAFEPOINTS=1 -DGHOSTS=0
	world cuts-of-three -DRANKS=3 $messages -DSENDS=0 -DPENDING=1
	world waves-of-three -DRANKS=3 -DSENDS=0 -DPENDING=1
	world two-snapshots $two -DSENDS=1 -DPENDING=1 -DATTEMPTS=2 -DBUSY=1
	;;
worlds)
	world waves $two -DSENDS=1 -DPENDING=1
	world waves-and-faults $two -DSENDS=0 -DPENDING=1 -DATTEMPTS=2 -DDOOMS=1 -DFAILS=1 -DEMPTIES=1 -DFINALIZE=1
	world messages $two $messages -DSENDS=2 -DPENDING=1
	world wildcards $two $messages -DSENDS=1 -DPENDING=2 -DTAGS=1 -DWILDCARDS=1
	world synchronous $two $messages -DSENDS=1 -DPENDING=1 -DSYNCHRONOUS=1
	world collectives $two $messages -DSENDS=1 -DPENDING=1 -DCOLLECTIVES=1
	world bases $two $messages -DSENDS=1 -DPENDING=1 -DATTEMPTS=2
	;;
formulas)
	formula every-snapshot-ends ends $two -DRING=1 -DPENDING=1 -DATTEMPTS=0 -DSAFEPOINTS=1 -DGHOSTS=0
	formula no-rank-is-blocked goes_on $two -DRING=1 -DPENDING=1 -DATTEMPTS=0 -DSAFEPOINTS=1 -DGHOSTS=0
	;;
broken)
	broken CAPTURE_APART $two $messages -DSENDS=1 -DPENDING=1
	broken ORPHAN_IGNORED $two $messages -DSENDS=1 -DPENDING=1
	broken UNSURE_DROPPED $two $messages -DSENDS=1 -DPENDING=1
	broken RECORDED_TWICE $two $messages -DSENDS=1 -DPENDING=1
	broken MAIL_NOT_RECORDED_AGAIN $two $messages -DSENDS=1 -DPENDING=1 -DATTEMPTS=2
	broken BASE_MOVED_AT_ONE_END $two $messages -DSENDS=2 -DPENDING=1 -DATTEMPTS=2
	broken BARRIER_BEFORE_MARKERS $two $messages -DSENDS=1 -DPENDING=1
	broken ABSENT_BEFORE_MATCHED_ARE_TAKEN $two $messages -DSENDS=1 -DPENDING=1
	broken VERDICT_BEFORE_CLOSED $two $messages -DSENDS=1 -DPENDING=1
	broken VOID_NOT_SAID $two $messages -DSENDS=1 -DPENDING=1
	broken POSITION_BY_SEEING $two $messages -DSENDS=2 -DPENDING=2
	broken LEARN_SHIFTS_NOTHING $two $messages -DSENDS=2 -DPENDING=2 -DWILDCARDS=1
	broken ALWAYS_FINAL $two $messages -DSENDS=2 -DPENDING=2 -DWILDCARDS=1
	broken DRAINED_ALTHOUGH_AWAITED $two $messages -DSENDS=2 -DPENDING=2 -DWILDCARDS=1
	broken DRAINED_WHERE_NOTHING_IS_OWED $two $messages -DSENDS=2 -DPENDING=1
	broken TWO_AT_ONCE $two -DSENDS=0 -DPENDING=1 -DATTEMPTS=2
	broken EARLY_OUTCOME_FORGOTTEN $two -DSENDS=0 -DPENDING=1
	broken OUTCOME_NOT_PASSED_ON $two -DSENDS=0 -DPENDING=1
	broken COLLECTIVES_NOT_SUMMED $two $messages -DSENDS=0 -DPENDING=1 -DCOLLECTIVES=1
	broken SYNCHRONOUS_NEWS_IGNORED $two $messages -DSENDS=1 -DPENDING=1 -DSYNCHRONOUS=1
	broken NO_ANSWER_AFTER_THE_CUT $two -DSENDS=0 -DPENDING=1 -DBUSY=1 -DDOOMS=2
	broken_formula NO_ANSWER_AFTER_THE_CUT ends $two -DRING=1 -DPENDING=1 -DATTEMPTS=0 -DSAFEPOINTS=1 -DGHOSTS=0 -DBUSY=1 -DDOOMS=2
	broken_formula HELD_BACK goes_on $two -DRING=1 -DPENDING=1 -DATTEMPTS=0 -DSAFEPOINTS=1 -DGHOSTS=0
	;;
traces)
	sim=$3 first=$4 last=$5
	for ranks in 2 3; do
		make_pan "follow$ranks" "-DTRACE=1 -DGHOSTS=0 -DRANKS=$ranks -DTAGS=16 -DCOMM_TAGS=8 -DPENDING=16 -DUNSURE=32 -DLANE=8 -DATTEMPTS=250
			-DWILDCARDS=1 -DBUSY=1" "-DSAFETY -DNOREDUCE -DVECTORSZ=16384" || { fail "cannot build"; exit 1; }
		cd ..
	done
	tamper "the first message is never sent" '$1 == 2 && !done++ { next } { print }'
	tamper "a receive gets another message" '$1 == 4 && !done++ { $5++ } { print }'
	tamper "a message is told that was not matched" '$1 == 4 && !done++ { next } { print }'
	tamper "a receive is posted after the next one" '$1 == 3 && !done++ { kept = $0; next } { print } $1 == 3 && kept { print kept; kept = "" }'
	tamper "a rank does not cut" '$1 == 18 && !done++ { next } { print }'
	tamper "a void cut passes for one that is not" '$1 == 18 && !done++ { $4 = 1 - $4 } { print }'
	tamper "a marker is not sent" '$1 == 19 && !done++ { next } { print }'
	tamper "counts are not taken in" '$1 == 17 && !done++ { next } { print }'
	tamper "a barrier is complete before all are in it" '$1 == 20 { held = held $0 "\n"; next } { print } $1 == 21 && !done++ { printf "%s", held; held = "" }'
	tamper "one message too many is recorded" '$1 == 30 && !done++ { $6++ } { print }'
	tamper "a count is wrong by one" '$1 == 30 && !done++ { $4++ } { print }'
	tamper "a channel is called open" '$1 == 24 && !done++ { $4 = 1 - $4 } { print }'
	tamper "nobody learns of the verdict" '$1 == 25 && !done++ { next } { print }'
	tamper "a commit passes for a void" '$1 == 27 && $4 == 1 && !done++ { $4 = 0 } { print }'
	tamper "an orphan where there was none" '$1 == 24 && !done++ { print 28, $2, 1, 0, 0, 0; $3 = 1 } { print }'
	seed=$first skipped=0
	while [ "$seed" -le "$last" ]; do
		# Every other with whatever the seed draws of faults.
		case $((seed % 4)) in 0 | 1) calm="--calm --fail 10" ;; *) calm= ;; esac
		# shellcheck disable=SC2086
		follow $((2 + seed % 2)) --seed "$seed" $calm --length 4
		seed=$((seed + 1))
	done
	echo "$skipped traces with what the model has not were left out"
	[ "$count" -gt "$skipped" ] || failed=$((failed + 1))
	;;
esac
echo "$((count - failed)) of $count"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]
