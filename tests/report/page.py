# SPDX-License-Identifier: BSD-3-Clause
"""page.py SEAMARK BARE MAKE_CHECKPOINTS MAKE_WORLD MAKE_TRACE CHARTS_STATUS [PICTURES]: the page of `seamark report` in a headless Chromium: it opens without an error and asks for nothing, shows the
numbers that the command prints, and its charts answer to a mouse; with 4 ranks and with 1,024, light and dark, on a phone, by keyboard, with names
that would break it. BARE is a command that was built without charts. Pictures are left in a folder, if one is named."""
import json
import os
import subprocess
import sys
import tempfile

import history
from browser import Browser

seamark, bare, make_checkpoints, make_world, make_trace, charts_status = sys.argv[1:7]
pictures = sys.argv[7] if len(sys.argv) > 7 else None
with open(charts_status, encoding="utf-8") as file:
    built = file.read().strip()
# Whoever has npm has charts; what npm gets and cannot be bundled is a mistake of ours.
assert not built.startswith("bundling failed"), built
charts = built == "ok"
print("charts:", built)


def same(what, seen, wanted):
    assert seen == wanted, "%s: %s, not %s" % (what, seen, wanted)


def write(folder, page, command=seamark):
    subprocess.run([command, "report", folder, "-o", page], check=True, stdout=subprocess.DEVNULL)
    return json.loads(subprocess.run([seamark, "report", folder, "--json"], check=True, stdout=subprocess.PIPE).stdout)


def opened(browser, page, **more):
    browser.open(page, **more)
    browser.until("document.readyState === 'complete' && window.seamarkReport && seamarkReport.ready", "the page")
    same("complaints", browser.complaints(), [])


def number_in(browser, table, row, column):
    """As somebody sees it, and as it is."""
    cell = "document.querySelectorAll('#%s tbody tr')[%d].children[%d]" % (table, row, column)
    assert browser.evaluate("(() => { const box = %s.getBoundingClientRect(); return box.width > 0 && box.height > 0 })()" % cell), "%s is not to be seen" % cell
    return browser.evaluate("%s.dataset.value || %s.innerText" % (cell, cell))


def check_tables(browser, data):
    newest = data["checkpoints"][-1]
    rows = len(data["checkpoints"])
    same("rows", browser.evaluate("document.querySelectorAll('#checkpoints tbody tr').length"), rows)
    same("number", number_in(browser, "checkpoints", 0, 0), str(newest["number"]))
    same("messages", number_in(browser, "checkpoints", 0, 6), str(newest["messages"]))
    same("bytes", number_in(browser, "checkpoints", 0, 8), str(newest["bytes"]))
    same("certificate", browser.evaluate("document.getElementById('card-certificate').innerText"), "holds")
    same("checkpoints", browser.evaluate("document.getElementById('card-checkpoints').innerText"), str(rows))
    same("ranks", browser.evaluate("document.querySelectorAll('#ranks tbody tr').length"), newest["ranks"])


SERIES = "seamarkReport.charts['%s'].getOption().series[%d].data"


def painted(browser, name):
    """Whether there is more than one colour in a chart."""
    return browser.evaluate("""(() => { const canvas = document.querySelector('#chart-%s canvas'), data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        const seen = new Set(); for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]); return seen.size > 3 })()""" % name)


