#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# run_limit.sh: `seamark run` in what it takes for a batch job of Slurm, whose commands are played by this script: a limit that comes, is changed, is not known; a controller that is away, hangs,
# says what nobody understands, refuses. tests/slurm has it with real daemons.
steps=400
# shellcheck source-path=SCRIPTDIR source=supervised.sh
. "$(dirname "$0")/supervised.sh"
pause=10 SEAMARK_EVERY=500ms
export SLURM_JOB_ID=4711 ENVIRONMENT=BATCH PLAYED="$PWD/played" PATH="$PWD/commands:$PATH"
unset SLURM_STEP_ID SLURM_JOB_END_TIME
mkdir -p commands "$PLAYED"

# The end is in the file `end`: seconds since 1970, or a word.
cat >commands/moment <<'END'
read -r end <"$PLAYED/end"
case $end in [0-9]*) end=$(date -u -d "@$end" +%Y-%m-%dT%H:%M:%S) ;; esac
END
cat >commands/squeue <<'END'
#!/bin/sh
[ "$TZ" = UTC ] || exit 9
echo queue >>"$PLAYED/asked"
. "$(dirname "$0")/trouble"
. "$(dirname "$0")/moment"
echo "4711|RUNNING|$end|1:00:00|$(cat "$PLAYED/nodes")|None"
END
cat >commands/scontrol <<'END'
#!/bin/sh
[ "$TZ" = UTC ] || exit 9
echo "$*" >>"$PLAYED/asked"
. "$(dirname "$0")/trouble"
. "$(dirname "$0")/moment"
case "$*" in
"-o show job 4711") read -r state <"$PLAYED/state"
	echo "JobId=4711 JobName=a name UserId=u(1) JobState=$state Reason=$(cat "$PLAYED/reason") Dependency=(null) Requeue=$(cat "$PLAYED/requeue") Restarts=0 BatchFlag=1 TimeLimit=01:00:00 StartTime=2026-01-01T00:00:00 EndTime=$end PreemptTime=$(cat "$PLAYED/preempted") ReqNodeList=(null) NodeList=n1 BatchHost=n1" ;;
"show config") printf 'JobRequeue              = 1\nKillWait                = 7 sec\n' ;;
"requeue 4711") [ ! -e "$PLAYED/refuses" ] || { echo "Requested operation is presently disabled for job 4711" >&2; exit 1; } ;;
*) exit 9 ;;
esac
END
# A controller that is away, or as bad.
cat >commands/trouble <<'END'
case "$(cat "$PLAYED/trouble" 2>/dev/null)" in
away) echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2; exit 1 ;;
hangs) sleep 100 ;;
garbles) echo "Welcome to the machine"; exit 0 ;;
esac
END
chmod +x commands/squeue commands/scontrol

