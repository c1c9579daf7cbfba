# SPDX-License-Identifier: BSD-3-Clause
add_executable(patterns ${CMAKE_CURRENT_LIST_DIR}/patterns.c)
target_link_libraries(patterns PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C)
target_compile_definitions(patterns PRIVATE _GNU_SOURCE)
# patterns_test(NAME RANKS AMOUNT ...): see patterns.sh.
function(patterns_test name ranks amount)
	seamark_test(patterns-${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/patterns.sh $<TARGET_FILE:patterns> ${ranks} ${amount} ${ARGN})
endfunction()
# With MPICH less of it: its ranks are slow when they share a core.
set(amount 4)
if(SEAMARK_MPICH)
	set(amount 1)
endif()
patterns_test(on-1-rank 1 30 LABELS mpi mpich TIMEOUT 240)
patterns_test(on-2-ranks 2 ${amount} LABELS mpi mpich TIMEOUT 240 PROCESSORS 2)
patterns_test(on-3-ranks 3 3 LABELS mpi TIMEOUT 240 PROCESSORS 2)
patterns_test(on-4-ranks 4 2 LABELS mpi TIMEOUT 240 PROCESSORS 2)
patterns_test(on-8-ranks 8 1 LABELS mpi TIMEOUT 240 PROCESSORS 2)
foreach(ranks 2 3 4 8)
	patterns_test(on-${ranks}-ranks-deep ${ranks} 100 LABELS mpi deep TIMEOUT 7200 SERIAL)
endforeach()

add_executable(growth ${CMAKE_CURRENT_LIST_DIR}/growth.c)
target_link_libraries(growth PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C)
target_compile_definitions(growth PRIVATE _GNU_SOURCE)
# growth_test(NAME RANKS [KIND COUNT]...): see growth.sh.
function(growth_test name ranks)
	cmake_parse_arguments(TEST "" "TIMEOUT" "LABELS;KINDS" ${ARGN})
	seamark_test(nothing-grows-${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/growth.sh $<TARGET_FILE:growth> ${ranks} ${TEST_KINDS}
		LABELS mpi ${TEST_LABELS} TIMEOUT ${TEST_TIMEOUT} PROCESSORS 2)
endfunction()
growth_test(on-1-rank 1 TIMEOUT 240 LABELS mpich
	KINDS snapshots 2000 communicators 200000 requests 1000000 persistent 200000 tags 400000)
growth_test(on-2-ranks 2 TIMEOUT 240
	KINDS snapshots 1000 communicators 10000 requests 100000 persistent 50000 tags 200000)
foreach(ranks 1 2 4 8)
	growth_test(on-${ranks}-ranks-deep ${ranks} TIMEOUT 7200 LABELS deep
		KINDS snapshots 50000 communicators 300000 requests 10000000 persistent 3000000 tags 3000000)
endforeach()
