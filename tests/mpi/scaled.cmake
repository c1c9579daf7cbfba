# SPDX-License-Identifier: BSD-3-Clause
# The model in bench/scale counts what is really sent: under MPI here, and by the protocol's objects alone in larger worlds.
if(TARGET bench_scale)
	add_executable(scaled ${CMAKE_CURRENT_LIST_DIR}/scaled.c ${PROJECT_SOURCE_DIR}/bench/scale/patterns.c)
	target_include_directories(scaled PRIVATE ${PROJECT_SOURCE_DIR}/bench/scale ${PROJECT_SOURCE_DIR}/lib)
	target_link_libraries(scaled PRIVATE seamark_warnings seamark_sanitize Seamark::seamark MPI::MPI_C)
	function(scaled_test ranks markers)
		seamark_test(mpi-scale-model-${ranks}-${markers} COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/scaled.sh $<TARGET_FILE:scaled>
			$<TARGET_FILE:bench_scale> ${ranks} ${markers} ${ARGN} LABELS mpi scale PROCESSORS 2 TIMEOUT 120)
	endfunction()
	scaled_test(4 all halo-2d)
	scaled_test(8 busy halo-2d halo-3d hub)
	scaled_test(16 busy halo-2d hub)
	seamark_test(scale-model COMMAND bench_scale --check 256 LABELS scale TIMEOUT 120)
	seamark_test(scale-model-deep COMMAND bench_scale --check 16384 LABELS scale deep TIMEOUT 1800)
endif()
