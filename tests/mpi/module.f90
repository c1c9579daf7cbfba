! SPDX-License-Identifier: BSD-3-Clause
! Every call of the module seamark. The first life takes a checkpoint, the second looks at what it got back.
module module_list
   use, intrinsic :: iso_c_binding
   use seamark
   implicit none
   type list
      integer(c_int) :: count = 0
      real(c_double), allocatable :: numbers(:)
   end type

contains

   function save_list(to, context) bind(c) result(failed)
      type(c_ptr), value :: to, context
      integer(c_int) :: failed
      type(list), pointer :: it
      call c_f_pointer(context, it)
      call seamark_write(to, it%count, failed)
      if (failed == 0) call seamark_write(to, it%numbers, failed)
   end function

   function load_list(from, context) bind(c) result(failed)
      type(c_ptr), value :: from, context
      integer(c_int) :: failed
      type(list), pointer :: it
      call c_f_pointer(context, it)
      call seamark_read(from, it%count, failed)
      if (failed /= 0) return
      if (allocated(it%numbers)) deallocate (it%numbers)
      allocate (it%numbers(it%count))
      call seamark_read(from, it%numbers, failed)
   end function
end module

program module_calls
   use, intrinsic :: iso_c_binding
   use, intrinsic :: iso_fortran_env, only: error_unit
   use mpi
   use seamark
   use module_list
   implicit none
   type place
      integer :: number
      real :: height
      character(len=3) :: short
   end type
   integer(2), allocatable, target :: cube(:, :, :)
   real(c_float), target :: whole(3, 2)
   complex(c_double), target :: block(8, 20, 1)
   complex(c_double), target :: waves(5)
   logical, target :: flags(-2:2)
   character(len=4), target :: words(3)
   character(len=11), target :: text
   type(place), target :: here, places(2)
   real(c_double), target :: nothing(0), plain(6)
   real(c_double), pointer :: pointed(:)
   type(list), target :: numbers
   integer, allocatable, target :: absent(:)
   integer :: rank, e, state, failures = 0, step_32
   integer(c_int64_t) :: number, at
   integer(c_size_t) :: bytes

   call seamark_safepoint(1, e)
   call is(e == SEAMARK_E_ORDER, "nothing is called before MPI_Init")
   call MPI_Init(e)
   call MPI_Comm_rank(MPI_COMM_WORLD, rank, e)
   call is(seamark_version_loaded() == SEAMARK_VERSION, "the version is the module's")
   call is(seamark_strerror(0) == "success" .and. seamark_strerror(SEAMARK_E_DAMAGED) /= "success", "errors have texts")
   call protect_all()
   call refuse()
   at = 5
   call seamark_restore(at, state)
   if (state == SEAMARK_FRESH) then
      call first_life()
   else
      call is(state == SEAMARK_RESTORED .and. at == 11, "the second life begins where the checkpoint was taken")
      call second_life()
   end if
   if (rank == 0 .and. failures == 0) print '(a)', "all 2 messages came"
   call MPI_Finalize(e)
   if (failures /= 0) error stop 1

