#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# controller.sh: Slurm's controller is away while checkpoints are taken, and comes back; and is away at the moment at which a job is to be queued again. The job goes on, is queued again when that can be, and
# ends with the result of an undisturbed run.
test=controller
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"

undisturbed 4 --size 160 --steps 600 --every 0
lab_up 2

cat >job <<END
#!/bin/sh
export SEAMARK_DIR="$PWD/checkpoints" SEAMARK_EVERY="20 steps"
# The first start has to be there for all that happens to the controller.
[ -z "\${SLURM_RESTART_COUNT-}" ] && pause=70 || pause=2
exec "$command" run -- srun "$heat" --size 160 --steps 600 --every 0 --pause-ms \$pause --dump field.raw
END
submit -N 2 -n 4 --requeue --time=10 job
until_line 30 "out.$job" 1 'checkpoint 1 at step .*committed'
# A controller that is killed knows afterwards what it has written down, some seconds late.
touch running
looks=0
# shellcheck disable=SC3013 # dash has it
until [ "$lab_state/saved/job_state" -nt running ]; do
	looks=$((looks + 1))
	[ "$looks" -lt 200 ] || fail "the controller writes nothing down"
	on_head scontrol update jobid="$job" comment="look $looks" >/dev/null 2>&1 # something to be written down
	sleep 0.2
done
lab kill-controller
before=$(grep -c 'committed in' "out.$job")
until_line 30 "out.$job" $((before + 2)) 'committed in'
lab start-controller
after=$(grep -c 'committed in' "out.$job")
until_line 30 "out.$job" $((after + 1)) 'committed in'
until_state 30 "$job" RUNNING

# The time is nearly over, and nobody is there to queue the job again.
lab kill-controller
for process in $(pgrep -x seamark); do
	grep -qzxs "SLURM_JOB_ID=$job" "/proc/$process/environ" && grep -qzxs "CLUSTER_MEMBER=$lab_state:n[12]" "/proc/$process/environ" && kill -USR1 "$process"
done
until_line 30 "out.$job" 1 'cannot be queued again now'
lab start-controller
until_line 60 "out.$job" 1 "job $job is queued again"
until_state 180 "$job" COMPLETED FAILED CANCELLED NODE_FAIL
[ "$state" = COMPLETED ] || fail "the job is $state"
same field.raw
[ "$(grep -c 'fresh start' "out.$job")" -eq 1 ] || fail "it began anew"
[ "$(grep -c 'restored from checkpoint' "out.$job")" -eq 1 ] || fail "it was not restored once"
echo "$test: $(grep -c 'committed in' "out.$job") checkpoints; queued again when the controller was back"