def check_charts(browser, data):
    newest = data["images"][-1]
    whole = data["checkpoints"]
    for name in ("flight", "matrix", "ranks", "storage", "times") + (("timeline",) if data["lives"] else ()):
        assert painted(browser, name), "nothing is drawn in '%s'" % name
    told = {commit["number"]: commit for life in data["lives"] for commit in life["commits"] if commit["messages"] is not None}
    told.update({entry["number"]: entry for entry in whole})
    in_flight = [told[number] for number in sorted(told)]
    same("in flight", browser.evaluate(SERIES % ("flight", 0)), [entry["message_bytes"] for entry in in_flight])
    same("messages", browser.evaluate(SERIES % ("flight", 1)), [entry["messages"] for entry in in_flight])
    same("cells", sorted(browser.evaluate(SERIES % ("matrix", 0))), sorted([cell[1], cell[0], cell[3]] for cell in newest["matrix"]["cells"] if cell[3]))
    same("ranks", browser.evaluate(SERIES % ("ranks", 0)), [rank["state_bytes"] for rank in newest["ranks"]])
    if data["lives"]:
        same("points", [point["value"] for point in browser.evaluate(SERIES % ("timeline", 1))],
             [[commit["cut_ns"] / 1e6, commit["number"] if commit["step"] is None else commit["step"]] for life in data["lives"] for commit in life["commits"]])
        same("restarts", browser.evaluate("seamarkReport.charts.timeline.getOption().series[2].markLine.data.length"), len(data["lives"]) - 1)
        same("lost", browser.evaluate("seamarkReport.charts.timeline.getOption().series[3].markArea.data.length"), sum(bool(life["lost_s"]) for life in data["lives"]))
        same("held", browser.evaluate(SERIES % ("times", 0)), [entry["held_s"] for entry in whole])


def place_of(browser, name, finder):
    """Where in the window a point of a chart is."""
    return browser.evaluate("""(() => { const chart = seamarkReport.charts['%s'], box = chart.getDom(); box.scrollIntoView({ block: 'center' });
        const at = chart.convertToPixel(%s), frame = box.getBoundingClientRect(); return [frame.left + at[0], frame.top + at[1]] })()""" % (name, finder))


def choose(browser, name, value):
    browser.evaluate("(() => { const list = document.getElementById('%s'); list.value = '%s'; list.dispatchEvent(new Event('change')) })()" % (name, value))


