/* SPDX-License-Identifier: BSD-3-Clause */
/* One-sided communication: OPERATION(name, (parameters), (arguments)), with target_rank and win among them; WINDOW(name, shared, (parameters), (arguments)), a
 * constructor with comm and win. The including file defines both. No include guard: it is a table. */
WINDOW(Win_create, false, (void *base, MPI_Aint size, int disp_unit, MPI_Info info, MPI_Comm comm, MPI_Win *win), (base,
	size, disp_unit, info, comm, win))
WINDOW(Win_allocate, false, (MPI_Aint size, int disp_unit, MPI_Info info, MPI_Comm comm, void *baseptr, MPI_Win *win),
	(size, disp_unit, info, comm, baseptr, win))
WINDOW(Win_allocate_shared, true, (MPI_Aint size, int disp_unit, MPI_Info info, MPI_Comm comm, void *baseptr, MPI_Win
	*win), (size, disp_unit, info, comm, baseptr, win))
WINDOW(Win_create_dynamic, false, (MPI_Info info, MPI_Comm comm, MPI_Win *win), (info, comm, win))
OPERATION(Put, (const void *origin_addr, int origin_count, MPI_Datatype origin_datatype, int target_rank, MPI_Aint
	target_disp, int target_count, MPI_Datatype target_datatype, MPI_Win win), (origin_addr, origin_count,
	origin_datatype, target_rank, target_disp, target_count, target_datatype, win))
OPERATION(Get, (void *origin_addr, int origin_count, MPI_Datatype origin_datatype, int target_rank, MPI_Aint
	target_disp, int target_count, MPI_Datatype target_datatype, MPI_Win win), (origin_addr, origin_count,
	origin_datatype, target_rank, target_disp, target_count, target_datatype, win))
OPERATION(Accumulate, (const void *origin_addr, int origin_count, MPI_Datatype origin_datatype, int target_rank,
	MPI_Aint target_disp, int target_count, MPI_Datatype target_datatype, MPI_Op op, MPI_Win win), (origin_addr,
	origin_count, origin_datatype, target_rank, target_disp, target_count, target_datatype, op, win))
OPERATION(Get_accumulate, (const void *origin_addr, int origin_count, MPI_Datatype origin_datatype, void
	*result_addr, int result_count, MPI_Datatype result_datatype, int target_rank, MPI_Aint target_disp, int
	target_count, MPI_Datatype target_datatype, MPI_Op op, MPI_Win win), (origin_addr, origin_count, origin_datatype,
	result_addr, result_count, result_datatype, target_rank, target_disp, target_count, target_datatype, op, win))
OPERATION(Fetch_and_op, (const void *origin_addr, void *result_addr, MPI_Datatype datatype, int target_rank,
	MPI_Aint target_disp, MPI_Op op, MPI_Win win), (origin_addr, result_addr, datatype, target_rank, target_disp, op,
	win))
OPERATION(Compare_and_swap, (const void *origin_addr, const void *compare_addr, void *result_addr, MPI_Datatype
	datatype, int target_rank, MPI_Aint target_disp, MPI_Win win), (origin_addr, compare_addr, result_addr, datatype,
	target_rank, target_disp, win))
OPERATION(Rput, (const void *origin_addr, int origin_count, MPI_Datatype origin_datatype, int target_rank, MPI_Aint
	target_disp, int target_count, MPI_Datatype target_datatype, MPI_Win win, MPI_Request *request), (origin_addr,
	origin_count, origin_datatype, target_rank, target_disp, target_count, target_datatype, win, request))
OPERATION(Rget, (void *origin_addr, int origin_count, MPI_Datatype origin_datatype, int target_rank, MPI_Aint
	target_disp, int target_count, MPI_Datatype target_datatype, MPI_Win win, MPI_Request *request), (origin_addr,
	origin_count, origin_datatype, target_rank, target_disp, target_count, target_datatype, win, request))
