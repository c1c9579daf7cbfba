# SPDX-License-Identifier: BSD-3-Clause
"""told.py SEAMARK orphan|overtaken FOLDER RANKS: what the traces of tests/mpi/told.c must tell.
orphan:    of an attempt that is void because of an orphan, which message it was, what the two ranks had done, and why that is void. 75: there was none; it is a matter of timing.
overtaken: every rank has the trace of every attempt."""
import json
import re
import subprocess
import sys

seamark, what, folder, ranks = sys.argv[1:]


def run(*arguments):
    done = subprocess.run([seamark, "trace", "--dir", folder, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.returncode, done.stderr)
    return done.stdout


def check_orphan(model):
    """What the library gave as its reason, the JSON and the text are three ways to it."""
    said = re.search(r"rank 1 had received message (\d+) from rank 0 with tag 7, which had sent (\d+) at its cut", model["why"])
    assert said, model["why"]
    received, sent = (int(number) for number in said.groups())
    orphans = [message for message in model["messages"] if message["place"] == "orphan"]
    positions = sorted(message["position"] for message in orphans)
    # The reason was given when the first was noticed; more may have been received until the cut.
    assert positions == list(range(sent + 1, sent + 1 + len(orphans))) and positions[-1] >= received, (sent, received, positions)
    assert model["orphans"] == len(orphans) and all((message["from"], message["to"], message["tag"]) == (0, 1, 7) for message in orphans)
    text = run(str(model["number"]))
    assert "void, because %s" % model["why"].split(":")[0] in text and "%d orphan" % len(orphans) in text, text[:400]
    first = re.search(r"rank 1 +receives from rank 0 \(tag 7, number (\d+) of its stream, 4 B\), sent .* before; an orphan: "
                      r"sent after the cut of rank 0, and rank 1 has not cut yet", text)
    assert first and int(first.group(1)) == sent + 1, text
    picture = run(str(model["number"]), "--svg", "-")
    assert picture.count('class="orphan" data-from="0" data-to="1"') >= 1 and "void" in picture
    print("attempt %d: %d orphans; %s" % (model["number"], len(orphans), model["why"]))


found = 0
traces = json.loads(run("--list", "--json"))["traces"]
assert traces
for entry in traces:
    if what == "overtaken":
        assert entry["ranks"] == int(ranks), entry
        if found % 8 == 0:  # and they can be read
            run(str(entry["number"]))
        found += 1
        continue
    model = json.loads(run(str(entry["number"]), "--json"))
    if model["void"] and model["why"].startswith("a message from after its sender's cut"):
        check_orphan(model)
        found += 1
print("%s: %d of %d attempts" % (what, found, len(traces)))
if what == "overtaken":
    assert found >= 10, found
sys.exit(0 if found else 75)
