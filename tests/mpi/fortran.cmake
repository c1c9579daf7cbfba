# SPDX-License-Identifier: BSD-3-Clause
# Programs in Fortran, by each binding of MPI that is there.
set(here ${CMAKE_CURRENT_LIST_DIR})
seamark_test(fortran-module-has-every-call COMMAND sh ${here}/fortran_names.sh ${PROJECT_SOURCE_DIR}/lib/seamark.h
	${PROJECT_SOURCE_DIR}/lib/fortran/seamark.f90 LABELS house)
if(NOT SEAMARK_HAS_FORTRAN OR NOT MPI_Fortran_FOUND OR SEAMARK_SANITIZE)
	return()
endif()

# fortran_program(NAME SOURCE options...)
function(fortran_program name source)
	add_executable(${name} ${here}/${source})
	set_target_properties(${name} PROPERTIES LINKER_LANGUAGE Fortran Fortran_MODULE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${name}.mod)
	target_compile_options(${name} PRIVATE $<$<Fortran_COMPILER_ID:GNU>:-ffree-line-length-none> ${ARGN})
	target_link_libraries(${name} PRIVATE Seamark::fortran MPI::MPI_Fortran)
endfunction()

set(binding 0)
foreach(kind F77_HEADER F90_MODULE F08_MODULE)
	math(EXPR binding "${binding} + 1")
	if(MPI_Fortran_HAVE_${kind})
		string(TOLOWER ${kind} name)
		string(REGEX REPLACE "_.*" "" name ${name})
		# mpif.h has no interfaces: a buffer of another type looks like a mistake.
		fortran_program(fortran_${name} binding.F90 -DBINDING=${binding}
			$<$<AND:$<STREQUAL:${name},f77>,$<Fortran_COMPILER_ID:GNU>>:-fallow-argument-mismatch> $<$<STREQUAL:${name},f77>:-w>)
		below_test(mpi-fortran-${name} 60 2 $<TARGET_FILE:fortran_${name}>)
		seamark_test(mpi-fortran-${name}-killed COMMAND sh ${here}/fortran_killed.sh 3 2 $<TARGET_FILE:fortran_${name}>
			LABELS mpi mpich TIMEOUT 240 PROCESSORS 2)
	endif()
endforeach()
if(MPI_Fortran_HAVE_F08_MODULE)
	below_test(mpi-fortran-f08-alone 30 1 $<TARGET_FILE:fortran_f08>)
	below_test(mpi-fortran-f08-on-4 120 4 $<TARGET_FILE:fortran_f08>)
	below_test(mpi-fortran-f08-preloaded 60 2 env LD_PRELOAD=$<TARGET_FILE:seamark> $<TARGET_FILE:fortran_f08>)
endif()
if(MPI_Fortran_HAVE_F90_MODULE)
	fortran_program(fortran_module module.f90)
	below_test(mpi-fortran-module 0 2 $<TARGET_FILE:fortran_module>)
endif()
