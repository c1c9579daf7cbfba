# SPDX-License-Identifier: BSD-3-Clause
# kill.sh: what the tests that kill programs have in common; sourced by them. A *life* is one start of mpirun. The
# oracle is the test's own.
#
# From the environment: TEST_BUILD, the build tree; MPIEXEC, mpirun. Everything is written into the working directory.
# shellcheck disable=SC2034,SC2154,SC2012 # variables that the tests set and use; names of our own making
set -u
: "${TEST_BUILD:?is not set: the build tree}" "${MPIEXEC:=mpirun}"
unset SEAMARK_RESTART SEAMARK_KEEP SEAMARK_EVERY SEAMARK_OFF SEAMARK_STOP_SIGNAL

# What killed lives leave behind outside of the working directory goes into folders that are removed at the end.
scratch=$(mktemp -d /tmp/kill.XXXXXX) || exit 1
shared=$(mktemp -d /dev/shm/kill.XXXXXX) || exit 1
export OMPI_MCA_orte_tmpdir_base="$scratch" OMPI_MCA_btl_vader_backing_directory="$shared"
mark="KILL_TEST=$$.$(date +%s%N)"
export "${mark?}"
started=
kills_all=0 kills_one=0 kills_mpirun=0 unborn=0

# Ends what this test has started and is still there: a process id may belong to somebody else by now, so it must
# carry the mark.
end_all() {
	for pid in $started; do
		if tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qx "$mark"; then
			kill -KILL "$pid" 2>/dev/null
		fi
	done
	rm -rf "$scratch" "$shared"
}
trap end_all EXIT
trap 'exit 1' INT TERM HUP

fail() {
	echo "$test: seed $seed: FAILED: $*"
	for file in $(ls -t life.*.out 2>/dev/null | head -n 3); do
		echo "--- $file"
		tail -n 30 "$file"
	done
	exit 1
}

now_ms() {
	now=$(($(date +%s%N) / 1000000))
}

# draw N: a number from 0 to N - 1 into $drawn; N at most 32768. The same sequence for the same $seed.
draw() {
	generator=$(((generator * 1103515245 + 12345) % 2147483648))
	drawn=$((generator / 65536 % $1))
}

seed_from() {
	seed=${1:-$(($(date +%s%N) / 1000 % 1000000000))}
	generator=$seed
	echo "$test: seed $seed"
}

nap_ms() {
	sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"
}

# begin_life RANKS COMMAND...: starts it in the background, writing to life.$life_number.out. A life that hangs is
# ended after two minutes.
life_number=0
begin_life() {
	life_number=$((life_number + 1))
	ranks_wanted=$1
	program=${2##*/}
	ranks=$1
	shift
	timeout -s KILL "${LIFE_LIMIT:-120}" "$MPIEXEC" -n "$ranks" "$@" >"life.$life_number.out" 2>&1 </dev/null &
	life=$!
	started="$started $life"
}

# The processes below $life: mpirun's into $launcher, the ranks' into $rank_pids. False if the life has ended
# before all were there.
find_ranks() {
	launcher="" rank_pids="" tries=0
	while [ "$tries" -lt 500 ]; do
		tree=$(sed -n 's/^\([0-9]*\) (\(.*\)) . \([0-9]*\) .*/\1 \3 \2/p' /proc/[0-9]*/stat 2>/dev/null |
			awk -v top="$life" -v program="$program" '
				{ parent[$1] = $2; name[$1] = $3 }
				END {
					for (pid in parent) {
						above = pid
						for (depth = 0; depth < 9 && (above in parent) && above != top; depth++)
							above = parent[above]
						if (above != top || pid == top)
							continue
						if (parent[pid] == top)
							print "launcher", pid
						if (name[pid] == substr(program, 1, 15))
							print "rank", pid
					}
				}')
		launcher=$(echo "$tree" | sed -n 's/^launcher //p')
		rank_pids=$(echo "$tree" | sed -n 's/^rank //p' | tr '\n' ' ')
		if [ "$(echo "$rank_pids" | wc -w)" -eq "$ranks_wanted" ]; then
			started="$started $launcher $rank_pids"
			first_rank=${rank_pids%% *}
			return 0
		fi
		[ -d "/proc/$life" ] || return 1
		case $(sed -n 's/^.*) \(.\) .*/\1/p' "/proc/$life/stat" 2>/dev/null) in Z | "") return 1 ;; esac
		tries=$((tries + 1))
		sleep 0.01
	done
	return 1
}

# kill_now KIND: SIGKILL for all ranks (0), one of them (1) or mpirun itself (2).
kill_now() {
	case $1 in
	0)
		# shellcheck disable=SC2086 # one word for each process
		kill -KILL $rank_pids 2>/dev/null || return 1
		kills_all=$((kills_all + 1))
		;;
	1)
		draw "$ranks_wanted"
		victim=$(echo "$rank_pids" | cut -d ' ' -f $((drawn + 1)))
		kill -KILL "$victim" 2>/dev/null || return 1
		kills_one=$((kills_one + 1))
		;;
	2)
		kill -KILL "$launcher" 2>/dev/null || return 1
		kills_mpirun=$((kills_mpirun + 1))
		;;
	esac
}

# The newest folder of a checkpoint into $newest; true if it has no manifest yet. No process is made: this has to
# be quick.
newest_is_unborn() {
	newest=
	for folder in "$SEAMARK_DIR"/*.L*; do
		newest=$folder
	done
	[ -d "$newest" ] && [ ! -e "$newest/manifest.json" ]
}

# Kills the life DELAY_MS after its ranks are there; with UNBORN (1) not before the newest folder has no manifest.
# False if the life has ended before.
kill_life() {
	find_ranks || return 1
	draw 3
	kind=$drawn
	nap_ms "$1"
	if [ "$2" = 1 ]; then
		until newest_is_unborn; do
			[ -d "/proc/$first_rank" ] || return 1
		done
	fi
	[ -d "/proc/$first_rank" ] || return 1
	kill_now "$kind" || return 1
	if [ "$2" = 1 ] && [ -d "$newest" ] && [ ! -e "$newest/manifest.json" ]; then
		unborn=$((unborn + 1))
	fi
	return 0
}

# The life's end; its exit status into $status.
end_life() {
	wait "$life"
	status=$?
	[ "$status" -ne 137 ] || fail "life $life_number hung, or was killed by somebody else"
}

tell_kills() {
	echo "$test: $((kills_all + kills_one + kills_mpirun)) kills: all ranks $kills_all, one rank $kills_one, mpirun $kills_mpirun;" \
		"$unborn of them while the newest folder had no manifest"
}
