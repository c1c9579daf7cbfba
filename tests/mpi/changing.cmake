# SPDX-License-Identifier: BSD-3-Clause
# Regions that change in every manner, through every way of taking them and increments of increments: every byte of every checkpoint is compared.
if(TARGET seamark)
	add_executable(changing changing.c)
	target_compile_definitions(changing PRIVATE _GNU_SOURCE)
	target_link_libraries(changing PRIVATE seamark_warnings Seamark::seamark Seamark::files MPI::MPI_C)
	set(changing COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/changing.sh)
	if(SEAMARK_SANITIZE)
		set(disk -)
	else()
		set(disk ${PROJECT_BINARY_DIR}/tests/fault/libfailing_disk.so)
	endif()
	seamark_test(changing-auto-and-changes ${changing} "auto changes" 2 40 ${disk} LABELS mpi fault PROCESSORS 2 TIMEOUT 240)
	seamark_test(changing-in-shared-files ${changing} auto 3 30 ${disk} LABELS mpi fault PROCESSORS 2 TIMEOUT 240 ENVIRONMENT SEAMARK_RANKS_PER_FILE=2)
	seamark_test(changing-in-one-file-long ${changing} "auto changes fork" 4 300 ${disk} LABELS deep PROCESSORS 2 TIMEOUT 3600
		ENVIRONMENT SEAMARK_RANKS_PER_FILE=node)
	seamark_test(changing-every-way-long ${changing} "auto copy changes fork hold" 2 400 ${disk} LABELS deep PROCESSORS 2 TIMEOUT 3600)
endif()
