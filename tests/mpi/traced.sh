#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# traced.sh: a bank on three and on four branches, traced: what the traces tell is what the checkpoints hold, for committed snapshots and for void ones, and the program's result is what it is without.
set -u
bank="$TEST_BUILD/apps/bank"
program=$bank
# shellcheck source-path=SCRIPTDIR source=apps.sh
. "$(dirname "$0")/apps.sh"
here=$(cd "$(dirname "$0")" && pwd)
seamark="$TEST_BUILD/apps/seamark"

export SEAMARK_KEEP=all
for ranks in 3 4; do
	export SEAMARK_DIR=traced-$ranks
	SEAMARK_TRACE=160KiB run "$ranks" --checkpoints 3 --every 1500 --seed "$ranks"
	[ "$status" -eq 0 ] || fail "status $status"
	grep -q ': right$' out || fail "the money is not there"
	python3 "$here/traced.py" "$seamark" "traced-$ranks" 3 || fail "a trace is wrong"
done

# Where all end before the last snapshot, that is void. A little memory: what is left out is counted, and nothing that is told is wrong.
export SEAMARK_DIR=little
SEAMARK_TRACE=64KiB run 3 --transfers 2000 --every 2000 --seed 5
[ "$status" -eq 0 ] || fail "status $status"
grep ': right$' out >with
python3 "$here/traced.py" "$seamark" little 0 || fail "a trace in little memory is wrong"
export SEAMARK_DIR=plain
run 3 --transfers 2000 --every 2000 --seed 5
grep ': right$' out | cmp -s - with || fail "the result is another one without a trace"
[ ! -e plain/trace ] || fail "there is a trace that nobody asked for"

# A disk that takes no trace harms nobody.
export SEAMARK_DIR=refused
mkdir refused && : >refused/trace
SEAMARK_TRACE=1 run 3 --transfers 1000 --every 1000 --seed 6
[ "$status" -eq 0 ] || fail "status $status where no trace can be written"
grep -q 'a trace is not kept' err out || fail "nobody said that no trace is kept"
"$bank" --audit refused >out 2>err || fail "checkpoints without traces are wrong"
