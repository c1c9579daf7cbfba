#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# twenty.sh [SEED]: twenty jobs at once in one tree of folders, of different sizes, some of whose ranks are killed, and a twenty-first that is given the folder of another. None takes another's checkpoint for its own: each ends with
# the result of an undisturbed run of its size, what verifies is its own, and the one that came second is refused.
test=twenty
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
seed=${1:-$(date +%N | sed 's/^0*//')}
echo "$test: seed $seed"

members=20 steps=250
member=1
while [ "$member" -le $members ]; do
	SEAMARK_OFF=1 "$MPIEXEC" -n 1 "$heat" --size $((40 + member)) --steps $steps --every 0 --dump "undisturbed.$member" >/dev/null 2>undisturbed.log || fail "heat ends with $?: $(cat undisturbed.log)"
	member=$((member + 1))
done
export CLUSTER_CPUS=6
lab_up 4

mkdir tree
cat >job <<END
#!/bin/sh
member=\$SLURM_ARRAY_TASK_ID
export SEAMARK_DIR="$PWD/tree/member-\$member" SEAMARK_EVERY="40 steps"
exec "$command" run --backoff 0.2 -- srun "$heat" --size \$((40 + member)) --steps $steps --every 0 --pause-ms 25 --dump "field.\$member"
END
submit --array=1-$members -n 1 --output="$PWD/out.%a" job
array=$job
# The folder of member 7, for another simulation.
until_line 40 out.7 1 'checkpoint 1 at step .*committed'
cat >intruder <<END
#!/bin/sh
export SEAMARK_DIR="$PWD/tree/member-7"
exec srun "$heat" --size 33 --steps 30 --every 0 --dump field.intruder
END
submit -n 1 --output="$PWD/intruder.log" intruder
intruder=$job

# Ranks of five of them, when they have a checkpoint.
killed=0
for draw in 1 2 3 4 5; do
	member=$(((seed + draw * 4) % members + 1))
	until_line 40 "out.$member" 1 'checkpoint 1 at step .*committed'
	# shellcheck disable=SC2013 # words
	for process in $(grep -lzx -e "SEAMARK_DIR=$PWD/tree/member-$member" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3); do
		[ "$(cat "/proc/$process/comm" 2>/dev/null)" = heat ] && grep -qzx "SLURM_ARRAY_TASK_ID=$member" "/proc/$process/environ" &&
			kill -KILL "$process" 2>/dev/null && killed=$((killed + 1))
	done
done
[ "$killed" -ge 3 ] || fail "only $killed ranks were killed"

member=1
while [ "$member" -le $members ]; do
	until_state 60 "${array}_$member" COMPLETED FAILED CANCELLED NODE_FAIL
	[ "$state" = COMPLETED ] || fail "member $member is $state: $(tail -n 5 "out.$member")"
	cmp -s "undisturbed.$member" "field.$member" || fail "member $member has another result"
	"$command" verify --dir "tree/member-$member" >verified 2>&1 || fail "what member $member has left does not verify: $(cat verified)"
	member=$((member + 1))
done
until_state 30 "$intruder" COMPLETED FAILED CANCELLED
grep -q "is used by another run\|seamark_restore: region" intruder.log || fail "nobody refused the one that came second"
[ ! -e field.intruder ] || fail "the one that came second was not ended by that"
[ "$(sed -n 's/.*"run": "\([0-9a-f]*\)".*/\1/p' tree/*/run.json | sort -u | wc -l)" -eq $members ] || fail "runs share their identity"
restored=$(cat out.? out.?? | grep -c 'restored from checkpoint')
echo "$test: $members jobs, $killed ranks killed, $restored restarts; each has its own result; one that came to another's folder was refused"
