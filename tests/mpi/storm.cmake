# SPDX-License-Identifier: BSD-3-Clause
# Random traffic, snapshots all the time, and restarts from what was committed.
add_executable(storm ${CMAKE_CURRENT_LIST_DIR}/storm.c)
target_link_libraries(storm PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C)
target_compile_definitions(storm PRIVATE _GNU_SOURCE)
# storm_test(NAME KINDS RANKS SEEDS WORK RESTARTS KILLS [SEED] ...): see storm.sh.
function(storm_test name kinds ranks seeds work restarts kills seed)
	seamark_test(storm-${name} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/storm.sh $<TARGET_FILE:storm> ${kinds} ${ranks} ${seeds} ${work}
		${restarts} ${kills} ${seed} ${ARGN})
endfunction()
storm_test(events event "2 4" 1 700 2 1 3 LABELS mpi mpich TIMEOUT 240 PROCESSORS 2)
storm_test(steps step "2 4" 1 800 2 1 1 LABELS mpi mpich TIMEOUT 240 PROCESSORS 2)
foreach(kind event step)
	foreach(ranks 1 2 3 4 8)
		storm_test(${kind}-on-${ranks}-ranks-deep ${kind} ${ranks} 8 3000 all 4 1000 LABELS mpi deep TIMEOUT 7200 SERIAL)
	endforeach()
endforeach()
