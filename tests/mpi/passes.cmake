# SPDX-License-Identifier: BSD-3-Clause
# What Seamark has no part in works as without it, and stops no checkpoint.
add_executable(test_passes ${CMAKE_CURRENT_LIST_DIR}/test_passes.c)
target_link_libraries(test_passes PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C)
target_compile_definitions(test_passes PRIVATE _GNU_SOURCE)
foreach(what nothing spawn files requests tools)
	seamark_mpi_test(passes-${what} RANKS 2 COMMAND test_passes ${what} TIMEOUT 60)
endforeach()
seamark_mpi_test(passes-files-4 RANKS 4 COMMAND test_passes files TIMEOUT 60)
seamark_mpi_test(passes-requests-3 RANKS 3 COMMAND test_passes requests TIMEOUT 60)
seamark_mpi_test(passes-requests-romio RANKS 2 COMMAND test_passes requests TIMEOUT 60 ENVIRONMENT OMPI_MCA_io=romio321)
seamark_mpi_test(passes-files-romio RANKS 3 COMMAND test_passes files TIMEOUT 60 ENVIRONMENT OMPI_MCA_io=romio321)
