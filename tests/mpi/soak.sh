#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# soak.sh PROGRAM event|step COMMITS RANKS EVERY: thousands of snapshots in one run. Every one is committed or void with a reason, and never are more
# than 5 attempts in a row void for a matter of timing. Attempts and commits are shown.
set -eu
program=$1 kind=$2 commits=$3 ranks=$4 every=$5
SEAMARK_EVERY=$every SEAMARK_DIR=soak.smk "$MPIEXEC" -n "$ranks" "$program" "$kind" "$commits" >soak.out 2>soak.log || {
	status=$?
	tail -n 20 soak.log soak.out
	echo "soak $kind on $ranks ranks: exit status $status"
	exit 1
}
cat soak.out
awk -v kind="$kind" -v ranks="$ranks" -v wanted="$commits" '
	/seamark: checkpoint [0-9]+.*committed in/ { commits++; attempts++; row = 0; next }
	/seamark: checkpoint [0-9]+ is void: / {
		attempts++
		reason = $0; sub(/^.*is void: /, "", reason); sub(/ \(.*$/, "", reason); sub(/;.*$/, "", reason)
		if (reason == "") { print "void without a reason: " $0; bad = 1 }
		if ($0 !~ /tried again|scheduled|MPI_Finalize/) { print "no word of what follows: " $0; bad = 1 }
		voids[reason]++
		if (++row > worst) worst = row
	}
	END {
		printf "%s on %d ranks: %d attempts, %d commits, at most %d void in a row\n", kind, ranks, attempts, commits, worst
		for (reason in voids) printf "  %d void: %s\n", voids[reason], reason
		if (commits < wanted) { print "too few commits"; bad = 1 }
		if (worst > 5) { print "more than 5 void in a row"; bad = 1 }
		exit bad
	}' soak.log
