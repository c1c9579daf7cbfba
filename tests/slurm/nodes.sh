#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# nodes.sh CASE...: jobs of `seamark run` that lose nodes, ranks and daemons (each case says what). Results are those of an undisturbed run; each next life begins at the newest
# checkpoint that there was.
test=nodes
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
arguments="--size 240 --steps 200 --every 0"
export SEAMARK_EVERY=300ms
pause=20

# begin CASE LAUNCHER SBATCH-OPTIONS...: $options are those of `seamark run`, $program is heat or queens.
begin() {
	case=$1 launcher=$2
	shift 2
	export SEAMARK_DIR="$PWD/$case.checkpoints"
	words="$heat $arguments --pause-ms $pause --dump $PWD/$case.raw"
	[ "$program" = heat ] || words="$queens 16"
	printf '#!/bin/sh\nexec "%s" run --backoff 0.2 --watch 2 %s -- %s %s\n' "$command" "$options" "$launcher" "$words" >"$case.job"
	submit --job-name="$case" "$@" "$case.job"
	out=out.$job
	echo "$case: job $job"
}

# A checkpoint of the job's life that is going on.
until_checkpoint() {
	until_line 60 "$out" "$1" 'seamark: checkpoint .* committed'
}

# ends: the job is done, and right. The lives after the first began where the one before them had got to.
ends() {
	until_state "${1:-90}" "$job" COMPLETED FAILED NODE_FAIL CANCELLED TIMEOUT
	[ "$state" = COMPLETED ] || fail "$case: job $job is $state"
	if [ "$program" = heat ]; then
		same "$case.raw"
	else
		grep -q '16 queens: 14772512 solutions' "$out" || fail "$case: another count"
	fi
	awk '/seamark: checkpoint [0-9]*.*committed/ { newest = $3 + 0 }
		/folder .*: (fresh start|restored from)/ { from = /restored/ ? $0 : "checkpoint 0"; sub(/.*checkpoint /, "", from); if (from + 0 < newest) bad = 1 }
		END { exit bad }' "$out" || fail "$case: a life did not begin at the newest checkpoint"
}

says() {
	grep -q -e "$1" "$out" || fail "$case: it does not say '$1'"
}

# restarts N: so many, beside those for what MPI does to itself.
restarts() {
	unborn "$out"
	says "done after .*, with $(($1 + unborn)) restarts\\?\$"
}

# down K: Slurm learns at once what it would find out after SlurmdTimeout.
down() {
	on_head scontrol update nodename="n$1" state=down reason=test || fail "n$1 cannot be set down"
}

# back K: all as it was.
back() {
	lab start-node "$1"
	until_idle
	# Slurm's daemons may still talk to the node that has gone.
	for _ in 1 2 3 4 5; do
		on_head timeout 30 srun -w "n$1" -N 1 -n 1 true 2>/dev/null && return
		until_idle
	done
	fail "nothing can be started on n$1"
}

until_idle() {
	looks=100
	while [ "$(on_head sinfo -h -p main -N -o %T | grep -cvx idle)" -gt 0 ]; do
		looks=$((looks - 1))
		[ "$looks" -gt 0 ] || fail "not all nodes are idle: $(on_head sinfo -N)"
		sleep 0.2
	done
}

spare_node_srun() {
	options="--ranks 4" program=heat
	begin spare-srun srun -N 3 --ntasks-per-node=2 --no-kill
	until_checkpoint 1
	says '4 ranks on n1,n2$'
	lab kill-node 2
	down 2
	ends
	says 'node n2 is lost'
	says '4 ranks on n1,n3$'
	back 2
}

spare_node_mpirun() {
	options="--ranks 4" program=heat
	begin spare-mpirun mpirun -N 3 --ntasks-per-node=2 --no-kill
	until_checkpoint 1
	lab crash-node 2
	ends
	says 'node n2 is lost: nothing can be started on it'
	says '4 ranks on n1,n3$'
	back 2
}

# mpirun waits for ever for a node without power.
spare_node_mpirun_hangs() {
	options="--ranks 4" program=queens
	begin spare-hangs mpirun -N 3 --ntasks-per-node=2 --no-kill
	until_checkpoint 1
	lab kill-node 2
	down 2
	ends
	says 'node n2 is lost'
	says '4 ranks on n1,n3$'
	back 2
}

# One rank of the program on node K.
kill_rank() {
	for process in $(lab pids "$1"); do
		[ "$(cat "/proc/$process/comm" 2>/dev/null)" = "$program" ] && kill -KILL "$process" && return
	done
	fail "$case: there is no rank on n$1"
}

