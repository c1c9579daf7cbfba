# SPDX-License-Identifier: BSD-3-Clause
# MPI_THREAD_MULTIPLE: several threads of each rank in MPI at a time.
add_executable(threads ${CMAKE_CURRENT_LIST_DIR}/threads.c)
target_link_libraries(threads PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C Threads::Threads)
target_compile_definitions(threads PRIVATE _GNU_SOURCE)
# On one rank all the cores are threads of it: there a library without its lock fails two times of three.
foreach(ranks_rounds 1:30000 2:2000 3:1000)
	string(REPLACE ":" ";" ranks_rounds ${ranks_rounds})
	list(GET ranks_rounds 0 ranks)
	list(GET ranks_rounds 1 rounds)
	seamark_mpi_test(threads-traffic-${ranks} RANKS ${ranks} COMMAND threads traffic ${rounds} TIMEOUT 120)
	seamark_mpi_test(threads-traffic-snapshots-${ranks} RANKS ${ranks} COMMAND threads traffic ${rounds} snapshots TIMEOUT 120
		ENVIRONMENT SEAMARK_EVERY=2ms)
endforeach()
foreach(ranks 1 2 4)
	seamark_test(threads-restart-${ranks} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/threads.sh $<TARGET_FILE:threads> ${ranks} 5000 3
		LABELS mpi mpich TIMEOUT 240 PROCESSORS 2)
endforeach()
foreach(what send barrier receive)
	seamark_mpi_test(threads-rule-${what} RANKS 2 COMMAND threads rule ${what} LABELS mpich TIMEOUT 60)
endforeach()
