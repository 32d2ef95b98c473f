"""Pages for browsers: their templates, the digests of their own scripts, and what they read from folders of others."""

import base64
import hashlib
import json
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape


def templates() -> Environment:
    """The templates of pages, which escape whatever is put into them."""
    return Environment(loader=PackageLoader("adamlab"), autoescape=select_autoescape())


def digest(text: str) -> str:
    """The digest by which a page's policy of content knows an inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def mapping_in(text: Any) -> dict[str, Any]:
    """A mapping that is kept as JSON; an empty one where the folder that it was read from has anything else."""
    try:
        data = text if isinstance(text, dict) else json.loads(str(text))
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
