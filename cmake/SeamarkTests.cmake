# SPDX-License-Identifier: BSD-3-Clause
# How tests are added. Each runs in a folder of its own, emptied before it starts.

set(SEAMARK_FRESH ${CMAKE_CURRENT_LIST_DIR}/fresh.sh)
if("${MPI_C_LIBRARIES}" MATCHES "libmpich")
	set(SEAMARK_MPICH TRUE)
endif()
set(SEAMARK_TEST_ENVIRONMENT
	OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
	# More ranks than cores: they take turns, and no two worlds are bound to the same core.
	OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none
	# MPICH: a rank that waits gives its core away after few looks.
	MPIR_CVAR_POLLS_BEFORE_YIELD=10
	"MPIEXEC=${MPIEXEC_EXECUTABLE}" "MPICC=${MPI_C_COMPILER}" "MPIFORT=$<$<BOOL:${SEAMARK_HAS_FORTRAN}>:${MPI_Fortran_COMPILER}>"
	"UBSAN_OPTIONS=print_stacktrace=1"
	# Not SEAMARK_...: the library would warn of names that are no settings.
	"TEST_BUILD=${PROJECT_BINARY_DIR}" "TEST_SOURCE=${PROJECT_SOURCE_DIR}")

# seamark_test(NAME COMMAND command... [LABELS label...] [TIMEOUT seconds] [PROCESSORS n] [ENVIRONMENT name=value...] [SERIAL])
# The command may be a target's name. For scripts: $MPIEXEC is mpirun and $MPICC mpicc of the MPI that is built for, $TEST_BUILD and $TEST_SOURCE are
# the trees. Label mpich: part of the ordinary run with MPICH.
function(seamark_test name)
	cmake_parse_arguments(TEST "SERIAL" "TIMEOUT;PROCESSORS" "COMMAND;LABELS;ENVIRONMENT" ${ARGN})
	list(POP_FRONT TEST_COMMAND first)
	if(TARGET ${first})
		set(first $<TARGET_FILE:${first}>)
	endif()
	if(NOT TEST_TIMEOUT)
		set(TEST_TIMEOUT 120)
	endif()
	if(NOT TEST_PROCESSORS)
		set(TEST_PROCESSORS 1)
	endif()
	add_test(NAME ${name} COMMAND sh ${SEAMARK_FRESH} ${CMAKE_CURRENT_BINARY_DIR}/run/${name} ${first} ${TEST_COMMAND})
	set_tests_properties(${name} PROPERTIES TIMEOUT ${TEST_TIMEOUT} PROCESSORS ${TEST_PROCESSORS}
		ENVIRONMENT "${SEAMARK_TEST_ENVIRONMENT};${TEST_ENVIRONMENT}" LABELS "${TEST_LABELS}")
	if(TEST_SERIAL)
		set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
	endif()
endfunction()

# seamark_python(VARIABLE MODULE...): the first interpreter that has the modules, Debian's or one of the user's own; if none has, the test says what is missing.
function(seamark_python variable)
	list(JOIN ARGN ", " modules)
	find_program(SEAMARK_PYTHON_IN_PATH python3)
	find_program(SEAMARK_PYTHON_OF_SYSTEM python3 PATHS /usr/bin /usr/local/bin NO_DEFAULT_PATH)
	mark_as_advanced(SEAMARK_PYTHON_IN_PATH SEAMARK_PYTHON_OF_SYSTEM)
	set(${variable} python3 PARENT_SCOPE)
	foreach(candidate IN ITEMS ${SEAMARK_PYTHON_IN_PATH} ${SEAMARK_PYTHON_OF_SYSTEM})
		execute_process(COMMAND ${candidate} -c "import ${modules}" RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
		if(result EQUAL 0)
			set(${variable} ${candidate} PARENT_SCOPE)
			return()
		endif()
	endforeach()
endfunction()

# seamark_mpi_test(NAME RANKS n COMMAND command... [PRELOAD] and as seamark_test): the command on n ranks. PRELOAD: libseamark.so is
# preloaded into the ranks, for programs that are not linked with it. ENVIRONMENT reaches mpirun and the ranks. On up to 4 ranks it is also run with MPICH if not SERIAL,
# which is slow when ranks share a core.
function(seamark_mpi_test name)
	cmake_parse_arguments(TEST "PRELOAD;SERIAL" "RANKS;TIMEOUT" "COMMAND;LABELS;ENVIRONMENT" ${ARGN})
	list(POP_FRONT TEST_COMMAND first)
	if(TARGET ${first})
		set(first $<TARGET_FILE:${first}>)
	endif()
	set(preload)
	if(TEST_PRELOAD)
		set(preload env LD_PRELOAD=$<TARGET_FILE:seamark>)
	endif()
	set(serial)
	if(TEST_SERIAL)
		set(serial SERIAL)
	endif()
	if(name MATCHES "^mpi-" AND TEST_RANKS LESS_EQUAL 4 AND NOT TEST_SERIAL AND NOT "deep" IN_LIST TEST_LABELS)
		list(APPEND TEST_LABELS mpich)
	endif()
	seamark_test(${name} ${serial} PROCESSORS ${TEST_RANKS} TIMEOUT ${TEST_TIMEOUT} LABELS mpi ${TEST_LABELS}
		ENVIRONMENT ${TEST_ENVIRONMENT}
		COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${TEST_RANKS} ${preload} ${first} ${TEST_COMMAND})
endfunction()
