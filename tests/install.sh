#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# install.sh: what `cmake --install` puts in place is enough to build programs against, by pkg-config and by find_package, with and without
# MPI; and the installed command runs from wherever the prefix is moved to. $TEST_BUILD is the build tree, $MPICC and $MPIEXEC are its MPI's, $MPIFORT
# too, or empty without Fortran; works in an empty folder.
set -eu

fail() {
	echo "install.sh: $1" >&2
	exit 1
}

cmake --install "$TEST_BUILD" --prefix "$PWD/first" >install.log || { cat install.log; fail "cannot install"; }
mv first moved # nothing installed may know where it was put
prefix=$PWD/moved
pc=$(dirname "$(find "$prefix" -name seamark.pc)")
lib=$(dirname "$pc")

cat >saved.c <<'C'
#include <seamark.h>
#include <mpi.h>
#include <string.h>

int main(int argc, char **argv)
{
	int bad, rank;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank); /* something of MPI that Seamark does not wrap */
	bad = rank != 0 || strcmp(seamark_version(), SEAMARK_VERSION) != 0;
	MPI_Finalize();
	return bad;
}
C
cat >reader.c <<'C'
#include <seamark.h>
#include <seamark_files.h>
#include <string.h>

int main(void)
{
	return strcmp(seamark_strerror(0), "success") != 0;
}
C
cat >CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.25)
project(Outside LANGUAGES C)
find_package(Seamark 0.1 REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)
add_executable(saved saved.c)
target_link_libraries(saved PRIVATE Seamark::seamark MPI::MPI_C)
add_executable(reader reader.c)
target_link_libraries(reader PRIVATE Seamark::files)
C

flags() {
	PKG_CONFIG_PATH=$pc pkg-config --cflags --libs "$1"
}
"$MPICC" -o pkg-saved saved.c $(flags seamark) -Wl,-rpath,"$lib"
cc -o pkg-reader reader.c $(flags seamark-files) -Wl,-rpath,"$lib"
cmake -S . -B out -DCMAKE_PREFIX_PATH="$prefix" -DMPI_C_COMPILER="$MPICC" >cmake.log 2>&1 || { cat cmake.log; fail "find_package does not find it"; }
cmake --build out >cmake.log 2>&1 || { cat cmake.log; fail "cannot build with the exported targets"; }

# Seamark's wrappers are found before the MPI library's.
for program in pkg-saved out/saved; do
	order=$(readelf -d $program | sed -n 's/.*(NEEDED).*\[lib\(seamark\|mpi\)\(ch\)\{0,1\}\.so.*/\1/p' | tr '\n' ' ')
	[ "$order" = "seamark mpi " ] || fail "$program is linked in the order '$order'"
	SEAMARK_LOG=quiet "$MPIEXEC" -n 1 ./$program || fail "$program does not run"
done
for program in pkg-reader out/reader; do
	if ldd $program | grep -q 'libmpi\|libhdf5'; then fail "$program, which only reads, needs MPI or HDF5"; fi
	./$program || fail "$program does not run"
done

# Fortran: the module as it is installed, and compiled from its sources.
if [ -n "$MPIFORT" ]; then
	cat >plate.f90 <<'F'
program plate
	use mpi
	use seamark
	implicit none
	real, target :: field(10, 10)
	integer :: step, ierror
	call MPI_Init(ierror)
	field = 0
	step = 3
	call seamark_protect("field", field, ierror)
	call seamark_restore(step)
	call seamark_safepoint(step)
	if (ierror /= 0 .or. step /= 3 .or. seamark_version_loaded() /= SEAMARK_VERSION) error stop 1
	call MPI_Finalize(ierror)
end program
F
	mkdir fortran
	cat >fortran/CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.25)
project(Outside LANGUAGES C Fortran)
find_package(Seamark 0.1 REQUIRED)
find_package(MPI REQUIRED COMPONENTS Fortran)
add_executable(plate ../plate.f90)
target_link_libraries(plate PRIVATE Seamark::fortran MPI::MPI_Fortran)
C
	"$MPIFORT" -o pkg-plate plate.f90 $(flags seamark-fortran) -Wl,-rpath,"$lib"
	cmake -S fortran -B out-fortran -DCMAKE_PREFIX_PATH="$prefix" -DMPI_Fortran_COMPILER="$MPIFORT" >cmake.log 2>&1 &&
		cmake --build out-fortran >cmake.log 2>&1 || { cat cmake.log; fail "cannot build with the exported target for Fortran"; }
	mkdir own
	sources=$(dirname "$(find "$prefix" -name seamark.f90)")
	cc -I"$prefix/include" -c "$sources/described.c" -o own/described.o
	"$MPIFORT" -J own -o own/plate "$sources/seamark.f90" plate.f90 own/described.o $(flags seamark) -Wl,-rpath,"$lib"
	for program in pkg-plate out-fortran/plate own/plate; do
		SEAMARK_LOG=quiet "$MPIEXEC" -n 1 ./$program || fail "$program does not run"
	done
fi
"$prefix/bin/seamark" -h >help.txt || fail "the installed command does not run"
module=$(dirname "$(find "$prefix" -name seamark.py)")
[ "$(PYTHONPATH=$module PYTHONDONTWRITEBYTECODE=1 python3 -c 'import seamark; print(seamark.version())')" = "$(PKG_CONFIG_PATH=$pc pkg-config --modversion seamark)" ] ||
	fail "the installed module does not find the library"
"$prefix/bin/seamark" doctor --mpi -- "$MPIEXEC" -n 1 >doctor.txt || { cat doctor.txt; fail "the installed command does not try out the MPI library"; }
for page in seamark.1 seamark-list.1 seamark_protect.3; do
	[ -n "$(find "$prefix" -path "*/man/man?/$page")" ] || fail "the manual page $page is not installed"
done
doc=$(dirname "$(find "$prefix" -path "*/doc/*/LICENSE")")
for link in $(sed -n 's/.*](\(docs\/[^)#]*\).*/\1/p' "$doc/README.md"); do
	[ -e "$doc/$link" ] || fail "the installed README.md has a link to '$link', which is not installed"
done
