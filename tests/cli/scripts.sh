#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# scripts.sh [--write]: the scripts in slurm/ are what `seamark slurm-script` writes by the command that each tells of itself, and what it writes for other options is a shell script without slips. --write
# makes those in slurm/ anew.
set -eu
command="${TEST_BUILD:?is not set: the build tree}/apps/seamark" scripts="${TEST_SOURCE:?is not set: the source tree}/slurm"
here=$(pwd)
bad=0

complain() {
	echo "scripts: $*"
	bad=1
}

# remade SCRIPT: as its third line says.
remade() {
	made=$(sed -n '3s/^# Made by: seamark //p' "$1")
	[ -n "$made" ] || { complain "$1 does not say how it was made"; return; }
	# shellcheck disable=SC2016 # for the job to fill in
	(SLURM_ARRAY_TASK_ID='$SLURM_ARRAY_TASK_ID' eval "\"$command\" $made")
}

# Like a person: by the shell, and by shellcheck where there is one.
read_closely() {
	bash -n "$1" || complain "$1 is no shell script"
	! command -v shellcheck >/dev/null || shellcheck -e SC2016 "$1" || complain "$1 has slips"
}

count=0
for script in "$scripts"/*.sbatch "$scripts/interactive.sh"; do
	remade "$script" >"$here/remade"
	if [ "${1-}" = --write ]; then
		cp "$here/remade" "$script"
	fi
	diff -u "$script" "$here/remade" || complain "$script is not what its command writes"
	count=$((count + 1))
done
[ "$count" -ge 6 ] || complain "only $count scripts"
for script in "$scripts"/*.sbatch "$scripts"/*.sh; do
	read_closely "$script"
done

# What it writes for all sorts of words and options.
# shellcheck disable=SC2016 # for the job
for options in "" "--name it --nodes 4 --ranks 64 --threads 2 --partition fast --account x1" "--chain 3 --modules 'gcc/12 openmpi,hdf5'" \
	"--array 1-100%8 --requeue-exit 85" "--nodes 4 --ranks 16 --spare 2 --signal 300" "--preempt --partition low" "--interactive --modules gcc" \
	"--chain 9 --nodes 3 --ranks 6 --spare 1 --dir '\$SCRATCH/a b/\$SLURM_JOB_NAME'"; do
	eval "\"$command\" slurm-script $options -- mpirun --map-by ppr:2:node ./simulation 'a b' \"it's\" '\"\$HOME\"/\$X' '' '*' '\`ls\`'" >"$here/written" ||
		complain "slurm-script $options ends with $?"
	read_closely "$here/written"
	# The program gets the words that were given.
	grep -v '^#' "$here/written" | sed -n '/seamark run/s/.* -- mpirun/printf "<%s>" mpirun/p' >"$here/words"
	words=$(HOME=/h X=1 bash "$here/words")
	[ "$words" = "<mpirun><--map-by><ppr:2:node><./simulation><a b><it's><\"/h\"/1><><*><\`ls\`>" ] || complain "slurm-script $options: the words are $words"
done

for wrong in "--nodes 0" "--nodes x" "--name 'a b'" "--time '1 h'" "--chain 3 --array 1-3" "--interactive --chain 2" "--nodes 2 --ranks 5 --spare 1" "--nodes 3 --ranks 2"; do
	eval "\"$command\" slurm-script $wrong -- srun ./simulation" >"$here/written" 2>"$here/err" && complain "slurm-script $wrong is taken"
	{ [ -s "$here/err" ] && [ ! -s "$here/written" ]; } || complain "slurm-script $wrong does not say what is wrong"
done

# Node-local disks: what root can try.
if [ "$(id -u)" -eq 0 ]; then
	# Not below a home, which others may not enter.
	here=$(mktemp -d /tmp/seamark-scripts.XXXXXX)
	trap 'rm -rf "$here"' EXIT
	cd "$here"
	export SEAMARK_LOCAL="$here/local" SLURM_JOB_ID=17 SLURM_JOB_UID=65534
	mkdir -m 777 kept
	mkdir -p local/3 local/5
	touch -d '30 days ago' local/3
	chmod 755 . # for nobody
	sh "$scripts/prolog.sh" || complain "the prolog ends with $?, and would drain the node"
	[ "$(stat -c '%u %a' local/17)" = "65534 700" ] || complain "the job's folder is not its user's"
	[ ! -e local/3 ] && [ -e local/5 ] || complain "the prolog removes the wrong folders"
	setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'mkdir local/17/0000001.L01 && echo whole >local/17/0000001.L01/manifest.json && echo "$1/kept/17" >local/17/home' sh "$here"
	sh "$scripts/prolog.sh" && [ -e local/17/home ] || complain "a job that comes back finds its folder empty"
	sh "$scripts/epilog.sh" || complain "the epilog ends with $?, and would drain the node"
	[ "$(cat kept/17/0000001.L01/manifest.json)" = whole ] || complain "the epilog has kept nothing"
	[ ! -e local/17 ] || complain "the epilog leaves what it has kept"
	# A place that the user may not write to.
	sh "$scripts/prolog.sh"
	setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'echo "$1" >local/17/home; ln -s "$1/local/5" local/17/link' sh "$here/local/5"
	sh "$scripts/epilog.sh" || complain "the epilog ends with $?"
	[ -e local/17/home ] && [ -z "$(ls local/5)" ] || complain "the epilog writes where its user may not"
fi
exit "$bad"
