# SPDX-License-Identifier: BSD-3-Clause
# Every public call, every setting and every restart, by a program that is linked as a user's is.
add_executable(calls ${CMAKE_CURRENT_LIST_DIR}/calls.c)
target_link_libraries(calls PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C PkgConfig::XXHASH m)
target_compile_definitions(calls PRIVATE _GNU_SOURCE)
add_executable(calls_plain ${CMAKE_CURRENT_LIST_DIR}/calls.c)
target_link_libraries(calls_plain PRIVATE seamark_warnings MPI::MPI_C)
target_compile_definitions(calls_plain PRIVATE _GNU_SOURCE CALLS_PLAIN)
foreach(group regions arrays order restart permission damage requests signals settings limits lock)
	seamark_test(public-calls-${group} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/calls.sh $<TARGET_FILE:calls> ${group}
		LABELS mpi mpich TIMEOUT 240)
endforeach()
