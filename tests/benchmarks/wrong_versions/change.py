"""A wrong version: a change of the code's text, and the tests that should fail under it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """A change of one file.

    Attributes:
        path: the file, from the folder of the package.
        before: the text that is replaced, which the file has exactly once.
        after: the text in its place.
        tests: the nearest tests, as arguments of pytest.
    """

    path: str
    before: str
    after: str
    tests: str


def of(path: str, tests: str, *changes: tuple[str, str] | tuple[str, str, str]) -> list[Change]:
    """The changes of one file, as texts before and after; with other tests than the file's where a third is given."""
    return [Change(path, before, after, *(other or (tests,))) for before, after, *other in changes]
