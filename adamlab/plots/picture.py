"""The figure that every plot draws in."""

import io
from typing import Any

from matplotlib.figure import Figure


class Picture(Figure):
    """A figure that notebooks show as it is, without a magic command, with its caption as alternative text."""

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue(), {"alt": str(self.get_label())}


def lay_out(figure: Figure) -> None:
    """Lay a figure out, once for all formats: each would do so anew, which takes longer than to draw it."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)  # "none" would leave a placeholder, for which each file is drawn twice
