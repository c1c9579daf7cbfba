/* SPDX-License-Identifier: BSD-3-Clause */
/* Which MPI library this is built for. No other file asks: tests/includes.sh. What a library does otherwise than the others is found out at run
 * time, where it matters (interpose_learn_errors). */
#ifndef SESSION_FAMILY_H
#define SESSION_FAMILY_H

#include <mpi.h>
#include <string.h>

/* Its name, and whether the library that is loaded is of it, by what MPI_Get_library_version says. MPICH has relatives with other names and the same
 * binary interface (Intel MPI, MVAPICH, Cray); Open MPI's are called Open MPI. */
#if defined(OPEN_MPI)
#define FAMILY "Open MPI"
#define FAMILY_FITS(version) (strstr(version, "Open MPI") != NULL)
#elif defined(MPICH_VERSION)
#define FAMILY "MPICH"
#define FAMILY_FITS(version) (strstr(version, "Open MPI") == NULL)
#else
#define FAMILY "another MPI library"
#define FAMILY_FITS(version) (strstr(version, "Open MPI") == NULL && strstr(version, "MPICH") == NULL)
#endif

/* Functions of its own: Open MPI 4 has the persistent collectives of MPI-4 as extensions. */
#if defined(OPEN_MPI) && defined(__has_include)
#if __has_include(<mpi-ext.h>)
#include <mpi-ext.h>
#endif
#endif
#ifdef OMPI_HAVE_MPI_EXT_PCOLLREQ
#define FAMILY_HAS_MPIX_PERSISTENT 1
#else
#define FAMILY_HAS_MPIX_PERSISTENT 0
#endif

#endif
