# SPDX-License-Identifier: BSD-3-Clause
# Programs under drill: what they compute is right, and nothing is wrong; what is made wrong on purpose is found.
add_executable(drilled ${CMAKE_CURRENT_LIST_DIR}/drilled.c)
target_link_libraries(drilled PRIVATE seamark_warnings MPI::MPI_C ${CMAKE_DL_LIBS})
target_compile_definitions(drilled PRIVATE _GNU_SOURCE)

# drill_test(NAME WHAT RANKS DRILL command... [ENVIRONMENT ...]): see drill.sh.
function(drill_test name what ranks drill)
	cmake_parse_arguments(DRILL "" "" "ENVIRONMENT;LABELS" ${ARGN})
	seamark_test(drill-${name} COMMAND sh ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/drill.sh ${what} ${ranks} ${drill}
		${DRILL_UNPARSED_ARGUMENTS} LABELS mpi ${DRILL_LABELS} TIMEOUT 120 PROCESSORS 2 ENVIRONMENT ${DRILL_ENVIRONMENT})
endfunction()
set(plain env LD_PRELOAD=$<TARGET_FILE:seamark> $<TARGET_FILE:drilled>)

foreach(ranks 1 2 3 4 8)
	# A folder that cannot be is none that is needed.
	drill_test(traffic-${ranks} right ${ranks} 1ms ${plain} traffic 0.7 ENVIRONMENT folder=/proc/nowhere LABELS mpich)
	set(labels)
	if(ranks LESS 3)
		set(labels LABELS mpich)
	endif()
	drill_test(calls-${ranks} right ${ranks} 0.5ms $<TARGET_FILE:test_calls> ENVIRONMENT ORACLE_DRILL=1 ${labels})
endforeach()
drill_test(by-calls right 3 "20 calls" ${plain} traffic 0.7)
drill_test(bank right 3 1ms $<TARGET_FILE:bank> --transfers 20000 --seed 7)
drill_test(queens right 4 0.2ms $<TARGET_FILE:queens> 13)
drill_test(heat right 4 "20 calls" $<TARGET_FILE:heat> --steps 300 ENVIRONMENT same=checksum)
drill_test(beside-checkpoints right 4 1ms $<TARGET_FILE:heat> --steps 1000 ENVIRONMENT same=checksum "SEAMARK_EVERY=200 steps")
foreach(seed 1 2)
	drill_test(storm-steps-${seed} right 3 1ms $<TARGET_FILE:storm> --kind step --seed ${seed} --work 200 ENVIRONMENT same=digest)
	drill_test(storm-events-${seed} right 3 1ms $<TARGET_FILE:storm> --kind event --seed ${seed} --work 500)
endforeach()
foreach(ranks 1 2 3)
	drill_test(threads-${ranks} right ${ranks} 1ms $<TARGET_FILE:threads> traffic 1000)
endforeach()
drill_test(stolen stolen 2 1ms ${plain} stolen LABELS mpich)
drill_test(changed changed 2 1ms ${plain} changed LABELS mpich)
drill_test(bounded bounded 2 "20 calls" ${plain} memory)