OPERATION(Raccumulate, (const void *origin_addr, int origin_count, MPI_Datatype origin_datatype, int target_rank,
	MPI_Aint target_disp, int target_count, MPI_Datatype target_datatype, MPI_Op op, MPI_Win win, MPI_Request *request),
	(origin_addr, origin_count, origin_datatype, target_rank, target_disp, target_count, target_datatype, op, win,
	request))
OPERATION(Rget_accumulate, (const void *origin_addr, int origin_count, MPI_Datatype origin_datatype, void
	*result_addr, int result_count, MPI_Datatype result_datatype, int target_rank, MPI_Aint target_disp, int
	target_count, MPI_Datatype target_datatype, MPI_Op op, MPI_Win win, MPI_Request *request), (origin_addr,
	origin_count, origin_datatype, result_addr, result_count, result_datatype, target_rank, target_disp, target_count,
	target_datatype, op, win, request))
#if MPI_VERSION >= 4
OPERATION(Put_c, (const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype, int target_rank,
	MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype, MPI_Win win), (origin_addr, origin_count,
	origin_datatype, target_rank, target_disp, target_count, target_datatype, win))
OPERATION(Get_c, (void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype, int target_rank, MPI_Aint
	target_disp, MPI_Count target_count, MPI_Datatype target_datatype, MPI_Win win), (origin_addr, origin_count,
	origin_datatype, target_rank, target_disp, target_count, target_datatype, win))
OPERATION(Accumulate_c, (const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype, int
	target_rank, MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype, MPI_Op op, MPI_Win win),
	(origin_addr, origin_count, origin_datatype, target_rank, target_disp, target_count, target_datatype, op, win))
OPERATION(Get_accumulate_c, (const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype, void
	*result_addr, MPI_Count result_count, MPI_Datatype result_datatype, int target_rank, MPI_Aint target_disp, MPI_Count
	target_count, MPI_Datatype target_datatype, MPI_Op op, MPI_Win win), (origin_addr, origin_count, origin_datatype,
	result_addr, result_count, result_datatype, target_rank, target_disp, target_count, target_datatype, op, win))
OPERATION(Rput_c, (const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype, int target_rank,
	MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype, MPI_Win win, MPI_Request *request),
	(origin_addr, origin_count, origin_datatype, target_rank, target_disp, target_count, target_datatype, win, request))
OPERATION(Rget_c, (void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype, int target_rank,
	MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype, MPI_Win win, MPI_Request *request),
	(origin_addr, origin_count, origin_datatype, target_rank, target_disp, target_count, target_datatype, win, request))
OPERATION(Raccumulate_c, (const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype, int
	target_rank, MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_datatype, MPI_Op op, MPI_Win win,
	MPI_Request *request), (origin_addr, origin_count, origin_datatype, target_rank, target_disp, target_count,
	target_datatype, op, win, request))
OPERATION(Rget_accumulate_c, (const void *origin_addr, MPI_Count origin_count, MPI_Datatype origin_datatype, void
	*result_addr, MPI_Count result_count, MPI_Datatype result_datatype, int target_rank, MPI_Aint target_disp, MPI_Count
	target_count, MPI_Datatype target_datatype, MPI_Op op, MPI_Win win, MPI_Request *request), (origin_addr,
	origin_count, origin_datatype, result_addr, result_count, result_datatype, target_rank, target_disp, target_count,
	target_datatype, op, win, request))
WINDOW(Win_create_c, false, (void *base, MPI_Aint size, MPI_Aint disp_unit, MPI_Info info, MPI_Comm comm, MPI_Win *win),
	(base, size, disp_unit, info, comm, win))
WINDOW(Win_allocate_c, false, (MPI_Aint size, MPI_Aint disp_unit, MPI_Info info, MPI_Comm comm, void *baseptr, MPI_Win
	*win), (size, disp_unit, info, comm, baseptr, win))
WINDOW(Win_allocate_shared_c, true, (MPI_Aint size, MPI_Aint disp_unit, MPI_Info info, MPI_Comm comm, void *baseptr,
	MPI_Win *win), (size, disp_unit, info, comm, baseptr, win))
#endif
