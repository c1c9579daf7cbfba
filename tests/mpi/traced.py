# SPDX-License-Identifier: BSD-3-Clause
"""traced.py SEAMARK FOLDER COMMITTED: every trace in a folder against what else is known of its snapshot. For a committed one the messages in flight are those of `seamark messages`, no more and no
fewer; each that was received has one sending; in no trace does anything come before its cause, whatever was shown; the exports are what their formats demand, and ShiViz's vector clocks are computed once more. So many at least must have been committed."""
import json
import re
import subprocess
import sys

seamark, folder = sys.argv[1:3]
least = int(sys.argv[3])


def run(*arguments):
    done = subprocess.run([seamark, *arguments, "--dir", folder], capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.returncode, done.stderr)
    return done.stdout


def event_of(model, end):
    return model["of"][end["rank"]]["events"][end["event"]]


def check_order(model):
    """Order and times: in program order, and from cause to effect, both grow; nothing is in the order twice."""
    orders = set()
    for rank in model["of"]:
        last = None
        for event in rank["events"]:
            assert event["order"] not in orders
            orders.add(event["order"])
            assert last is None or (last["order"] < event["order"] and last["ns"] <= event["ns"]), (rank["rank"], last, event)
            last = event
    assert orders == set(range(1, len(orders) + 1))
    pairs = [(message["sent"], message[to]) for message in model["messages"] for to in ("told", "recorded", "drained")]
    pairs += [(marker["sent"], marker[to]) for marker in model["markers"] for to in ("head", "counts")]
    for cause, effect in pairs:
        if cause and effect:
            cause, effect = event_of(model, cause), event_of(model, effect)
            assert cause["order"] < effect["order"] and cause["ns"] < effect["ns"], (cause, effect)
    assert model["unordered"] == 0
    return len(pairs)


def check_messages(model):
    """Both ends of each are of one stream, and what is said of its place is what the two cuts say."""
    ends = set()
    for message in model["messages"]:
        for name, kind in (("sent", "send"), ("told", "told"), ("recorded", "recorded"), ("drained", "drained")):
            end = message[name]
            if not end:
                continue
            assert (end["rank"], end["event"]) not in ends
            ends.add((end["rank"], end["event"]))
            event = event_of(model, end)
            assert event["kind"] == kind and event.get("communicator") == message["communicator"], (message, event)
            here, peer = (message["from"], message["to"]) if name == "sent" else (message["to"], message["from"])
            assert end["rank"] == here and event["peer"] == peer and event.get("value", 0) == message["bytes"], (message, event)
        if message["sent"] and message["told"]:
            sides = (event_of(model, message["sent"])["after_cut"], event_of(model, message["told"])["after_cut"])
            if model["of"][message["from"]]["cut"] is not None and model["of"][message["to"]]["cut"] is not None:
                assert message["place"] == {(False, False): "before", (False, True): "late", (True, True): "new", (True, False): "orphan"}[sides], message
    # Since a snapshot begins, nothing that was told is without its sending, unless that came after the end of the sender's trace, or its position was not known yet when this one ended.
    for rank in model["of"]:
        alert = next(i for i, event in enumerate(rank["events"]) if event["kind"] == "alert" and event["value"] == model["epoch"])
        for event in rank["events"][alert:]:
            if event["kind"] == "told":
                message = model["messages"][event["message"]]
                sender = model["of"][message["from"]]
                left_out = any(other["kind"] == "left-out" for other in sender["events"])
                assert message["sent"] or message["position"] is None or sender["lost"] or left_out or event["ns"] > sender["events"][-1]["ns"], (rank["rank"], event)


