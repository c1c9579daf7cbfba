#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# limits.sh [real]: jobs that need more time than they get: they leave at a last checkpoint and are queued again, until they are done. Each start begins at the newest checkpoint, no more than
# an interval is computed twice, and results are those of undisturbed runs. `--time` stands for the limit, which Slurm has in minutes only; with `real` it is that of Slurm.
test=limits
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
real=${1-}
interval=120
steps=2600 lives=4 limit="--time=30" patience=400
[ -z "$real" ] || { steps=24000 lives=3 time="--margin 4" limit="--time=1" patience=600; }
arguments="--size 240 --steps $steps --every 0"
export SEAMARK_EVERY="$interval steps"

# begun_at LOG: the steps at which lives of heat began; ended_at LOG: and those before which they stopped.
begun_at() {
	sed -n 's/^heat: .* blocks, from step \([0-9]*\) to .*/\1/p' "$1"
}

ended_at() {
	sed -n 's/^heat: stopped before step \([0-9]*\), .*/\1/p' "$1"
}

# What a log tells of a run in several lives: $1.
check_lives() {
	count=$(grep -c '^seamark run: started' "$1")
	[ "$count" -ge "$lives" ] || fail "$count starts only in $1"
	[ "$(grep -c "is queued again" "$1")" -eq $((count - 1)) ] || fail "not each start but the last was queued again"
	[ "$(grep -c "^seamark run: done after" "$1")" -eq 1 ] || fail "it does not say that it is done"
	# Each begins at the checkpoint at which the one before stopped, and that is the newest.
	sed -n 's/^seamark run: stopped at checkpoint \([0-9]* at step [0-9]*\) after.*/\1/p' "$1" >stopped
	sed -n 's/^seamark: .* restored from checkpoint \([0-9]* at step [0-9]*\);.*/\1/p' "$1" >restored
	cmp -s stopped restored || fail "a start does not begin at the newest checkpoint: $(paste stopped restored)"
	ended_at "$1" >ended
	begun_at "$1" | tail -n +2 >begun
	[ "$(wc -l <ended)" -eq "$(wc -l <begun)" ] || fail "not each start ended at a step: $(paste ended begun)"
	twice=$(paste ended begun | awk '{ twice += $1 - $2 } END { print twice + 0 }')
	case $twice in -*) fail "$twice steps were computed twice" ;; esac
	[ "$twice" -lt "$interval" ] || fail "$twice steps were computed twice"
}

# shellcheck disable=SC2086 # words without blanks
undisturbed 4 $arguments
lab_up 2
# A busy machine needs longer to start anything: then lives are longer, and so is what they have to do.
pause=6
if [ -z "$real" ]; then
	start=$(date +%s)
	on_head env SEAMARK_OFF=1 srun -N 2 -n 4 "$heat" --size 24 --steps 2 --every 0 >out.first 2>&1
	longer=$(($(date +%s) - start))
	[ "$longer" -gt 1 ] || longer=0
	time="--time $((7 + 2 * longer))s --margin 0.5" pause=$((6 + 2 * longer))
fi
cat >heat.job <<END
#!/bin/sh
export SEAMARK_DIR="$PWD/heat.d"
export SEAMARK_RESTART=none # for the first start alone, or it would never end
exec "$command" run --steps $steps $time -- srun -n 4 "$heat" $arguments --pause-ms $pause --dump "$PWD/heat.raw"
END
# shellcheck disable=SC2086
submit -N 2 -n 4 $limit heat.job
heat_job=$job

if [ -z "$real" ]; then
	cat >queens.job <<-END
	#!/bin/sh
	export SEAMARK_DIR="$PWD/queens.d" SEAMARK_EVERY=400ms
	exec "$command" run --time 10s --margin 0.5 -- mpirun -n 2 "$queens" 17
	END
	submit -N 1 -n 2 --time=30 queens.job
	queens_job=$job
	# The limit as it was is nearly over; it is changed, and that is noticed.
	cat >changed.job <<-END
	#!/bin/sh
	export SEAMARK_DIR="$PWD/changed.d"
	exec "$command" run -- srun -n 1 "$heat" --size 100 --steps 8000 --every 0 --pause-ms 3
	END
	submit -N 1 -n 1 --time=1 changed.job
	changed_job=$job
	until_line 20 "out.$changed_job" 1 "the time of job $changed_job ends in"
	on_head scontrol update "jobid=$changed_job" TimeLimit=60 || fail "the limit cannot be changed"
fi

until_state "$patience" "$heat_job" COMPLETED FAILED TIMEOUT CANCELLED
[ "$state" = COMPLETED ] || fail "heat is $state"
check_lives "out.$heat_job"
same heat.raw
lives_of_heat=$count

if [ -z "$real" ]; then
	until_state 240 "$queens_job" COMPLETED FAILED TIMEOUT CANCELLED
	[ "$state" = COMPLETED ] || fail "queens is $state"
	grep -q 'queens: 17 queens: 95815104 solutions in .*: right' "out.$queens_job" || fail "queens has counted wrong"
	grep -q 'is queued again' "out.$queens_job" || fail "queens was not queued again"
	until_state 60 "$changed_job" COMPLETED FAILED TIMEOUT CANCELLED
	[ "$state" = COMPLETED ] || fail "the job with the other limit is $state"
	grep -q "the time limit of job $changed_job was changed: it ends in" "out.$changed_job" || fail "the other limit was not noticed"
	! grep -q 'queued again' "out.$changed_job" || fail "it left all the same"
fi
echo "$test: heat came to its end in $lives_of_heat starts of one job, $twice steps computed twice"
