#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# ways.sh [plain] NODES RANKS-PER-NODE ...: heat by srun and by mpirun on so many nodes with so many ranks each: with checkpoints, and again from the first of them; queens too, on the last of these.
# The results are those of an undisturbed run. `plain`: nodes are ports.
test=ways
# shellcheck source-path=SCRIPTDIR source=lab.sh
. "$(dirname "$0")/lab.sh"
mode=
[ "$1" != plain ] || { mode=plain; shift; }

undisturbed 2 --size 120 --steps 90 --every 0
lab_up 4 "$mode"

# One job, in which all of them are run one after the other.
cat >job <<'END'
#!/bin/sh
# way SRUN-OR-MPIRUN NODES RANKS: prefix of a command.
way() {
	case $1 in
	srun) echo "srun --nodes $2 --ntasks $(($2 * $3)) --ntasks-per-node $3" ;;
	mpirun) echo "mpirun -n $(($2 * $3)) --map-by ppr:$3:node --host $(echo "n1 n2 n3 n4" | cut -d ' ' -f "1-$2" | sed "s/ /:$3,/g"):$3" ;;
	esac
}

# start COMMAND...: again if MPI itself has ended it (lab.sh), or has not come to start it.
start() {
	for _ in 1 2 3; do
		$way "$@" >start.log 2>&1
		status=$?
		cat start.log
		if [ $status -eq 0 ] || grep -q 'seamark: Seamark ' start.log ||
			! grep -q ' Process received signal \|An ORTE daemon has unexpectedly failed after launch' start.log; then
			break
		fi
		echo "AGAIN $*"
	done
	return $status
}

# try HOW COMMAND...: with checkpoints, and again from the first.
try() {
	how=$1
	shift
	export SEAMARK_DIR="$PWD/$how" SEAMARK_KEEP=all
	for restart in newest first; do
		rm -f field.raw
		if [ $restart = first ]; then
			# The first attempt may have been void.
			restart=$(find "$SEAMARK_DIR" -name manifest.json | sed -n 's|.*/0*\([0-9]*\)\.L[0-9]*/manifest.json|\1|p' | sort -n | head -n 1)
			[ -n "$restart" ] || { echo "WRONG $how: no checkpoint"; return; }
		fi
		export SEAMARK_RESTART=$restart
		start "$@" || { echo "WRONG $how from $restart: status $?"; return; }
		[ "$(basename "$1")" = queens ] || cmp undisturbed.raw field.raw || { echo "WRONG $how from $restart: another result"; return; }
	done
	echo "RIGHT $how"
}

while [ $# -gt 0 ]; do
	for launcher in srun mpirun; do
		way=$(way "$launcher" "$1" "$2")
		SEAMARK_EVERY="30 steps" try "$launcher-$1x$2" "$heat" --size 120 --steps 90 --every 0 --dump field.raw
		[ $# -gt 2 ] || SEAMARK_EVERY=50ms try "queens-$launcher-$1x$2" "$queens" 15
	done
	shift 2
done
END
submit -N 4 --ntasks-per-node=4 job "$@"
until_state 300 "$job" COMPLETED FAILED NODE_FAIL CANCELLED
[ "$state" = COMPLETED ] || fail "the job is $state"
! grep '^WRONG' "out.$job" || fail "see above"
right=$(grep -c '^RIGHT' "out.$job")
[ "$right" -eq $(($# + 2)) ] || fail "$right of $(($# + 2)) are right"
[ "$(grep -c 'restored from checkpoint' "out.$job")" -eq "$right" ] || fail "not all were restored once"
echo "$test: $(grep '^RIGHT' "out.$job" | cut -d ' ' -f 2 | xargs)"
