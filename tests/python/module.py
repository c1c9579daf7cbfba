# SPDX-License-Identifier: BSD-3-Clause
"""What the module seamark promises beyond the C library, one rank: `module.py late | early | regions | exit WAY | after | broken`."""
import array
import gc
import sys
import threading

group = sys.argv[1]


def raises(kind, text, function, *arguments):
    try:
        function(*arguments)
    except kind as error:
        assert text in str(error), str(error)
        return error
    raise AssertionError("no " + kind.__name__)


if group == "late":
    from mpi4py import MPI
    try:
        import seamark
    except ImportError as late:
        assert "import seamark before" in str(late).lower() and "LD_PRELOAD=" in str(late), str(late)
        sys.exit()
    sys.exit("seamark was imported after MPI, and says nothing")

import seamark  # noqa: E402
if group == "early":
    import mpi4py
    mpi4py.rc.initialize = False
from mpi4py import MPI  # noqa: E402
import numpy  # noqa: E402


def early():
    assert raises(seamark.Error, "at this point", seamark.safepoint).code == seamark.E_ORDER
    MPI.Init()
    seamark.safepoint()
    MPI.Finalize()
    assert raises(seamark.Error, "at this point", seamark.safepoint).code == seamark.E_ORDER


def arrays():
    """What cannot be described is refused, by name. That what can is described rightly, the command shows (cli-export)."""
    square = numpy.zeros((4, 4))
    raises(TypeError, "seamark.protect", seamark.protect_array, "a", numpy.zeros(2, dtype=[("a", "i4")]))
    raises(TypeError, "kind", seamark.protect_array, "a", numpy.zeros(2, dtype=">f8"))
    raises(TypeError, "kind", seamark.protect_array, "a", numpy.zeros(2, dtype=numpy.longdouble))
    raises((ValueError, BufferError), "", seamark.protect_array, "a", square[:, ::2])
    raises(ValueError, "array.T", seamark.protect_array, "a", numpy.zeros((4, 3), order="F"))
    raises(ValueError, "shape has one number", seamark.protect_array, "a", square, (4,))
    raises(ValueError, "offset has one number", seamark.protect_array, "a", square, (4, 4), (0, -1))
    raises(ValueError, "halo", seamark.protect_array, "a", square, None, None, ((1, 1, 1), 0))
    raises(ValueError, "halo", seamark.protect_array, "a", square, None, None, (1,))
    for wrong in (dict(shape=(3, 4)), dict(shape=(4, 4), offset=(1, 0)), dict(halo=3), dict(shape=(2**40, 2**40))):
        assert raises(seamark.Error, "argument", lambda: seamark.protect_array("a", square, **wrong)).code == seamark.E_ARGUMENT
    assert raises(seamark.Error, "argument", seamark.protect_array, "a", numpy.zeros(())).code == seamark.E_ARGUMENT
    for kind in "bhilqBHILQfdFD?c":
        seamark.protect_array("kind", numpy.zeros((3, 0, 2), dtype=kind))
        seamark.protect_array("kind", numpy.zeros((3, 5), dtype=kind), (7, 10), (4, 5))
    seamark.protect_array("kind", array.array("H", [1, 2, 3]))
    seamark.protect_array("kind", numpy.zeros((4, 3), order="F").T, (9, 9), numpy.array([7, 4]), ((0, 1), 0))
    raises(BufferError, "", lambda: [kept.append(0) for kept in [bytearray(3)] if not seamark.protect_array("kind", kept)])
    seamark.unprotect("kind")


