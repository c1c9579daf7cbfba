# SPDX-License-Identifier: BSD-3-Clause
"""manual.py SEAMARK SOURCE OUT: the manual pages, from what the command says of itself, from apps/seamark/manual/*.txt and docs/schema/*.json where there are such files, and
from the public headers. Writes OUT/man1 and OUT/man3 anew."""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import header  # noqa: E402
import schema  # noqa: E402
from roff import Page, escape  # noqa: E402

EXIT_STATUS = (
    ("0", "All is well; for diff: they are equal."),
    ("1", "Problems were found: a checkpoint is damaged, checkpoints differ, something would make checkpoints void. What it is, is named."),
    ("2", "Wrong usage."),
    ("3", "Something could not be read or written: no such folder or checkpoint, no permission, or it was written by a newer Seamark."),
)
RUN_EXIT_STATUS = (
    ("75", "Stopped at a checkpoint: the same command goes on from there."),
    ("76", "Another start of this run has taken the place of this one."),
    ("126, 127", "The launcher cannot be executed, or was not found."),
)


def asked(*words):
    return json.loads(subprocess.run([SEAMARK, *words, "--json"], check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout)


def text_of(*path):
    """A file of the source; empty if there is none."""
    try:
        with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def sections(text):
    """(title, text) of a text in which a line of capitals is a title; the first has none."""
    parts = re.split(r"(?m)^([A-Z][A-Z ,]+)$", text)
    return [("", parts[0])] + list(zip(parts[1::2], parts[2::2]))


def write(page, name, section):
    with open(os.path.join(OUT, "man%d" % section, "%s.%d" % (name, section)), "w", encoding="utf-8") as file:
        file.write(page if isinstance(page, str) else page.text())


# --- the command -------------------------------------------------------------------------------------------------------------


def put_synopsis(page, synopsis):
    page.lines.append(".nf")
    for line in synopsis.split("\n"):
        line = "seamark " + re.sub(r"^ *seamark ", "", line)
        words = ""
        for word in re.findall(r"[A-Z][A-Z_]*\b|(?<![\w-])-[a-z-]*|^seamark [a-z-]+|.", line):
            face = "I" if word[0].isupper() else "B" if word[0] in "-s" and len(word) > 1 else None
            words += "\\f%s%s\\fR" % (face, escape(word)) if face else escape(word)
        page.put(words)
    page.lines.append(".fi")


def put_options(page, options):
    page.section("options")
    for option in options:
        head = "\\fB\\-%s\\fR, " % option["letter"] if option["letter"] else ""
        head += "\\fB\\-\\-%s\\fR" % escape(option["name"])
        head += " \\fI%s\\fR" % escape(option["value"]) if option["value"] else ""
        page.item(head, [option["help"]])
    page.item("\\fB\\-h\\fR, \\fB\\-\\-help\\fR", ["a short help; with --json for programs"])


def put_members(page, part, within=""):
    """What a schema says of an object's members."""
    for name, member in part.get("properties", {}).items():
        items = member.get("items", {})
        if member.get("description"):
            page.item("\\fI%s\\fR" % escape(within + name), [member["description"]])
        put_members(page, member, within + name + ".")
        if isinstance(items, dict):
            put_members(page, items, within + name + "[].")


def put_json(page, name):
    page.section("json")
    path = os.path.join(SOURCE, "docs", "schema", name + ".json")
    page.paragraphs("With --json the same is printed as one object of JSON%s. Members may be added in later versions, none will change its meaning. A command that fails before it has a "
                    "result prints an object with the members `status`, what it ends with, and `said`, a list of what was said on standard error."
                    % (", as docs/schema/%s.json describes" % name if os.path.exists(path) else ""))
    if os.path.exists(path):
        put_members(page, schema.load(path))


def put_exit_status(page, text):
    """`0 equal, 1 they differ, ...`"""
    parts = re.split(r"(?:^|, (?:or )?)(\d+)(?=[ :,]|$):?", text.replace("\n", " "))
    page.section("exit status")
    if parts[0]:
        page.paragraphs(parts[0][:1].upper() + parts[0][1:] + ".")
    for status, means in zip(parts[1::2], parts[2::2]):
        page.item("\\fB%s\\fR" % status, [means.strip(" .") or ("all is well" if status == "0" else "")])


def command_page(name, summary, everyone, version):
    usage = asked(name, "-h")
    texts = sections(text_of("apps", "seamark", "manual", name + ".txt"))
    places = {option["value"] for option in usage["options"] if option["value"] and re.fullmatch("[A-Z]+", option["value"])}
    page = Page("SEAMARK-" + name.upper(), 1, version, places | {"N"} | set(re.findall(r"\b[A-Z]+\b", usage["synopsis"])))
    page.name(["seamark-" + name], summary)
    page.section("synopsis")
    put_synopsis(page, usage["synopsis"])
    page.section("description")
    page.paragraphs(usage["description"] + "\n\n" + texts[0][1])
    later = [part for part in texts[1:] if part[0] == "EXAMPLES"]
    for title, text in texts[1:]:
        if title != "EXAMPLES":
            page.section(title)
            page.paragraphs(text)
    put_options(page, usage["options"])
    if any(option["name"] == "json" for option in usage["options"]):
        put_json(page, name)
    put_exit_status(page, usage["exit_status"])
    if any(option["name"] == "dir" for option in usage["options"]):
        page.section("environment")
        page.item("\\fBSEAMARK_DIR\\fR", ["The folder of the checkpoints, where --dir does not name it."])
    for title, text in later:
        page.section(title)
        page.paragraphs(text)
    put_also(page, [("seamark", 1)] + [("seamark-" + other, 1) for other in everyone if other != name])
    return page


def put_also(page, pages):
    page.section("see also")
    page.put(",\n".join("\\fB%s\\fR(%d)" % (escape(name), section) for name, section in pages).replace("\n", " "))


def settings_text(page):
    for setting in asked("settings")["settings"]:
        page.item("\\fB%s\\fR" % setting["name"],
                  ["%s. Allowed: %s. Default: %s" % (setting["help"][:1].upper() + setting["help"][1:].rstrip("."), setting["allowed"], setting["default"])])


def whole_page(commands, version):
    page = Page("SEAMARK", 1, version, {"N", "COMMAND", "OPTIONS"})
    page.name(["seamark"], "looks after checkpoints of MPI programs")
    page.section("synopsis")
    page.as_it_is(["seamark COMMAND [OPTIONS]", "seamark -h [--json]", "seamark --version"])
    page.section("description")
    page.paragraphs("The command reads the checkpoints that a program linked with Seamark has left. It needs neither MPI nor that program, and may be used while the program runs. "
                    "N is the number of a checkpoint, or the path of its folder (with a slash in it). What it prints for people goes to standard output, what it has to say of "
                    "its own to standard error.")
    page.section("commands")
    for command in commands:
        page.item("\\fBseamark\\-%s\\fR(1)" % escape(command["name"]), [command["summary"][:1].upper() + command["summary"][1:] + "."])
    page.section("exit status")
    for status, means in EXIT_STATUS:
        page.item("\\fB%s\\fR" % status, [means])
    page.paragraphs("seamark-snapshot(1) has 4 and 5 besides. seamark-run(1) ends with the program's own exit status (128 + n: ended by signal n), or with one of its own:")
    for status, means in RUN_EXIT_STATUS:
        page.item("\\fB%s\\fR" % status, [means])
    page.section("environment")
    page.paragraphs("SEAMARK_DIR is the folder of the checkpoints, for the command as for the program. With NO_COLOR set to anything, or TERM=dumb, there is no colour; COLUMNS is "
                    "the width of the terminal where the terminal does not tell. The settings that a program reads when it starts:")
    settings_text(page)
    page.section("examples")
    page.as_it_is(["seamark list", "seamark verify && echo all whole", "seamark show 13 --rank 2"])
    put_also(page, [("seamark-" + command["name"], 1) for command in commands] + [("seamark", 3), ("seamark_files", 3)])
    return page


# --- the interface -----------------------------------------------------------------------------------------------------------


def put_function(page, thing):
    page.paragraphs(thing.text)
    if thing.parameters:
        page.section("arguments")
        for name, text in thing.parameters:
            page.item("\\fI%s\\fR" % escape(name), [text])
    if thing.result:
        page.section("return value")
        page.paragraphs(thing.result[:1].upper() + thing.result[1:] + ".")


def put_errors(page, thing, errors):
    named = [name for name in errors if re.search(r"\b%s\b" % name, thing.result + thing.text)]
    if named:
        page.section("errors")
        for name in named:
            page.item("\\fB%s\\fR" % name, [errors[name][:1].upper() + errors[name][1:] + "."])


def put_declarations(page, things, file):
    page.section("synopsis")
    lines = ["#include <%s>" % file]
    for thing in things:
        lines += [""] + thing.lines(72)
    page.as_it_is(lines, bold=True)


def page_of_values(thing, name, purpose, version):
    """An enum, a macro or a type, that has no function of its own."""
    page = Page(name, 3, version)
    page.name([name] + thing.names, purpose)
    page.section("synopsis")
    page.as_it_is(["#include <seamark.h>"] + ([] if thing.kind == "enum" else ["", thing.declaration]), bold=True)
    page.section("description")
    page.paragraphs(thing.text)
    for member, text in thing.members() if thing.kind == "enum" else ():
        page.item("\\fB%s\\fR" % member, [text[:1].upper() + text[1:] + "." if text else ""])
    put_also(page, [("seamark", 3)])
    return page


VALUES = {  # the first name of what has no function of its own: its page
    "SEAMARK_E_ARGUMENT": "seamark_errors", "SEAMARK_BYTE": "seamark_type", "SEAMARK_FRESH": "seamark_restored", "SEAMARK_VERSION": "seamark_version_macro",
    "SEAMARK_ANY_STEP": "seamark_any_step", "seamark_writer": "seamark_writer", "seamark_reader": "seamark_reader"}


def interface_pages(version):
    about, things = header.read(os.path.join(SOURCE, "lib", "seamark.h"))
    functions = [thing for thing in things if thing.kind == "function"]
    errors = {name: text for thing in things if thing.names[0] == "SEAMARK_E_ARGUMENT" for name, text in thing.members()}
    for thing in functions:
        page = Page(thing.names[0], 3, version, {name for name, _ in thing.parameters})
        page.name(thing.names, thing.purpose())
        put_declarations(page, [thing], "seamark.h")
        page.section("description")
        put_function(page, thing)
        put_errors(page, thing, errors)
        put_also(page, [("seamark", 3), ("seamark_errors", 3)] + [(other.names[0], 3) for other in functions if other is not thing])
        write(page, thing.names[0], 3)
    for thing in things:
        if thing.kind == "function":
            continue
        name = VALUES.get(thing.names[0], thing.names[0])
        write(page_of_values(thing, name, thing.purpose(), version), name, 3)
        for other in thing.names:
            if other != name:
                write(".so man3/%s.3\n" % name, other, 3)
    page = Page("seamark", 3, version)
    page.name(["seamark"], "checkpoint and restart of MPI programs, taken while they run")
    page.section("synopsis")
    page.as_it_is(["#include <seamark.h>", "", "mpicc program.c $(pkg-config --cflags --libs seamark)"], bold=True)
    page.section("description")
    page.paragraphs(about)
    page.section("functions")
    for thing in functions:
        page.item("\\fB%s\\fR(3)" % thing.names[0], [thing.purpose()[:1].upper() + thing.purpose()[1:] + "."])
    put_also(page, [("seamark", 1), ("seamark_errors", 3), ("seamark_files", 3)])
    write(page, "seamark", 3)


def files_page(version):
    """The interface for reading checkpoints: one page, in the parts of its header."""
    about, things = header.read(os.path.join(SOURCE, "lib", "seamark_files.h"))
    page = Page("seamark_files", 3, version)
    page.name(["seamark_files"], "reads checkpoints, without MPI")
    page.section("synopsis")
    page.as_it_is(["#include <seamark_files.h>", "", "cc program.c $(pkg-config --cflags --libs seamark-files)"], bold=True)
    page.section("description")
    page.paragraphs(about)
    part = None
    for thing in things:
        if thing.kind == "function":
            write(".so man3/seamark_files.3\n", thing.names[0], 3)
        if thing.part != part:
            part = thing.part
            page.section(part)
        if not page.lines[-1].startswith(".SH"):
            page.lines.append(".PP")
        page.as_it_is(thing.lines(72), bold=True)
        if not thing.text + thing.result:
            continue
        page.lines.append(".RS 4")
        page.paragraphs(thing.text)
        for name, text in thing.parameters:
            page.item("\\fI%s\\fR" % escape(name), [text])
        if thing.result:
            page.lines.append(".PP")
            page.put("Returns " + page.marked(thing.result) + ".")
        page.lines.append(".RE")
    put_also(page, [("seamark", 1), ("seamark", 3), ("seamark_errors", 3)])
    write(page, "seamark_files", 3)


SEAMARK, SOURCE, OUT = sys.argv[1:]
for section in (1, 3):
    folder = os.path.join(OUT, "man%d" % section)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
program = asked("-h")
write(whole_page(program["commands"], program["version"]), "seamark", 1)
names = [command["name"] for command in program["commands"]]
for command in program["commands"]:
    write(command_page(command["name"], command["summary"], names, program["version"]), "seamark-" + command["name"], 1)
interface_pages(program["version"])
files_page(program["version"])
