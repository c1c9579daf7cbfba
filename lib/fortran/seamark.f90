! SPDX-License-Identifier: BSD-3-Clause
!> Seamark's calls for Fortran programs. seamark.h says what each does; here is what differs.
!>
!>     use seamark
!>     call MPI_Init(ierror)
!>     call seamark_protect("temperature", grid)
!>     step = 0
!>     call seamark_restore(step)
!>     do while (step < steps)
!>        call seamark_safepoint(step)
!>        ...
!>
!> - The C function's result is in ierror, which is optional: 0 or positive for success, a negative SEAMARK_E_... for
!>   failure. Failures are told on standard error in any case.
!> - Names need no final null character, and blanks at their end do not count.
!> - A protected variable may be of any type and rank, a scalar too, and lies in one block: no array section with gaps. It
!>   has the attribute target, or is in a module: the compiler has to know that it is read and written by others. What its
!>   allocatable and pointer components point to is not protected with it.
!> - Steps are integers of 32 or 64 bits.
!> - seamark_protect_array takes the type and the local extents from the array. Extents are in Fortran's order, the first index the fastest: what
!>   is t(nx, ny, nz) here is [nz][ny][nx] in the checkpoint, and so in what `seamark export` writes: a NumPy or HDF5 array of shape
!>   (nz, ny, nx), which ParaView and h5fortran show as x, y, z. Offsets count from 0, whatever the bounds are. See there for its optional arguments.
module seamark
   use, intrinsic :: iso_c_binding
   implicit none
   private

   character(len=*), parameter, public :: SEAMARK_VERSION = "0.1.0"

   ! The call is wrong.
   integer(c_int), parameter, public :: SEAMARK_E_ARGUMENT = -1
   integer(c_int), parameter, public :: SEAMARK_E_ORDER = -2
   integer(c_int), parameter, public :: SEAMARK_E_NOT_FOUND = -3
   integer(c_int), parameter, public :: SEAMARK_E_NOT_CUT = -4
   integer(c_int), parameter, public :: SEAMARK_E_PENDING = -5
   integer(c_int), parameter, public :: SEAMARK_E_SETTING = -6
   ! The checkpoint does not fit this run.
   integer(c_int), parameter, public :: SEAMARK_E_RANKS = -20
   integer(c_int), parameter, public :: SEAMARK_E_REGION = -21
   integer(c_int), parameter, public :: SEAMARK_E_VERSION = -22
   integer(c_int), parameter, public :: SEAMARK_E_COMMUNICATOR = -23
   integer(c_int), parameter, public :: SEAMARK_E_RUN = -24
   ! The checkpoint is not whole.
   integer(c_int), parameter, public :: SEAMARK_E_DAMAGED = -30
   ! The world outside.
   integer(c_int), parameter, public :: SEAMARK_E_IO = -40
   integer(c_int), parameter, public :: SEAMARK_E_SPACE = -41
   integer(c_int), parameter, public :: SEAMARK_E_PERMISSION = -42
   integer(c_int), parameter, public :: SEAMARK_E_BUSY = -43
   integer(c_int), parameter, public :: SEAMARK_E_MEMORY = -44
   integer(c_int), parameter, public :: SEAMARK_E_DEVICE = -45
   ! The snapshot.
   integer(c_int), parameter, public :: SEAMARK_E_VOID = -60
   integer(c_int), parameter, public :: SEAMARK_E_TIMEOUT = -61
   integer(c_int), parameter, public :: SEAMARK_E_UNABLE = -62
   integer(c_int), parameter, public :: SEAMARK_E_NO_WRAPPERS = -63
   integer(c_int), parameter, public :: SEAMARK_E_OTHER_MPI = -64

   integer(c_int), parameter, public :: SEAMARK_FRESH = 0
   integer(c_int), parameter, public :: SEAMARK_RESTORED = 1
   integer(c_int64_t), parameter, public :: SEAMARK_ANY_STEP = -1_c_int64_t

   public :: seamark_protect_array
   public :: seamark_protect, seamark_protect_address, seamark_protect_with, seamark_write, seamark_read
   public :: seamark_unprotect, seamark_restore, seamark_saved_bytes, seamark_safepoint, seamark_request, seamark_wait
   public :: seamark_checkpoint, seamark_committed, seamark_stopping, seamark_version_loaded, seamark_strerror
   public :: seamark_save, seamark_load

   abstract interface
      !> Of seamark_protect_with: writes a state by seamark_write. 0, or any other value: it failed.
      function seamark_save(to, context) bind(c) result(failed)
         import :: c_ptr, c_int
         type(c_ptr), value :: to, context
         integer(c_int) :: failed
      end function
      !> Reads it back by seamark_read.
      function seamark_load(from, context) bind(c) result(failed)
         import :: c_ptr, c_int
         type(c_ptr), value :: from, context
         integer(c_int) :: failed
      end function
   end interface

   !> call seamark_restore(), or call seamark_restore(step [, ierror])
   interface seamark_restore
      module procedure restore_no_step, restore_32, restore_64
   end interface
   !> call seamark_safepoint(step [, ierror])
   interface seamark_safepoint
      module procedure safepoint_32, safepoint_64
   end interface
   !> call seamark_checkpoint(step, timeout_s [, ierror])
   interface seamark_checkpoint
      module procedure checkpoint_32, checkpoint_64
   end interface

   !> call seamark_protect_array(name, data [, ierror]), or (name, data, global [, offset] [, before] [, after] [, ierror]); the lists are integers of 32 or 64 bits
   interface seamark_protect_array
      module procedure protect_array_alone, protect_array_32, protect_array_64
   end interface

   interface
      function c_protect_array(name, data, dimensions, global, offset, before, after) &
            bind(c, name="seamark_fortran_protect_array") result(code)
         import :: c_char, c_int, c_int64_t
         character(kind=c_char), intent(in) :: name(*)
         type(*), dimension(..), target, intent(inout) :: data
         integer(c_int), value :: dimensions
         integer(c_int64_t), intent(in), optional :: global(*), offset(*), before(*), after(*)
         integer(c_int) :: code
      end function
      function c_protect_described(name, data) bind(c, name="seamark_fortran_protect") result(code)
         import :: c_char, c_int
         character(kind=c_char), intent(in) :: name(*)
         type(*), dimension(..), target, intent(inout) :: data
         integer(c_int) :: code
      end function
      function c_write_described(to, data) bind(c, name="seamark_fortran_write") result(code)
         import :: c_ptr, c_int
         type(c_ptr), value :: to
         type(*), dimension(..), intent(in) :: data
         integer(c_int) :: code
      end function
      function c_read_described(from, data) bind(c, name="seamark_fortran_read") result(code)
         import :: c_ptr, c_int
         type(c_ptr), value :: from
         type(*), dimension(..), intent(inout) :: data
         integer(c_int) :: code
      end function
      function c_protect(name, data, bytes) bind(c, name="seamark_protect") result(code)
         import :: c_char, c_int, c_ptr, c_size_t
         character(kind=c_char), intent(in) :: name(*)
         type(c_ptr), value :: data
         integer(c_size_t), value :: bytes
         integer(c_int) :: code
      end function
      function c_protect_with(name, save, load, context) bind(c, name="seamark_protect_with") result(code)
         import :: c_char, c_int, c_ptr, c_funptr
         character(kind=c_char), intent(in) :: name(*)
         type(c_funptr), value :: save, load
         type(c_ptr), value :: context
         integer(c_int) :: code
      end function
      function c_unprotect(name) bind(c, name="seamark_unprotect") result(code)
         import :: c_char, c_int
         character(kind=c_char), intent(in) :: name(*)
         integer(c_int) :: code
      end function
      function c_restore(step) bind(c, name="seamark_restore") result(code)
         import :: c_int, c_int64_t
         integer(c_int64_t), intent(inout) :: step
         integer(c_int) :: code
      end function
      function c_saved_bytes(name, bytes) bind(c, name="seamark_saved_bytes") result(code)
         import :: c_char, c_int, c_size_t
         character(kind=c_char), intent(in) :: name(*)
         integer(c_size_t), intent(inout) :: bytes
         integer(c_int) :: code
      end function
      function c_safepoint(step) bind(c, name="seamark_safepoint") result(code)
         import :: c_int, c_int64_t
         integer(c_int64_t), value :: step
         integer(c_int) :: code
      end function
      function c_request() bind(c, name="seamark_request") result(code)
         import :: c_int
         integer(c_int) :: code
      end function
      function c_wait(timeout_s) bind(c, name="seamark_wait") result(code)
         import :: c_int, c_double
         real(c_double), value :: timeout_s
         integer(c_int) :: code
      end function
      function c_checkpoint(step, timeout_s) bind(c, name="seamark_checkpoint") result(code)
         import :: c_int, c_int64_t, c_double
         integer(c_int64_t), value :: step
         real(c_double), value :: timeout_s
         integer(c_int) :: code
      end function
      function c_committed(number, step) bind(c, name="seamark_committed") result(code)
         import :: c_int, c_int64_t
         integer(c_int64_t), intent(inout) :: number, step
         integer(c_int) :: code
      end function
      function c_stopping() bind(c, name="seamark_stopping") result(code)
         import :: c_int
         integer(c_int) :: code
      end function
      function c_version() bind(c, name="seamark_version") result(text)
         import :: c_ptr
         type(c_ptr) :: text
      end function
      function c_strerror(error) bind(c, name="seamark_strerror") result(text)
         import :: c_ptr, c_int
         integer(c_int), value :: error
         type(c_ptr) :: text
      end function
      function c_strlen(text) bind(c, name="strlen") result(length)
         import :: c_ptr, c_size_t
         type(c_ptr), value :: text
         integer(c_size_t) :: length
      end function
   end interface

