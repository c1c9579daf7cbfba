#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# scripts.sh: the scripts of slurm/ as jobs, all at once: what each is for happens to it, and it ends with the result of an undisturbed run. What slurm-script writes for other options is taken by Slurm.
test=scripts
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
arguments="--size 160 --steps 400 --every 0 --pause-ms 20"
PATH=$TEST_BUILD/apps:$PATH

# shellcheck disable=SC2086 # words without blanks
undisturbed 4 --size 160 --steps 400 --every 0
export CLUSTER_CPUS=8
lab_up 5

# place NAME SCRIPT: a folder for it, with the program that it starts.
place() {
	mkdir "$1"
	cp "$TEST_SOURCE/slurm/$2" "$1"
	printf '#!/bin/sh\nexec "%s" %s --dump field.raw\n' "$heat" "$arguments" >"$1/simulation"
	chmod 755 "$1/simulation"
	cd "$1" || exit
}

# begin NAME SCRIPT OPTIONS...: $job in a folder of that name; the script's own options, but for what is smaller here.
begin() {
	place "$1" "$2"
	script=$2
	shift 2
	job=$(on_head sbatch --parsable "$@" "$script") || fail "$script cannot be submitted"
	cd ..
}

# The number of `seamark run` of a job.
supervisor_of() {
	for process in $(pgrep -x seamark); do
		grep -qzxs "SLURM_JOB_ID=$1" "/proc/$process/environ" && grep -qzs "^CLUSTER_MEMBER=$lab_state:" "/proc/$process/environ" && echo "$process" && return
	done
	fail "there is no seamark run of job $1"
}

done_with() { # JOB NAME
	until_state 60 "$1" COMPLETED FAILED CANCELLED TIMEOUT NODE_FAIL
	[ "$state" = COMPLETED ] || fail "$2 is $state"
	same "$3"
}

begin job job.sbatch --exclude=n5 --ntasks=4
single=$job
# Its jobs submit each other: what is smaller is in the script.
place chain chain.sbatch
sed -i 's/^#SBATCH --ntasks=8/#SBATCH --exclude=n5 --ntasks=4/' chain.sbatch
chain=$(on_head sbatch --parsable chain.sbatch) || fail "chain.sbatch cannot be submitted"
cd ..
begin array array.sbatch --exclude=n5 --array=1-3 --ntasks=1
array=$job
begin spare spare.sbatch --exclude=n5
spare=$job
begin preempt preempt.sbatch --partition=low --nodelist=n5 --nodes=1 --ntasks=2
preempt=$job
place interactive interactive.sh
sed -i 's/--nodes=2 --ntasks=8/--nodes=1 --ntasks=2/' interactive.sh
on_head bash interactive.sh >interactive.log 2>&1 &
interactive=$!
cd ..

# The time is nearly over, says Slurm: the same job goes on.
log=job/simulation-$single.log
until_line 30 "$log" 1 'fresh start'
on_head scancel --batch --signal=USR1 "$single"
until_line 30 "$log" 1 "job $single is queued again"

# One of the chain is to leave: the next goes on.
log=chain/simulation-$chain.log
until_line 30 "$log" 1 'fresh start'
kill -TERM "$(supervisor_of "$chain")"

# Somebody who comes first wants the node.
log=preempt/simulation-$preempt.log
until_line 30 "$log" 1 'fresh start'
on_head srun --partition=main --nodelist=n5 --exclusive --nodes=1 sleep 1 &
other=$!

for member in 1 2 3; do
	done_with "${array}_$member" "member $member" "array/member-$member/field.raw"
	ls -d "array/member-$member/seamark-simulation" >/dev/null || fail "member $member has no folder of its own"
done
wait "$interactive" || fail "interactive.sh ends with $?: $(tail -n 5 interactive/interactive.log)"
same interactive/field.raw
wait "$other" || fail "the preempting job ends with $?"

done_with "$single" job job/field.raw
[ "$(grep -c 'restored from checkpoint 1 ' "job/simulation-$single.log")" -eq 1 ] || fail "the job has not gone on from its checkpoint"
done_with "$preempt" preempt preempt/field.raw
grep -q 'restored from checkpoint' "preempt/simulation-$preempt.log" || fail "the preempted job has not gone on from its checkpoint"

# The second of the chain, and no third.
next=$((chain + 1))
while [ ! -e "chain/simulation-$next.log" ]; do
	next=$((next + 1))
	[ "$next" -lt $((chain + 30)) ] || fail "there is no second job in the chain"
done
done_with "$next" "the second of the chain" chain/field.raw
grep -q 'restored from checkpoint 1 ' "chain/simulation-$next.log" || fail "the second of the chain begins afresh"
[ "$(find chain -name '*.log' | wc -l)" -eq 2 ] || fail "not two jobs in the chain"

done_with "$spare" spare spare/field.raw
[ -z "$(on_head squeue -h)" ] || fail "jobs are left: $(on_head squeue)"

# What it writes for other options, Slurm takes.
# shellcheck disable=SC2016 # for the job
for options in "--nodes 4 --ranks 16 --threads 1 --partition main" "--array 1-9%3 --requeue-exit 85" "--spare 2 --nodes 3 --ranks 6 --signal 300" "--chain 4 --modules gcc" "--preempt --partition low"; do
	# shellcheck disable=SC2086 # words
	seamark slurm-script $options -- srun ./simulation 'a b' '$x' >written || fail "slurm-script $options ends with $?"
	on_head sbatch --test-only written 2>>tested || fail "Slurm does not take what slurm-script $options writes: $(tail -n 1 tested)"
done
echo "$test: job, chain, array, spare, preempt, interactive: right"
