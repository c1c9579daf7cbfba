/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/fault.h"
#include "seamark.h"

const char *seamark_version(void)
{
	return SEAMARK_VERSION;
}

const char *seamark_strerror(int error)
{
	return fault_text(error);
}
