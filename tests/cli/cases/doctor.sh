# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
# Programs and an MPI library of our own making, so that nothing depends on what is installed. What does depend on the machine is cut.
unset LD_LIBRARY_PATH LD_PRELOAD
library() { # NAME SONAME FUNCTION...: with a source of empty functions
	folder=$1 soname=$2
	shift 2
	mkdir -p "$folder"
	for function; do echo "void $function(void) {}"; done | cc -shared -fPIC -x c - -Wl,-soname,"$soname" -o "$folder/$soname"
}
program() { # FILE "FUNCTION..." FLAG...
	file=$1 functions=$2
	shift 2
	{
		for function in $functions; do echo "void $function(void);"; done
		echo 'int main(void) {'
		for function in $functions; do echo "$function();"; done
		echo '}'
	} | cc -x c - -x none -o "$file" -Wl,--no-as-needed "$@"
}
doctor() {
	run doctor "$@" 2>&1 | grep -v '^\(library\|settings\|launcher\|core\|folder\|[0-9]* problem\)' |
		sed 's/but libseamark.so was built for .*/but .../; s/LD_PRELOAD=\/.*/LD_PRELOAD=.../'
}
library lib libother.so.1 PMPI_Comm_dup MPI_Init MPI_Init_thread MPI_Finalize MPI_Send MPI_Isend MPI_Barrier MPI_Comm_rank MPI_Comm_spawn \
	MPI_Newfangled MPI_Comm_get_parent PMPI_Send
library lib libseamark.so.0 seamark_protect seamark_safepoint MPI_Send
library lib libsolver.so.2 solve
library lib libbinding.so.3 mpi_init_ mpi_send_ mpi_recv_f08ts_
printf 'void MPI_Comm_spawn(void); void PMPI_Send(void); void solve(void) { MPI_Comm_spawn(); PMPI_Send(); }' |
	cc -shared -fPIC -x c - -Wl,-soname,libsolver.so.2 -o lib/libsolver.so.2
R=-Wl,-rpath,'$ORIGIN/lib'
M=lib/libother.so.1
S=lib/libseamark.so.0

program right "MPI_Init MPI_Send MPI_Isend MPI_Barrier MPI_Comm_rank MPI_Finalize seamark_protect seamark_safepoint" "$R" $S $M
doctor ./right
program wrong "MPI_Init MPI_Send seamark_safepoint" "$R" $M $S
doctor ./wrong
program unknown "MPI_Init_thread MPI_Newfangled MPI_Comm_get_parent dlopen" "$R" $M
doctor ./unknown
program spawns "MPI_Init MPI_Comm_spawn" "$R" $M
doctor ./spawns
program solver "MPI_Init solve" "$R" $M lib/libsolver.so.2 -Wl,--allow-shlib-undefined
doctor ./solver
program fortran "mpi_init_ mpi_send_ mpi_recv_f08ts_" "$R" $M lib/libbinding.so.3
doctor ./fortran

echo "== where libraries are looked for"
program nowhere "MPI_Init" $M
doctor ./nowhere
LD_LIBRARY_PATH=none:lib doctor ./nowhere
program old "MPI_Init" $M -Wl,--disable-new-dtags,-rpath,"\${ORIGIN}/lib"
doctor ./old

echo "== what is no program"
program plain "MPI_Init" "$R" $M
for size in 3 60 700 3000; do
	head -c $size plain >cut
	doctor ./cut
done
: >empty
doctor ./empty
doctor ./nothing-there
doctor .
printf 'int main(void) { return 0; }' | cc -static -x c - -o static
doctor ./static
printf 'void PMPI_Comm_dup(void) {} void MPI_Init(void) {} int main(void) { MPI_Init(); PMPI_Comm_dup(); }' | cc -x c - -o inside
doctor ./inside
echo 'import mpi4py' >script.py
doctor ./script.py
printf '#!/usr/bin/env python3\n' >script
doctor ./script
printf '#!/bin/sh\nexec ./right\n' >script.sh
doctor ./script.sh

echo "== JSON"
run doctor --json ./spawns | sed -n '/^  "calls"/,/^  }/p'
run doctor --json ./right | grep -c '"level": "fine"' >fine
[ "$(cat fine)" -ge 4 ] || cat fine

echo "== the folder"
folder() { run doctor "$@" 2>&1 | sed -n '/^folder.* \(can be written\|does not exist\|cannot\|.*is where\)/p; /^\$/p'; }
mkdir there
folder --dir there
folder --dir there/not/yet
ls -A there
folder --dir fine
folder --dir fine/below

echo "== launchers"
launcher() { run doctor 2>&1 | sed -n '/^launcher/p'; }
tools=$PWD/tools
mkdir tools
for tool in sed grep cat; do ln -s "$(command -v $tool)" tools/$tool; done
PATH=$tools launcher
printf '#!/bin/sh\n' >tools/srun
chmod +x tools/srun
PATH=$tools launcher | sed "s|$tools/||"
printf '#!/bin/sh\n' >tools/mpiexec
chmod +x tools/mpiexec
PATH=$tools launcher | sed "s|$tools/||"

echo "== settings"
settings() { run doctor 2>&1 | sed -n '/^settings/p; /^seamark:/p'; }
settings
SEAMARK_KEEP=-3 settings
SEAMARK_OFF=1 settings
SEAMARK_EVRY=10min settings

echo "== the core"
run doctor --ranks 1000000 2>&1 | sed -n 's/^core *\([a-z]*\).*/\1/p'

echo "== usage"
run doctor --ranks 0
run doctor --ranks 2x
run doctor one two
