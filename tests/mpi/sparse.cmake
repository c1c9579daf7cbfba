# SPDX-License-Identifier: BSD-3-Clause
# A state that changes here and there, taken in every way.
add_executable(sparse ${CMAKE_CURRENT_LIST_DIR}/sparse.c)
target_link_libraries(sparse PRIVATE seamark_warnings seamark_sanitize Seamark::seamark MPI::MPI_C)
target_compile_definitions(sparse PRIVATE _GNU_SOURCE)
function(sparse_test name ranks)
	cmake_parse_arguments(SPARSE "" "TIMEOUT" "LABELS" ${ARGN})
	seamark_test(${name} COMMAND sh ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/sparse.sh $<TARGET_FILE:sparse> ${ranks} ${SPARSE_UNPARSED_ARGUMENTS}
		PROCESSORS 2 TIMEOUT ${SPARSE_TIMEOUT} LABELS mpi ${SPARSE_LABELS})
endfunction()
foreach(way auto copy changes fork hold)
	sparse_test(state-by-${way}-restores-from-every-checkpoint 2 ${way} free TIMEOUT 180 LABELS mpich)
endforeach()
sparse_test(state-in-little-memory-restores-from-every-checkpoint 2 auto "1 MiB" TIMEOUT 180)
seamark_test(state-of-3-GiB COMMAND test_state_ways 3 LABELS deep TIMEOUT 1800)
foreach(way auto changes fork)
	sparse_test(state-by-${way}-of-24-MiB 2 ${way} free 24 64 TIMEOUT 1800 LABELS deep)
endforeach()
