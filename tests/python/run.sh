#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run.sh PYTHON GROUP: the module seamark under mpi4py. Works in an empty folder; $MPIEXEC is mpirun, $LIBRARY the file libseamark.so.
set -u
python=$1 group=$2
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH=$(dirname "$LIBRARY")/python
PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE

fail() {
	echo "FAILED: $*"
	tail -n 30 out err
	exit 1
}

# run RANKS PROGRAM ARGUMENTS...: its exit status into $status.
run() {
	ranks=$1 program=$2
	shift 2
	"$MPIEXEC" -n "$ranks" ${preload:-} "$python" "$here/$program.py" "$@" >out 2>err </dev/null
	status=$?
}

right() {
	run "$@"
	[ "$status" -eq 0 ] || fail "$*: exit status $status"
}

case $group in
module)
	right 1 module late
	right 1 module early
	right 1 module regions
	for way in finalize end; do
		rm -rf seamark
		right 1 module exit $way
		grep -q 'committed in' err || fail "no checkpoint in MPI_Finalize"
		right 1 module after
		right 1 module broken
	done
	;;
plate) # Killed, stopped, and gone on, by preload and by import: the same plate as without all that.
	level=$3
	shift 3
	for ranks; do
		rm -rf seamark
		export SEAMARK_EVERY="7 steps"
		preload="env LD_PRELOAD=$LIBRARY"
		run "$ranks" plate forever "$level" kill
		[ "$status" -ne 0 ] || fail "it was not killed"
		preload=
		touch seamark/stop
		right "$ranks" plate forever "$level"
		grep -q 'restored from checkpoint' err && grep -q '^stopped' out || fail "it does not go on and stop"
		steps=$(($(sed -n 's/.*checkpoint [0-9]* at step \([0-9]*\):.*committed in.*/\1/p' err | tail -n 1) + 20))
		right "$ranks" plate "$steps" "$level"
		grep -q '^from step [1-9]' out || fail "it does not go on after the stop"
		grep '^plate' out >plate || fail "no plate"
		SEAMARK_OFF=1 right "$ranks" plate "$steps" "$level"
		grep '^plate' out | cmp -s - plate || fail "another plate on $ranks ranks"
	done
	;;
bank) # Killed with pickled messages in flight: no money lost.
	level=$3 probe=$4
	export SEAMARK_EVERY=20ms
	run 4 bank forever "$level" "$probe" kill
	[ "$status" -ne 0 ] || fail "it was not killed"
	grep -q ' [1-9][0-9]* messages in flight.*committed in' err || fail "no message was ever in flight"
	right 4 bank 1000 "$level" "$probe"
	grep -q '^goes on' out || fail "it does not go on after the kill"
	grep -q '^total 4000$' out || fail "another total"
	;;
*)
	fail "no group '$group'"
	;;
esac
