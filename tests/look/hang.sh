#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# hang.sh PROGRAM RANKS NAME...: programs that hang, or only look so, with Seamark preloaded, one after the other. What `seamark explain` says of each is, at last, what
# expected/NAME has; of those that do not hang it says so from the beginning on, whenever it looks. BLESS=1 writes what is said after a while.
set -u
here=$(dirname "$0")
program=$1 ranks=$2
shift 2
seamark="$TEST_BUILD/apps/seamark"
launcher=
trap '[ -z "$launcher" ] || kill "$launcher"; wait' EXIT
trap 'exit 1' INT TERM HUP
patience=90

# What people are told, without times.
explain() {
	"$seamark" explain "$launcher" >said 2>complaints
	status=$?
	sed -e 's/, since [0-9: -]*[0-9]/, since THEN/' -e 's/, for at least [0-9.]* s/, for at least SOME TIME/' said
}

fail() {
	echo "FAILED: $name: $*"
	echo "--- last said, with status $status"
	cat now complaints
	echo "--- expected"
	cat "$here/expected/$name"
	echo "--- the program"
	cat log
	exit 1
}

hang() {
	name=$1 status=none
	SEAMARK_LOG=quiet "$MPIEXEC" -n "$ranks" env LD_PRELOAD="$TEST_BUILD/lib/libseamark.so" "$program" "$name" >log 2>&1 </dev/null &
	launcher=$!
	until=$(($(date +%s) + patience))
	if [ -n "${BLESS-}" ]; then
		sleep 10
		explain >"$here/expected/$name"
	fi
	while :; do
		explain >now
		if cmp -s now "$here/expected/$name"; then
			break
		fi
		grep -q '^Deadlock' now && grep -q '^No deadlock' "$here/expected/$name" && fail "there is no deadlock"
		kill -0 "$launcher" 2>/dev/null || fail "it has ended"
		[ "$(date +%s)" -lt "$until" ] || fail "not said in $patience s"
		sleep 0.2
	done
	case $(head -n 1 now) in
	Deadlock*) expected=1 ;;
	*) expected=0 ;;
	esac
	[ "$status" -eq $expected ] || fail "exit status $status"
	kill "$launcher"
	wait "$launcher" 2>/dev/null
	# Nothing is left that could be looked at, nor anything on the disk.
	until=$(($(date +%s) + 30))
	while "$seamark" explain "$launcher" >now 2>&1; [ $? -ne 3 ]; do
		[ "$(date +%s)" -lt $until ] || fail "it is still there"
		sleep 0.2
	done
	launcher=
	[ -z "$(find . -name 'look-*')" ] || fail "something was written"
	echo "$name: $(head -n 1 "$here/expected/$name")"
}

mkdir -p "$here/expected"
for name; do
	hang "$name"
done
