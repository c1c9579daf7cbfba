# SPDX-License-Identifier: BSD-3-Clause
# What Seamark has no part in works as without it, and stops no checkpoint.
add_executable(test_passes ${CMAKE_CURRENT_LIST_DIR}/test_passes.c)
target_link_libraries(test_passes PRIVATE seamark_warnings Seamark::seamark Seamark::files MPI::MPI_C)
target_compile_definitions(test_passes PRIVATE _GNU_SOURCE)
foreach(what nothing files requests tools)
	seamark_mpi_test(passes-${what} RANKS 2 COMMAND test_passes ${what} LABELS mpich TIMEOUT 60)
endforeach()
seamark_test(passes-sides COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} 3 $<TARGET_FILE:test_passes> sides LABELS mpi mpich
	PROCESSORS 2 TIMEOUT 60 ENVIRONMENT SEAMARK_EVERY=2ms SEAMARK_KEEP=all)
# Debian's MPICH cannot spawn.
seamark_test(passes-spawn COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} 2 $<TARGET_FILE:test_passes> spawn
	LABELS mpi PROCESSORS 2 TIMEOUT 60)
# More ranks; not with MPICH, where it takes long when ranks share a core.
foreach(what files requests)
	seamark_test(passes-${what}-4 COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} 4 $<TARGET_FILE:test_passes> ${what}
		LABELS mpi PROCESSORS 2 TIMEOUT 60)
endforeach()
# Open MPI has two kinds of files.
foreach(what requests files)
	seamark_test(passes-${what}-romio COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} 3 $<TARGET_FILE:test_passes> ${what}
		LABELS mpi PROCESSORS 2 TIMEOUT 60 ENVIRONMENT OMPI_MCA_io=romio321)
endforeach()
