"""What tests of stores share."""

import pytest

from adamlab import running


@pytest.fixture(scope="module")
def no_pictures():
    """Runs that write their store alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "write_products", lambda *arguments: None)
        yield