def check_answers(browser, data):
    newest = data["images"][-1]
    most = max(newest["matrix"]["cells"], key=lambda cell: cell[3])
    each = newest["matrix"]["ranks_each"]
    # A cell that is clicked tells its channels, and one that is pointed at its number.
    x, y = place_of(browser, "matrix", "{ xAxisIndex: 0, yAxisIndex: 0 }, [%d, %d]" % (most[1], most[0]))
    browser.click(x, y)
    browser.until("document.querySelectorAll('#picked tbody tr').length > 0", "the channels of a cell")
    wanted = [[str(row[0]), str(row[1])] for row in newest["channels"] if row[0] // each == most[0] and row[1] // each == most[1]]
    same("picked", browser.evaluate("[...document.querySelectorAll('#picked tbody tr')].map(row => [row.children[0].innerText, row.children[1].innerText])"), wanted[:200])
    browser.mouse("mouseMoved", x + 1, y)
    browser.until("[...document.querySelectorAll('#chart-matrix div')].some(box => /rank .* rank /.test(box.innerText) && box.style.visibility !== 'hidden')", "what a cell is")
    # Other measures, the ranks in another order, another checkpoint.
    choose(browser, "measure", "sent")
    same("sent", sorted(browser.evaluate(SERIES % ("matrix", 0))), sorted([cell[1], cell[0], cell[4]] for cell in newest["matrix"]["cells"] if cell[4]))
    choose(browser, "spread", "in_bytes")
    same("to ranks", browser.evaluate(SERIES % ("ranks", 0)), [rank["in_bytes"] for rank in newest["ranks"]])
    browser.evaluate("document.getElementById('sort').click()")
    same("sorted", browser.evaluate(SERIES % ("ranks", 0)), sorted((rank["in_bytes"] for rank in newest["ranks"]), reverse=True))
    assert "bytes in flight to it: least" in browser.evaluate("document.getElementById('spread-words').innerText")
    same("sum", browser.evaluate("seamarkReport.spread.sum"), sum(rank["in_bytes"] for rank in newest["ranks"]))
    if len(data["images"]) > 1:
        choose(browser, "checkpoint", 0)
        same("other", sorted(browser.evaluate(SERIES % ("matrix", 0))), sorted([cell[1], cell[0], cell[4]] for cell in data["images"][0]["matrix"]["cells"] if cell[4]))
    # A wheel with Ctrl held zooms; without, the page is scrolled.
    zoom = "seamarkReport.charts.ranks.getOption().dataZoom[0]"
    x, y = place_of(browser, "ranks", "{ xAxisIndex: 0, yAxisIndex: 0 }, [%d, 0]" % (len(newest["ranks"]) // 2))
    scrolled = browser.evaluate("scrollY")
    browser.mouse("mouseMoved", x, y - 20)
    browser.mouse("mouseWheel", x, y - 20, deltaX=0, deltaY=-200)
    browser.until("scrollY < %r" % scrolled, "the page scrolled")
    same("not nearer", browser.evaluate("%s.end - %s.start" % (zoom, zoom)), 100)
    x, y = place_of(browser, "ranks", "{ xAxisIndex: 0, yAxisIndex: 0 }, [%d, 0]" % (len(newest["ranks"]) // 2))
    before = browser.evaluate("%s.end - %s.start" % (zoom, zoom))
    browser.mouse("mouseMoved", x, y - 20)
    browser.mouse("mouseWheel", x, y - 20, deltaX=0, deltaY=-300, modifiers=2)
    browser.until("%s.end - %s.start < %r" % (zoom, zoom, before), "a nearer view")
    # Light and dark, by the button.
    back = "getComputedStyle(document.body).backgroundColor"
    light = browser.evaluate(back)
    browser.evaluate("document.getElementById('theme').click()")
    assert browser.evaluate(back) != light, "the button changes nothing"
    browser.evaluate("document.getElementById('theme').click()")
    same("light again", browser.evaluate(back), light)
    same("complaints", browser.complaints(), [])


def check_diagram(browser, ranks):
    box = "document.querySelector('.diagram svg')"
    assert browser.evaluate("%s.getBoundingClientRect().width > 500" % box)
    same("lines", browser.evaluate("[...%s.querySelectorAll('title')].some(one => /%d ranks/.test(one.textContent))" % (box, ranks)), True)
    browser.evaluate("%s.scrollIntoView({ block: 'center' })" % box)
    x, y = browser.evaluate("(() => { const frame = %s.getBoundingClientRect(); return [frame.left + frame.width / 2, frame.top + frame.height / 2] })()" % box)
    width = "%s.viewBox.baseVal.width" % box
    whole = browser.evaluate(width)
    browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-400, modifiers=2)
    browser.until("%s < %r" % (width, whole * 0.5), "a nearer view of the diagram")
    left = browser.evaluate("%s.viewBox.baseVal.x" % box)
    browser.mouse("mouseMoved", x, y)
    browser.mouse("mousePressed", x, y, button="left", clickCount=1)
    browser.mouse("mouseMoved", x - 60, y, button="left", buttons=1)
    browser.mouse("mouseReleased", x - 60, y, button="left", clickCount=1)
    browser.until("%s.viewBox.baseVal.x > %r" % (box, left), "the diagram moved")
    browser.evaluate("%s.dispatchEvent(new MouseEvent('dblclick'))" % box)
    same("all of it", browser.evaluate(width), whole)
    # The same by keyboard, and by a button.
    browser.evaluate("%s.focus()" % box)
    browser.key("+", text="+")
    browser.until("%s < %r" % (width, whole * 0.8), "a nearer view by a key")
    browser.key("ArrowRight")
    browser.until("%s.viewBox.baseVal.x > 0.2 * %r" % (box, whole), "the diagram moved by a key")
    browser.evaluate("[...document.querySelectorAll('#section-traces button')].find(one => one.textContent === 'all of it').click()")
    same("all of it", browser.evaluate(width), whole)


CONTRAST = """(() => { const style = getComputedStyle(document.documentElement), of = name => {
    const parts = style.getPropertyValue('--' + name).trim().slice(1).match(/../g).map(part => parseInt(part, 16) / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]; };
    return Math.min(...['text', 'soft', 'accent', 'good', 'bad'].flatMap(front => ['panel', 'back'].map(back => {
        const [low, high] = [of(front), of(back)].sort((a, b) => a - b); return (high + 0.05) / (low + 0.05); }))) })()"""


def check_for_all(browser, page, data):
    """Words are told from what is behind them, light and dark; everything has a name, and a phone is wide enough."""
    for dark in (False, True) if data["lives"] else (True,):
        opened(browser, page, width=400, height=800, dark=dark, phone=True)
        assert browser.evaluate(CONTRAST) >= 4.5
        same("dark", browser.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(18, 22, 27)" if dark else "rgb(246, 247, 249)")
        check_tables(browser, data)
        wide = browser.evaluate("[document.documentElement.scrollWidth, [...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > 401 && !one.closest('.table, .diagram, #picked, canvas')).map(one => one.outerHTML.slice(0, 80))]")
        same("wider than a phone", wide, [400, []])
    same("without a name", browser.nameless(), [])
    if pictures:
        browser.screenshot(os.path.join(pictures, page.replace(".html", "-phone.png")))


def check_hostile(browser, page):
    opened(browser, page)
    same("what names have done", browser.evaluate("[typeof hacked, document.images.length, document.querySelectorAll('script').length]"),
         ["undefined", 0, 3 if charts else 2])
    same("as it is", browser.evaluate("document.getElementById('folder').innerText.includes(%s)" % json.dumps(EVIL)), True)
    assert browser.evaluate("[...document.querySelectorAll('.diagram title')].some(one => one.textContent.includes('<img src=x'))"), "the diagram lacks the name of the communicator"


def look(browser, page, data, name):
    opened(browser, page)
    check_tables(browser, data)
    if charts:
        check_charts(browser, data)
        check_answers(browser, data)
    else:
        assert browser.evaluate("document.getElementById('without-charts') !== null")
    if data["traces"]:
        check_diagram(browser, data["traces"][0]["ranks_in_all"])
    check_for_all(browser, page, data)
    for dark in (False, True) if pictures else ():
        opened(browser, page, dark=dark)
        browser.screenshot(os.path.join(pictures, "%s-%s.png" % (name, "dark" if dark else "light")))


def check_bare(browser, page, data):
    """Without charts: all the tables, and diagrams that zoom."""
    opened(browser, page)
    check_tables(browser, data)
    same("charts", browser.evaluate("[document.getElementById('without-charts') !== null, document.querySelectorAll('canvas').length, [...document.querySelectorAll('.chart')].some(one => one.offsetHeight > 0)]"),
         [True, 0, False])
    check_diagram(browser, 4)


# A folder whose name would end a script, and a communicator with such a name.
EVIL = "</script><script>hacked=1</script><img src=x onerror=hacked=1>\"'&"
subprocess.run([make_checkpoints, "run", "4", "4"], check=True)
history.write("run")
subprocess.run([make_trace, "run", "4", "4"], check=True)
with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else ".") as shared:
    subprocess.run([make_world, shared + "/world", "1024", "1"], check=True)
    subprocess.run([make_trace, shared + "/world", "64", "1"], check=True)
    world = write(shared + "/world", "world.html")
run = write("run", "run.html")
write("run", "bare.html", bare)
os.makedirs(os.path.dirname(EVIL))
os.rename("run", EVIL)
subprocess.run([make_trace, EVIL, "4", "4", EVIL + "\udcff"], check=True)
write(EVIL, "evil.html")
with Browser(patience_s=800) as chromium:
    look(chromium, "run.html", run, "4")
    look(chromium, "world.html", world, "1024")
    check_bare(chromium, "bare.html", run)
    check_hostile(chromium, "evil.html")
    # A page that has lost its data complains: this test would see it.
    with open("run.html", encoding="utf-8") as file:
        text = file.read()
    with open("broken.html", "w", encoding="utf-8") as file:
        file.write(text.replace('id="data">{', 'id="data">', 1).replace("<h1>", '<img src="http://127.0.0.1:9/picture.png"><h1>', 1))
    chromium.open("broken.html")
    found = " ".join(chromium.complaints())
    assert "thrown" in found and "picture.png" in found, found
