"""A figure's words, read from its SVG."""

import io
import re
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.figure import Figure

TEXT = "{http://www.w3.org/2000/svg}text"


def svg(figure: Figure) -> bytes:
    """The figure as SVG, its words as words; drawn once, without a pass for its layout."""
    file = io.BytesIO()
    figure.set_layout_engine(None)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "adamlab"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def bare(text: str) -> str:
    """Letters and numbers alone: formulas are written in pieces, without their LaTeX."""
    return re.sub(r"[\s$_^{}\\]", "", text)


def unwritten(figure: Figure) -> list[str]:
    """The titles, labels and names in legends that are not among the words of its SVG."""
    labels = [text for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label)]
    names = [text for legend in figure.legends for text in legend.get_texts()]
    written = {bare("".join(element.itertext())) for element in ElementTree.fromstring(svg(figure)).iter(TEXT)}
    return [text.get_text() for text in (*labels, *names) if bare(text.get_text()) not in {"", *written}]
