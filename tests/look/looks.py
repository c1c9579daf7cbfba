# SPDX-License-Identifier: BSD-3-Clause
"""Looks made up, as docs/looking.md describes them."""
import json


def receive(peer, tag=7, number=1, comm="world"):
    return {"kind": "receive", "communicator": comm, "peer": peer, "tag": tag, **({} if "any" in (peer, tag) else {"number": number})}


def probe(peer, tag=7, comm="world"):
    return {"kind": "probe", "communicator": comm, "peer": peer, "tag": tag}


def send(peer, tag=7, number=1, kind="blocking send", comm="world"):
    return {"kind": kind, "communicator": comm, "peer": peer, "tag": tag, "number": number}


def collective(call, number=1, comm="world", root=None):
    return {"kind": "collective", "communicator": comm, "call": call, "number": number, **({} if root is None else {"root": root})}


def call(name, *awaits, same=True, since="2026-01-31T01:02:03.000Z", **more):
    return {"call": name, "awaits": list(awaits), "same": same, **({"since": since, "turns": 100} if since else {}), **more}


def inside(name, awaited, **more):
    """One that blocks in MPI, of which it is not known since when."""
    return call(name, awaited, since=None, **more)


def rank(number, *calls, sent=(), taken=(), posted=(), begun=0, step=None, comms=None, **more):
    return {"rank": number, "pid": 1000 + number, "state": "in a call" if calls else "running", "calls": list(calls), "several": False, "step": step,
            "safepoints": 0, "cpu_s": 0.3, "moved": not calls, "base": 0, "sent": [list(stream) for stream in sent],
            "taken": [list(stream) for stream in taken], "posted": list(posted), "collectives": {"world": begun, **(comms or {})}, **more}


def look(*processes, ranks=None, here=None, node="n1", taken="2026-01-31T01:02:10.000Z", seconds=0.5, comms=None, run="00000000000000ab", **more):
    count = len(processes) if ranks is None else ranks
    return {"format": "seamark-look", "version": 1, "run": run, "ranks": count, "ranks_here": count if here is None else here, "node": node,
            "taken": taken, "seconds": seconds, "mpi": "Open MPI v4.1.4", "job": None, "folder": "/work/me/seamark",
            "communicators": {"world": {"inter": False}, **(comms or {})}, "processes": list(processes), **more}


def write(path, document):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
