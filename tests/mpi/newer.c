/* SPDX-License-Identifier: BSD-3-Clause */
/* What an MPI library will have some day; with BINDING, its interface for Fortran; with CALLER, a program that is linked to it and may call it, with
 * FORTRAN by way of that interface. */
int MPI_Newer_send(int to);
/* Others that merely look so. */
#define OTHERS(WHAT) WHAT(A) WHAT(B) WHAT(C) WHAT(D) WHAT(E) WHAT(F) WHAT(G) WHAT(H) WHAT(I) WHAT(J) WHAT(K) WHAT(L) WHAT(M) WHAT(N) WHAT(O) WHAT(P) WHAT(Q)
#define DECLARED(x) int MPI_Own_##x(int to);
OTHERS(DECLARED)

int PMPI_Newer_send(int to);
int mpi_newer_send_(int to);
int mpi_init_(int unused);

#ifdef FORTRAN
int (*volatile newer[])(int) = { mpi_init_, mpi_newer_send_ };
#elif defined(FORTRAN_QUIET)
int (*volatile newer[])(int) = { mpi_init_ };
#elif defined(BINDING)
int mpi_init_(int unused) { return unused; }
int mpi_newer_send_(int to) { return PMPI_Newer_send(to); }
#elif defined(CALLER)
#define TAKEN(x) MPI_Own_##x,
int (*volatile newer[])(int) = { OTHERS(TAKEN) MPI_Newer_send };
#elif defined(OWN)
#define DEFINED(x) int MPI_Own_##x(int to) { return to; }
OTHERS(DEFINED)
#else
int MPI_Newer_send(int to) { return to; }
int PMPI_Newer_send(int to) { return to; }
#endif
