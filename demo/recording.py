"""Write kept pictures of the live tree as one SVG, for the README.

The SVG names no font server: it is drawn with the reader's own monospaced font.
"""

import io
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.terminal_theme import MONOKAI

WIDTH = 118
# Rich's own format, without its @font-face rules, which would fetch a font from the network.
SVG_FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def write_recording(frames: Mapping[str, RenderableType], title: str, target: Path) -> None:
    """Draw all frames, each below its caption, into one SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    for caption, frame in frames.items():
        console.print(Rule(caption, style="bright_black"))
        console.print(frame)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(console.export_svg(title=title, theme=MONOKAI, code_format=SVG_FORMAT, unique_id="live-tree"))
