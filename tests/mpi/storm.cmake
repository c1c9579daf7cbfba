# SPDX-License-Identifier: BSD-3-Clause
# Random traffic, snapshots all the time, and restarts from what was committed.
add_executable(storm ${CMAKE_CURRENT_LIST_DIR}/storm.c)
target_link_libraries(storm PRIVATE seamark_warnings Seamark::seamark MPI::MPI_C)
target_compile_definitions(storm PRIVATE _GNU_SOURCE)
