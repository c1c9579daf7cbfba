#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# away.sh PROGRAM REFUSE: ranks that have died are told of, and those that only cannot be seen are not taken for dead; where memory may not be read, or the program is another user's, it
# is said what to do. On three ranks.
set -u
program=$1 refuse=$2
seamark="$TEST_BUILD/apps/seamark"
launcher='' keeper=''
# shellcheck disable=SC2086
trap '[ -z "$keeper" ] || kill -CONT $keeper 2>/dev/null; [ -z "$launcher" ] || kill $launcher 2>/dev/null; wait' EXIT
trap 'exit 1' INT TERM HUP
until=$(($(date +%s) + 240))

fail() {
	echo "FAILED: $*"
	cat said log
	exit 1
}

start() {
	SEAMARK_DIR="$PWD/checkpoints" SEAMARK_LOG=quiet "$MPIEXEC" -n 3 env LD_PRELOAD="$TEST_BUILD/lib/libseamark.so" "$program" "$1" >log 2>&1 </dev/null &
	launcher=$!
}

stop() {
	kill "$launcher"
	wait "$launcher" 2>/dev/null
	launcher=
}

# until_said PATTERN COMMAND...: until its output has such a line; never a deadlock before, unless that is what is waited for.
until_said() {
	pattern=$1
	shift
	while "$@" >said 2>&1; ! grep -q -e "$pattern" said; do
		! grep -q '^Deadlock' said || fail "there is no deadlock"
		[ "$(date +%s)" -lt "$until" ] || fail "not said in time: $pattern"
		kill -0 "$launcher" 2>/dev/null || fail "it has ended"
		sleep 0.2
	done
}

# A rank is killed, and whoever started it is kept from noticing.
start quiet
until_said '^No deadlock: rank 1 runs, and 2 wait' "$seamark" explain "$launcher"
victim=$("$seamark" snapshot --look -o - "$launcher" | tr -d ' ,' | awk -F: '/"rank"/ { rank = $2 } /"pid"/ && rank == 1 { print $2; exit }')
keeper=$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$victim/stat")
kill -STOP "$keeper"
kill -KILL "$victim"
until_said '^Deadlock: ranks 0 and 2 can never go on: rank 1 is gone' "$seamark" explain "$launcher"
"$seamark" explain "$launcher" >said 2>&1
[ $? -eq 1 ] || fail "another exit status"
grep -q '^  rank 1 is gone' said || fail "it does not say who is gone"
kill -CONT "$keeper"
keeper=
stop

# It is there, but is not seen.
start hidden
until_said '^It cannot be said: rank 1 was not looked at' "$seamark" explain "$launcher"
stop

# Memory that may not be read. The calls are told, as far as they are known.
start missed
until_said '^Deadlock' "$seamark" explain "$launcher"
until_said '^It cannot be said: the counts of ranks 0 to 2 could not be read: its memory may not be read (process_vm_readv: Operation not permitted).*SYS_PTRACE' \
	"$refuse" "$seamark" explain "$launcher"
grep -q '^  rank 0 was in MPI_Barrier when looked at' said || fail "it does not say where rank 0 is"
grep -q '^  rank 1: MPI_Recv from rank 0, tag 7, since' said || fail "it does not say where rank 1 is"
"$refuse" "$seamark" explain "$launcher" >said 2>&1 || fail "another exit status"
"$refuse" "$seamark" snapshot --look -o refused.json "$launcher" >said 2>&1 || fail "no look"
"$seamark" explain refused.json >said 2>&1
grep -q '^It cannot be said: the counts of ranks 0 to 2' said || fail "nothing is said of the look"
# Another user.
if [ "$(id -u)" -eq 0 ]; then
	# Nobody may be able to reach the build.
	place=$(mktemp -d /tmp/seamark-other.XXXXXX)
	cp "$seamark" "$TEST_BUILD"/lib/libseamark-files.so* "$place"
	chmod -R a+rX "$place"
	setpriv --reuid=65534 --regid=65534 --clear-groups env LD_LIBRARY_PATH="$place" "$place/seamark" explain "$launcher" >said 2>&1
	status=$?
	rm -rf "$place"
	[ $status -eq 3 ] || fail "another user: exit status $status"
	grep -q 'no program with Seamark that you may look at runs on this node' said || fail "another user is told something else"
fi
stop
echo "away: right of those that are gone, hidden, and not to be read"
