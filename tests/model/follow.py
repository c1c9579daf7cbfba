#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Turns a trace of the simulator (one life, no drills) into the events that follow.pml follows.

follow.py RANKS COMMUNICATOR_TAGS < trace > events; exit 3: the trace has what the model has not (cancelled receives, communicators made)."""
import collections
import re
import sys

KINDS = {name: number for number, name in enumerate(
	"- - send posts matched tells tells-mail learns finds drained announces ready order takes head-here marker-head counts-here marker-counts "
	"cut marker to-barrier barrier closed image to-verdict verdict published ended dooms stands window probes collective".split())}
ORDERS = {"announce": 1, "ready": 2, "order": 3, "outcome": 4}
COMMS = 2
WANT_EMPTY = 16
ranks, comm_tags = int(sys.argv[1]), int(sys.argv[2])
tags = COMMS * comm_tags


def stream(source, target, comm, tag):
	if comm >= COMMS or tag >= comm_tags:
		sys.exit(3)
	return (source * ranks + target) * tags + comm * comm_tags + tag


def put(kind, rank, *numbers):
	print(KINDS[kind], rank, *(list(numbers) + [0] * (4 - len(numbers))))


ordered = set()                            # an order is named again when it is made nearer: the model knows one
repeated = collections.defaultdict(collections.deque)
for line in sys.stdin:
	match = re.match(r"(\d+) +[\d.]+ +(\d+) (\S+) +(\d+) (\S+) +(\S+)  (.*)$", line)
	if not match:
		continue
	life, rank, kind, epoch, where, position, text = match.groups()
	if life != "1":
		break
	rank, epoch = int(rank), int(epoch)
	numbers = [int(number) for number in re.findall(r"-?\d+", text)]
	number = stream(*(int(part) for part in re.findall(r"\d+", where))) if ">" in where else None
	if kind in ("send", "drained", "probes"):
		put(kind, rank, number, int(position))
	elif kind == "posts":
		handle, comm, source, tag = numbers
		if comm >= COMMS:
			sys.exit(3)
		put(kind, rank, handle, 255 if source < 0 else source, tags + comm if tag < 0 else comm * comm_tags + tag)
	elif kind in ("matched", "tells", "tells-mail", "learns", "finds"):
		put(kind, rank, number, numbers[0], int(position))
	elif kind == "announces":
		put(kind, rank, epoch, numbers[0], 1 if numbers[1] & WANT_EMPTY else 0)
	elif kind == "ready":
		put(kind, rank, numbers[0])
	elif kind == "order":
		again = (rank, numbers[0], epoch) in ordered
		ordered.add((rank, numbers[0], epoch))
		repeated[rank, numbers[0]].append(again)
		if not again:
			put(kind, rank, numbers[0])
	elif kind == "takes":
		order, sender = text.split()[0], numbers[0]
		if order in ORDERS and not (order == "order" and repeated[sender, rank].popleft()):
			put(kind, rank, sender, ORDERS[order])
	elif kind in ("marker-head", "counts-here", "marker-counts", "marker"):
		put(kind, rank, numbers[0])
	elif kind == "head-here":
		put(kind, rank, numbers[0], 1 if "with counts" in text else 0)
	elif kind in ("cut", "void-cut"):
		put("cut", rank, epoch, 1 if kind == "void-cut" else 0, numbers[0])
	elif kind in ("to-barrier", "barrier", "verdict"):
		put(kind, rank)
	elif kind == "closed":
		put(kind, rank, numbers[0])
	elif kind in ("image", "published"):
		put(kind, rank, 0 if text == "failed" else 1)
	elif kind in ("to-verdict", "stands"):
		put(kind, rank, numbers[0], numbers[1])
	elif kind in ("committed", "void"):
		put("ended", rank, epoch, 1 if kind == "committed" else 0)
	elif kind == "dooms":
		put(kind, rank, numbers[0])
	elif kind == "window":
		peer, comm, tag, limit, seen, recorded = numbers
		put(kind, rank, stream(peer, rank, comm, tag), limit, seen, recorded)
	elif kind == "collective":
		if numbers[0] >= COMMS:
			sys.exit(3)
		put(kind, rank, 1000 if numbers[0] else 1)
	elif kind == "cancels":
		sys.exit(3)
