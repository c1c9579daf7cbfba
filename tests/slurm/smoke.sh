#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# smoke.sh [plain]: a cluster comes up, runs heat by srun and by mpirun on two nodes, has a program that hangs looked at on both, loses a node and gets it back, and goes down with nothing left behind. `plain`: with ports
# instead of namespaces.
test=smoke
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
mode=${1-}
arguments="--size 200 --steps 500 --every 0"
export SEAMARK_EVERY="100 steps"

# shellcheck disable=SC2086 # words without blanks
undisturbed 4 $arguments
lab_up 2 "$mode"

# shellcheck disable=SC2016 # for the shell there
[ "$(on_head srun -N 2 -n 2 sh -c 'echo "$SLURMD_NODENAME"' | sort | xargs)" = "n1 n2" ] || fail "srun does not reach both nodes"

# A start that MPI itself has ended is none (lab.sh).
for _ in 1 2 3; do
	# shellcheck disable=SC2086
	SEAMARK_DIR="$PWD/by-srun" on_head srun -N 2 -n 4 "$heat" $arguments --pause-ms 2 --dump srun.raw >out.srun 2>&1
	status=$?
	if [ "$status" -ne 139 ] || grep -q 'seamark: Seamark ' out.srun; then break; fi
done
[ "$status" -eq 0 ] || fail "srun: heat ends with $status"
grep -q 'checkpoint [0-9]* at step [0-9]*: .*committed' out.srun || fail "no checkpoint under srun"
same srun.raw

cat >job <<END
#!/bin/sh
exec mpirun -n 4 --map-by ppr:2:node "$heat" $arguments --pause-ms 2 --dump mpirun.raw
END
SEAMARK_DIR="$PWD/by-mpirun" submit -N 2 -n 4 job
until_state 60 "$job" COMPLETED FAILED NODE_FAIL
[ "$state" = COMPLETED ] || fail "the job with mpirun is $state"
grep -q 'checkpoint [0-9]* at step [0-9]*: .*committed' "out.$job" || fail "no checkpoint under mpirun"
same mpirun.raw

# A program that hangs: a look at each node, and what they say together.
printf '#!/bin/sh\nexec srun -N 2 -n 4 env LD_PRELOAD="%s" "%s" receives\n' "$TEST_BUILD/lib/libseamark.so" "$TEST_BUILD/tests/look/hang" >hang.job
SEAMARK_DIR="$PWD/hanging" submit -N 2 -n 4 --time=5 hang.job
looks=60
while
	rm -rf looks && mkdir looks
	on_head srun --jobid="$job" --overlap -N 2 --ntasks-per-node=1 "$command" snapshot "$job" --look -o looks >looked 2>&1
	"$command" explain looks >explained 2>&1
	[ $? -ne 1 ]
do
	looks=$((looks - 1))
	[ "$looks" -gt 0 ] || fail "no deadlock is told of: $(cat looked explained)"
	sleep 0.2
done
grep -q '^Deadlock: ranks 0 to 3 wait for each other\.$' explained || fail "another deadlock is told of: $(cat explained)"
# Of one node alone nothing is certain, unless there is only one.
[ -n "$mode" ] || for look in looks/*; do
	"$command" explain "$look" >explained 2>&1 || fail "a deadlock is told of by the look at one node: $(cat explained)"
	grep -q '^It cannot be said: rank.* not looked at' explained || fail "of one node: $(cat explained)"
done
on_head scancel "$job"
until_state 30 "$job" CANCELLED COMPLETED FAILED

lab kill-node 2
[ -z "$(lab pids 2)" ] || fail "processes of a killed node are there"
lab start-node 2
on_head scontrol update nodename=n2 state=resume 2>/dev/null # if it had been missed already
on_head srun -N 2 -n 2 true || fail "a node that came back takes no job"

place=$lab_state
lab_down
[ ! -e "$place" ] || fail "the cluster's folder is still there"
left=$(grep -lzF -e "=$place:" /proc/[0-9]*/environ 2>/dev/null)
[ -z "$left" ] || fail "processes are left: $left"
echo "$test: right by srun and by mpirun; a node that was killed came back; nothing is left"
