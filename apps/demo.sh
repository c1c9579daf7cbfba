#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# demo.sh [PRESET]: a simulation is killed in mid-run and goes on from its checkpoint, bit for bit. Installs what is missing, builds, runs, and says
# what it showed. Exit status 0 only if all of it was so. Works in a temporary folder, which it removes.
set -u
top=$(cd "$(dirname "$0")/.." && pwd) || exit 1

ranks=4
size=1024
steps=4000
every="250 steps"

say() {
	printf '\n== %s\n' "$*"
}

fail() {
	printf '\ndemo.sh: %s\n' "$*" >&2
	exit 1
}

# The process and all below it.
family() {
	# The name, in parentheses, may hold anything; state and parent come after it.
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v root="$1" '
		{ pid = $1; sub(/^.*\) /, ""); split($0, field, " "); parent[pid] = field[2] }
		END {
			for (pid in parent) {
				for (up = pid; up in parent && up != root; up = parent[up])
					;
				if (up == root)
					print pid
			}
		}'
}

clean() {
	[ -z "${run-}" ] || kill -9 $(family "$run") 2>/dev/null
	[ -z "${folder-}" ] || rm -rf "$folder"
}
trap clean EXIT
trap 'exit 1' INT TERM HUP

# start NAME: becomes the simulation, which writes NAME.field, every bit of its result, and NAME.pgm, a picture of it.
start() {
	exec "$launcher" -n $ranks "$build/apps/heat" --size $size --steps $steps --every 1000 \
		--dump "$1.field" --output "$1.pgm"
}

heat() {
	(start "$1")
}

checksum() {
	grep "checksum" "$1" | tail -n 1
}

preset=${1:-release}
say "What is needed"
sh "$top/cmake/packages.sh" build-essential cmake ninja-build pkg-config libopenmpi-dev openmpi-bin libhwloc-dev \
	libjansson-dev libxxhash-dev liburing-dev liblz4-dev libzstd-dev libhdf5-dev $([ "$preset" != mpich ] || echo mpich libmpich-dev) || fail "packages are missing"
build=$top/build/demo-$preset
folder=$(mktemp -d) || exit 1
echo "Building Seamark, heat and the command seamark in $build"
{ cmake -S "$top" --preset "$preset" -B "$build" -DBUILD_TESTING=OFF -DSEAMARK_BENCH=OFF &&
	cmake --build "$build" --target heat seamark_command; } >"$folder/build.log" 2>&1 ||
	{ cat "$folder/build.log"; fail "cannot build"; }

launcher=$(sed -n 's/^MPIEXEC_EXECUTABLE:[A-Z]*=//p' "$build/CMakeCache.txt")

# Open MPI: root in a container may run mpirun, and ranks may be more than cores and take turns. MPICH's take turns too.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none MPIR_CVAR_POLLS_BEFORE_YIELD=10
unset $(env | sed -n 's/^\(SEAMARK_[A-Z_]*\)=.*/\1/p') 2>/dev/null
cd "$folder" || exit 1

say "1. The heat equation on a $size x $size grid, $steps steps, $ranks ranks, undisturbed and without checkpoints"
SEAMARK_OFF=1 heat undisturbed >undisturbed.log 2>&1 || { cat undisturbed.log; fail "heat is wrong by itself"; }
cat undisturbed.log

say "2. The same with a checkpoint every $every, and all its processes killed (SIGKILL) in mid-run"
export SEAMARK_DIR=$folder/checkpoints SEAMARK_EVERY="$every"
start result >killed.log 2>&1 &
run=$!
tries=0
until [ "$(ls -d checkpoints/*/manifest.json 2>/dev/null | wc -l)" -ge 2 ]; do
	kill -0 "$run" 2>/dev/null || { cat killed.log; fail "heat ended before it had two checkpoints"; }
	tries=$((tries + 1))
	[ $tries -lt 1200 ] || { cat killed.log; fail "no two checkpoints in a minute"; }
	sleep 0.05
done
killed=$(family "$run")
kill -9 $killed 2>/dev/null
{ wait "$run"; } 2>/dev/null
run=
cat killed.log
[ ! -e result.field ] || fail "heat had already finished; nothing was shown"
echo "killed: $(echo $killed | wc -w) processes; there is no result"

say "3. The checkpoints it left, and whether they are whole"
"$build/apps/seamark" list || fail "cannot list the checkpoints"
"$build/apps/seamark" verify || fail "a checkpoint is not whole"

say "4. Started again by the same command"
heat result >restarted.log 2>&1 || { cat restarted.log; fail "the restarted run is wrong"; }
cat restarted.log
! grep -q "from step 0 " restarted.log || fail "the restarted run began anew"

say "5. Compared"
[ -n "$(checksum undisturbed.log)" ] || fail "heat told no checksum"
[ "$(checksum undisturbed.log)" = "$(checksum restarted.log)" ] || fail "the checksums differ"
cmp undisturbed.field result.field || fail "the fields differ"
cmp undisturbed.pgm result.pgm || fail "the pictures differ"
echo "$(wc -c <result.field) bytes of field: the same in both runs"
"$build/apps/seamark" verify >verify.log || { cat verify.log; fail "a checkpoint of the restarted run is not whole"; }

cat <<END

What this showed:
- A simulation on $ranks ranks was killed without warning in the middle of its run.
- Started again by the same command, it went on from its newest checkpoint.
- Its final field is the one of a run that was never disturbed, bit for bit ($(checksum restarted.log | sed "s/^heat: //")),
  and both agree with the closed form of the solution, which heat itself checked.
- Every checkpoint left on disk is complete, and no message was lost or doubled in it (seamark verify).
END
