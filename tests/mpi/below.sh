#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# below.sh SAVED RANKS COMMAND...: below.c, or a program like it, two lives. SAVED is the number of messages in flight that the checkpoint must have,
# "unable REASON" if there can be none, "unsaved" if Seamark does nothing, or "unwrapped" if it sees nothing. SAID, from the environment: a line that the last life says.
set -u
saved=$1 ranks=$2
shift 2

die() {
	echo "FAILED: $*"
	cat out err
	exit 1
}

# life STATUS COMMAND...: a hang is a failure.
life() {
	wanted=$1
	shift
	timeout -k 5 60 "$MPIEXEC" -n "$ranks" "$@" >out 2>err </dev/null
	status=$?
	[ "$status" -eq "$wanted" ] || die "exit status $status, not $wanted"
}

# says PATTERN
says() {
	grep -q -- "$1" err out || die "no line matches '$1'"
}

export SEAMARK_DIR="checkpoints"
case $saved in
unable*)
	life 0 "$@"
	says "is void: the program does what cannot be saved (.*${saved#unable }"
	;;
unsaved)
	life 0 "$@"
	[ ! -e "$SEAMARK_DIR" ] || die "there is a folder"
	;;
unwrapped)
	life 0 "$@"
	says "MPI calls do not pass through Seamark: .*statically"
	[ ! -e "$SEAMARK_DIR" ] || die "there is a folder"
	;;
*)
	life 9 "$@"
	# Of the folder: a launcher that ends all ranks may not pass on their last lines.
	"$TEST_BUILD/apps/seamark" list --dir "$SEAMARK_DIR" --json >listed || die "the checkpoints cannot be listed"
	grep -q "\"messages\": $saved," listed || die "there are not $saved messages in flight: $(cat listed)"
	life 0 "$@"
	says 'restored from checkpoint'
	;;
esac
says '^all [0-9]* messages came'
[ -z "${SAID-}" ] || says "$SAID"
