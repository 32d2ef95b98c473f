"""Code of the user's own: modules that are asked for by name, and the digests of their text."""

import hashlib
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, reload
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, spec_from_loader
from keyword import iskeyword
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any
from uuid import uuid4

from adamlab.errors import InputError, reason

TAKEN = ("adamlab", "optax", "torch", "keras")
"""The names of libraries in specs."""

NAME = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
"""What can be the name of an optimizer or a schedule: names with dots between."""

OURS = Path(__file__).resolve().parent
"""The folder of adamlab itself."""


@dataclass(frozen=True)
class Own:
    """A module of the user's.

    Attributes:
        name: its name, ahead of those of its functions.
        place: the file or the name that it was asked for by.
        module: the module itself.
        digest: of its text, and of the texts beside it that it uses.
    """

    name: str
    place: str
    module: ModuleType
    digest: str

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The functions that the module defines, by name, without those that start with an underscore."""
        own = {name: f for name, f in vars(self.module).items() if inspect.isroutine(f) and not name.startswith("_")}
        return {name: f for name, f in own.items() if f.__module__ == self.module.__name__}


MODULES: dict[str, Own] = {}
"""The modules that were asked for, by name."""

_importing: list[str] = []
"""The names of the modules that are being imported."""

_registered: dict[tuple[str, str], str] = {}
"""By what was registered, as ("problem", "bowl"), the module that did it, or a token where it was no such module."""


def load(place: str) -> Own:
    """Import a module of the user's: a file that ends with .py, or the name of a module that is installed.

    Its functions are then optimizers, schedules and problems under its name, as `mine.cautious(lr)`. What was imported
    before is imported anew where its text has changed.

    Raises:
        InputError: there is no such file or module, its name is taken, or its code raises.
    """
    is_file = place.endswith(".py") or "/" in place or "\\" in place
    path = Path(place).resolve() if is_file else None
    name = path.stem if path else place
    _check_name(name, place, path)
    known = MODULES.pop(name, None)
    is_same = known is not None and (path is None or _file_of(known.module) == path)
    if known is not None and is_same and _digest(known.module) == known.digest:
        MODULES[name] = known
        return known
    _disown(name)
    _importing.append(name)
    try:
        module = _imported(name, path, again=known is not None)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        _disown(name)
        what = f"{type(error).__name__}: {reason(error, 300)}"
        raise InputError(f"{place} cannot be imported: {_line_of(error, path)}{what}") from error
    finally:
        _importing.pop()
    MODULES[name] = Own(name, place, module, _digest(module))
    return MODULES[name]


def claim(kind: str, name: str, factory: Callable[..., Any]) -> str:
    """The full name of an optimizer or a schedule that is registered now, with its module's ahead.

    Raises:
        InputError: the name cannot be used, or the factory is no function.
    """
    if not isinstance(name, str) or not re.fullmatch(NAME, name, re.ASCII) or name.partition(".")[0] in TAKEN:
        form = f"letters, digits and _, with dots between, none of {', '.join(TAKEN)} ahead"
        raise InputError(f'the name of an optimizer or a schedule: expected {form}, as "mine.slow"; got {name!r}')
    if not callable(factory):
        raise InputError(f"{name}: expected a function that makes the {kind}; got {factory!r}")
    full = f"{_importing[-1]}.{name}" if _importing and "." not in name else name
    note_owner(kind, full)
    return full


def note_owner(kind: str, full: str) -> None:
    """Note which module registers something now, if one is being imported."""
    _registered[kind, full] = _importing[-1] if _importing else uuid4().hex


def _disown(name: str):
    """Note that what a module has registered may be of another text from now on."""
    for key in [key for key, owner in _registered.items() if owner == name]:
        _registered[key] = uuid4().hex


def digest_of(kind: str, full: str) -> str:
    """The digest of the code behind something of the user's; "" for what is adamlab's or Optax's.

    What was registered by no module that was asked for may depend on anything: it has another digest each time.
    """
    registered = _registered.get((kind, full), full.rpartition(".")[0])
    return MODULES[registered].digest if registered in MODULES else _registered.get((kind, full), "")


def is_known(kind: str, full: str) -> bool:
    """Whether the code behind something of the user's has a text that tells when it changes."""
    return digest_of(kind, full) != _registered.get((kind, full))


def registered(kind: str) -> dict[str, str]:
    """What the modules that were asked for have registered of a kind, by "module.name"."""
    return {f"{module}.{name}": name for (of, name), module in _registered.items() if of == kind and module in MODULES}


def is_module(library: str) -> bool:
    """Whether a library is a module of the user's that was asked for."""
    return library in MODULES


def attribute(library: str, name: str) -> Callable[..., Any] | None:
    """A function of such a module, wherever it is defined; None where there is none of that name."""
    value = None if name.startswith("_") else getattr(MODULES[library].module, name, None)
    return value if callable(value) else None


def _check_name(name: str, place: str, path: Path | None):
    if path is not None and not path.is_file():
        raise InputError(f"there is no file {place} to import.")
    if not all(part.isidentifier() and not iskeyword(part) for part in name.split(".")) or (path and "." in name):
        raise InputError(f"{place} cannot be imported: expected a file such as mine.py, or a module such as lab.mine.")
    if name.partition(".")[0] in TAKEN or (path and _is_another(name, path)):
        raise InputError(f"{place} cannot be imported as {name}, which is the name of another module; rename it.")


def _is_another(name: str, path: Path) -> bool:
    """Whether a module of that name is loaded or installed that is not the file; other code would then get the file."""
    if name in MODULES:
        return False
    if name in sys.stdlib_module_names or name in sys.modules:
        return name in sys.stdlib_module_names or _file_of(sys.modules[name]) != path
    other = find_spec(name)
    return other is not None and "site-packages" in str(other.origin)


def _imported(name: str, path: Path | None, again: bool) -> ModuleType:
    if path is None:
        module = import_module(name)
        return reload(module) if again else module
    loader = SourceFileLoader(name, str(path))
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(__file__=str(path), __loader__=loader, __spec__=spec_from_loader(name, loader))
    keeps_none = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # compiled code is told from its text by seconds and sizes, which is too coarse
    sys.path.insert(0, str(path.parent))  # so that it finds what lies beside it
    try:
        exec(loader.source_to_code(path.read_bytes(), path), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
        sys.dont_write_bytecode = keeps_none
    return module


def _line_of(error: BaseException, path: Path | None) -> str:
    """The last line of the file that the error passed through, for a message."""
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if path and frame.filename == str(path)]
    return f"line {lines[-1]}, " if lines else ""


def _digest(module: ModuleType) -> str:
    """The digest of a module's text and of the texts in its folder that it uses, directly or through others."""
    file = _file_of(module)
    texts = _texts(module, file.parent) if file else {}
    whole = hashlib.sha256()
    for path in sorted(texts):
        whole.update(hashlib.sha256(texts[path]).digest())
    return whole.hexdigest()


def _texts(module: ModuleType, folder: Path) -> dict[Path, bytes]:
    texts: dict[Path, bytes] = {}
    waiting = [module]
    while waiting:
        current = waiting.pop()
        path = _file_of(current)
        if path is None or path in texts or not path.is_relative_to(folder) or path.is_relative_to(OURS):
            continue
        texts[path] = path.read_bytes() if path.is_file() else b""
        for value in [*vars(current).values()]:
            used = value if isinstance(value, ModuleType) else sys.modules.get(getattr(value, "__module__", None) or "")
            waiting += [used] if used is not None else []
    return texts


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) else None
