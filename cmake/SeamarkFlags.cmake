# SPDX-License-Identifier: BSD-3-Clause
# How our own code is compiled, as targets: what is linked with them gets the flags, nothing else does.

add_library(seamark_warnings INTERFACE)
target_compile_options(seamark_warnings INTERFACE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
	-Wpointer-arith -Wvla -Wundef -Wwrite-strings $<$<BOOL:${SEAMARK_WERROR}>:-Werror>)

add_library(seamark_sanitize INTERFACE)
if(SEAMARK_SANITIZE)
	target_compile_options(seamark_sanitize INTERFACE -fsanitize=${SEAMARK_SANITIZE} -fno-sanitize-recover=all
		-fno-omit-frame-pointer)
	target_link_options(seamark_sanitize INTERFACE -fsanitize=${SEAMARK_SANITIZE})
endif()
