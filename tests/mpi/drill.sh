#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# drill.sh right|stolen|changed|bounded RANKS DRILL COMMAND...: a program under drill. Its exit status is its own, and 0; the drills find what they should
# find, and nothing else; and, where `same` is in the environment, what it says (lines with that word) is what it says without Seamark.
set -u
what=$1 ranks=$2 drill=$3
shift 3

fail() {
	echo "FAILED: $*"
	tail -n 30 out err
	exit 1
}

if [ -n "${same-}" ]; then
	SEAMARK_DIR=native.smk SEAMARK_OFF=1 "$MPIEXEC" -n "$ranks" "$@" >native 2>err || fail "without Seamark it ends with $?"
	grep -q "$same" native || fail "without Seamark it does not say '$same'"
fi
SEAMARK_DRILL=$drill SEAMARK_DIR=${folder-drill.smk} "$MPIEXEC" -n "$ranks" "$@" >out 2>err || fail "exit status $?"
grep 'seamark.*drill' err
if [ -n "${same-}" ]; then
	grep "$same" native >is
	grep "$same" out >was
	cmp is was || fail "it has another result under drill"
fi
case $what in
right | bounded)
	grep -q 'drill: WRONG' err && fail "something is wrong"
	grep -q 'drill: [1-9][0-9]* cuts.*; nothing wrong$' err || fail "no drill was made"
	;;
stolen) grep -q "drill: WRONG: rank $((ranks - 1)), messages from rank 0 with tag 3 .* never came" err || fail "what was stolen is not missed" ;;
changed) grep -q "drill: WRONG: rank $((ranks - 1)), messages from rank 0 with tag 3 .*; received it has" err || fail "what was changed is not found" ;;
esac
case $what in
stolen | changed) grep -q 'drill: [0-9]* cuts.*; [1-9][0-9]* WRONG$' err || fail "the last line does not say so" ;;
esac
if [ "$what" = bounded ]; then
	grown=$(sed -n 's/^grown by \(.*\) KiB$/\1/p' out)
	[ "$grown" -lt 512 ] || fail "it has grown by $grown KiB"
fi
if [ -n "${SEAMARK_EVERY-}" ]; then
	grep -q 'seamark: checkpoint [0-9]*.*committed in' err || fail "no checkpoint beside the drills"
	SEAMARK_DIR=${folder-drill.smk} "$TEST_BUILD/apps/seamark" verify >verified 2>&1 || fail "a checkpoint is wrong: $(cat verified)"
fi
exit 0
