# shellcheck shell=sh disable=SC2034,SC2154 # variables that the tests set and use
# SPDX-License-Identifier: BSD-3-Clause
# conveyor.sh: what the tests that run the conveyor share; sourced by them after kill.sh.
conveyor="$TEST_BUILD/tests/fault/conveyor" command="$TEST_BUILD/apps/seamark"
damaged=none

# live NAME=VALUE...: a life on $wanted ranks to its end; its status into $status, and what it said is in $out.
live() {
	begin_life "$wanted" env "$@" "$conveyor" $steps result
	wait "$life"
	status=$?
	out=life.$life_number.out
}

# The number of the newest checkpoint with a manifest, but for $damaged, into $newest; 0: none.
find_newest() {
	newest=0
	for manifest in "$SEAMARK_DIR"/*.L*/manifest.json; do
		[ -e "$manifest" ] || continue
		number=${manifest#"$SEAMARK_DIR"/}
		number=$(echo "${number%%.L*}" | sed 's/^0*//')
		[ "$number" = "$damaged" ] || [ "$number" -le "$newest" ] || newest=$number
	done
}