def regions():
    # What has no bytes of its own in one piece is refused, by name.
    raises(TypeError, "protect_object", seamark.protect, "objects", numpy.array([{}, []], dtype=object))
    raises(TypeError, "protect_object", seamark.protect, "field", numpy.zeros(2, dtype=[("a", "i4"), ("b", "O")]))
    raises((ValueError, BufferError), "", seamark.protect, "gaps", numpy.zeros((4, 4))[:, ::2])
    raises((ValueError, BufferError), "", seamark.protect, "constant", b"bytes")
    raises(TypeError, "", seamark.protect, "number", 17)
    raises(ValueError, "NUL", seamark.protect, "a\0b", bytearray(1))
    assert raises(seamark.Error, "argument", seamark.protect, "", bytearray(1)).code == seamark.E_ARGUMENT
    assert raises(seamark.Error, "no region", seamark.unprotect, "nothing").code == seamark.E_NOT_FOUND
    raises(TypeError, "functions", seamark.protect_object, "object", None, None)

    # 'O' in the name of a field is not an object; an array of nothing, or of one, is an array.
    seamark.protect("One", numpy.zeros(2, dtype=[("O", "i4")]))
    seamark.protect("empty", numpy.zeros((0, 3)))
    seamark.protect("scalar", numpy.zeros(()))
    seamark.unprotect("scalar")

    arrays()

    # A region's object is kept, and keeps its size, until it is let go.
    grows = bytearray(100)
    seamark.protect("grows", grows)
    raises(BufferError, "", grows.extend, b"more")
    seamark.protect("grows", array.array("d", [1, 2]))
    grows.extend(b"more")
    seamark.unprotect("grows")

    state = numpy.arange(1000)
    seamark.protect("state", state)
    del state
    gc.collect()
    numpy.full(1000, 7)

    # A step program: outcomes, and what a failing get does.
    fails = []
    seamark.protect_object("object", lambda: 1 // (0 if fails else 1), lambda value: None)
    assert seamark.restore() is None and seamark.committed() is None and not seamark.stopping()
    seamark.checkpoint(1)
    assert seamark.committed() == (1, 1)
    fails.append(True)
    raises(seamark.Void, "checkpoint", seamark.checkpoint, 2, 10)
    fails.clear()
    seamark.request()
    assert raises(seamark.Error, "cut", seamark.wait).code == seamark.E_NOT_CUT
    step = 3
    while not seamark.safepoint(step):
        step += 1
    seamark.wait()
    assert seamark.committed()[1] == step

    # With other threads, objects become bytes in the safepoint itself.
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    seamark.checkpoint(step + 1)
    fails.append(True)
    raises(ZeroDivisionError, "", seamark.safepoint, step + 2)
    fails.clear()
    over.set()
    thread.join()
    seamark.checkpoint(step + 2)
    assert seamark.committed()[1] == step + 2
    assert raises(seamark.Error, "argument", seamark.safepoint, step).code == seamark.E_ARGUMENT


def build():
    return numpy.arange(100000.0), {"a": [1, 2, 3]}


def leave(way):
    """The cut is made in MPI_Finalize, after the interpreter's end: objects are bytes by then, and memory stays."""
    numbers, things = build()
    seamark.protect("numbers", numbers)
    seamark.protect_object("things", lambda: things, things.update)
    seamark.restore()
    seamark.safepoint()
    seamark.request()
    if way == "finalize":
        MPI.Finalize()


def after():
    numbers, things = numpy.zeros(100000), {}
    seamark.protect("numbers", numbers)
    assert seamark.restore() == seamark.ANY_STEP
    assert seamark.saved_bytes("numbers") == 800000 and seamark.saved_bytes("nothing") is None
    assert (numbers == build()[0]).all()

    # One that cannot be set: the exception is the cause. It is named all the same, and loaded by the next that can.
    def broken(value):
        raise KeyError("broken")
    error = raises(seamark.Error, "region", seamark.protect_object, "things", lambda: None, broken)
    assert error.code == seamark.E_REGION and isinstance(error.__cause__, KeyError), repr(error.__cause__)
    seamark.protect_object("things", lambda: things, things.update)
    assert things == build()[1], things


def broken():
    seamark.protect("numbers", numpy.zeros(5))
    assert raises(seamark.Error, "region", seamark.restore).code == seamark.E_REGION
    seamark.protect("numbers", numpy.zeros(100000))
    seamark.protect_object("things", lambda: None, lambda value: value["nothing"])
    error = raises(seamark.Error, "region", seamark.restore)
    assert error.code == seamark.E_REGION and isinstance(error.__cause__, KeyError), repr(error.__cause__)


if group == "exit":
    leave(sys.argv[2])
else:
    {"early": early, "regions": regions, "after": after, "broken": broken}[group]()