def check_in_flight(model):
    key = ("to", "from", "communicator", "tag", "position", "bytes")
    document = json.loads(run("messages", str(model["number"]), "--json"))
    kept = sorted(tuple(message[k] for k in key) for message in document["in_flight"])
    late = sorted(tuple(message[k] for k in key) for message in model["messages"] if message["place"] == "late")
    assert late == kept, (model["number"], len(late), len(kept), set(late) ^ set(kept))
    assert model["orphans"] == 0 and model["late"] == len(late)
    ways = {tuple(message[k] for k in key): message["way_ns"] for message in model["messages"] if message["place"] == "late"}
    for message in document["in_flight"]:
        assert message.get("way_ns") == ways[tuple(message[k] for k in key)], message
    return len(late)


def check_perfetto(number):
    trace = json.loads(run("trace", number, "--perfetto", "-"))
    assert trace["displayTimeUnit"] in ("ms", "ns")
    flows, slices = {}, {}
    for event in trace["traceEvents"]:
        assert event["ph"] in "MXsf" and isinstance(event["pid"], int) and isinstance(event["tid"], int) and event["name"]
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "process_sort_index", "thread_name") and event["args"]
            continue
        assert event["ts"] >= 0 and event["cat"]
        if event["ph"] == "X":
            assert event["dur"] >= 0
            slices.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["dur"]))
        else:
            assert event["ph"] == "s" or event["bp"] == "e"
            flows.setdefault((event["cat"], event["id"]), []).append(event)
    begins = {thread: {ts for ts, _ in found} for thread, found in slices.items()}
    for pair in flows.values():
        assert [event["ph"] for event in pair] == ["s", "f"] and pair[0]["name"] == pair[1]["name"] and pair[0]["ts"] < pair[1]["ts"]
        for event in pair:
            assert event["ts"] in begins[event["pid"], event["tid"]]
    for thread in slices.values():  # none overlaps the next
        thread.sort()
        for (ts, dur), (after, _) in zip(thread, thread[1:]):
            assert ts + dur <= after + 1e-3


def check_shiviz(number):
    """Each event one more than the one before on its host; what it knows of others they knew before it."""
    lines = run("trace", number, "--shiviz", "-").split("\n", 2)
    assert lines[1] == ""
    expression = re.compile(lines[0].replace("(?<", "(?P<"))
    known, latest, at = {}, {}, 0
    while at < len(lines[2]):
        match = expression.match(lines[2], at)
        assert match, lines[2][at:at + 200]
        at = match.end() + 1
        host, clock = match["host"], json.loads(match["clock"])
        before = latest.get(host, {})
        assert clock[host] == before.get(host, 0) + 1, (host, clock, before)
        for other, count in clock.items():
            assert count >= before.get(other, 0) and (other == host or count <= latest[other][other]), (host, other)
            if other != host and count > before.get(other, 0):  # and all that the other knew then
                for third, seen in known[other, count].items():
                    assert clock.get(third, 0) >= seen, (host, other, third)
        assert all(other in clock for other in before)
        latest[host] = known[host, clock[host]] = clock
    return len(known)


committed = voids = late = events = pairs = 0
traces = json.loads(run("trace", "--list", "--json"))["traces"]
for entry in traces:
    number = str(entry["number"])
    model = json.loads(run("trace", number, "--json"))
    assert model["ranks"] == entry["ranks"] and model["committed"] != model["void"]
    pairs += check_order(model)
    check_messages(model)
    check_perfetto(number)
    events += check_shiviz(number)
    text = run("trace", number)
    if model["committed"]:
        late += check_in_flight(model)
        committed += 1
        assert ": committed; %d message" % model["late"] in text.split("\n")[0], text[:200]
    else:
        voids += 1
        assert "void, because " in text
        if model["why"].startswith("a message from after its sender's cut"):
            assert model["orphans"] > 0 or model["of"][0]["lost"], model["why"]
            assert not model["orphans"] or "an orphan: sent after the cut" in text
print("%d committed, %d void, %d messages in flight, %d pairs, %d events with clocks" % (committed, voids, late, pairs, events))
assert committed >= least and committed + voids > 0 and events > 0
