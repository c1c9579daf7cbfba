# SPDX-License-Identifier: BSD-3-Clause
# Whether the Fortran module can be built: SEAMARK_HAS_FORTRAN. Needed are a Fortran compiler and its C header for descriptors. MPI::MPI_Fortran, for the
# tests, is the Fortran side of the MPI library whose C side is used.
include(CheckLanguage)
check_language(Fortran)
set(SEAMARK_HAS_FORTRAN OFF)
if(CMAKE_Fortran_COMPILER)
	enable_language(Fortran)
	include(CheckIncludeFile)
	check_include_file(ISO_Fortran_binding.h SEAMARK_HAS_DESCRIPTORS)
	if(SEAMARK_HAS_DESCRIPTORS)
		set(SEAMARK_HAS_FORTRAN ON)
	endif()
	if(NOT MPI_Fortran_COMPILER)
		# mpicc.mpich has mpifort.mpich beside it
		string(REGEX REPLACE "mpicc([^/]*)$" "mpifort\\1" beside "${MPI_C_COMPILER}")
		if(NOT beside STREQUAL MPI_C_COMPILER AND EXISTS "${beside}")
			set(MPI_Fortran_COMPILER "${beside}" CACHE FILEPATH "The MPI library's Fortran compiler")
		endif()
	endif()
	find_package(MPI COMPONENTS Fortran)
endif()
