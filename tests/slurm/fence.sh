#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# fence.sh: nodes that are cut off, frozen, or without space. Four jobs at a time:
#   a  heat by mpirun on one node, whose link is cut. The job is queued again and starts elsewhere, while its first life computes on, in the same folder: all nodes share the file system. The new one takes
#      the place of the old one, which ends itself with status 76 and is not restarted by its supervisor.
#   b  queens by srun on two nodes: the one without rank 0 is frozen and its link cut. When it thaws, the job goes on elsewhere, and its rank ends itself.
#   c  heat on a node that is frozen for some seconds: nothing happens.
#   d  heat whose folder's disk is full for a while: attempts are void, and with space again there are checkpoints again.
# Links are healed after that. Each job ends with the result of an undisturbed run, and what is in the folders verifies.
test=fence
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
arguments="--size 200 --steps 400 --every 0"
unset SEAMARK_OWNER SEAMARK_START

# shellcheck disable=SC2086 # words without blanks
undisturbed 2 $arguments
CLUSTER_CPUS=8 lab_up 4

# The first life is slow, so that it is still there when it is cut off. A requeued one has no need to be.
job_file() { # NAME EVERY COMMAND
	cat >"job.$1" <<END
#!/bin/sh
export SEAMARK_DIR="$PWD/$1" SEAMARK_EVERY=$2
pause=200
[ -z "\${SLURM_RESTART_COUNT-}" ] || pause=0
exec "$command" run --backoff 1 -- $3
END
}

number_of() { # n3
	echo "${1#n}"
}

gone_from() { # NODE PROGRAM SECONDS
	looks=$(($3 * 5))
	while :; do
		there=
		for one in $(lab pids "$(number_of "$1")"); do
			[ "$(cat "/proc/$one/comm" 2>/dev/null)" != "$2" ] || there=$one
		done
		[ -n "$there" ] || return 0
		looks=$((looks - 1))
		[ "$looks" -gt 0 ] || fail "$2 still runs on $1"
		sleep 0.2
	done
}

cut_off() { # NODE
	lab link-down "$(number_of "$1")"
	on_head scontrol update nodename="$1" state=down reason=cut
}

# shellcheck disable=SC2016 # for the job
{
	job_file a 300ms "mpirun -n 2 \"$heat\" $arguments --pause-ms \$pause --dump $PWD/a.raw"
	job_file b 20ms "srun -N 2 -n 2 \"$queens\" 16"
	job_file c 300ms "srun -n 2 \"$heat\" $arguments --pause-ms 60 --dump $PWD/c.raw"
	job_file d 300ms "srun -n 2 \"$heat\" --size 700 --steps 300 --every 0 --pause-ms 80 --dump $PWD/d.raw"
}
submit -N 1 -n 2 job.a
a=$job
until_line 60 "out.$a" 1 'committed in'
node_a=$(field_of "$a" BatchHost)
submit -N 2 -n 2 --exclude="$node_a" job.b
b=$job
until_line 60 "out.$b" 1 'committed in'
nodes_b=$(on_head scontrol show hostnames "$(field_of "$b" NodeList)")
node_b=$(echo "$nodes_b" | sed -n 2p) node_d=$(echo "$nodes_b" | sed -n 1p)
[ "$(field_of "$b" BatchHost)" = "$node_d" ] || fail "rank 0 of b is not where it was thought to be: $nodes_b"
for node_c in n1 n2 n3 n4; do case " $node_a $node_b $node_d " in *" $node_c "*) ;; *) break ;; esac; done

# Nothing of it stays stopped.
thaw() {
	lab thaw "$(number_of "$1")"
	for one in $(lab pids "$(number_of "$1")"); do
		grep -qs '^State:.T' "/proc/$one/status" && fail "process $one of $1 stays stopped"
	done
}

lab freeze "$(number_of "$node_b")"
cut_off "$node_a"
cut_off "$node_b"

# --- c and d, while those are queued again -----------------------------------------------------------------------------

submit -N 1 -n 2 -w "$node_c" job.c
c=$job
mkdir d
lab in "$(number_of "$node_d")" mount -t tmpfs -o size=32m none "$PWD/d" || fail "no small disk"
on_d() {
	lab in "$(number_of "$node_d")" sh -c "$1"
}
submit -N 1 -n 2 -w "$node_d" job.d
d=$job
until_line 60 "out.$d" 1 'committed in'
on_d "dd if=/dev/zero of='$PWD/d/filler' bs=64k 2>/dev/null"
until_line 60 "out.$d" 1 'is void: .*No space left'
until_line 60 "out.$c" 1 'committed in'
lab freeze "$(number_of "$node_c")"
on_d "rm '$PWD/d/filler'"
before=$(grep -c 'committed in' "out.$d")
until_line 60 "out.$d" $((before + 1)) 'committed in'
sleep 2
thaw "$node_c"

# --- b ------------------------------------------------------------------------------------------------------------------

until_line 120 "out.$b" 1 'restored from checkpoint'
thaw "$node_b"
gone_from "$node_b" queens 60
until_state 120 "$b" COMPLETED FAILED
[ "$state" = COMPLETED ] || fail "b is $state"
grep -q 14772512 "out.$b" || fail "another count"

# --- a ------------------------------------------------------------------------------------------------------------------

until_line 120 "out.$a" 1 'takes its place'
gone_from "$node_a" heat 60
until_line 60 "out.$a" 1 'another start goes on with this run'
until_line 60 "out.$a" 1 'has taken the place of this one in folder'
until_state 120 "$a" COMPLETED FAILED
[ "$state" = COMPLETED ] || fail "a is $state"
same a.raw
[ "$(grep -c 'seamark: Seamark' "out.$a")" -eq 2 ] || fail "a was started more than twice"
# All that the first life had committed before was gone on from.
newest=$(awk '/takes its place/ { exit } / committed in / { sub(/.*checkpoint /, ""); sub(/ .*/, ""); n = $0 } END { print n }' "out.$a")
from=$(sed -n 's/.*restored from checkpoint \([0-9]*\).*/\1/p' "out.$a" | tail -n 1)
[ "$from" -ge "$newest" ] || fail "a went on from checkpoint $from, and $newest had been committed"

# --- healed -------------------------------------------------------------------------------------------------------------

lab link-up "$(number_of "$node_a")"
lab link-up "$(number_of "$node_b")"
until_state 120 "$c" COMPLETED FAILED
[ "$state" = COMPLETED ] || fail "c is $state"
same c.raw
[ "$(grep -c 'seamark: Seamark' "out.$c")" -eq 1 ] || fail "c was started more than once"
until_state 120 "$d" COMPLETED FAILED
[ "$state" = COMPLETED ] || fail "d is $state"
[ "$(grep -c 'seamark: Seamark' "out.$d")" -eq 1 ] || fail "d was started more than once"
SEAMARK_OFF=1 "$MPIEXEC" -n 2 "$heat" --size 700 --steps 300 --every 0 --dump d.undisturbed >d.log 2>&1
cmp -s d.undisturbed d.raw || fail "d.raw is not what an undisturbed run gives"
same a.raw
for folder in a b c; do
	"$command" verify --dir "$folder" >verify.out 2>&1 || fail "$folder does not verify: $(cat verify.out)"
done
on_d "'$command' verify --dir '$PWD/d'" >verify.out 2>&1 || fail "d does not verify: $(cat verify.out)"
echo "$test: cut off with rank 0, and with another rank: the requeued job takes over, the first life ends itself; frozen: nothing happens; full: checkpoints come again; results are right"
