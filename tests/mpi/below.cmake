# SPDX-License-Identifier: BSD-3-Clause
# Programs, libraries and tools that call PMPI_ functions themselves.
set(here ${CMAKE_CURRENT_LIST_DIR})

# below_program(NAME "compile options" "link options")
function(below_program name compile link)
	add_executable(${name} ${here}/below.c ${here}/transport.c)
	target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
	target_compile_options(${name} PRIVATE ${compile})
	target_link_options(${name} PRIVATE ${link})
	target_link_libraries(${name} PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C)
endfunction()
below_program(above "-DABOVE" "")
below_program(below_lazy "-fPIE;-DBY_ADDRESS" "-pie;-Wl,-z,lazy")
below_program(below_now "-fPIE;-fno-plt;-DBY_ADDRESS" "-pie;-Wl,-z,relro,-z,now")
below_program(below_fixed "-fno-pie;-DBY_ADDRESS" "-no-pie;-Wl,-z,lazy")

# A library, linked or loaded.
add_library(transport SHARED ${here}/transport.c)
set_target_properties(transport PROPERTIES C_VISIBILITY_PRESET default)
target_link_options(transport PRIVATE -Wl,-z,lazy)
target_link_libraries(transport PRIVATE seamark_warnings MPI::MPI_C)
add_executable(below_linked ${here}/below.c)
target_link_libraries(below_linked PRIVATE seamark_warnings Seamark::seamark transport MPI::MPI_C)
add_executable(below_loads ${here}/below.c)
target_compile_definitions(below_loads PRIVATE _GNU_SOURCE LOADED)
target_link_libraries(below_loads PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C ${CMAKE_DL_LIBS})

add_library(tool SHARED tool.c)
set_target_properties(tool PROPERTIES C_VISIBILITY_PRESET default)
target_link_libraries(tool PRIVATE seamark_warnings MPI::MPI_C)

# below_test(NAME SAVED RANKS COMMAND... [ENVIRONMENT ...])
function(below_test name saved ranks)
	cmake_parse_arguments(BELOW "" "" "ENVIRONMENT" ${ARGN})
	seamark_test(${name} COMMAND sh ${here}/below.sh ${saved} ${ranks} ${BELOW_UNPARSED_ARGUMENTS} LABELS mpi TIMEOUT 150
		PROCESSORS ${ranks} ENVIRONMENT ${BELOW_ENVIRONMENT})
endfunction()
foreach(program above below_lazy below_now below_fixed below_linked)
	string(REPLACE _ - name ${program})
	below_test(mpi-${name} 6 2 $<TARGET_FILE:${program}>)
endforeach()
below_test(mpi-below-alone 3 1 $<TARGET_FILE:below_lazy>)
below_test(mpi-below-on-4 12 4 $<TARGET_FILE:below_linked>)
foreach(moment before quiet lazy)
	below_test(mpi-below-loaded-${moment} 6 2 $<TARGET_FILE:below_loads> $<TARGET_FILE:transport> ${moment})
endforeach()
below_test(mpi-below-loaded-late "unable PMPI_[A-Z][a-z]*: libtransport.so, .* was loaded after MPI_Init" 2 $<TARGET_FILE:below_loads>
	$<TARGET_FILE:transport> late)

# A tool before Seamark sees what the program calls, and stacks; one behind it sees nothing.
below_test(mpi-tool-before 6 2 env LD_PRELOAD=$<TARGET_FILE:tool> $<TARGET_FILE:above> ENVIRONMENT "SAID=tool: 52 sends, 58 receives")
below_test(mpi-tool-before-preloaded 6 2 env LD_PRELOAD=$<TARGET_FILE:tool>:$<TARGET_FILE:seamark> $<TARGET_FILE:above>
	ENVIRONMENT "SAID=tool: 52 sends, 58 receives")
below_test(mpi-tool-behind 6 2 env LD_PRELOAD=$<TARGET_FILE:seamark>:$<TARGET_FILE:tool> $<TARGET_FILE:below_linked>)
below_test(mpi-below-off unsaved 2 $<TARGET_FILE:below_lazy> ENVIRONMENT SEAMARK_OFF=1)
