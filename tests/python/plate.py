# SPDX-License-Identifier: BSD-3-Clause
"""A program with steps: heat on a plate, cut into stripes, by NumPy. `plate.py STEPS|forever LEVEL [kill]`; prints a checksum of the whole plate, which is the
same for any number of ranks and of restarts. LEVEL: the thread level that mpi4py asks for, or `default`. kill: the last rank kills itself as soon as there is
a checkpoint."""
import hashlib
import os
import signal
import sys

import mpi4py
import seamark

steps = 10**9 if sys.argv[1] == "forever" else int(sys.argv[1])
level, kill = sys.argv[2], "kill" in sys.argv[3:]
if level != "default":
    mpi4py.rc.thread_level = level

from mpi4py import MPI  # noqa: E402
import numpy  # noqa: E402

SIZE = 96
world = MPI.COMM_WORLD
first, last = SIZE * world.rank // world.size, SIZE * (world.rank + 1) // world.size
above, below = (world.rank - 1) % world.size, (world.rank + 1) % world.size


def start():
    """Rows of this rank, with one more above and below; columns in Fortran's order, which must make no difference to Seamark."""
    rows, columns = numpy.meshgrid(numpy.arange(first - 1, last + 1) % SIZE, numpy.arange(SIZE), indexing="ij")
    return numpy.asfortranarray(numpy.sin(rows * 0.7) * numpy.cos(columns * 0.3) * 100)


def exchange(plate):
    to_above, to_below = plate[1].copy(), plate[-2].copy()
    from_above, from_below = numpy.empty(SIZE), numpy.empty(SIZE)
    MPI.Request.Waitall([
        world.Irecv(from_above, above, 1), world.Irecv(from_below, below, 2),
        world.Isend(to_below, below, 1), world.Isend(to_above, above, 2)])
    plate[0], plate[-1] = from_above, from_below


def update(plate):
    centre = plate[1:-1]
    return centre + 0.2 * (plate[:-2] + plate[2:] + numpy.roll(centre, 1, 1) + numpy.roll(centre, -1, 1) - 4 * centre)


plate = start()
history = {"sums": []}
seamark.protect("plate", plate)
seamark.protect_object("history", lambda: history, history.update)
begin = seamark.restore()
for step in range(begin or 0, steps):
    seamark.safepoint(step)
    if seamark.stopping():
        if world.rank == 0:
            print("stopped", flush=True)
        sys.exit()
    exchange(plate)
    plate[1:-1] = update(plate)
    if step % 10 == 0:
        # By pickle, and not a reduction of numbers: the order of adding is the ranks'.
        parts = world.allgather(plate[1:-1].tobytes())
        history["sums"].append(hashlib.sha256(b"".join(parts)).hexdigest())
    if kill and world.rank == world.size - 1 and seamark.committed():
        os.kill(os.getpid(), signal.SIGKILL)

plates = world.gather(plate[1:-1].tobytes())
if world.rank == 0:
    print("fresh" if begin is None else "from step " + str(begin))
    print("plate", hashlib.sha256(b"".join(plates) + "".join(history["sums"]).encode()).hexdigest())
