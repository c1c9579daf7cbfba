#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# coverage.sh TABLE docs DOC | header MPICC | exports LIBRARY MPICC: the table of MPI functions, as the program TABLE prints it, is held against
# what it was made for. TABLE may be a file of such lines, so that it can be seen to fail.
set -eu
LC_ALL=C
export LC_ALL
table=$1
shift
[ -r "$table" ] || { echo "coverage: there is no '$table'" >&2; exit 2; }

rows() { if [ -x "$table" ]; then "$table" --plain; else cat "$table"; fi; }

# declared MPICC: the functions that an MPI's headers declare, and the function-like macros that stand for some.
declared() {
	printf '#include <mpi.h>\n#if defined(OPEN_MPI) && __has_include(<mpi-ext.h>)\n#include <mpi-ext.h>\n#endif\n' >declared.c
	"$1" -E -P declared.c >declared.i
	"$1" -E -dM declared.c >declared.m
	[ -s declared.i ] || { echo "coverage: '$1' cannot read mpi.h" >&2; exit 1; }
	{
		# A prototype is a statement in which the name is followed by a parenthesis; a typedef is none.
		tr '\n' ' ' <declared.i | tr ';' '\n' | grep -v '^ *typedef' | grep -o '\bMPIX\?_[A-Za-z0-9_]* *(' | tr -d ' ('
		sed -n 's/^#define \(MPIX\{0,1\}_[A-Z][A-Za-z0-9_]*\)(.*/\1/p' declared.m
	} | grep '[a-z]' | sort -u
}

# exported LIBRARY: the functions with an MPI_ name of C that it exports.
exported() {
	nm -D --defined-only "$1" | sed -n 's/.* [TWi] \(MPIX\{0,1\}_[A-Z][A-Za-z0-9_]*\).*/\1/p' | grep '[a-z]' | sort -u
}

status=0
# complain WHAT FILE: the lines of the file, if there are any, are wrong.
complain() {
	if [ -s "$2" ]; then
		echo "coverage: $1: $(tr '\n' ' ' <"$2")"
		status=1
	fi
}

case ${1-} in
docs)
	"$table" | diff -u "$2" - || {
		echo "coverage: '$2' is not what the table gives: cmake --build BUILD --target coverage-doc"
		status=1
	}
	rows | cut -d' ' -f1 | sort | uniq -d >wrong
	complain "twice in the table" wrong
	;;
header)
	declared "$2" >declared.txt
	[ "$(wc -l <declared.txt)" -ge 400 ] || { echo "coverage: only $(wc -l <declared.txt) functions in the mpi.h of $2"; exit 1; }
	rows | cut -d' ' -f1 | sort >rows.txt
	comm -23 declared.txt rows.txt >wrong
	complain "in the mpi.h of $2, not in the table" wrong
	# What the table says that the library has.
	kinds=mpi-3
	! grep -q '^#define MPI_VERSION [4-9]' declared.m || kinds="$kinds|mpi-4"
	! grep -q '^#define OPEN_MPI ' declared.m || kinds="$kinds|openmpi|both"
	! grep -q '^#define MPICH ' declared.m || kinds="$kinds|mpich|both"
	# The MPI libraries lack some of the conversions of statuses, and have others as constants.
	rows | awk -v kinds="^($kinds)\$" '$2 ~ kinds && $1 !~ /_(c2f08|f082c|f082f|f2f08)$|^MPI_Aint_(add|diff)$/ { print $1 }' | sort |
		comm -23 - declared.txt >wrong
	complain "in the table as one of $kinds, not in the mpi.h of $2" wrong
	;;
exports)
	exported "$2" >ours.txt
	declared "$3" >declared.txt
	rows >rows.txt
	awk 'NR == FNR { ours[$1]; next }
		{ known[$1] }
		$3 == "passes" && $1 in ours && $4 != "watched:" { print $1 }
		END { for (name in ours) if (!(name in known)) print name }' ours.txt rows.txt | sort >wrong
	complain "exported by $2, and the table says that it passes, or nothing" wrong
	awk 'FILENAME == "ours.txt" { ours[$1]; next }
		FILENAME == "declared.txt" { declared[$1]; next }
		$1 in ours || !($1 in declared) { next }
		$3 == "void" && $4 == "at" { next }
		$3 != "passes" || $4 == "watched:" { print $1 " (" $3 ")" }' ours.txt declared.txt rows.txt | sort >wrong
	complain "not exported by $2, and the table says otherwise" wrong
	awk 'NR == FNR { ours[$1]; next } $3 == "void" && $4 == "at" && $1 in ours { print $1 }' ours.txt rows.txt >wrong
	complain "exported by $2, and the table says that it is noticed at the start" wrong
	;;
*)
	echo "usage: coverage.sh TABLE docs DOC | header MPICC | exports LIBRARY MPICC" >&2
	exit 2
	;;
esac
exit $status
