"""A minimal SVG writer: shapes with classes that the page styles; all texts are escaped."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
CHARACTER = 0.6  # width of a character in font sizes, on the wide side of usual fonts
_NAMESPACE = "http://www.w3.org/2000/svg"


class Svg:
    """Collects the shapes of one picture.

    Shapes use classes for what a page may restyle. A standalone picture also sets fills and strokes as attributes,
    which a style sheet overrides.
    """

    def __init__(self, width: float, height: float, label: str, *, kind: str = "") -> None:
        self.width, self.height, self.label, self.kind = width, height, label, kind
        self._parts: list[str] = []

    def add(self, tag: str, text: str | None = None, *, title: str = "", **attributes: object) -> None:
        """Adds a shape; ``_`` in attribute names becomes ``-``, a trailing one is dropped."""
        written = "".join(
            f' {_name(k)}="{escape(_value(v))}"' for k, v in attributes.items() if v is not None
        )
        inner = (f"<title>{escape(title)}</title>" if title else "") + escape(text or "")
        self._parts.append(f"<{tag}{written}>{inner}</{tag}>" if inner else f"<{tag}{written}/>")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12,
        anchor: str = "start",
        title: str = "",
        **more: object,
    ) -> None:
        """Adds a text whose baseline starts, is centred or ends at a point."""
        place = None if anchor == "start" else anchor
        self.add("text", text, title=title, x=x, y=y, font_size=size, text_anchor=place, **more)

    def line(self, x1: float, y1: float, x2: float, y2: float, class_: str) -> None:
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)

    def raw(self, markup: str) -> None:
        """Adds markup that is already safe, such as another picture."""
        self._parts.append(markup)

    def __str__(self) -> str:
        return self.markup()

    def markup(self, *, alone: bool = False) -> Markup:
        """Returns the picture as an element of a page, or with ``alone`` as a file of its own."""
        size = f'width="{_value(self.width)}" height="{_value(self.height)}"'
        box = f'viewBox="0 0 {_value(self.width)} {_value(self.height)}"'
        kind = f' class="{escape(self.kind)}"' if self.kind else ""
        space = f' xmlns="{_NAMESPACE}"' if alone else ""  # only a standalone file needs the namespace
        head = f'<svg{space} role="img" {size} {box}{kind}'
        label, parts = escape(self.label), "".join(self._parts)
        return Markup(f'{head} aria-label="{label}" font-family="{FONT}">{parts}</svg>')


def text_width(text: str, size: float) -> float:
    """Estimates the width of a text."""
    return len(text) * CHARACTER * size


def fitted(text: str, width: float, size: float) -> str:
    """Shortens a text that is too wide by omitting its middle."""
    most = max(int(width / (CHARACTER * size)), 2)
    if len(text) <= most:
        return text
    head = (most - 1 + 1) // 2
    tail = most - 1 - head
    return text[:head] + "…" + (text[-tail:] if tail else "")


def _name(attribute: str) -> str:
    return attribute.rstrip("_").replace("_", "-")


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)
