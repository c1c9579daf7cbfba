# SPDX-License-Identifier: BSD-3-Clause
# The example programs as they are meant to be used; tests/fault kills them.
if(TARGET heat AND TARGET queens AND TARGET bank)
	set(here ${CMAKE_CURRENT_LIST_DIR})
	seamark_test(heat-is-right-on-any-ranks COMMAND sh ${here}/apps_heat.sh LABELS mpi TIMEOUT 180 PROCESSORS 4)
	seamark_test(queens-count-right-with-checkpoints COMMAND sh ${here}/apps_queens.sh LABELS mpi TIMEOUT 180 PROCESSORS 4)
	seamark_test(bank-conserves-money COMMAND sh ${here}/apps_bank.sh LABELS mpi TIMEOUT 180 PROCESSORS 4)
	seamark_test(bank-scenarios-record-what-they-should COMMAND sh ${here}/apps_script.sh LABELS mpi TIMEOUT 180 PROCESSORS 4)
	seamark_test(traces-tell-what-the-checkpoints-hold COMMAND sh ${here}/traced.sh LABELS mpi TIMEOUT 180 PROCESSORS 4)
	add_executable(parts ${here}/parts.c)
	target_link_libraries(parts PRIVATE seamark_warnings MPI::MPI_C)
	seamark_test(programs-without-seamark-are-waited-for-aloud COMMAND sh ${here}/parts.sh $<TARGET_FILE:heat> $<TARGET_FILE:parts> LABELS mpi mpich TIMEOUT 120)
endif()
