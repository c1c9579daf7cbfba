#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# nodes.sh CASE...: jobs of `seamark run` that lose nodes, ranks and daemons (each case says what). Results are those of an undisturbed run; each next life begins at the newest
# checkpoint that there was.
test=nodes
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
arguments="--size 240 --steps 300 --every 0"
export SEAMARK_EVERY=300ms

# begin CASE LAUNCHER SBATCH-OPTIONS...: $options are those of `seamark run`, $program is heat or queens.
begin() {
	case=$1 launcher=$2
	shift 2
	export SEAMARK_DIR="$PWD/$case.checkpoints"
	words="$heat $arguments --pause-ms 10 --dump $PWD/$case.raw"
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

# down K: Slurm learns at once what it would find out after SlurmdTimeout.
down() {
	on_head scontrol update nodename="n$1" state=down reason=test || fail "n$1 cannot be set down"
}

# back K: all as it was.
back() {
	lab start-node "$1"
	until_idle
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

# shellcheck disable=SC2086 # words without blanks
undisturbed 4 $arguments
lab_up "${NODES:-3}"
for word; do
	began=$(date +%s)
	"$word"
	echo "$test: $word: right after $(($(date +%s) - began)) s"
done
