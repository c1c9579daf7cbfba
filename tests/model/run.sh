#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run.sh worlds|formulas|broken|deep SOURCE [name]: has spin look through worlds of the model, every state of each. docs/model.md says what they are.
# A world counts only if the search was complete; a broken model only if spin found an error.
set -u
what=$1 source=$2 only=${3-}
count=0 failed=0

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
	"${CC:-cc}" -O1 -w -DMEMLIM=3000 $3 -o pan pan.c || return 1
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

two="-DRANKS=2"
three="-DRANKS=3"
messages="-DWAVES=0 -DWHOLE=1"

case $what in
worlds)
	world waves $two -DSENDS=1 -DPENDING=1
	world waves-and-faults $two -DSENDS=0 -DPENDING=1 -DATTEMPTS=2 -DDOOMS=1 -DFAILS=1 -DEMPTIES=1 -DFINALIZE=1
	world messages $two $messages -DSENDS=2 -DPENDING=1
	world bases $two $messages -DSENDS=1 -DPENDING=1 -DATTEMPTS=2
	;;
formulas)
	formula every-snapshot-ends ends $two -DRING=1 -DPENDING=1 -DATTEMPTS=0 -DSAFEPOINTS=1 -DGHOSTS=0
	formula every-snapshot-ends-on-every-rank ends_here $two -DRING=1 -DPENDING=1 -DATTEMPTS=0 -DSAFEPOINTS=1 -DGHOSTS=0
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
	broken_formula OUTCOME_NOT_PASSED_ON ends_here $two -DRING=1 -DPENDING=1 -DATTEMPTS=0 -DSAFEPOINTS=1 -DGHOSTS=0
	broken_formula HELD_BACK goes_on $two -DRING=1 -DPENDING=1 -DATTEMPTS=0 -DSAFEPOINTS=1 -DGHOSTS=0
	;;
esac
echo "$((count - failed)) of $count"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]