# play END: a new job.
play() {
	rm -f "$PLAYED"/*
	echo "$1" >"$PLAYED/end"
	echo RUNNING >"$PLAYED/state"
	echo None >"$PLAYED/reason"
	echo None >"$PLAYED/preempted"
	echo 1 >"$PLAYED/requeue"
	echo n1 >"$PLAYED/nodes"
	: >"$PLAYED/asked"
}

requeued() {
	grep -qx 'requeue 4711' "$PLAYED/asked" || fail "it was not queued again"
}

not_requeued() {
	! grep -qx 'requeue 4711' "$PLAYED/asked" || fail "it was queued again"
}

in_s() {
	echo $(($(date +%s) + $1))
}

# A start had no time for a last checkpoint, and what follows is right but not what is looked for: the machine is busy. The next one gets more time, and more to do in it.
grow() {
	grep -q 'no checkpoint was committed in time\|it is not queued again: no checkpoint was made' err || return 1
	span=$((span + 4)) pause=$((10 * span * span / 16))
	[ "$span" -le 40 ] || fail "no start makes a checkpoint in time"
}

# Three starts at least, one job.
span=4
end=$(in_s $span)
play "$end"
begin "limit" --margin 0.5
starts=1
while wait "$supervisor"; status=$?; [ "$status" -eq 75 ]; do
	says 'the time of job 4711 ends in'
	says 'asked to leave'
	if ! grow; then
		says 'job 4711 is queued again'
		requeued
		[ "$(date +%s)" -le $((end + 1)) ] || fail "it left too late"
		starts=$((starts + 1)) span=4 pause=10
	fi
	end=$(in_s $span)
	play "$end"
	go_on --margin 0.5
done
supervisor=
[ "$status" -eq 0 ] || fail "status $status"
[ "$starts" -ge 3 ] || fail "it was not stopped"
not_requeued
same

pause=20
play "$(in_s 12)"
begin "a limit that is changed" --margin 0.5
until_line 1 'the time of job 4711 ends in'
in_s 3600 >"$PLAYED/end"
until_line 1 'was changed: it ends in 60 min'
ends 0
not_requeued
same
pause=10

play NONE
echo garbles >"$PLAYED/trouble"
begin "a controller that is away"
until_line 1 "it is asked again: .*'Welcome to the machine'"
echo away >"$PLAYED/trouble"
ends 0
[ "$(grep -c 'cannot be had' err)" -eq 1 ] || fail "it is not said once"
same

# in_time STATUS COMMAND CASE OPTIONS...: a start that is stopped at a checkpoint in a short time. The command is run before it.
in_time() {
	wanted=$1 before=$2
	shift 2
	span=5
	while :; do
		play "$(in_s $span)"
		$before
		begin "$@" --margin 0.5
		wait "$supervisor"
		status=$?
		supervisor=
		! grow || continue
		[ "$status" -eq "$wanted" ] || fail "status $status, not $wanted"
		says 'stopped at checkpoint'
		pause=10
		return
	done
}

only_the_environment_knows() {
	SLURM_JOB_END_TIME=$(cat "$PLAYED/end")
	export SLURM_JOB_END_TIME
	echo NONE >"$PLAYED/end"
	echo hangs >"$PLAYED/trouble"
}

refuse() {
	touch "$PLAYED/refuses"
}

in_time 75 only_the_environment_knows "a controller that hangs, and the environment that knows" --no-requeue
unset SLURM_JOB_END_TIME
not_requeued

in_time 85 : "the site's status" --requeue-exit 85
not_requeued

in_time 75 refuse "a refusal"
says 'cannot be queued again: Requested operation is presently disabled'

play NONE
begin "told by the signal"
until_line 2 'committed in'
kill -USR1 "$supervisor"
ends 75
says 'signal USR1: the time is nearly over'
requeued

play NONE
begin "not for that signal" --leave-on none
until_line 1 'committed in'
kill -USR1 "$supervisor"
ends 0
not_requeued

play NONE
begin "cancelled"
until_line 2 'committed in'
echo CANCELLED >"$PLAYED/state"
kill -TERM "$supervisor"
ends 75
not_requeued

# Slurm's TERM, that ends the ranks as well.
play NONE
begin "over the limit"
until_line 2 'committed in'
echo COMPLETING >"$PLAYED/state"
echo TimeLimit >"$PLAYED/reason"
kill -TERM "$supervisor"
kill_rank 1
wait "$supervisor"
status=$?
supervisor=
[ "$status" -eq 75 ] || fail "status $status"
requeued

play NONE
begin "preempted"
until_line 2 'committed in'
date +%Y-%m-%dT%H:%M:%S >"$PLAYED/preempted"
kill_rank 1
ends 75
requeued

# A launcher that ends with 0 while one of its nodes is lost, as mpirun may: the program has come to its end by then, or it has not.
cat >commands/launcher <<'END'
#!/bin/sh
unset SLURM_JOB_ID SLURM_JOB_NODELIST SLURM_NODELIST SLURM_TASKS_PER_NODE SLURM_JOB_NUM_NODES SLURM_NNODES SLURM_NTASKS SLURM_NPROCS
if [ "$1" = breaks ] && [ ! -e "$PLAYED/broken" ]; then
	shift
	"$@" &
	until ls "$SEAMARK_DIR"/*/manifest.json >"$PLAYED/broken" 2>/dev/null; do sleep 0.05; done
	kill -KILL "$!"
else
	[ "$1" != breaks ] || shift
	"$@" || exit
fi
echo n1 >"$PLAYED/nodes"
END
printf '#!/bin/sh\nexit 1\n' >commands/srun
chmod +x commands/launcher commands/srun
export SLURM_JOB_NODELIST='n[1-2]' SLURM_TASKS_PER_NODE='3(x2)'
with=$launch
for what in ends breaks; do
	play NONE
	echo 'n[1-2]' >"$PLAYED/nodes"
	launch="launcher $what $with"
	[ "$what" = breaks ] || launch="launcher $with"
	begin "a node is lost, and the program $what"
	ends 0
	says 'node n2 is lost'
	case $what in ends) says 'done after .*, with 0 restarts' ;; breaks) says 'done after .*, with 1 restart' ;; esac
	not_requeued
	same
done
launch=$with
unset SLURM_JOB_NODELIST SLURM_TASKS_PER_NODE

# Nothing was won, and nothing would be by the next start.
play "$(in_s 4)"
case="no progress"
rm -rf "$SEAMARK_DIR"
mkdir "$SEAMARK_DIR"
"$command" run --margin 0.5 --leave 0.5 -- sleep 60 2>err
[ $? -eq 75 ] || fail "another status"
says 'it is not queued again'
not_requeued
echo "seamark run: a limit, one that is changed, no controller, refusals, signals of Slurm: as they should be"
