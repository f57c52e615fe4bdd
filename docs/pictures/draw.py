"""Draws the pictures of the book: docs/pictures/draw.py writes every .svg beside itself anew.

A picture is boxes at places, arrows between boxes, and notes. Colours follow the reader's preference for dark or light, on
a ground of the picture's own, so that it can be read on any page. Depends on the standard library alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

STYLE = """
    .ground { fill: #ffffff; stroke: #d0d4da }
    .box { fill: #eef3fb; stroke: #3a6ea5; stroke-width: 1.5 }
    .good { fill: #e9f6ec; stroke: #2f855a; stroke-width: 1.5 }
    .bad { fill: #fdeeee; stroke: #c0392b; stroke-width: 1.5 }
    .quiet { fill: #f4f4f5; stroke: #8a8f98; stroke-width: 1.5 }
    .arrow { fill: none; stroke: #4a5260; stroke-width: 1.5 }
    .tip { fill: #4a5260 }
    text { fill: #1d2430; font: 14px system-ui, sans-serif; text-anchor: middle }
    .small { font-size: 12px; fill: #4a5260 }
    .left { text-anchor: start }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #1b1f26; stroke: #3a414d }
      .box { fill: #22303f; stroke: #6ea8dc }
      .good { fill: #1f3327; stroke: #5fc08a }
      .bad { fill: #3a2323; stroke: #e88378 }
      .quiet { fill: #282c33; stroke: #8a919d }
      .arrow { stroke: #aab3c0 }
      .tip { fill: #aab3c0 }
      text { fill: #e8ecf2 }
      .small { fill: #b3bcc9 }
    }
"""


@dataclass
class Box:
    x: int
    y: int
    width: int
    height: int


@dataclass
class Picture:
    title: str
    width: int
    height: int
    parts: list[str] = field(default_factory=list)

    def box(self, x: int, y: int, width: int, height: int, *lines: str, kind: str = "box") -> Box:
        """A box with lines of text; the first is larger."""
        self.parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>')
        top = y + height / 2 + 5 - 9 * (len(lines) - 1)
        for number, line in enumerate(lines):
            self.text(x + width // 2, top + 18 * number, line, "small" if number else "")
        return Box(x, y, width, height)

    def text(self, x: float, y: float, text: str, kind: str = "small") -> None:
        self.parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>')

    def arrow(self, *points: tuple[int, int], both: bool = False) -> None:
        """A line through the points, with a tip at its end."""
        path = " ".join(f"{'L' if number else 'M'}{x} {y}" for number, (x, y) in enumerate(points))
        start = ' marker-start="url(#tip)"' if both else ""
        self.parts.append(f'<path class="arrow" d="{path}" marker-end="url(#tip)"{start}/>')

    def svg(self) -> str:
        lines = "\n  ".join(self.parts)
        size = f'viewBox="0 0 {self.width} {self.height}"'
        tip = '<path class="tip" d="M0 0 L8 4 L0 8 z"/>'
        place = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"'
        return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">
  <title id="title">{escape(self.title)}</title>
  <style>{STYLE}  </style>
  <defs><marker id="tip" {place}>{tip}</marker></defs>
  <rect class="ground" x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="10"/>
  {lines}
</svg>
"""


def data_flow() -> Picture:
    draw = Picture("Who writes flags, who holds them, who asks", 760, 380)
    draw.box(20, 30, 150, 60, "LaunchDarkly", "people edit flags")
    draw.box(20, 150, 150, 60, "Relay Proxy", "or connected mode")
    draw.box(300, 150, 160, 60, "Redis", "features, segments", kind="quiet")
    for number, name in enumerate(("Python worker", "C++ server", ".NET service")):
        draw.box(590, 30 + 105 * number, 150, 70, name, "holds all flags, parsed", kind="good")
    draw.arrow((95, 90), (95, 148))
    draw.text(106, 124, "stream", "small left")
    draw.arrow((170, 180), (298, 180))
    draw.text(234, 172, "HSET")
    draw.arrow((460, 168), (588, 70))
    draw.arrow((460, 178), (588, 172))
    draw.arrow((460, 192), (588, 268))
    draw.text(520, 94, "“it changed”", "small")
    draw.text(440, 250, "what is in use is read", "small")
    draw.text(380, 342, "An evaluation stays inside of its process: memory alone, some tens of nanoseconds.")
    draw.text(380, 362, "Daemon mode reads. Only the Relay Proxy, or a process in connected mode, writes.")
    return draw


def evaluation() -> Picture:
    draw = Picture("What an evaluation touches", 760, 220)
    draw.box(20, 70, 130, 60, "a thread", "of the host")
    draw.box(210, 70, 150, 60, "snapshot", "immutable", kind="good")
    draw.box(420, 70, 130, 60, "flag", "compiled", kind="good")
    draw.box(610, 70, 130, 60, "counter", "beside the flag", kind="good")
    draw.arrow((150, 100), (208, 100))
    draw.arrow((360, 100), (418, 100))
    draw.arrow((550, 100), (608, 100))
    draw.text(179, 92, "load")
    draw.text(389, 92, "hash")
    draw.text(579, 92, "+1")
    draw.box(210, 160, 340, 40, "store thread: drafts the next snapshot, swaps it", kind="quiet")
    draw.arrow((285, 160), (285, 132))
    draw.text(380, 36, "No lock, no I/O, no allocation. A new snapshot is put in place of the old one when it is complete;")
    draw.text(380, 54, "whoever evaluates with the old one finishes with it.")
    return draw


def ladder() -> Picture:
    rungs = (
        ("1  hash-field notifications", "Redis 8.8, configured: only the fields that changed are read"),
        ("2  RESP3 broadcast tracking", "Redis 6 and newer, Valkey: the hash is named, what is in use is read at once"),
        ("3  RESP2 tracking with redirect", "the same for what knows no RESP3; two connections"),
        ("4  keyspace notifications", "any Redis that is configured to publish them"),
        ("5  ttl", "nothing is told: items are read again when older than cache.ttl_ms"),
    )
    draw = Picture("The ladder of freshness", 760, 350)
    for number, (name, meaning) in enumerate(rungs):
        y = 20 + 58 * number
        draw.box(90, y, 650, 46, name, meaning, kind="quiet" if number == 4 else "good")
    draw.arrow((40, 30), (40, 300))
    draw.arrow((66, 300), (66, 30))
    draw.text(380, 325, "Down: a refusal or a silence leads to the next one. Up: a better one is looked for once a minute,")
    draw.text(
        380,
        342,
        "and is in place before the other is given up. First the watch, then the first read: nothing falls between.",
    )
    return draw


def outages() -> Picture:
    draw = Picture("What answers while something is away", 760, 300)
    rows = (
        ("all is well", ("box", "box"), ("good", "memory, true")),
        ("LaunchDarkly away", ("bad", "box"), ("good", "memory, last data")),
        ("Redis away", ("box", "bad"), ("good", "memory; connected mode: true")),
        ("both away, running", ("bad", "bad"), ("good", "memory, marked STALE")),
        ("both away at a start", ("bad", "bad"), ("quiet", "snapshot file, or the default")),
    )
    draw.text(290, 24, "LaunchDarkly")
    draw.text(420, 24, "Redis")
    draw.text(620, 24, "what answers")
    for number, (name, (first, second), (kind, answer)) in enumerate(rows):
        y = 36 + 52 * number
        draw.text(20, y + 25, name, "left")
        draw.box(240, y, 100, 40, "away" if first == "bad" else "there", kind=first)
        draw.box(370, y, 100, 40, "away" if second == "bad" else "there", kind=second)
        draw.box(490, y, 250, 40, answer, kind=kind)
    return draw


def house() -> Picture:
    draw = Picture("Which module may use which", 760, 400)
    draw.box(20, 20, 720, 44, "C and C++ hosts      .NET      Python", kind="quiet")
    draw.box(260, 84, 240, 40, "include/flagstone.h")
    draw.box(260, 144, 240, 40, "src/ffi", kind="box")
    draw.box(260, 204, 240, 40, "src/client", kind="box")
    for number, name in enumerate(("source", "store", "eval", "events", "big_segments")):
        draw.box(20 + 147 * number, 274, 132, 40, name, kind="good")
        draw.arrow((380, 244), (86 + 147 * number, 272))
    draw.box(20, 344, 240, 40, "http, aws, files", kind="quiet")
    draw.box(275, 344, 210, 40, "context", kind="quiet")
    draw.box(500, 344, 240, 40, "model", kind="quiet")
    for top in (64, 124, 184):
        draw.arrow((380, top), (380, top + 18))
    draw.arrow((86, 314), (120, 342))
    draw.arrow((380, 314), (380, 342))
    draw.arrow((233, 314), (560, 342))
    draw.arrow((527, 314), (440, 342))
    draw.arrow((674, 314), (640, 342))
    draw.arrow((485, 364), (498, 364))
    draw.text(640, 170, "the siblings never see each other;")
    draw.text(640, 188, "a test reads the sources")
    return draw


PICTURES = {"data-flow": data_flow, "evaluation": evaluation, "ladder": ladder, "outages": outages, "house": house}

if __name__ == "__main__":
    for name, made in PICTURES.items():
        Path(__file__).with_name(f"{name}.svg").write_text(made().svg())
