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
