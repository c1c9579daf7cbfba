# SPDX-License-Identifier: BSD-3-Clause
# Traces of real runs, against what their checkpoints hold and what is known of the runs.
add_executable(told ${CMAKE_CURRENT_LIST_DIR}/told.c)
target_link_libraries(told PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C)
target_compile_definitions(told PRIVATE _GNU_SOURCE)
if(TARGET seamark_command)
	set(here ${CMAKE_CURRENT_LIST_DIR})
	seamark_test(traces-tell-of-orphans COMMAND sh ${here}/told.sh $<TARGET_FILE:told> orphan 2 LABELS mpi mpich asan
		ENVIRONMENT ASAN_OPTIONS=detect_leaks=0 TIMEOUT 300 PROCESSORS 2)
	seamark_test(traces-of-all-ranks COMMAND sh ${here}/told.sh $<TARGET_FILE:told> overtaken 4 LABELS mpi mpich TIMEOUT 180 PROCESSORS 2)
	# in_flight(NAME RUN... OPTIONS options...)
	function(in_flight name)
		cmake_parse_arguments(RUNS "" "" "OPTIONS" ${ARGN})
		seamark_test(${name} COMMAND sh ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/in_flight.sh $<TARGET_FILE:storm> $<TARGET_FILE:threads> ${RUNS_UNPARSED_ARGUMENTS} ${RUNS_OPTIONS})
	endfunction()
	if(SEAMARK_APPS)
		in_flight(traces-have-what-is-in-flight threads:2:400 storm:3:3:300 OPTIONS LABELS mpi mpich TIMEOUT 240 PROCESSORS 2)
		foreach(ranks 1 2 3 4 8)
			in_flight(traces-have-what-is-in-flight-on-${ranks}-deep threads:${ranks}:1500 storm:${ranks}:1:1000 storm:${ranks}:2:1000 storm:${ranks}:3:1000 storm:${ranks}:4:1000 bank:${ranks}:3000
				OPTIONS LABELS mpi mpich deep TIMEOUT 3600 SERIAL)
		endforeach()
		in_flight(traces-have-what-is-in-flight-on-16-deep threads:16:300 bank:16:1000 OPTIONS LABELS mpi mpich deep TIMEOUT 3600 SERIAL)
	endif()
endif()
