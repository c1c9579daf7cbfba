#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# ask.sh [plain]: `seamark snapshot JOB` on a cluster: from where jobs are submitted, and from a node of the job; of a job, a step, a task of an array, and one whose folder has been used before; and what is said of a
# job that waits, has ended, is not known, is without Seamark, or with SEAMARK_OFF, and of an array with more than one folder.
test=ask
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
export CLUSTER_CPUS=12
lab_up 2 "${1-}"
unset SEAMARK_EVERY SEAMARK_DIR SEAMARK_RESTART SEAMARK_OWNER

# ask STATUS PATTERN COMMAND...: what is asked for, by which command.
ask() {
	wanted=$1 pattern=$2
	shift 2
	"$@" >asked.log 2>&1 </dev/null
	asked=$?
	[ "$asked" -eq "$wanted" ] || fail "'$*' ends with $asked, not $wanted: $(cat asked.log)"
	grep -q -e "$pattern" asked.log || fail "'$*' does not say '$pattern': $(cat asked.log)"
}

# As a shell on the head has it, and one on a node of the job.
login() { on_head "$command" snapshot "$@"; }
on_node() { # JOB ARGUMENTS...
	node_job=$1
	shift
	on_head srun --jobid "$node_job" --overlap -N 1 -n 1 "$command" snapshot "$@"
}

begun() { # FOLDER: its run computes
	looks=600
	until grep -q '"state": "running"' "$1/status" 2>/dev/null && grep -q "\"life\": $2," "$1/status"; do
		looks=$((looks - 1))
		[ "$looks" -gt 0 ] || fail "the run in $1 does not begin"
		sleep 0.1
	done
}

cat >job <<END
#!/bin/sh
export SEAMARK_DIR=checkpoints
exec "$command" run --no-requeue -- srun --overlap "$heat" --size 60 --steps 100000 --every 0 --pause-ms 20
END
cat >array <<END
#!/bin/sh
mkdir -p "member-\$SLURM_ARRAY_TASK_ID" && cd "member-\$SLURM_ARRAY_TASK_ID" || exit
export SEAMARK_DIR=checkpoints
exec "$command" run --no-requeue -- srun --overlap "$heat" --size 60 --steps 100000 --every 0 --pause-ms 20
END
cat >without <<END
#!/bin/sh
exec srun --overlap sleep 300
END
cat >off <<END
#!/bin/sh
export SEAMARK_OFF=1
exec srun --overlap "$heat" --size 60 --steps 100000 --every 0 --pause-ms 20
END
submit -N 2 -n 2 job
run=$job
submit --begin=now+1hour -n 1 job
later=$job
submit -n 1 without
without=$job
submit -n 1 off
off=$job
submit --array=1-3%2 -n 1 --output="$PWD/out.array.%a" array
array=$job

begun checkpoints 1
ask 0 '^checkpoint 1 at step [0-9]* is committed' login "$run"
ask 0 '^checkpoint 2 at step [0-9]* is committed' on_node "$run" "$run"
ask 0 '^checkpoint 3 at step [0-9]* is committed' on_node "$run" --job "$run.0"
ask 5 "Slurm tells of no step $run.7" on_node "$run" "$run.7"
[ ! -e checkpoints/request ] || fail "a request is left"

begun member-1/checkpoints 1
begun member-2/checkpoints 1
ask 0 '^checkpoint 1 at step [0-9]* is committed' login "${array}_1"
[ ! -e member-2/checkpoints/0000001.L01 ] || fail "another task was asked"
ask 3 "job $array has programs that use the folders .*member-[12]/checkpoints' and .*member-[12]/checkpoints': name one of them" login --job "$array"
ask 5 "job ${array}_3 does not run yet: it is PENDING" login "${array}_3"
ask 0 'asked to leave' login --stop "${array}_2"
begun member-3/checkpoints 1
ask 0 '^checkpoint 1 at step [0-9]* is committed' login "${array}_3"

until_state 60 "$without" RUNNING
until_state 60 "$off" RUNNING
ask 5 "job $later does not run yet: it is PENDING (BeginTime)" login "$later"
ask 3 'Slurm tells of no such job: .*Invalid job id' login 66000000
ask 3 "the folder of job $without is not known from here: no.* name the folder" login "$without"
ask 3 "the folder of job $without is not known from here: none of its processes on this host is a program with Seamark" on_node "$without" "$without"
looks=100
until on_node "$off" "$off" >asked.log 2>&1; grep -q 'started with SEAMARK_OFF' asked.log; do
	looks=$((looks - 1))
	[ "$looks" -gt 0 ] || fail "SEAMARK_OFF is not told: $(cat asked.log)"
	sleep 0.3
done

# It ends with the checkpoint that it was asked for; started again, it is another life that is asked, whatever the first has told.
ask 0 'is committed.*asked to leave' login --stop "$run"
until_state 60 "$run" COMPLETED FAILED CANCELLED
ask 5 "job $run has ended: it is" login "$run"
grep -q '"state": "ended"' checkpoints/status || fail "its end is not told"
submit -N 2 -n 2 job
begun checkpoints 2
ask 0 '^checkpoint [5-9] at step [0-9]* is committed' login "$job"
on_head scancel "$job" "$later" "$without" "$off" "$array"
echo "$test: jobs, a step and tasks of an array were asked, from the head and from a node; of the others it is said why not"
