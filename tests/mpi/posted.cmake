# SPDX-License-Identifier: BSD-3-Clause
# The receives that were posted at a cut are listed in its images.
add_executable(posted ${CMAKE_CURRENT_LIST_DIR}/posted.c)
target_link_libraries(posted PRIVATE seamark_warnings Seamark::seamark Seamark::files MPI::MPI_C)
seamark_test(posted-receives-are-listed COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/posted.sh $<TARGET_FILE:posted> 1 2 3 4 LABELS mpi mpich TIMEOUT 120 PROCESSORS 2)
