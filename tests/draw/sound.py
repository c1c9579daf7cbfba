# SPDX-License-Identifier: BSD-3-Clause
"""sound.py PAGE SVG...: each picture is well-formed, needs nothing from elsewhere, no arrow of it goes back in time (but orphans, which do), each lies where its fate says; and the page, below a
picture, says how many messages are in flight in it, as "<!-- late 2 orphans 0 markers 6 -->"."""
import math
import os
import re
import sys
import xml.etree.ElementTree as tree

NAMESPACE = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "style", "rect", "g", "path", "polygon", "polyline", "circle", "text"}
KINDS = ("before", "after", "late", "orphan", "marker", "order")


class Picture:
    """What can be read from a picture."""

    def __init__(self, text):
        self.root = tree.fromstring(text)
        self.wrong = []
        self.arrows = []        # (kind, from, to, count, x1, x2)
        self.known = []         # of each, which of its ends are events: of the other nobody knows when it was
        self.cuts = {}          # rank: x
        self.names = set()
        for element in self.root.iter():
            self.look(element)
        description = self.root.find(NAMESPACE + "desc").text
        numbers = [int(word) for word in re.findall(r"\d+", description)]
        self.ranks, self.messages, self.late, self.orphans, self.markers = numbers
        self.notes = [text.text for text in self.root.findall(NAMESPACE + "text") if text.text]

    def look(self, element):
        if not element.tag.startswith(NAMESPACE) or element.tag[len(NAMESPACE):] not in ELEMENTS:
            self.wrong.append("element " + element.tag)
        for name, value in element.attrib.items():
            if name.startswith("on") or "href" in name or "url(" in value or "nan" in value or "inf" in value:
                self.wrong.append("attribute %s=%s" % (name, value))
        if element.tag == NAMESPACE + "style" and ("@import" in element.text or "url(" in element.text):
            self.wrong.append("style from elsewhere")
        kind = element.get("class", "")
        if kind.startswith("name ") and element.text.startswith("m"):
            if element.text in self.names:
                self.wrong.append("two arrows are " + element.text)
            self.names.add(element.text)
        if "data-from" in element.attrib:
            if kind not in KINDS:
                self.wrong.append("arrow of kind " + kind)
            self.arrow(kind, element)
        title = element.find(NAMESPACE + "title")
        if "data-rank" in element.attrib and re.match(r"rank \d+: (void )?cut", title.text):
            numbers = re.findall(r"-?[\d.]+", element.find(NAMESPACE + "path").get("d"))
            self.cuts[int(element.get("data-rank"))] = float(numbers[0])

    def arrow(self, kind, element):
        line = element.find(NAMESPACE + "path")
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", line.get("d"))]
        if not all(math.isfinite(number) for number in numbers) or not element.find(NAMESPACE + "title").text:
            self.wrong.append("arrow without numbers or words")
        title = element.find(NAMESPACE + "title").text
        self.known.append(("; sent at " in title, "; received at " in title or "; noticed at " in title))
        self.arrows.append((kind, int(element.get("data-from")), int(element.get("data-to")), int(element.get("data-count")), numbers[0], numbers[-2]))

    def count(self, *kinds):
        return sum(arrow[3] for arrow in self.arrows if arrow[0] in kinds)

    def check(self, by="time"):
        """Beside being well-formed. By time an arrow may be so short that it stands upright; by order each has a column for either end."""
        slack = 0.11            # of a coordinate with one digit
        least = -slack if by == "time" else 0.2
        for (kind, start, end, _, x1, x2), (sent, told) in zip(self.arrows, self.known):
            if x2 < x1 + least and not (kind == "orphan" and by == "cut"):
                self.wrong.append("%s from %d to %d goes back: %.1f to %.1f" % (kind, start, end, x1, x2))
            first, last = self.cuts.get(start), self.cuts.get(end)
            if first is None or last is None or kind in ("marker", "order"):
                continue
            sides = (not sent or x1 <= first + slack, not sent or x1 >= first - slack, not told or x2 <= last + slack, not told or x2 >= last - slack)
            right = {"before": sides[0] and sides[2], "after": sides[1] and sides[3], "late": sides[0] and sides[3], "orphan": sides[1] and sides[2]}[kind]
            if not right:
                self.wrong.append("%s from %d to %d is on the wrong side of a cut" % (kind, start, end))
        return self.wrong


def main():
    page, wrong = sys.argv[1], 0
    text = open(page, encoding="utf-8").read() if os.path.exists(page) else ""
    for path in sys.argv[2:]:
        name = os.path.basename(path)
        picture = Picture(open(path, encoding="utf-8").read())
        problems = picture.check("cut" if name.endswith("-cut.svg") else "time")
        said = re.search(r"\(algorithm/%s\)\s*<!-- late (\d+) orphans (\d+) markers (\d+) -->" % re.escape(name), text)
        if not said:
            problems.append("the page does not show it and say what is in it")
        elif tuple(int(number) for number in said.groups()) != (picture.late, picture.orphans, picture.markers):
            problems.append("the page says %s, the picture has %s" % (said.groups(), (picture.late, picture.orphans, picture.markers)))
        if picture.late != picture.count("late") or picture.orphans != picture.count("orphan"):
            problems.append("not all that crosses the cut is drawn")
        for problem in problems:
            print("%s: %s" % (name, problem))
            wrong += 1
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