rank_killed_srun() {
	options='' program=heat
	begin rank-srun srun -N 2 --ntasks-per-node=2
	until_checkpoint 1
	kill_rank 2
	ends
	restarts 1
	until_idle
}

rank_killed_mpirun() {
	options='' program=queens
	begin rank-mpirun mpirun -N 2 --ntasks-per-node=2
	until_checkpoint 1
	kill_rank 1
	until_line 60 "$out" 1 'restored from checkpoint'
	kill_rank 2
	ends
	restarts 2
	until_idle
}

# Nobody notices.
slurmd_killed() {
	options='' program=heat
	begin slurmd srun -N 2 --ntasks-per-node=2
	until_checkpoint 1
	lab kill-slurmd 1
	lab kill-slurmd 2
	until_checkpoint 3
	lab start-node 1
	lab start-node 2
	ends
	restarts 0
	until_idle
}

# Slurm queues the job again by itself.
batch_host_killed() {
	options="--ranks 4" program=heat
	begin batch-host srun -N 2 --ntasks-per-node=2
	until_checkpoint 1
	lab kill-node 1
	down 1
	ends
	says 'restored from checkpoint'
	back 1
}

# There is no spare node.
too_few_left() {
	options='' program=heat
	begin "too-few-$1" "$1" -N 2 --ntasks-per-node=2 --no-kill
	until_checkpoint 1
	lab kill-node 2
	down 2
	ends
	says '4 ranks have no place on the nodes that are left'
	says "job $job is queued again"
	says 'restored from checkpoint'
	back 2
}

too_few_left_srun() {
	too_few_left srun
}

too_few_left_mpirun() {
	too_few_left mpirun
}

# until_writing: an attempt has begun to be written that is not committed.
until_writing() {
	looks=200
	while :; do
		for place in "$SEAMARK_DIR"/*.L*; do
			[ -e "$place" ] && [ ! -e "$place/manifest.json" ] && return
		done
		looks=$((looks - 1))
		[ "$looks" -gt 0 ] || fail "$case: no checkpoint is being written"
		sleep 0.05
	done
}

# Some 100 KiB per rank, which take a second.
in_a_checkpoint() {
	options="--ranks 4" program=heat
	export SEAMARK_RATE=100kB/s SEAMARK_EVERY=1500ms
	pause=60
	begin in-a-checkpoint srun -N 3 --ntasks-per-node=2 --no-kill
	unset SEAMARK_RATE
	pause=20
	export SEAMARK_EVERY=300ms
	until_checkpoint 1
	until_writing
	lab kill-node 2
	down 2
	ends 150
	says '4 ranks on n1,n3$'
	back 2
}

# The node to which the run goes over is lost, too.
in_a_restart() {
	options="--ranks 4" program=heat
	begin "in-a-restart-$1" "$1" -N 3 --ntasks-per-node=2 --no-kill
	until_checkpoint 1
	lab kill-node 2
	down 2
	until_line 60 "$out" 1 '4 ranks on n1,n3$'
	lab kill-node 3
	down 3
	until_line 60 "$out" 1 "job $job is queued again"
	lab start-node 2
	lab start-node 3
	ends
	says 'restored from checkpoint'
	until_idle
}

in_a_restart_srun() {
	in_a_restart srun
}

in_a_restart_mpirun() {
	in_a_restart mpirun
}

# The batch host is lost while the job waits to be started again.
in_a_requeue() {
	options='' program=queens
	begin in-a-requeue srun -N 2 --ntasks-per-node=2 --no-kill
	until_checkpoint 1
	lab kill-node 2
	down 2
	until_line 60 "$out" 1 "job $job is queued again"
	lab kill-node 1
	down 1
	lab start-node 2
	ends 120
	back 1
}

# Slurm finds out by itself, after its SlurmdTimeout; the job has no --no-kill.
by_slurm_itself() {
	options='' program=heat
	begin by-slurm mpirun -N 2 --ntasks-per-node=2
	until_checkpoint 1
	lab kill-node 2
	ends 120
	says 'restored from checkpoint'
	back 2
}

by_slurm_itself_with_a_spare_node() {
	options="--ranks 4" program=heat
	begin by-slurm-spare mpirun -N 3 --ntasks-per-node=2 --no-kill
	until_checkpoint 1
	lab kill-node 2
	ends 120
	says '4 ranks on n1,n3$'
	back 2
}

# shellcheck disable=SC2086 # words without blanks
undisturbed 4 $arguments
lab_up "${NODES:-3}"
for word; do
	began=$(date +%s)
	"$word"
	echo "$test: $word: right after $(($(date +%s) - began)) s"
done
