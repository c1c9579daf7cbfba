# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
# lab.sh: what tests on real daemons share. Sourced, with $test, in the test's own folder. A cluster (slurm/cluster) of the test's own, in a folder of its own, that is taken
# down whatever happens:
#
#     lab_up N                      N nodes; lab_up N plain: with ports instead of namespaces
#     lab WORD...                   cluster.sh's commands: lab kill-node 2
#     head COMMAND...               on the head: head squeue
#     submit OPTIONS... SCRIPT      $job is its number, and out.$job gets what it writes; lives of a requeued job are appended
#     state_of JOB                  $state: RUNNING, COMPLETED, ...
#     until_state SECONDS JOB WORD...     until it is one of those words
#     until_line SECONDS FILE N PATTERN   until so many lines of the file match
#     undisturbed RANKS HEAT-ARGUMENTS... the field that heat must end with: undisturbed.raw; same FILE compares
#     unborn FILE                   $unborn: of the lives in the log, how many MPI itself has ended in MPI_Init
#     fail WORDS...                 tells what the daemons said, and ends the test
set -u
scripts="$TEST_SOURCE/slurm/cluster"
command="$TEST_BUILD/apps/seamark" heat="$TEST_BUILD/apps/heat" queens="$TEST_BUILD/apps/queens"
lab_state='' lab_script=cluster.sh
# Open MPI was seen to die in MPI_Init with Slurm's own choice (docs/slurm.md).
export SLURM_PMIX_FENCE=ring
unset CLUSTER_STATE CLUSTER_MODE CLUSTER_CPUS CLUSTER_CONFIG
export heat queens command

lab_down() {
	[ -z "$lab_state" ] || CLUSTER_STATE="$lab_state" sh "$scripts/$lab_script" down
	[ -z "$lab_state" ] || rm -rf "$lab_state"
	lab_state=
}
trap 'lab_down' EXIT
trap 'exit 1' INT TERM HUP
# shellcheck disable=SC3045 # dash has it
ulimit -c 0 # processes of killed nodes need leave no core

# shellcheck disable=SC2154 # $test is who sources this
fail() {
	echo "$test: FAILED: $*"
	for log in out.* "$lab_state"/log/*; do
		[ ! -s "$log" ] || { echo "== $log"; tail -n 25 "$log"; }
	done
	[ -z "$lab_state" ] || lab status
	exit 1
}

# Under /tmp: daemons have sockets in it, and their paths are short.
lab_make() {
	lab_state=$(mktemp -d /tmp/seamark-lab.XXXXXX) || fail "no folder in /tmp"
	# A job is found by the environment of its processes, and other tests may have jobs of the same number on this host.
	export CLUSTER_STATE="$lab_state" CLUSTER_WITH=$$ CLUSTER_FIRST=$(($$ % 600000 * 100 + 1001))
}

lab_up() {
	lab_make
	CLUSTER_MODE=${2-} sh "$scripts/$lab_script" up "$1" || fail "the cluster does not come up"
}

lab() {
	sh "$scripts/$lab_script" "$@"
}

on_head() {
	lab run "$@"
}

submit() {
	job=$(on_head sbatch --parsable --open-mode=append --output="$PWD/out.%j" "$@") || fail "it cannot be submitted: $*"
	touch "out.$job"
}

field_of() { # JOB NAME
	on_head scontrol show job -o "$1" 2>/dev/null | tr ' ' '\n' | sed -n "s/^$2=//p"
}

state_of() {
	state=$(field_of "$1" JobState)
}

until_state() {
	looks=$(($1 * 4)) wanted=$2
	shift 2
	while :; do
		state_of "$wanted"
		for one; do [ "$state" != "$one" ] || return 0; done
		looks=$((looks - 1))
		[ "$looks" -gt 0 ] || fail "job $wanted is $state, not $*"
		sleep 0.2
	done
}

until_line() {
	looks=$(($1 * 10))
	# The file may come later.
	while seen=$(grep -s -c -e "$4" "$2"); [ "${seen:-0}" -lt "$3" ]; do
		looks=$((looks - 1))
		[ "$looks" -gt 0 ] || fail "no $3 lines '$4' in $2"
		sleep 0.1
	done
}

# Open MPI 4.1 under srun may get a first message before it can take one, and dies of it (docs/slurm.md): with the signal told, and before Seamark has said a word.
unborn() {
	# shellcheck disable=SC2034 # for who sources this
	unborn=$(awk '/ Process received signal / { signal = 1 }
		/seamark: Seamark / { born = 1 }
		/seamark run: it ended with status 139/ { count += signal && !born }
		/seamark run: (restarting from|started)/ { signal = born = 0 }
		END { print count + 0 }' "$1")
}

undisturbed() {
	ranks=$1
	shift
	SEAMARK_OFF=1 "$MPIEXEC" -n "$ranks" "$heat" "$@" --dump undisturbed.raw >undisturbed.log 2>&1 || fail "heat ends with $?: $(cat undisturbed.log)"
}

same() {
	cmp -s undisturbed.raw "$1" || fail "$1 is not what an undisturbed run gives"
}
