# SPDX-License-Identifier: BSD-3-Clause
# How our own code is compiled, as targets: what is linked with them gets the flags, nothing else does.

add_library(seamark_warnings INTERFACE)
target_compile_options(seamark_warnings INTERFACE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
	-Wpointer-arith -Wvla -Wundef -Wwrite-strings $<$<BOOL:${SEAMARK_WERROR}>:-Werror>)

# MPICH's MPI_STATUSES_IGNORE is the address 1, and gcc 12 warns of every call that is given it: such an address is nothing's, to gcc.
include(CheckCCompilerFlag)
check_c_compiler_flag(--param=min-pagesize=0 SEAMARK_HAS_MIN_PAGESIZE)
if(SEAMARK_HAS_MIN_PAGESIZE)
	target_compile_options(seamark_warnings INTERFACE --param=min-pagesize=0)
endif()

add_library(seamark_sanitize INTERFACE)
if(SEAMARK_SANITIZE)
	target_compile_options(seamark_sanitize INTERFACE -fsanitize=${SEAMARK_SANITIZE} -fno-sanitize-recover=all
		-fno-omit-frame-pointer)
	target_link_options(seamark_sanitize INTERFACE -fsanitize=${SEAMARK_SANITIZE})
endif()
