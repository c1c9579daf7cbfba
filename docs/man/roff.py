# SPDX-License-Identifier: BSD-3-Clause
"""Plain text as a manual page: man(7) macros, for groff and mandoc alike."""
import re


def escape(text):
    """Text of a line, as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    return "".join(sign if ord(sign) < 128 else "\\[u%04X]" % ord(sign) for sign in text)


class Page:
    """One page. `places` are the words that stand for what the reader puts in."""

    def __init__(self, name, section, version, places=()):
        self.lines = ['.\\" SPDX-License-Identifier: BSD-3-Clause', '.TH %s %s "" "Seamark %s" "Seamark"' % (escape(name), section, version)]
        places = sorted((re.escape(place) for place in places if place not in ("A", "I")), key=len, reverse=True)
        self.marks = re.compile(
            r"(?P<bold>`[^`]+`|(?<![\w-])--?[a-z][a-z-]*(?:=[\w:@]+)?|\bSEAMARK_[A-Z0-9_]+\b|\bseamark_\w+\(\)|\bseamark [a-z]+(?:-[a-z]+)?(?=\())"
            + (r"|(?P<place>\b(?:%s)\b)" % "|".join(places) if places else ""))

    def put(self, text):
        """A line of text. One that begins with a dot or a quote would be a macro."""
        self.lines.append("\\&" + text if text[:1] in (".", "'") else text)

    def marked(self, text):
        """Options, settings, functions and what stands in backquotes bold; places in italics."""
        answer, at = "", 0
        for found in self.marks.finditer(text):
            face = "B" if found.lastgroup == "bold" else "I"
            answer += escape(text[at:found.start()]) + "\\f%s%s\\fR" % (face, escape(found.group().strip("`")))
            at = found.end()
        return answer + escape(text[at:])

    def section(self, title):
        self.lines.append(".SH %s" % escape(title.upper()))

    def name(self, names, purpose):
        self.section("name")
        self.put("%s \\- %s" % (", ".join(escape(name) for name in names), escape(purpose)))

    def as_it_is(self, lines, bold=False):
        self.lines += [".nf", ".RS 4"] if not bold else [".nf"]
        for line in lines:
            self.put(("\\fB%s\\fR" % escape(line) if bold else escape(line)) if line else "")
        self.lines += [".fi"] if bold else [".RE", ".fi"]

    def item(self, head, paragraphs):
        """Something named, and what is said of it."""
        self.lines.append(".TP")
        self.put(head)
        for i, paragraph in enumerate(paragraphs or [""]):
            if i:
                self.lines.append(".IP")
            self.put(self.marked(paragraph))

    def paragraphs(self, text):
        """Text in paragraphs. Lines that begin with spaces stay as they are, or are a list if they are `word   what it is`; `- ` begins an item of a list."""
        first = True
        for block in re.split(r"\n\s*\n", text.strip("\n")):
            words, indented = [], []
            for line in block.split("\n"):
                point = line.startswith("- ")
                inside = line.startswith("  ") and not (words and words[0].startswith("- "))
                if words and (point or inside):
                    self.flush(words, first)
                    words, first = [], False
                if indented and not inside:
                    self.indented(indented, first)
                    indented, first = [], False
                (indented if inside else words).append(line[2:] if inside else line.strip())
            self.flush(words, first)
            self.indented(indented, first)
            first = False

    def indented(self, lines, first):
        if not lines:
            return
        if all(re.match(r"\S+(?: \S+)? {2,}\S|    ", line) for line in lines):
            items = []
            for line in lines:
                if line.startswith("    "):
                    items[-1][1] += " " + line.strip()
                else:
                    items.append(re.split(r" {2,}", line, maxsplit=1))
            for head, text in items:
                self.item("\\fB%s\\fR" % escape(head), [text])
            return
        if not first:
            self.lines.append(".PP")
        self.as_it_is(lines)

    def flush(self, words, first):
        text = " ".join(words)
        if text.startswith("- "):
            self.lines.append(".IP \\(bu 2")
            self.put(self.marked(text[2:]))
        elif text:
            if not first:
                self.lines.append(".PP")
            self.put(self.marked(text))

    def text(self):
        return "\n".join(self.lines) + "\n"
