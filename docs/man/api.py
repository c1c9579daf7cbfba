# SPDX-License-Identifier: BSD-3-Clause
"""api.py SOURCE [PAGE]: writes docs/api.md (or PAGE), the C interface as its headers describe it, from what the manual pages are made of as well."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import header  # noqa: E402

HEAD = """# The C interface

What a program calls, and what reads checkpoints. This page is made from the comments of the headers, as the manual pages are (`man seamark_protect`, `man seamark_files`): `python3 docs/man/api.py .`
writes it anew, and a test holds it against them.

- [seamark.h](#seamarkh): for the program that is to be saved
- [seamark_files.h](#seamark_filesh): reads checkpoints, without MPI

Fortran and Python have the same calls: [README](../README.md#fortran). Where safepoints go is in [safepoints.md](safepoints.md).
"""


def tag(thing):
    """What comes behind `enum` or `struct`; empty: it has no name, or is no more than one."""
    found = re.match(r"(?:enum|struct) \w+", thing.declaration)
    return found.group() if found else ""


def title(thing):
    if thing.kind == "function":
        return thing.names[0]
    if "SEAMARK_E_ARGUMENT" in thing.names:
        return "Errors"
    return tag(thing) or (", ".join(thing.names) + ("" if thing.kind != "type" else " (a type)"))


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class Page:
    def __init__(self, things):
        self.lines = []
        self.places = {thing.names[0]: anchor(title(thing)) for thing in things if thing.kind == "function"}

    def put(self, *lines):
        self.lines += lines

    def marked(self, text):
        """Functions are links, and other names of ours are set as code. What stands in backquotes stays."""
        def mark(found):
            name = found.group().rstrip("()")
            if found.group().startswith("`"):
                return found.group()
            return "[`%s`](#%s)" % (name, self.places[name]) if name in self.places else "`%s`" % found.group()
        text = re.sub(r"`[^`]*`|\bseamark_\w+(?:\(\))?|\bSEAMARK_\w+(?:\.\.\.|=\w+)?", mark, text)
        return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in re.split(r"(`[^`]*`)", text))

    def paragraphs(self, text):
        """Lines that begin with four spaces are code, and `- ` begins an item of a list."""
        for block in re.split(r"\n\s*\n", text.strip("\n")):
            if block.startswith("    "):
                self.put("```c", *(line[4:].replace("\t", "    ") for line in block.split("\n")), "```", "")
            elif block.startswith("- "):
                self.put(*("- " + self.marked(" ".join(item.split())) for item in re.split(r"(?m)^- ", block)[1:]), "")
            elif block:
                self.put(self.marked(" ".join(block.split())), "")

    def code(self, lines):
        self.put("```c", *lines, "```", "")

    def table(self, rows):
        self.put("| | |", "| --- | --- |", *("| %s |" % " | ".join(row) for row in rows), "")


def put_members(page, thing):
    """Of an enum; a comment that stands alone is the heading of those below it."""
    rows, said = [], dict(thing.members())
    values = dict(re.findall(r"\b(SEAMARK_\w+) = (-?\d+)", thing.declaration))
    for line in thing.declaration.split("\n"):
        alone = re.match(r"\s*/\* (.*) \*/$", line)
        if alone:
            if rows:
                page.table(rows)
            page.put(page.marked(alone.group(1)), "")
            rows = []
        names = [name for name in re.findall(r"\bSEAMARK_\w+", line.split("/*")[0]) if name in said]
        if names:
            rows.append((", ".join("`%s`%s" % (name, " = " + values[name] if name in values else "") for name in names), page.marked(said[names[-1]])))
    page.table(rows)


def put_thing(page, thing):
    page.put("#### " + title(thing), "")
    if thing.kind != "enum":
        page.code(line.replace("/**<", "/*") for line in thing.lines(110))
    page.paragraphs(thing.text)
    if thing.kind == "enum":
        put_members(page, thing)
    if thing.parameters:
        page.put(*("- `%s`: %s" % (name, page.marked(text)) for name, text in thing.parameters), "")
    if thing.result:
        page.put("Returns " + page.marked(thing.result) + ".", "")


def put_header(page, name, about, things):
    page.put("## " + name, "")
    page.paragraphs(about)
    page.table([("[`%s`](#%s)" % (thing.names[0], anchor(title(thing))), page.marked(thing.purpose())) for thing in things if thing.kind == "function" and thing.text])
    part = None
    for thing in things:
        if thing.part != part:
            part = thing.part
            page.put("### " + part[:1].upper() + part[1:], "")
        put_thing(page, thing)


def main(source, path):
    read = {name: header.read(os.path.join(source, "lib", name)) for name in ("seamark.h", "seamark_files.h")}
    page = Page([thing for _, things in read.values() for thing in things])
    page.put(*HEAD.strip("\n").split("\n"), "")
    for name, (about, things) in read.items():
        put_header(page, name, about, things)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(page.lines).rstrip("\n") + "\n")


main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else os.path.join(sys.argv[1], "docs", "api.md"))
