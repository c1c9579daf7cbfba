# SPDX-License-Identifier: BSD-3-Clause
"""tables.py SEAMARK MAKE_CHECKPOINTS MAKE_WORLD MAKE_TRACE SLOW_READS: the page of `seamark report`, read without a browser: it is well-formed, asks for nothing, and its tables and its data are what
list, show, messages, verify and plan print as JSON."""
import html.parser
import json
import os
import re
import subprocess
import sys
import tempfile

import history

seamark, make_checkpoints, make_world, make_trace, slow_reads = sys.argv[1:]
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(html.parser.HTMLParser):
    """Tables by their ids, as lists of rows of cells (text, value); and every tag has its end."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tables, self.ids, self.scripts, self.styles, self.table, self.row, self.cell, self.links = [], {}, {}, [], "", None, None, None, []
        self.feed(text)
        self.close()
        assert not self.open, "not closed: %s" % self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.links += [value for name, value in attributes.items() if name in ("src", "href", "action", "data", "srcset")]
        if tag in VOID:
            return
        if any(name == "svg" for name, _ in self.open):
            self.open.append((tag, None))
            return
        self.open.append((tag, attributes.get("id")))
        if attributes.get("id"):
            assert attributes["id"] not in self.ids, "twice: " + attributes["id"]
            self.ids[attributes["id"]] = ""
        if tag == "table":
            self.table = self.tables.setdefault(attributes["id"], [])
        elif tag == "tr" and self.table is not None:
            self.row = []
            self.table.append(self.row)
        elif tag in ("td", "th"):
            self.cell = ["", attributes.get("data-value")]
        elif tag == "time" and self.cell is not None:
            self.cell[1] = attributes["data-value"]
        elif tag == "script":
            self.scripts.append([attributes.get("type"), ""])

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, "</%s> ends %s" % (tag, self.open[-1:])
        self.open.pop()
        if tag in ("td", "th"):
            self.row.append(self.cell)
            self.cell = None
        elif tag == "table":
            self.table = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell[0] += data
        if self.open and self.open[-1][0] == "script":
            self.scripts[-1][1] += data
        if self.open and self.open[-1][0] == "style":
            self.styles += data
        for _, name in self.open:
            if name:
                self.ids[name] += data

    def rows(self, name):
        """Under the heads: the values as they are, or the texts."""
        return [[value if value is not None else text for text, value in row] for row in self.tables[name][1:]]


def ask(*arguments, status=0):
    done = subprocess.run([seamark, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == status, "%s ended with %d" % (arguments, done.returncode)
    return done.stdout.decode()


def read(folder, *more, status=0):
    ask("report", folder, "-o", "page.html", *more, status=status)
    with open("page.html", encoding="utf-8") as file:
        text = file.read()
    page = Page(text)
    assert all(link.startswith("data:") or link[:1] == "#" and link[1:] in page.ids for link in page.links), page.links
    assert not re.search(r"@import|url\(", page.styles)
    data = [script for kind, script in page.scripts if kind == "application/json"]
    assert len(data) == 1
    return page, json.loads(data[0])


def open_files(process):
    """Their names; some may be closed meanwhile."""
    names = []
    for number in os.listdir("/proc/%d/fd" % process):
        try:
            names.append(os.readlink("/proc/%d/fd/%s" % (process, number)))
        except FileNotFoundError:
            pass
    return names


def same(what, seen, wanted):
    assert seen == wanted, "%s:\n%s\nnot\n%s" % (what, seen, wanted)


def close(seen, wanted):
    assert abs(float(seen) - wanted) <= 1e-6 * max(1, abs(wanted)), "%s, not %s" % (seen, wanted)


def check(folder, *more, status=0):
    page, data = read(folder, *more, status=status)
    listed = json.loads(ask("list", "--json", "--dir", folder))["checkpoints"]
    same("checkpoints", data["checkpoints"], listed)
    whole = [entry for entry in listed if "error" not in entry]
    for row, entry in zip(page.rows("checkpoints"), reversed(listed)):
        if "error" in entry:
            same("a garbled one", row, [str(entry["number"]), str(entry["life"]), entry["problem"]])
            continue
        same("a checkpoint", row[:5], [str(entry["number"]), str(entry["life"]), "-" if entry["step"] is None else str(entry["step"]), str(entry["taken_ns"]), str(entry["ranks"])])
        close(row[5], entry["held_s"])
        same("its sizes", row[6:10], [str(entry[name]) for name in ("messages", "message_bytes", "bytes", "referred_bytes")])
        same("its parents", row[10].replace(" kept", ""), ", ".join(str(parent["number"]) for parent in entry["parents"]))
        same("kept", "kept" in row[10], entry["pinned"])
    same("rows", len(page.rows("checkpoints")), len(listed))
    check_images(page, data, folder, whole, status)
    check_proofs(page, data, folder, whole)
    return page, data


def check_images(page, data, folder, whole, status):
    same("looked into", [images["number"] for images in data["images"]], [entry["number"] for entry in whole][-4:])
    for images in data["images"]:
        number = str(images["number"])
        shown = {image["rank"]: image for image in json.loads(ask("show", number, "--json", "--dir", folder, status=1 if images["problems"] else 0))["images"]}
        channels = {}
        for rank in images["ranks"]:
            image = shown.get(rank["rank"])
            same("damaged", rank["damaged"], image is None)
            if image is None:
                continue
            same("state", rank["state_bytes"], sum(region["bytes"] for region in image["regions"]))
            same("in flight", [rank["in_messages"], rank["in_bytes"]], [len(image["messages"]), sum(message["bytes"] for message in image["messages"])])
            same("streams", [rank["regions"], rank["streams"]], [len(image["regions"]), len(image["streams"])])
            for stream in image["streams"]:
                if stream["direction"] == "out" and stream["sent"] > 0:
                    channels.setdefault((rank["rank"], stream["peer"]), [0, 0, 0])[2] += stream["sent"]
            for message in image["messages"]:
                channel = channels.setdefault((message["source_world"], rank["rank"]), [0, 0, 0])
                channel[0] += 1
                channel[1] += message["bytes"]
        same("channels", {(row[0], row[1]): row[2:] for row in images["channels"]}, channels)
        same("left out", images["channels_left_out"], 0)
        each, cells = images["matrix"]["ranks_each"], {}
        for (start, end), sums in channels.items():
            cell = cells.setdefault((start // each, end // each), [0, 0, 0])
            for i in range(3):
                cell[i] += sums[i]
        same("matrix", {(row[0], row[1]): row[2:] for row in images["matrix"]["cells"]}, cells)
        same("from it", [sum(rank["out_messages"] for rank in images["ranks"]), sum(rank["out_bytes"] for rank in images["ranks"])],
             [sum(rank["in_messages"] for rank in images["ranks"]), sum(rank["in_bytes"] for rank in images["ranks"])])
    if not data["images"]:
        return
    newest = data["images"][-1]
    names = ("rank", "state_bytes", "regions", "in_messages", "in_bytes", "out_messages", "out_bytes", "sent", "streams")
    same("ranks", [row[:9] for row in page.rows("ranks")], [[str(rank[name]) for name in names] for rank in newest["ranks"]])
    same("rows of channels", page.rows("channels"), [[str(item) for item in row] for row in newest["channels"][:100]])
    if status == 0:
        by_channel = json.loads(ask("messages", "--by", "channel", "--json", "--dir", folder))["sums"]
        same("messages", sorted([row[0], row[1], row[2], row[3]] for row in newest["channels"] if row[2]), sorted([sum_["from"], sum_["to"], sum_["messages"], sum_["bytes"]] for sum_ in by_channel))


def check_proofs(page, data, folder, whole):
    for proof, row in zip(data["certificates"], [row for row in page.rows("certificates") if row[0]]):
        verified = json.loads(ask("verify", str(proof["number"]), "--json", "--dir", folder, status=0 if proof["holds"] else 1))["checkpoints"][0]
        for name in ("images", "regions", "bytes", "streams", "messages", "abandoned"):
            same(name, proof[name], verified[name])
        same("proof", row[:2], [str(proof["number"]), "holds" if proof["holds"] else "DAMAGED"])
        same("result", row[2:], [str(proof[name]) for name in ("problems", "images", "regions", "bytes", "streams", "messages", "abandoned", "parents", "referred_bytes")])
    if whole and data["certificates"]:
        same("newest", data["certificates"][-1]["number"], whole[-1]["number"])


# A run with a history: what plan says of it, and what was written.
subprocess.run([make_checkpoints, "run", "4", "4"], check=True)
history.write("run")
page, data = check("run")
so_far = json.loads(ask("plan", "run", "--json"))["so_far"]
same("so far", {name: data["so_far"][name] for name in so_far}, so_far)
same("lives", [so_far["lives"], so_far["failures"], so_far["stops"], so_far["checkpoints"], so_far["lost_failures_s"]], [history.LIVES, history.FAILURES, history.STOPS, history.COMMITS, history.LOST_S])
same("rows of lives", [[row[0], row[4], row[5], row[6], row[7], row[8], row[9]] for row in page.rows("lives")],
     [["1", history.HOST, "-", "-", "2", "failed", "3600"], ["2", history.HOST, "2", "200", "1", "stopped", "3600"], ["3", history.HOST, "3", "300", "1", "open", "-"]])
same("rows of commits", [[*row[:3], row[4], *row[7:]] for row in page.rows("commits")],
     [["4", "3", "400", "1", "9", "504", "1048576"], ["3", "2", "300", "0.75", "8", "503", "1048576"], ["2", "1", "200", "0.5", "-", "-", "1048576"], ["1", "1", "100", "0.25", "6", "501", "1048576"]])
same("certificate", page.ids["card-certificate"], "holds")
same("lives", page.ids["card-lives"], "3")
same("of the run", page.ids["run"], data["checkpoints"][0]["run"])
same("as JSON", {**json.loads(ask("report", "run", "--json")), "made_ns": 0, "storage": 0}, {**data, "made_ns": 0, "storage": 0})
sizes = [os.path.getsize(os.path.join(where, name)) for where, _, names in os.walk("run") for name in names]
same("storage", page.rows("storage")[0][:3], [str(len(sizes)), str(sum(sizes)), str(sum(entry["bytes"] for entry in data["checkpoints"]))])

# Names that would end a script or a tag, damage, increments, no history, no checkpoint.
os.rename("run", "a <script> <b> & 'c'")
page, data = check("a <script> <b> & 'c'", "--verify", "all")
same("folder", page.ids["folder"], os.path.abspath("a <script> <b> & 'c'"))
same("all", len(data["certificates"]), 4)
os.rename("a <script> <b> & 'c'", b"no \xff text\n")
page, data = read(b"no \xff text\n")
assert page.ids["folder"].endswith("/no \ufffd text?") or page.ids["folder"].endswith("/no ? text?"), page.ids["folder"]
os.rename(b"no \xff text\n", "run")
subprocess.run([make_checkpoints, "chain", "3", "5", "chain"], check=True)
check("chain", "--verify", "all")
subprocess.run([make_checkpoints, "strange", "2", "1", "strange"], check=True)
page, _ = read("strange")
assert "\x1b" not in "".join(page.ids.values())
for kind in ("lost", "orphan", "abandoned"):
    subprocess.run([make_checkpoints, kind, "3", "2", kind], check=True)
    page, data = check(kind, status=0 if kind == "abandoned" else 1)
    same(kind, page.ids["card-certificate"], "holds" if kind == "abandoned" else "DAMAGED")
subprocess.run([make_checkpoints, "torn", "3", "2"], check=True)
os.remove("torn/0000002.L01/rank-00001.smk")
page, data = check("torn", status=1)
same("damaged", [rank["damaged"] for rank in data["images"][-1]["ranks"]], [False, True, False])
with open("torn/0000001.L01/manifest.json", "w", encoding="utf-8") as file:
    file.write("{")
check("torn", status=1)
os.mkdir("empty")
page, data = check("empty")
same("no certificate", page.ids["card-certificate"], "not asked for")
same("not asked for", read("run", "--verify", "none")[1]["certificates"], [])
ask("report", "nowhere", status=3)
ask("report", "run", "-o", "nowhere/page.html", status=3)
ask("report", "run", "--verify", "some", status=2)
# A checkpoint that the program retires while it is read is no damage.
if slow_reads != "-":
    subprocess.run([make_checkpoints, "goes", "2", "2"], check=True)
    with subprocess.Popen([seamark, "report", "goes", "--json"], stdout=subprocess.PIPE, env={**os.environ, "LD_PRELOAD": slow_reads, "SLOW_READS_MS": "100"}) as reading:
        while not any("/0000001.L01/rank-" in name for name in open_files(reading.pid)):
            assert reading.poll() is None, "it reads nothing of checkpoint 1"
        os.remove("goes/0000001.L01/manifest.json")
        for name in os.listdir("goes/0000001.L01"):
            os.remove("goes/0000001.L01/" + name)
        data = json.load(reading.stdout)
    same("what is told of it", [reading.returncode, [images["number"] for images in data["images"]], [images["problems"] for images in data["images"]], data.get("said", [])], [0, [2], [[]], []])
# A trace: its facts, its diagram, and what of it is damaged.
assert "without-traces" in page.ids and not data["traces_left_out"]
subprocess.run([make_trace, "run", "4", "4"], check=True)
page, data = check("run")
same("traced", [[one["number"], one["ranks_in_all"], one["read"], one["committed"], one["void"], one["messages"], one["late"], one["late_bytes"], one["orphans"], one["markers"]] for one in data["traces"]],
     [[4, 4, 4, True, False, 4, 4, 160, 0, 12]])
for rank in data["traces"][0]["ranks"]:
    close(rank["held_s"], (100 + rank["rank"]) * 1e-6)
    close(rank["open_s"], 400e-6)
    close(rank["durable_s"], 2e-3)
for row, rank in zip(page.rows("traced-ranks"), data["traces"][0]["ranks"]):
    same("a traced rank", row[0], str(rank["rank"]))
    for seen, name in zip(row[1:], ("held_s", "open_s", "durable_s")):
        close(seen, rank[name])
same("traced ranks", len(page.rows("traced-ranks")), 4)
same("rows of traces", page.rows("traces"), [["4", "committed", "4 of 4", "4", "4", "160", "0", "12", "1", ""]])
with open("page.html", encoding="utf-8") as file:
    assert file.read().count("<svg ") == 1
os.truncate("run/trace/0000004.L01/rank-00002.trace", 49 << 20)
page, data = read("run")
same("too large", [data["traces"], [one["number"] for one in data["traces_left_out"]]], [[], [4]])
assert "too much for a page" in page.ids["section-traces"]
os.truncate("run/trace/0000004.L01/rank-00002.trace", 100)
page, data = read("run")
same("read", data["traces"][0]["read"], 3)
same("not read", [problem["rank"] for problem in data["traces"][0]["problems"]], [2])
assert "without 1 of its ranks" in page.ids["section-traces"] and data["traces"][0]["problems"][0]["text"] in page.ids["section-traces"]
for rank in range(4):
    os.truncate("run/trace/0000004.L01/rank-%05d.trace" % rank, 0)
page, data = read("run")
same("nothing of it", [data["traces"], [one["number"] for one in data["traces_left_out"]]], [[], [4]])
# That is not told as if nothing had been traced.
assert data["traces_left_out"][0]["text"] in page.ids["section-traces"] and "without-traces" not in page.ids
# Ranks that share a row of the matrix. There are many files, and nothing of a disk is tried here.
with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else ".") as folder:
    subprocess.run([make_world, folder + "/world", "150", "1"], check=True)
    _, data = check(folder + "/world")
same("ranks in a row", data["images"][0]["matrix"]["ranks_each"], 2)
assert data["checkpoints"][0]["messages"] > 50
