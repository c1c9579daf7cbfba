! SPDX-License-Identifier: BSD-3-Clause
! A ring by the Fortran bindings of MPI: BINDING 1 is mpif.h, 2 "use mpi", 3 "use mpi_f08". On each of LANES streams, AHEAD messages are under way to each
! rank at any time, and each lane sends and receives in its own way; some have receives posted before they are needed. Every message is checked when it
! comes, and its numbers go into a protected sum, which in the end must be what an undisturbed run has.
!
! binding: takes a checkpoint in the middle and aborts; the next life goes on to the end. binding STEP: aborts at that step, whatever is saved, and is slow.
#if BINDING == 3
#define REQUEST type(MPI_Request)
#define STATUS type(MPI_Status)
#define DATATYPE type(MPI_Datatype)
#define COMM type(MPI_Comm)
#define MESSAGE type(MPI_Message)
#define SOURCE_IN(s) s%MPI_SOURCE
#define TAG_IN(s) s%MPI_TAG
#else
#define REQUEST integer
#define STATUS integer, dimension(MPI_STATUS_SIZE)
#define DATATYPE integer
#define COMM integer
#define MESSAGE integer
#define SOURCE_IN(s) s(MPI_SOURCE)
#define TAG_IN(s) s(MPI_TAG)
#endif

program binding
   use seamark
   use, intrinsic :: iso_fortran_env, only: real64, int64, error_unit
#if BINDING == 2
   use mpi
#elif BINDING == 3
   use mpi_f08
#endif
   implicit none
   interface
      subroutine usleep(microseconds) bind(c)
         use, intrinsic :: iso_c_binding, only: c_int
         integer(c_int), value :: microseconds
      end subroutine
   end interface
#if BINDING == 1
   include 'mpif.h'
