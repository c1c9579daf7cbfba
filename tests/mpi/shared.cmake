# SPDX-License-Identifier: BSD-3-Clause
# Several ranks write one file.
if(TARGET seamark AND TARGET heat)
	add_library(nodes MODULE ${CMAKE_CURRENT_LIST_DIR}/nodes.c)
	target_link_libraries(nodes PRIVATE seamark_warnings MPI::MPI_C)
	set_target_properties(nodes PROPERTIES C_VISIBILITY_PRESET default)
	set(shared COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/shared.sh $<TARGET_FILE:nodes>)
	seamark_test(files-shared-on-few-ranks ${shared} 1 2 3 LABELS mpi mpich PROCESSORS 2 TIMEOUT 240)
	seamark_test(files-shared-on-8-ranks ${shared} 8 LABELS mpi PROCESSORS 2 TIMEOUT 240)
	seamark_test(files-shared-on-4-and-16-ranks ${shared} 4 16 LABELS deep PROCESSORS 2 TIMEOUT 900)
endif()
