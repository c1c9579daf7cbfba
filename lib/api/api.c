/* SPDX-License-Identifier: BSD-3-Clause */
/* The door that the application calls by name: seamark.h, word for word. */
#include "seamark.h"

#include "session/session.h"

/* Whatever session_enter says: a call by name has an answer also when Seamark is off. */

int seamark_protect(const char *name, void *data, size_t bytes)
{
	session_enter();
	return session_leave(session_protect(name, data, bytes));
}

int seamark_protect_array(const char *name, void *data, int type, int dimensions, const uint64_t *global, const uint64_t *offset,
			  const uint64_t *local)
{
	return seamark_protect_array_with_halo(name, data, type, dimensions, global, offset, local, NULL, NULL);
}

int seamark_protect_array_with_halo(const char *name, void *data, int type, int dimensions, const uint64_t *global, const uint64_t *offset,
				    const uint64_t *local, const uint64_t *before, const uint64_t *after)
{
	session_enter();
	return session_leave(session_protect_array(name, data, type, dimensions, global, offset, local, before, after));
}

int seamark_protect_with(const char *name, int (*save)(seamark_writer *to, void *context),
			 int (*load)(seamark_reader *from, void *context), void *context)
{
	session_enter();
	return session_leave(session_protect_with(name, save, load, context));
}

int seamark_unprotect(const char *name)
{
	session_enter();
	return session_leave(session_unprotect(name));
}

int seamark_restore(int64_t *step)
{
	session_enter();
	return session_leave(session_restore(step));
}

int seamark_saved_bytes(const char *name, size_t *bytes)
{
	session_enter();
	return session_leave(session_saved_bytes(name, bytes));
}

int seamark_safepoint(int64_t step)
{
	session_enter();
	return session_leave(session_safepoint(step));
}

int seamark_request(void)
{
	session_enter();
	return session_leave(session_request());
}

int seamark_wait(double timeout_s)
{
	session_enter();
	return session_leave(session_wait(timeout_s));
}

int seamark_checkpoint(int64_t step, double timeout_s)
{
	session_enter();
	return session_leave(session_checkpoint(step, timeout_s));
}

int seamark_committed(int64_t *number, int64_t *step)
{
	session_enter();
	return session_leave(session_committed(number, step));
}

int seamark_stopping(void)
{
	session_enter();
	return session_leave(session_stopping());
}