contains

   subroutine give(code, ierror)
      integer(c_int), intent(in) :: code
      integer(c_int), intent(out), optional :: ierror
      if (present(ierror)) ierror = code
   end subroutine

   !> A C string of a name.
   pure function c_name(name) result(text)
      character(len=*), intent(in) :: name
      character(kind=c_char, len=:), allocatable :: text
      text = trim(name) // c_null_char
   end function

   !> What a C string says.
   function text_of(string) result(text)
      type(c_ptr), intent(in) :: string
      character(len=:), allocatable :: text
      character(kind=c_char), pointer :: letters(:)
      integer :: i
      call c_f_pointer(string, letters, [c_strlen(string)])
      allocate (character(len=size(letters)) :: text)
      do i = 1, size(letters)
         text(i:i) = letters(i)
      end do
   end function

   ! --- regions --------------------------------------------------------------------------------------------------------

   subroutine seamark_protect(name, data, ierror)
      character(len=*), intent(in) :: name
      type(*), dimension(..), target, intent(inout) :: data
      integer(c_int), intent(out), optional :: ierror
      call give(c_protect_described(c_name(name), data), ierror)
   end subroutine

   !> For what seamark_protect does not take: address is c_loc() of its first byte.
   subroutine seamark_protect_address(name, address, bytes, ierror)
      character(len=*), intent(in) :: name
      type(c_ptr), intent(in) :: address
      integer(c_size_t), intent(in) :: bytes
      integer(c_int), intent(out), optional :: ierror
      call give(c_protect(c_name(name), address, bytes), ierror)
   end subroutine

   !> As seamark_protect, and says what the bytes are: a block of an array that the ranks hold together. Integers of 8 to 64 bits, reals and complex
   !> numbers of single and double precision, character(1) and logical(1). global: the whole array's extents (absent: this block is the
   !> whole); offset: how many elements of the whole lie before the block's first in each dimension (absent: none); before, after: ghost
   !> cells at the beginning and the end of each dimension, which are part of data and not of the whole: offset is then that of the first
   !> element that is no ghost.
   subroutine protect_array_64(name, data, global, offset, before, after, ierror)
      character(len=*), intent(in) :: name
      type(*), dimension(..), target, intent(inout) :: data
      integer(c_int64_t), intent(in) :: global(:)
      integer(c_int64_t), intent(in), optional :: offset(:), before(:), after(:)
      integer(c_int), intent(out), optional :: ierror
      integer(c_int) :: dimensions
      dimensions = size(global)
      if (present(offset)) dimensions = merge(dimensions, -1, size(offset) == dimensions)
      if (present(before)) dimensions = merge(dimensions, -1, size(before) == dimensions)
      if (present(after)) dimensions = merge(dimensions, -1, size(after) == dimensions)
      call give(c_protect_array(c_name(name), data, dimensions, global, offset, before, after), ierror)
   end subroutine

   subroutine protect_array_32(name, data, global, offset, before, after, ierror)
      character(len=*), intent(in) :: name
      type(*), dimension(..), target, intent(inout) :: data
      integer(c_int32_t), intent(in) :: global(:)
      integer(c_int32_t), intent(in), optional :: offset(:), before(:), after(:)
      integer(c_int), intent(out), optional :: ierror
      ! Not allocated is not present.
      integer(c_int64_t), allocatable :: wide_offset(:), wide_before(:), wide_after(:)
      if (present(offset)) allocate (wide_offset, source=int(offset, c_int64_t))
      if (present(before)) allocate (wide_before, source=int(before, c_int64_t))
      if (present(after)) allocate (wide_after, source=int(after, c_int64_t))
      call protect_array_64(name, data, int(global, c_int64_t), wide_offset, wide_before, wide_after, ierror)
   end subroutine

   subroutine protect_array_alone(name, data, ierror)
      character(len=*), intent(in) :: name
      type(*), dimension(..), target, intent(inout) :: data
      integer(c_int), intent(out), optional :: ierror
      call give(c_protect_array(c_name(name), data, int(rank(data), c_int)), ierror)
   end subroutine

   !> context is handed to both, and c_null_ptr if it is not given.
   subroutine seamark_protect_with(name, save, load, context, ierror)
      character(len=*), intent(in) :: name
      procedure(seamark_save) :: save
      procedure(seamark_load) :: load
      type(c_ptr), intent(in), optional :: context
      integer(c_int), intent(out), optional :: ierror
      type(c_ptr) :: given
      given = c_null_ptr
      if (present(context)) given = context
      call give(c_protect_with(c_name(name), c_funloc(save), c_funloc(load), given), ierror)
   end subroutine

   !> Data of any type and rank, in one block.
   subroutine seamark_write(to, data, ierror)
      type(c_ptr), intent(in) :: to
      type(*), dimension(..), intent(in) :: data
      integer(c_int), intent(out), optional :: ierror
      call give(c_write_described(to, data), ierror)
   end subroutine

   subroutine seamark_read(from, data, ierror)
      type(c_ptr), intent(in) :: from
      type(*), dimension(..), intent(inout) :: data
      integer(c_int), intent(out), optional :: ierror
      call give(c_read_described(from, data), ierror)
   end subroutine

   subroutine seamark_unprotect(name, ierror)
      character(len=*), intent(in) :: name
      integer(c_int), intent(out), optional :: ierror
      call give(c_unprotect(c_name(name)), ierror)
   end subroutine

   ! --- restart --------------------------------------------------------------------------------------------------------

   subroutine restore_64(step, ierror)
      integer(c_int64_t), intent(inout) :: step
      integer(c_int), intent(out), optional :: ierror
      call give(c_restore(step), ierror)
   end subroutine

   subroutine restore_32(step, ierror)
      integer(c_int32_t), intent(inout) :: step
      integer(c_int), intent(out), optional :: ierror
      integer(c_int64_t) :: at
      integer(c_int) :: code
      at = step
      call restore_64(at, code)
      ! A step that does not fit was written by a program with longer ones.
      if (at > huge(step)) code = SEAMARK_E_ARGUMENT
      if (at <= huge(step)) step = int(at, c_int32_t)
      call give(code, ierror)
   end subroutine

   subroutine restore_no_step()
      integer(c_int64_t) :: at
      at = SEAMARK_ANY_STEP
      call restore_64(at)
   end subroutine

   subroutine seamark_saved_bytes(name, bytes, ierror)
      character(len=*), intent(in) :: name
      integer(c_size_t), intent(inout) :: bytes
      integer(c_int), intent(out), optional :: ierror
      call give(c_saved_bytes(c_name(name), bytes), ierror)
   end subroutine

   ! --- safepoints and checkpoints ---------------------------------------------------------------------------------------

   subroutine safepoint_64(step, ierror)
      integer(c_int64_t), intent(in) :: step
      integer(c_int), intent(out), optional :: ierror
      call give(c_safepoint(step), ierror)
   end subroutine

   subroutine safepoint_32(step, ierror)
      integer(c_int32_t), intent(in) :: step
      integer(c_int), intent(out), optional :: ierror
      call safepoint_64(int(step, c_int64_t), ierror)
   end subroutine

   subroutine seamark_request(ierror)
      integer(c_int), intent(out), optional :: ierror
      call give(c_request(), ierror)
   end subroutine

   subroutine seamark_wait(timeout_s, ierror)
      real(c_double), intent(in) :: timeout_s
      integer(c_int), intent(out), optional :: ierror
      call give(c_wait(timeout_s), ierror)
   end subroutine

   subroutine checkpoint_64(step, timeout_s, ierror)
      integer(c_int64_t), intent(in) :: step
      real(c_double), intent(in) :: timeout_s
      integer(c_int), intent(out), optional :: ierror
      call give(c_checkpoint(step, timeout_s), ierror)
   end subroutine

   subroutine checkpoint_32(step, timeout_s, ierror)
      integer(c_int32_t), intent(in) :: step
      real(c_double), intent(in) :: timeout_s
      integer(c_int), intent(out), optional :: ierror
      call checkpoint_64(int(step, c_int64_t), timeout_s, ierror)
   end subroutine

   ! --- what is known ------------------------------------------------------------------------------------------------------

   !> Whether there is a committed checkpoint; number and step are written only then.
   function seamark_committed(number, step, ierror) result(is)
      integer(c_int64_t), intent(inout), optional :: number, step
      integer(c_int), intent(out), optional :: ierror
      logical :: is
      integer(c_int64_t) :: last, at
      integer(c_int) :: code
      code = c_committed(last, at)
      is = code == 1
      if (is .and. present(number)) number = last
      if (is .and. present(step)) step = at
      call give(code, ierror)
   end function

   function seamark_stopping() result(is)
      logical :: is
      is = c_stopping() == 1
   end function

   !> seamark_version() of C, the version of the library that is loaded: in Fortran the constant has that name.
   function seamark_version_loaded() result(text)
      character(len=:), allocatable :: text
      text = text_of(c_version())
   end function

   function seamark_strerror(error) result(text)
      integer(c_int), intent(in) :: error
      character(len=:), allocatable :: text
      text = text_of(c_strerror(error))
   end function
end module
