#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# signals.sh: what Slurm's signals do to jobs (docs/signals.md): before the limit, to the batch script and to the steps; preemption with a time of grace; scancel; scontrol requeue; a program
# that does not listen. Each job that may go on comes to the result of an undisturbed run.
test=signals
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
steps=900
arguments="--size 200 --steps $steps --every 0"

# job_of NAME LAUNCHER EVERY OPTIONS...: a script for heat.
job_of() {
	name=$1 launcher=$2 every=$3
	shift 3
	cat >"$name.job" <<-END
	#!/bin/sh
	export SEAMARK_DIR="$PWD/$name.d" SEAMARK_EVERY="$every"
	exec "$command" run --margin 1 $* -- $launcher "$heat" $arguments --pause-ms 8 --dump "$PWD/$name.raw"
	END
}

ended_as() { # JOB STATE
	until_state 120 "$1" COMPLETED FAILED TIMEOUT CANCELLED PREEMPTED NODE_FAIL
	[ "$state" = "$2" ] || fail "job $1 is $state, not $2"
}

says() { # JOB PATTERN
	grep -q -e "$2" "out.$1" || fail "job $1 does not say '$2'"
}

never_says() {
	! grep -q -e "$2" "out.$1" || fail "job $1 says '$2'"
}

# goes_on NAME JOB: it was queued again, went on from its newest checkpoint, and is right.
goes_on() {
	ended_as "$2" COMPLETED
	[ "$(field_of "$2" Restarts)" -ge 1 ] || fail "job $2 was not queued again"
	[ "$(grep -c '^seamark run: started' "out.$2")" -ge 2 ] || fail "job $2 was started once"
	says "$2" 'restored from checkpoint'
	[ "$(grep -c 'fresh start' "out.$2")" -eq 1 ] || fail "job $2 began afresh"
	same "$1.raw"
}

# shellcheck disable=SC2086 # words without blanks
undisturbed 2 $arguments
lab_up 2

# To the batch script: leave, and be queued again. With both launchers.
job_of script "srun -n 2" 1s
submit -N 2 -n 2 --time=10 --signal=B:USR1@60 script.job
script=$job
job_of mpirun "mpirun -n 2" 1s
submit -N 2 -n 2 --time=10 --signal=B:USR1@60 mpirun.job
mpirun=$job
# To the steps: a checkpoint, when nothing else asks for one, and on.
job_of steps "srun -n 2" none
submit -N 2 -n 2 --time=10 steps.job
steps_job=$job
# scancel; and goes on by another job.
job_of gone "srun -n 2" none
submit -N 2 -n 2 --time=10 gone.job
gone=$job
for one in "$script" "$mpirun"; do until_line 30 "out.$one" 1 'committed in'; done
for one in "$steps_job" "$gone"; do until_line 30 "out.$one" 1 'fresh start'; done
on_head scancel --batch --signal=USR1 "$script"
on_head scancel --batch --signal=USR1 "$mpirun"
on_head scancel --signal=USR1 "$steps_job"
on_head scancel "$gone"

# Slurm's TERM under srun: a checkpoint within KillWait, though none was due.
ended_as "$gone" CANCELLED
until_line 20 "out.$gone" 1 'stopped at checkpoint'
never_says "$gone" 'queued again'
submit -N 2 -n 2 --time=10 gone.job
gone=$job
until_line 20 "out.$gone" 1 'restored from checkpoint'

for one in "$script" "$mpirun"; do
	until_line 20 "out.$one" 1 'signal USR1: the time is nearly over'
	until_line 20 "out.$one" 1 "job $one is queued again"
done
ended_as "$steps_job" COMPLETED
says "$steps_job" 'committed in'
never_says "$steps_job" 'asked to leave'
[ "$(field_of "$steps_job" Restarts)" -eq 0 ] || fail "it was queued again"
same steps.raw
ended_as "$gone" COMPLETED
same gone.raw
goes_on script "$script"
goes_on mpirun "$mpirun"

# Preemption: the steps get a TERM and have a time of grace; where there is a signal for the batch script, it gets that.
job_of low "srun -n 2" 1s
submit -p low -N 2 -n 2 --time=10 low.job
low=$job
job_of told "mpirun -n 2" 1s
submit -p low -N 2 -n 2 --time=10 --signal=B:USR1@30 told.job
told=$job
# By a person, who wants it to stop; and scontrol requeue.
job_of stopped "srun -n 2" 1s
submit -N 2 -n 2 --time=10 stopped.job
stopped=$job
job_of again "srun -n 2" 1s
submit -p main -N 2 -n 2 --time=10 again.job
again=$job
for one in "$low" "$told" "$stopped" "$again"; do until_line 30 "out.$one" 1 'committed in'; done
on_head scancel --batch --signal=TERM "$stopped"
on_head scontrol requeue "$again"
on_head srun -p main -N 2 -n 8 sleep 1 >out.high 2>&1 || fail "what comes first does not run"
ended_as "$stopped" FAILED # status 75
says "$stopped" 'stopped at checkpoint'
never_says "$stopped" 'queued again'

# One that does not listen: it is ended, and as it came no further nothing is queued again.
cat >deaf.job <<END
#!/bin/sh
export SEAMARK_DIR="$PWD/deaf.d"
mkdir -p "\$SEAMARK_DIR"
exec "$command" run --time 4s --margin 0.5 --leave 0.5 -- srun -n 1 sh -c 'trap "" USR1 TERM; while :; do sleep 0.2; done'
END
submit -N 1 -n 1 --time=10 deaf.job
ended_as "$job" FAILED
says "$job" 'no checkpoint was committed in time'
says "$job" 'it is not queued again'
[ ! -e "$PWD/deaf.d/stop" ] || fail "the file stop is still there"

goes_on again "$again"
goes_on told "$told"
says "$told" 'signal USR1: the time is nearly over'
goes_on low "$low"
never_says "$low" 'restarting from'
echo "$test: to the script, to the steps, preemption, scancel, requeue, one that does not listen: as they should be"
