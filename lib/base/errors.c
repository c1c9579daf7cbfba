/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/fault.h"

#include <stddef.h>

static const struct {
	int code;
	const char *text;
} texts[] = {
	{ 0, "success" },
	{ SEAMARK_E_ARGUMENT, "an argument cannot be" },
	{ SEAMARK_E_ORDER, "the call is not allowed at this point" },
	{ SEAMARK_E_NOT_FOUND, "no region, checkpoint or folder of that name" },
	{ SEAMARK_E_NOT_CUT, "this rank has not made its cut: to wait here could never end" },
	{ SEAMARK_E_PENDING, "messages of the application are under way where none may be" },
	{ SEAMARK_E_SETTING, "a setting has a value that cannot be" },
	{ SEAMARK_E_RANKS, "the checkpoint was taken on another number of ranks" },
	{ SEAMARK_E_REGION, "a region is missing, has another size, or could not be saved or loaded" },
	{ SEAMARK_E_VERSION, "the checkpoint was written by a newer version, or needs what this one does not have" },
	{ SEAMARK_E_COMMUNICATOR, "messages were recorded on a communicator that this run did not make" },
	{ SEAMARK_E_RUN, "the file belongs to another run or attempt than its manifest says" },
	{ SEAMARK_E_DAMAGED, "the checkpoint is damaged" },
	{ SEAMARK_E_IO, "a file operation failed" },
	{ SEAMARK_E_SPACE, "the disk or the quota is full" },
	{ SEAMARK_E_PERMISSION, "a file may not be read or written" },
	{ SEAMARK_E_BUSY, "another run holds the folder" },
	{ SEAMARK_E_MEMORY, "not enough memory" },
	{ SEAMARK_E_DEVICE, "the host cannot read this memory" },
	{ SEAMARK_E_VOID, "the snapshot was given up" },
	{ SEAMARK_E_TIMEOUT, "the time that was given is over; the snapshot goes on" },
	{ SEAMARK_E_UNABLE, "this program, as it is, cannot be saved" },
	{ SEAMARK_E_NO_WRAPPERS, "the program's MPI calls do not pass through Seamark: link -lseamark before MPI" },
	{ SEAMARK_E_OTHER_MPI, "the library was built for another MPI than the one that is loaded" },
};

const char *fault_text(int code)
{
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (texts[i].code == code)
			return texts[i].text;
	return code > 0 ? "success" : "an unknown error";
}