#endif

   integer, parameter :: STEPS = 40, MIDDLE = 19, AHEAD = 3, POSTED = 2, LANES = 10
   ! The lanes, and how they receive.
   integer, parameter :: WAITED = 1, ANYWHERE = 2, VECTOR = 3, BOTTOM = 4, PERSISTENT = 5, LARGE = 6, PROBED = 7, &
      MATCHED = 8, APART = 9, FREED = 10
   integer, parameter :: NUMBERS = 4, MANY = 20000, TAGS = 10, NOBODY = 99

   type settings
      integer :: kind
      real(real64) :: scale
      character(len=5) :: name
   end type

   real(real64), target, asynchronous, volatile :: in(MANY, LANES, 0:POSTED), out(MANY, LANES, 0:AHEAD)
   real(real64), target, asynchronous, volatile :: rows(NUMBERS + 1, NUMBERS, 0:POSTED)
   real(real64), target :: buffer(4096)
   REQUEST :: posted_as(LANES, 0:POSTED), sent_as(LANES, 0:AHEAD)
   DATATYPE :: scattered(0:POSTED)
   COMM :: apart_comm
   ! what is protected
   real(real64), target :: sums(LANES)
   type(settings), target :: kept
   character(len=7), target :: label
   integer, target :: step_of_sums
   integer, allocatable, target :: history(:, :)

   integer :: rank, size, next, previous, step, e, state, failures, die_at
   integer :: first ! the index of a first request: 1; but 0 in the mpi_f08 of MPICH 4.0
   character(len=16) :: argument

   failures = 0
   die_at = 0
   call MPI_Init(e)
   call MPI_Comm_rank(MPI_COMM_WORLD, rank, e)
   call MPI_Comm_size(MPI_COMM_WORLD, size, e)
   next = modulo(rank + 1, size)
   previous = modulo(rank - 1, size)
   call get_command_argument(1, argument)
   if (argument /= "") read (argument, *) die_at
   call set_up()
   step = 1
   call seamark_restore(step, state)
   call check(state >= 0, "the state is restored, or fresh")
   call check(kept%kind == 7 .and. kept%name == "whole" .and. label == "a label", "records and texts are as they were")
   call check(state == SEAMARK_FRESH .or. step_of_sums == step - 1, "what belongs together is from one step")
   call begin_lanes()
   do while (step <= STEPS)
      if (step == MIDDLE .and. die_at == 0 .and. state == SEAMARK_FRESH) then
         call seamark_checkpoint(step, 60d0, e)
         call check(e == 0, "a checkpoint is taken: " // seamark_strerror(e))
         call MPI_Abort(MPI_COMM_WORLD, 9, e)
      end if
      call seamark_safepoint(step)
      if (die_at /= 0) call usleep(5000)
      if (step == die_at .and. rank == size - 1) call MPI_Abort(MPI_COMM_WORLD, 9, e)
      call send_all(step + AHEAD)
      call receive_all(step)
      call post_all(step + POSTED)
      call other_calls(step)
      history(:, step) = [step, rank]
      step_of_sums = step
      step = step + 1
   end do
   call check_sums()
   call end_lanes()
   call MPI_Allreduce(MPI_IN_PLACE, failures, 1, MPI_INTEGER, MPI_SUM, MPI_COMM_WORLD, e)
   if (rank == 0 .and. failures == 0) print '(a, i0, a)', "all ", STEPS, " messages came"
   call MPI_Finalize(e)
   if (failures /= 0) error stop 1

contains

   subroutine check(right, what)
      logical, intent(in) :: right
      character(len=*), intent(in) :: what
      if (right) return
      failures = failures + 1
      write (error_unit, '(a, i0, a, i0, a)') "FAILED: rank ", rank, ", step ", step, ": not so: " // what
   end subroutine

   ! The numbers of a message to a rank.
   pure function number_of(to, lane, at, i) result(number)
      integer, intent(in) :: to, lane, at, i
      real(real64) :: number
      number = 10000d0 * to + 100d0 * at + lane + 1d-3 * modulo(i, 1000)
   end function

   pure function length_of(lane) result(length)
      integer, intent(in) :: lane
      integer :: length
      length = merge(MANY, NUMBERS, lane == LARGE)
   end function

   subroutine set_up()
      integer(MPI_ADDRESS_KIND) :: places(2)
      integer :: slot
      REQUEST :: nothing(1)
      call MPI_Irecv(slot, 1, MPI_INTEGER, MPI_PROC_NULL, 0, MPI_COMM_WORLD, nothing(1), e)
      call MPI_Waitany(1, nothing, first, MPI_STATUS_IGNORE, e)
      call MPI_Comm_dup(MPI_COMM_WORLD, apart_comm, e)
      call MPI_Buffer_attach(buffer, 8 * 4096, e)
      do slot = 0, POSTED
         call MPI_Get_address(in(1, BOTTOM, slot), places(1), e)
         call MPI_Get_address(in(11, BOTTOM, slot), places(2), e)
         call MPI_Type_create_hindexed(2, [2, 2], places, MPI_DOUBLE_PRECISION, scattered(slot), e)
         call MPI_Type_commit(scattered(slot), e)
      end do
      sent_as = MPI_REQUEST_NULL
      posted_as = MPI_REQUEST_NULL
      allocate (history(2, STEPS))
      history = 0
      sums = 0
      kept = settings(7, 2.5d0, "whole")
      label = "a label"
      step_of_sums = 0
      call seamark_protect("sums", sums, e)
      call check(e == 0, "an array is protected")
      call seamark_protect("history   ", history)
      call seamark_protect("kept", kept)
      call seamark_protect("label", label)
      call seamark_protect("step", step_of_sums)
   end subroutine

   subroutine begin_lanes()
      integer :: slot, at
      do slot = 0, POSTED
         call MPI_Recv_init(in(1, PERSISTENT, slot), NUMBERS, MPI_DOUBLE_PRECISION, previous, TAGS + PERSISTENT, MPI_COMM_WORLD, &
            posted_as(PERSISTENT, slot), e)
      end do
      do slot = 0, AHEAD
         call MPI_Send_init(out(1, PERSISTENT, slot), NUMBERS, MPI_DOUBLE_PRECISION, next, TAGS + PERSISTENT, MPI_COMM_WORLD, &
            sent_as(PERSISTENT, slot), e)
      end do
      do at = step, step + POSTED - 1
         call post_all(at)
      end do
      if (state == SEAMARK_RESTORED) return
      do at = 1, AHEAD
         call send_all(at)
      end do
   end subroutine

   subroutine end_lanes()
      integer :: lane, slot
      do slot = 0, AHEAD
         do lane = 1, LANES
            if (lane /= PERSISTENT) call MPI_Wait(sent_as(lane, slot), MPI_STATUS_IGNORE, e)
         end do
         call MPI_Wait(sent_as(PERSISTENT, slot), MPI_STATUS_IGNORE, e)
         call MPI_Request_free(sent_as(PERSISTENT, slot), e)
      end do
      do slot = 0, POSTED
         call MPI_Request_free(posted_as(PERSISTENT, slot), e)
         call check(posted_as(PERSISTENT, slot) == MPI_REQUEST_NULL, "a freed request is null")
         call MPI_Type_free(scattered(slot), e)
      end do
      call MPI_Comm_free(apart_comm, e)
   end subroutine

   ! --- sends ------------------------------------------------------------------------------------------------------------

   subroutine send_all(at)
      integer, intent(in) :: at
      integer :: lane, slot, i
      if (at > STEPS) return
      slot = modulo(at, AHEAD + 1)
      do lane = 1, LANES
         call MPI_Wait(sent_as(lane, slot), MPI_STATUS_IGNORE, e)
         do i = 1, length_of(lane)
            out(i, lane, slot) = number_of(next, lane, at, i)
         end do
         call send_one(lane, slot)
      end do
   end subroutine

   subroutine send_one(lane, slot)
      integer, intent(in) :: lane, slot
      integer :: n, tag
      n = length_of(lane)
      tag = TAGS + lane
      select case (lane)
      case (ANYWHERE)
         if (size > 1) then
            call MPI_Send(out(1, lane, slot), n, MPI_DOUBLE_PRECISION, next, tag, MPI_COMM_WORLD, e)
         else
            call MPI_Isend(out(1, lane, slot), n, MPI_DOUBLE_PRECISION, next, tag, MPI_COMM_WORLD, sent_as(lane, slot), e)
         end if
      case (PERSISTENT)
         call MPI_Start(sent_as(lane, slot), e)
      case (PROBED)
         call MPI_Ibsend(out(1, lane, slot), n, MPI_DOUBLE_PRECISION, next, tag, MPI_COMM_WORLD, sent_as(lane, slot), e)
      case (APART)
         call MPI_Isend(out(1, lane, slot), n, MPI_DOUBLE_PRECISION, next, tag, apart_comm, sent_as(lane, slot), e)
      case default
         call MPI_Isend(out(1, lane, slot), n, MPI_DOUBLE_PRECISION, next, tag, MPI_COMM_WORLD, sent_as(lane, slot), e)
      end select
   end subroutine

   ! --- receives ---------------------------------------------------------------------------------------------------------

   ! Those that are posted before they are needed.
   subroutine post_all(at)
      integer, intent(in) :: at
      integer :: slot
      DATATYPE :: row
      if (at > STEPS) return
      slot = modulo(at, POSTED + 1)
      call MPI_Irecv(in(1, WAITED, slot), NUMBERS, MPI_DOUBLE_PRECISION, previous, TAGS + WAITED, MPI_COMM_WORLD, &
         posted_as(WAITED, slot), e)
      call MPI_Irecv(in(1, ANYWHERE, slot), NUMBERS, MPI_DOUBLE_PRECISION, MPI_ANY_SOURCE, TAGS + ANYWHERE, MPI_COMM_WORLD, &
         posted_as(ANYWHERE, slot), e)
      ! The type is freed while the receive needs it.
      call MPI_Type_vector(NUMBERS, 1, NUMBERS + 1, MPI_DOUBLE_PRECISION, row, e)
      call MPI_Type_commit(row, e)
      call MPI_Irecv(rows(2, 1, slot), 1, row, previous, TAGS + VECTOR, MPI_COMM_WORLD, posted_as(VECTOR, slot), e)
      call MPI_Type_free(row, e)
      call MPI_Irecv(MPI_BOTTOM, 1, scattered(slot), previous, TAGS + BOTTOM, MPI_COMM_WORLD, posted_as(BOTTOM, slot), e)
      call MPI_Start(posted_as(PERSISTENT, slot), e)
      call MPI_Irecv(in(1, LARGE, slot), MANY, MPI_DOUBLE_PRECISION, previous, TAGS + LARGE, MPI_COMM_WORLD, &
         posted_as(LARGE, slot), e)
   end subroutine

   subroutine check_status(got, lane)
      STATUS, intent(in) :: got
      integer, intent(in) :: lane
      integer :: n
      call check(SOURCE_IN(got) == previous, "a status has the source")
      call check(TAG_IN(got) == TAGS + lane, "a status has the tag")
      call MPI_Get_count(got, MPI_DOUBLE_PRECISION, n, e)
      call check(n == length_of(lane), "a status has the count")
   end subroutine

   subroutine receive_all(at)
      integer, intent(in) :: at
      integer :: slot, found, indices(2), i
      logical :: flag
      STATUS :: got
      REQUEST :: two(2)
      MESSAGE :: message
#if BINDING == 3
      type(MPI_Status) :: both(2)
#else
      integer :: both(MPI_STATUS_SIZE, 2)
#endif
      slot = modulo(at, POSTED + 1)
      in(:, [PROBED, MATCHED, APART, FREED], slot) = -1

      call MPI_Wait(posted_as(WAITED, slot), got, e)
      call check(posted_as(WAITED, slot) == MPI_REQUEST_NULL, "a request that was waited for is null")
      call check_status(got, WAITED)
      two = [posted_as(WAITED, slot), posted_as(ANYWHERE, slot)]
      call MPI_Waitany(2, two, found, got, e)
      call check(found == first + 1 .and. two(2) == MPI_REQUEST_NULL, "the second request is found")
      call check_status(got, ANYWHERE)
      flag = .false.
      do while (.not. flag)
         call MPI_Test(posted_as(VECTOR, slot), flag, MPI_STATUS_IGNORE, e)
      end do
      found = 0
      two = [posted_as(BOTTOM, slot), MPI_REQUEST_NULL]
      do while (found == 0)
         call MPI_Testsome(2, two, found, indices, MPI_STATUSES_IGNORE, e)
      end do
      call check(found == 1 .and. indices(1) == first .and. two(1) == MPI_REQUEST_NULL, "one of two is found")
      if (modulo(at, 2) == 0) then
         two = [posted_as(PERSISTENT, slot), posted_as(LARGE, slot)]
         call MPI_Waitall(2, two, both, e)
#if BINDING == 3
         call check_status(both(1), PERSISTENT)
         call check_status(both(2), LARGE)
#else
         call check_status(both(:, 1), PERSISTENT)
         call check_status(both(:, 2), LARGE)
#endif
      else
         call MPI_Wait(posted_as(PERSISTENT, slot), got, e)
         call check_status(got, PERSISTENT)
         flag = .false.
         do while (.not. flag)
            call MPI_Request_get_status(posted_as(LARGE, slot), flag, got, e)
         end do
         call check_status(got, LARGE)
         call MPI_Testall(1, posted_as(LARGE:LARGE, slot), flag, MPI_STATUSES_IGNORE, e)
         call check(flag, "what is known to be complete is")
      end if

      call MPI_Probe(MPI_ANY_SOURCE, TAGS + PROBED, MPI_COMM_WORLD, got, e)
      call check_status(got, PROBED)
      call MPI_Recv(in(1, PROBED, slot), NUMBERS, MPI_DOUBLE_PRECISION, SOURCE_IN(got), TAGS + PROBED, MPI_COMM_WORLD, &
         MPI_STATUS_IGNORE, e)
      flag = .false.
      do while (.not. flag)
         call MPI_Improbe(previous, TAGS + MATCHED, MPI_COMM_WORLD, flag, message, got, e)
      end do
      call MPI_Mrecv(in(1, MATCHED, slot), NUMBERS, MPI_DOUBLE_PRECISION, message, got, e)
      call check_status(got, MATCHED)
      call MPI_Recv(in(1, APART, slot), NUMBERS, MPI_DOUBLE_PRECISION, MPI_ANY_SOURCE, MPI_ANY_TAG, apart_comm, got, e)
      call check_status(got, APART)
      ! Nobody is told when this one is complete.
      call MPI_Irecv(in(1, FREED, slot), NUMBERS, MPI_DOUBLE_PRECISION, previous, TAGS + FREED, MPI_COMM_WORLD, two(1), e)
      call MPI_Request_free(two(1), e)
      call check(two(1) == MPI_REQUEST_NULL, "a freed receive is null")
      do while (in(NUMBERS, FREED, slot) < 0)
         call MPI_Iprobe(MPI_ANY_SOURCE, NOBODY, MPI_COMM_WORLD, flag, MPI_STATUS_IGNORE, e)
      end do

      in(1:NUMBERS, VECTOR, slot) = rows(2, :, slot)
      in(3:4, BOTTOM, slot) = in(11:12, BOTTOM, slot)
      do i = 1, LANES
         call take(i, slot, at)
      end do
   end subroutine

   subroutine take(lane, slot, at)
      integer, intent(in) :: lane, slot, at
      integer :: i
      logical :: right
      right = .true.
      do i = 1, length_of(lane)
         right = right .and. in(i, lane, slot) == number_of(rank, lane, at, i)
      end do
      call check(right, "the numbers of lane " // achar(iachar("0") + lane) // " are those that were sent")
      sums(lane) = 0.75d0 * sums(lane) + in(1, lane, slot)
   end subroutine

   subroutine check_sums()
      real(real64) :: wanted
      integer :: lane, at
      do lane = 1, LANES
         wanted = 0
         do at = 1, STEPS
            wanted = 0.75d0 * wanted + number_of(rank, lane, at, 1)
         end do
         call check(sums(lane) == wanted, "a sum is that of an undisturbed run")
      end do
      call check(all(history(1, :) == [(at, at=1, STEPS)]) .and. all(history(2, :) == rank), "the history has every step")
   end subroutine

   ! --- calls that leave nothing under way -----------------------------------------------------------------------------------

   subroutine other_calls(at)
      integer, intent(in) :: at
      integer :: around(2), sum_of(2)
      logical :: flag
      STATUS :: got
      REQUEST :: request
      around = [rank, at]
      call MPI_Sendrecv_replace(around, 2, MPI_INTEGER, next, NOBODY - 1, previous, NOBODY - 1, MPI_COMM_WORLD, got, e)
      call check(all(around == [previous, at]) .and. SOURCE_IN(got) == previous, "what is exchanged arrives")
      call MPI_Irecv(around, 2, MPI_INTEGER, MPI_ANY_SOURCE, NOBODY, MPI_COMM_WORLD, request, e)
      call MPI_Cancel(request, e)
      call MPI_Wait(request, got, e)
      call MPI_Test_cancelled(got, flag, e)
      call check(flag, "a receive is cancelled")
      if (modulo(at, 4) /= 0) return
      sum_of = [1, at]
      call MPI_Iallreduce(MPI_IN_PLACE, sum_of, 2, MPI_INTEGER, MPI_SUM, apart_comm, request, e)
      call MPI_Wait(request, MPI_STATUS_IGNORE, e)
      call check(all(sum_of == [size, size * at]), "a sum in place is right")
   end subroutine
end program