contains

   subroutine is(right, what)
      logical, intent(in) :: right
      character(len=*), intent(in) :: what
      if (right) return
      failures = failures + 1
      write (error_unit, '(a)') "FAILED: not so: " // what
   end subroutine

   subroutine protect_all()
      allocate (cube(2, 3, 4), pointed(7))
      cube = 0; whole = 0; block = 0; waves = 0; flags = .false.; words = ""; text = ""; here = place(0, 0., ""); places = here; plain = 0; pointed = 0
      call seamark_protect("cube", cube, e)
      call is(e == 0, "an allocatable array is protected")
      call seamark_protect("waves", waves, e)
      call is(e == 0, "a complex array is protected")
      call seamark_protect("flags  ", flags)
      call seamark_protect("words", words)
      call seamark_protect("text", text)
      call seamark_protect("here", here)
      call seamark_protect("places", places)
      call seamark_protect("nothing", nothing, e)
      call is(e == 0, "an empty array is protected")
      call seamark_protect("pointed", pointed(3:5), e)
      call is(e == 0, "a section without gaps is protected")
      call seamark_protect_address("plain", c_loc(plain(2)), 4 * c_sizeof(plain(1)), e)
      call is(e == 0, "an address is protected")
      call seamark_protect_with("list", save_list, load_list, c_loc(numbers), e)
      call is(e == 0, "a state is protected by functions")
      call seamark_protect_array("whole", whole, e)
      call is(e == 0, "an array of this rank alone is protected")
      call seamark_protect_array("block", block, global=[6, 40, 1], offset=[0, 20 * rank, 0], before=[1, 0, 0], after=[1, 0, 0], ierror=e)
      call is(e == 0, "a block with ghosts is protected")
      call seamark_protect("leaves", text)
      call seamark_unprotect("leaves   ", e)
      call is(e == 0, "a region is unprotected, whatever blanks its name ends in")
   end subroutine

   subroutine refuse()
      call seamark_protect("gaps", cube(1, :, :), e)
      call is(e == SEAMARK_E_ARGUMENT, "a section with gaps is refused")
      call seamark_protect("backwards", pointed(7:1:-1), e)
      call is(e == SEAMARK_E_ARGUMENT, "one that goes backwards is refused")
      call seamark_protect_array("gaps", cube(1, :, :), e)
      call is(e == SEAMARK_E_ARGUMENT, "an array with gaps is refused")
      call seamark_protect_array("short", block, [6, 40], ierror=e)
      call is(e == SEAMARK_E_ARGUMENT, "a list of another length is refused")
      call seamark_protect_array("short", block, [6_8, 40_8, 1_8], offset=[0_8, 0_8], ierror=e)
      call is(e == SEAMARK_E_ARGUMENT, "an offset of another length is refused")
      call seamark_protect_array("beyond", block, [6, 40, 1], offset=[0, 0, 0], ierror=e)
      call is(e == SEAMARK_E_ARGUMENT, "a block beyond the whole is refused")
      call seamark_protect_array("types", places, e)
      call is(e == SEAMARK_E_ARGUMENT, "records are no elements")
      call seamark_protect_array("scalar", here%number, e)
      call is(e == SEAMARK_E_ARGUMENT, "a scalar is no array")
      call seamark_protect("   ", text, e)
      call is(e == SEAMARK_E_ARGUMENT, "an empty name is refused")
      call seamark_unprotect("never", e)
      call is(e == SEAMARK_E_NOT_FOUND, "what was not protected is not found")
      call seamark_saved_bytes("cube", bytes, e)
      call is(e == SEAMARK_E_ORDER, "sizes are asked for after a restore")
      call seamark_write(c_null_ptr, text, e)
      call is(e < 0, "there is nothing to write to")
      call seamark_read(c_null_ptr, cube(1, :, :), e)
      call is(e == SEAMARK_E_ARGUMENT, "nothing is read into a section with gaps")
   end subroutine

   subroutine fill()
      integer :: i
      cube = reshape([(int(100 * rank + i, 2), i=1, 24)], [2, 3, 4])
      waves = [(cmplx(rank, i, c_double), i=1, 5)]
      whole = reshape([1., 2., 3., 4., 5., 6.], [3, 2])
      block = (7d0, 8d0)
      flags = [.true., .false., .true., .true., .false.]
      words = ["one  ", "two  ", "three"]
      text = "eleven long"
      here = place(rank, 1.5, "abc")
      places = [here, place(rank + 1, 2.5, "de")]
      pointed = [(i, i=1, 7)]
      plain = [(10 * i, i=1, 6)]
      numbers%count = 3
      numbers%numbers = [1d0, 2d0, 3d0 + rank]
   end subroutine

   subroutine first_life()
      call is(at == 5, "a fresh start leaves the step")
      numbers%numbers = [real(c_double) ::]
      call seamark_safepoint(SEAMARK_ANY_STEP, e)
      call is(e == 0, "an open safepoint")
      step_32 = 7
      call seamark_safepoint(step_32, e)
      call is(e == 0, "a step of 32 bits")
      call is(.not. seamark_committed(number, at, e) .and. e == 0, "nothing is committed yet")
      call seamark_request(e)
      call is(e == 0, "a checkpoint is asked for")
      call seamark_safepoint(8_c_int64_t, e)
      call is(e >= 0, "a step of 64 bits")
      call seamark_wait(0.0_c_double, e)
      call is(e == 0 .or. e == SEAMARK_E_NOT_CUT .or. e == SEAMARK_E_TIMEOUT .or. e == SEAMARK_E_VOID, "waiting ends")
      call fill()
      call seamark_checkpoint(11, 60d0, e)
      call is(e == 0, "a checkpoint is taken")
      call is(seamark_committed(number, at) .and. at == 11 .and. number >= 1, "it is known")
      call is(seamark_committed(), "it is known to who does not ask for its number")
      call is(.not. seamark_stopping(), "nobody asked to stop")
      if (failures == 0) call MPI_Abort(MPI_COMM_WORLD, 9, e)
   end subroutine

   subroutine second_life()
      integer :: i
      call is(all(cube == reshape([(int(100 * rank + i, 2), i=1, 24)], [2, 3, 4])), "the cube is back")
      call is(all(abs(waves - [(cmplx(rank, i, c_double), i=1, 5)]) <= 0), "the complex numbers are back")
      call is(all(abs(whole - reshape([1., 2., 3., 4., 5., 6.], [3, 2])) <= 0), "the array is back")
      call is(all(abs(block - (7d0, 8d0)) <= 0), "the block is back")
      call is(all(flags .eqv. [.true., .false., .true., .true., .false.]), "the flags are back")
      call is(words(1) == "one" .and. words(3) == "thre" .and. text == "eleven long", "the texts are back")
      call is(here%number == rank .and. places(2)%number == rank + 1 .and. places(2)%short == "de", "the records are back")
      call is(all(abs(pointed - [0, 0, 3, 4, 5, 0, 0]) <= 0), "the section is back, and only that")
      call is(all(abs(plain - [0, 20, 30, 40, 50, 0]) <= 0), "what is at the address is back, and only that")
      call is(numbers%count == 3 .and. abs(sum(numbers%numbers) - 6 - rank) <= 0, "the list is back")
      call seamark_saved_bytes("cube ", bytes, e)
      call is(e == 0 .and. bytes == 48, "the size of a saved region")
      call seamark_restore(step_32, e)
      call is(e == SEAMARK_E_ORDER, "a restore is made once")
      call seamark_checkpoint(12_c_int64_t, 60d0, e)
      call is(e == 0, "another checkpoint is taken")
   end subroutine
end program
