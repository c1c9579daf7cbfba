/* SPDX-License-Identifier: BSD-3-Clause */
/* Probes. What lies in the mailbox is found first. A probe that finds something leaves the safepoint open until the receive; one that finds nothing
 * closes it: a program may go on with other work then. */
#include "interpose/inside.h"

/* One look; *flag: found. status is real. */
static int look(int source, int tag, MPI_Comm comm, int *flag, MPI_Status *status)
{
	int index = comms_index(comm);
	if (unlikely(session.mailbox.count != 0)) {
		struct mail *mail = interpose_mail(index, source, tag);
		if (mail) {
			*flag = 1;
			return recorder_probe_status(mail, status);
		}
	}
	int error = PMPI_Iprobe(source, tag, comm, flag, status);
	if (unlikely(error == MPI_SUCCESS && *flag && session.watching && index != LEDGER_NO_COMM && source != MPI_PROC_NULL)) {
		session_before_telling();
		uint64_t key = ledger_key((unsigned)index, (unsigned)status->MPI_SOURCE, (unsigned)status->MPI_TAG);
		session_probed(key, ledger_stream(&session.ledger.seen, key)->total + 1);
	}
	return error;
}

void interpose_spin_for(enum look_call call, int source, int tag, MPI_Comm comm)
{
	int index = comms_index(comm);
	uint8_t flags = 0;
	uint64_t key = index == LEDGER_NO_COMM ? 0 : pattern_of(index, source, tag, &flags);
	session_spin(call, SESSION_AWAITS_MESSAGE, key, flags);
}

int MPI_Iprobe(int source, int tag, MPI_Comm comm, int *flag, MPI_Status *status)
{
	if (unlikely(!session_enter()))
		return PMPI_Iprobe(source, tag, comm, flag, status);
	MPI_Status own;
	session_turn(SESSION_COMPLETES);
	int error = look(source, tag, comm, flag, status == MPI_STATUS_IGNORE ? &own : status);
	if (error == MPI_SUCCESS && !*flag)
		nothing_found();
	else if (error != MPI_SUCCESS || source == MPI_PROC_NULL)
		session_close_safepoint();
	return session_leave(error);
}

int MPI_Probe(int source, int tag, MPI_Comm comm, MPI_Status *status)
{
	if (unlikely(!session_enter()))
		return PMPI_Probe(source, tag, comm, status);
	MPI_Status own;
	int error, found = 0;
	session_turn(SESSION_COMPLETES);
	for (session.spins = 0;; interpose_spin_for(LOOK_Probe, source, tag, comm)) {
		/* The message may be drained into the mailbox by a turn of this loop. */
		error = look(source, tag, comm, &found, status == MPI_STATUS_IGNORE ? &own : status);
		if (found || error != MPI_SUCCESS)
			break;
	}
	session_waited();
	if (error != MPI_SUCCESS || source == MPI_PROC_NULL)
		session_close_safepoint();
	return session_leave(error);
}
