# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: BSD-3-Clause
# What tests of `seamark run` begin with: heat under it, in the background, and the result that it must come to. Sourced in the test's own folder.
set -u
command="$TEST_BUILD/apps/seamark" heat="$TEST_BUILD/apps/heat"
launch="$MPIEXEC -n 3"
arguments="--size ${size:-240} --steps ${steps:-700} --every 0" pause=3
export SEAMARK_DIR="$PWD/checkpoints" SEAMARK_EVERY=70ms
supervisor=
trap '[ -z "$supervisor" ] || kill -KILL "$supervisor" 2>/dev/null' EXIT
trap 'exit 1' INT TERM HUP

fail() {
	echo "FAILED: $case: $*"
	cat err
	exit 1
}

# begin CASE OPTIONS...: the supervisor in the background, on a fresh folder.
begin() {
	case=$1
	shift
	rm -rf "$SEAMARK_DIR" field.raw
	go_on "$@"
}

# shellcheck disable=SC2086 # words without blanks
go_on() {
	: >err # or lines of the run before would be read
	"$command" run --backoff 0.1 "$@" -- $launch "$heat" $arguments --pause-ms "$pause" --dump field.raw >out 2>err </dev/null &
	supervisor=$!
}

# until_line N PATTERN: that many lines of the account.
until_line() {
	tries=0
	while [ "$(grep -c "$2" err)" -lt "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || fail "no $1 lines '$2'"
		kill -0 "$supervisor" 2>/dev/null || [ "$(grep -c "$2" err)" -ge "$1" ] || fail "it ended before $1 lines '$2'"
		sleep 0.05
	done
}

# ends WITH: waits for it.
ends() {
	wait "$supervisor"
	status=$?
	supervisor=
	[ "$status" -eq "$1" ] || fail "status $status, not $1"
}

says() {
	grep -q "$1" err || fail "it does not say '$1'"
}

same() {
	cmp -s undisturbed.raw field.raw || fail "another result"
}

# A rank of this folder's run, whoever started it.
kill_rank() {
	for process in $(pgrep -x heat); do
		tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | grep -qx "SEAMARK_DIR=$SEAMARK_DIR" || continue
		tr '\0' '\n' <"/proc/$process/environ" | grep -q "^\(OMPI_COMM_WORLD_RANK\|PMI_RANK\)=$1\$" && kill -KILL "$process" && return
	done
	fail "there is no rank $1 to kill"
}

# shellcheck disable=SC2086
SEAMARK_OFF=1 $launch "$heat" $arguments --dump undisturbed.raw >/dev/null 2>err || { case=undisturbed; fail "heat ends with $?"; }
