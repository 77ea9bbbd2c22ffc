"""A browser without a window: a page as Chromium has it, what it asks for and what its console says.

And how it looks at a width, a telephone's too: Chromium's own windows are at least 500 px wide, so a page is
looked at in a frame.
"""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-default-apps",
    "--disable-extensions",
    # Chromium asks its maker's servers all the same: it finds no way to them, and no name is looked up.
    "--proxy-server=127.0.0.1:9",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]
# In a net log, whoever asks in Chromium's own name; a page is an origin, if only "null".
ITS_OWN = "not an origin"
HEIGHT = 900  # px of the frame

# What is below other things is opened first. Anchors are clicked, one after the other.
PROBE = """
addEventListener("load", async () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    const root = document.documentElement, pictures = [...document.images];
    const texts = [...document.body.querySelectorAll("*")].filter(
        e => e.getClientRects().length && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()));
    const seen = {
        inner: innerWidth, wide: root.scrollWidth - root.clientWidth,
        pictures: pictures.length, broken: pictures.filter(p => !p.naturalWidth).length,
        sizes: pictures.map(p => [p.naturalWidth, p.naturalHeight, p.clientWidth, p.clientHeight]),
        tables: [...document.querySelectorAll("table")].map(
            t => [t.rows.length, t.offsetWidth, t.offsetHeight]),
        names: [...document.querySelectorAll("th[scope=row]")].map(t => [t.textContent, t.offsetWidth]),
        kept: [...document.querySelectorAll(".scroll")].filter(s => s.querySelector("table")).map(s => {
            s.scrollLeft = s.scrollWidth;
            const name = s.querySelector("th[scope=row]").getBoundingClientRect();
            return [s.scrollLeft, name.left - s.getBoundingClientRect().left];
        }),
        headings: [...document.querySelectorAll("h1, h2, h3, h4")].map(
            h => [h.textContent.trim(), h.offsetWidth, h.offsetHeight]),
        letters: Math.min(...texts.map(e => parseFloat(getComputedStyle(e).fontSize))),
        ids: [...document.querySelectorAll("[id]")].map(e => e.id), anchors: [],
    };
    for (const anchor of document.querySelectorAll("a[href]")) {
        scrollTo(0, 0);
        anchor.click();
        await new Promise(after => setTimeout(after, 50));
        const target = document.querySelector(":target");
        const box = target ? target.getBoundingClientRect() : null;
        const heading = target ? target.querySelector("h1, h2, h3") : null;
        seen.anchors.push({
            text: anchor.textContent, goes: anchor.getAttribute("href"), to: target ? target.id : "",
            heading: heading ? heading.textContent : "", top: box ? box.top : null,
        });
    }
    parent.postMessage(JSON.stringify(seen), "*");
});
"""
FRAME = """<!doctype html><meta charset="utf-8"><title></title><style>* { margin: 0; border: 0; }</style>
<script>addEventListener("message", event => { document.title = event.data; })</script>
<iframe src="probed.html" width="%d" height="%d"></iframe>"""


def loaded(page, folder, *more):
    """What Chromium did on loading a page: its document as stdout, its log as stderr."""
    words = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *more, "--dump-dom", page.as_uri()]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)


def dumped(page, folder, *more):
    """The document as Chromium has it after loading."""
    return loaded(page, folder, *more).stdout


def console(page, folder):
    """What the browser writes to a page's console: errors, refusals by its policy, and what scripts say."""
    log = loaded(page, folder, "--enable-logging=stderr").stderr
    return re.findall(r":CONSOLE[:(]\d+\)?\] (.*)", log)


def asked(log):
    """The URLs that a page asked for, beyond its own file and what it holds itself."""
    events = [event.get("params", {}) for event in json.loads(log.read_text(encoding="utf-8"))["events"]]
    asked = [
        event["url"] for event in events if "url" in event and event.get("initiator", ITS_OWN) != ITS_OWN
    ]
    return [url for url in asked if not url.startswith(("file:", "data:"))]


def probed(page, folder, width):
    """How a page looks in a frame of this width: what PROBE has seen. Its policy admits that script alone."""
    whole = page.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    admitted = whole.replace("default-src 'none'", f"default-src 'none'; script-src 'sha256-{digest}'", 1)
    assert admitted != whole
    (folder / "probed.html").write_text(
        admitted.replace("</head>", f"<script>{PROBE}</script></head>", 1), encoding="utf-8"
    )
    frame = folder / "frame.html"
    frame.write_text(FRAME % (width, HEIGHT), encoding="utf-8")
    document = dumped(frame, folder, f"--window-size={max(width, 500)},1000", "--virtual-time-budget=20000")
    seen = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", document, re.DOTALL)[1]))
    assert seen["inner"] == width
    return seen
