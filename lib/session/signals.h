/* SPDX-License-Identifier: BSD-3-Clause */
/* The signal that asks for a checkpoint, and the one that asks to checkpoint and leave. The handlers only count; whoever polls looks. */
#ifndef SESSION_SIGNALS_H
#define SESSION_SIGNALS_H

#include <stdbool.h>

#include "base/fault.h"

/* Installs the handlers, with SA_RESTART; 0 for none. Called when the library is loaded, so that a signal that comes early does not
 * end the program. A handler that is there is called after ours; what is ignored or left to its default is not chained to. */
int signals_install(int request_signal, int stop_signal, struct fault *fault);
/* The program, or the MPI library, may have set a handler since: takes the signals again and chains to theirs. */
int signals_reinstall(struct fault *fault);

/* How many requests came since this was last asked; one may count twice where a program's handler and ours call each other. Async-signal-safe, as the next. */
unsigned signals_requests(void);
/* Whether a stop was asked for since this was last asked. */
bool signals_stop(void);

#endif
