# SPDX-License-Identifier: BSD-3-Clause
"""A program without steps: every rank sends transfers of money, pickled, to others at random, and receives from any source; messages are always in
flight. `bank.py TRANSFERS|forever LEVEL PROBE [kill]`: so many transfers by each rank in this life. The sum of all accounts must be what it was, and every pair's numbers come without a gap. PROBE: mprobe
or plain, how mpi4py learns a pickled message's size. kill: the last rank kills itself after some
checkpoints."""
import os
import random
import signal
import sys

import mpi4py
import seamark

transfers = 10**9 if sys.argv[1] == "forever" else int(sys.argv[1])
level, probe, kill = sys.argv[2], sys.argv[3], "kill" in sys.argv[4:]
if level != "default":
    mpi4py.rc.thread_level = level
mpi4py.rc.recv_mprobe = probe == "mprobe"

from mpi4py import MPI  # noqa: E402

world = MPI.COMM_WORLD
PER_RANK = 1000
MONEY, DONE = 1, 2
under_way = []  # sends; what was sent needs not be saved


class Branch:
    def __init__(self):
        self.account = PER_RANK
        self.made = 0
        self.said_done = False
        self.sent = [0] * world.size
        self.received = [0] * world.size
        self.done = [False] * world.size
        self.random = random.Random(world.rank)

    def take(self, message, source):
        kind, number, amount, _ = message
        self.received[source] += 1
        if number != self.received[source]:
            print("message", number, "from rank", source, "and not", self.received[source], flush=True)
            world.Abort(1)
        if kind == DONE:
            self.done[source] = True
        else:
            self.account += amount

    def send(self, kind, to, amount):
        self.sent[to] += 1
        # Of many sizes: from eager to rendezvous.
        message = kind, self.sent[to], amount, b"x" * self.random.choice((0, 100, 3000, 20000))
        under_way.append(world.isend(message, to, 1))

    def transfer(self):
        amount = self.random.randint(0, self.account)
        self.account -= amount
        self.made += 1
        self.send(MONEY, self.random.randrange(world.size), amount)


branch = Branch()
seamark.protect_object("branch", lambda: branch.__dict__, branch.__dict__.update)
restored = seamark.restore() is not None
last = branch.made + transfers
if world.rank == 0:
    print("goes on" if restored else "fresh", flush=True)
status = MPI.Status()
while not all(branch.done):
    seamark.safepoint()
    if world.iprobe(status=status):
        branch.take(world.recv(source=status.Get_source(), tag=status.Get_tag(), status=status), status.Get_source())
    elif branch.made < last:
        branch.transfer()
        under_way = [send for send in under_way if not send.Test()]
        if kill and world.rank == world.size - 1 and (seamark.committed() or (0, 0))[0] >= 5:
            os.kill(os.getpid(), signal.SIGKILL)
    elif not branch.said_done:
        branch.said_done = True
        for rank in range(world.size):
            branch.send(DONE, rank, 0)
# A rank's last word comes after all that it sent before.
MPI.Request.Waitall(under_way)
total = world.allreduce(branch.account)
if world.rank == 0:
    print("total", total)
    if total != PER_RANK * world.size:
        sys.exit("money was made or lost: " + str(total))
