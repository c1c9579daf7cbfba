# SPDX-License-Identifier: BSD-3-Clause
# Hundreds of snapshots in one run in every test run, ten thousand in the deep ones.
add_executable(soak ${CMAKE_CURRENT_LIST_DIR}/soak.c)
target_link_libraries(soak PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C)
target_compile_definitions(soak PRIVATE _GNU_SOURCE)
foreach(kind event step)
	foreach(ranks 2 4)
		seamark_test(soak-${kind}-500-snapshots-on-${ranks}-ranks COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/soak.sh
			$<TARGET_FILE:soak> ${kind} 500 ${ranks} 1ms LABELS mpi TIMEOUT 240 PROCESSORS 2)
	endforeach()
	foreach(ranks 4 8)
		seamark_test(soak-${kind}-10000-snapshots-on-${ranks}-ranks COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/soak.sh
			$<TARGET_FILE:soak> ${kind} 10000 ${ranks} 1ms LABELS deep TIMEOUT 3000 SERIAL)
	endforeach()
endforeach()
