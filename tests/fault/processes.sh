# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# What tests ask of processes: for others to read in.

# All processes that came of one, itself among them.
all_of() {
	tree=$1 found=$1
	while [ -n "$found" ]; do
		next=
		for one in $found; do
			next="$next $(cat /proc/"$one"/task/*/children 2>/dev/null)"
		done
		found=$(echo $next)
		tree="$tree $found"
	done
	echo $tree
}
