"""Code of the user's own: modules that are asked for by name, and the digests of their text."""

import ast
import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
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
        file: its file.
        digest: of its text, and of the texts beside it, or in its package, that it uses.
    """

    name: str
    place: str
    module: ModuleType
    file: Path
    digest: str

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The functions that the module defines, by name, without those that start with an underscore."""
        own = {name: f for name, f in vars(self.module).items() if inspect.isroutine(f) and not name.startswith("_")}
        return {name: f for name, f in own.items() if f.__module__ == self.module.__name__}


IMPORTERS = ("import_module", "__import__")
"""The functions that import a module whose name they are given."""

MODULES: dict[str, Own] = {}
"""The modules that were asked for, by name."""

_importing: list[str] = []
"""The names of the modules that are being imported."""

_together: list[str] = []
"""The names of the modules that were asked for with the one that is being imported."""

_executed: dict[Path, bytes] = {}
"""The texts that the modules which were asked for were executed from, by file."""

_registered: dict[tuple[str, str], str] = {}
"""By what was registered, as ("problem", "bowl"), the module that did it, or a token where it was no such module."""


def load_all(places: Sequence[str]) -> None:
    """Import the modules that are asked for together, see `load`.

    Raises:
        InputError: as `load`, or two of them have the same name, or register a problem of the same name.
    """
    _together.clear()
    for place in places:
        name = Path(place).stem if _is_file(place) else place
        if name in _together and MODULES[name].place != place:
            raise InputError(f"{place}: {name} is {MODULES[name].place} already; rename one of the files.")
        load(place)
        _together.append(name)


def load(place: str) -> Own:
    """Import a module of the user's: a file that ends with .py, or the name of a module that is installed.

    Its functions are then optimizers, schedules and problems under its name, as `mine.cautious(lr)`. What was imported
    before is imported anew where its text has changed, with what it imports beside it.

    Raises:
        InputError: there is no such file or module, its name is taken, or its code raises.
    """
    path = Path(place).resolve() if _is_file(place) else None
    name = path.stem if path else place
    _check_name(name, place, path)
    known = MODULES.get(name)
    if known is not None and (path is None or known.file == path) and _digest(_texts(known.file, name)) == known.digest:
        return known
    _disown(name)
    _importing.append(name)
    try:
        module = _imported(name, path)
        file = path or _file_of(module)
        if file is None:
            raise InputError(f"{place} is a folder; import a file in it, such as {place}/mine.py.")
    except InputError:
        _disown(name)
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        _disown(name)
        what = f"{type(error).__name__}: {reason(error, 300)}"
        raise InputError(f"{place} cannot be imported: {_line_of(error, path)}{what}") from error
    finally:
        _importing.pop()
    texts = _texts(file, name)
    _executed.update(texts)
    MODULES[name] = Own(name, place, module, file, _digest(texts))
    return MODULES[name]


def claim(kind: str, name: str, factory: Any) -> str:
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
    """Note which module registers something now, if one is being imported.

    Raises:
        InputError: another module that was asked for with it has registered the same.
    """
    now, before = _importing[-1] if _importing else uuid4().hex, _registered.get((kind, full))
    if _importing and before in _together and before != now:
        raise InputError(f'{before} and {now} both register a {kind} "{full}"; rename one of them.')
    _registered[kind, full] = now


def _disown(name: str):
    """Forget a module; what it has registered may be of another text from now on."""
    MODULES.pop(name, None)
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


def attribute(library: str, name: str) -> Callable[..., Any] | None:
    """A function of such a module, wherever it is defined; None where there is none of that name."""
    value = None if name.startswith("_") else getattr(MODULES[library].module, name, None)
    return value if callable(value) else None


def _check_name(name: str, place: str, path: Path | None):
    if path is not None and not path.is_file():
        raise InputError(f"there is no file {place} to import.")
    if not all(part.isidentifier() and not iskeyword(part) for part in name.split(".")) or (path and "." in name):
        raise InputError(f"{place} cannot be imported: expected a file such as mine.py, or a module such as lab.mine.")
    if name.partition(".")[0] in TAKEN or (path and is_another(name, path)):
        raise InputError(f"{place} cannot be imported as {name}, which is the name of another module; rename it.")


def is_another(name: str, path: Path) -> bool:
    """Whether a module of that name is loaded or installed that is not the file; other code would then get the file."""
    if name in MODULES:
        return False
    if name in sys.stdlib_module_names or name in sys.modules:
        return name in sys.stdlib_module_names or _file_of(sys.modules[name]) != path
    other = find_spec(name)
    return name in TAKEN or (other is not None and "site-packages" in str(other.origin))


def _imported(name: str, path: Path | None) -> ModuleType:
    file = path or _file_of(sys.modules.get(name))
    texts = _texts(file, name) if file else {}
    changed = any(_executed.get(known, text) != text for known, text in texts.items())
    names = {known.stem for known in texts}
    for other, module in [*sys.modules.items()]:
        beside = _file_of(module) if other in names or changed else None
        # What uses a changed text is executed anew, too; and a file of the same name elsewhere is another module.
        if (changed and beside in texts) or (beside in _executed and beside not in texts):
            del sys.modules[other]
    if path is None:
        return import_module(name)
    loader = SourceFileLoader(name, str(path))
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(__file__=str(path), __loader__=loader, __spec__=spec_from_loader(name, loader))
    # Compiled code is told from its text by seconds and sizes: too coarse, also for what functions import later.
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(path.parent))  # so that it finds what lies beside it
    try:
        exec(loader.source_to_code(path.read_bytes(), path), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # for imports inside of functions
    return module


def _line_of(error: BaseException, path: Path | None) -> str:
    """The last line of the file that the error passed through, for a message."""
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if path and frame.filename == str(path)]
    return f"line {lines[-1]}, " if lines else ""


def _digest(texts: Mapping[Path, bytes]) -> str:
    whole = hashlib.sha256()
    for path in sorted(texts):
        whole.update(hashlib.sha256(texts[path]).digest())
    return whole.hexdigest()


def _texts(file: Path | None, name: str) -> dict[Path, bytes]:
    """The texts of a module's file, and of files beside it or in its package that these import, wherever they do."""
    texts: dict[Path, bytes] = {}
    waiting = [] if file is None else [file]
    top = None if file is None else file.parents[name.count(".") + (file.name == "__init__.py")]
    while waiting and top is not None:
        path = waiting.pop().resolve()
        if path in texts or path.is_relative_to(OURS) or not path.is_file():
            continue
        texts[path] = path.read_bytes()
        for imported in _imports(texts[path], path, top):
            own = MODULES.get(imported)
            beside = top.joinpath(*imported.split("."))
            waiting += [beside.with_suffix(".py"), beside / "__init__.py"]
            waiting += [] if own is None or own.file is None else [own.file]
    return texts


def _imports(text: bytes, path: Path, top: Path) -> Iterator[str]:
    """The full names of all that a text imports, with their packages; nothing where it is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            ahead = _absolute(node.module or "", node.level, path, top)
            names = [ahead, *(f"{ahead}.{alias.name}".strip(".") for alias in node.names)]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in IMPORTERS:
            texts = [a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            names = [_absolute(name := text.lstrip("."), len(text) - len(name), path, top) for text in texts]
        for name in filter(None, names):
            parts = name.split(".")
            yield from (".".join(parts[: k + 1]) for k in range(len(parts)))


def _absolute(name: str, level: int, path: Path, top: Path) -> str:
    """The full name of a module that a file names from so many packages up; of level 0 the name itself."""
    package = path.relative_to(top).parts[:-level] if level and path.is_relative_to(top) else ()
    return ".".join([*package, *([name] if name else [])])


def _is_file(place: str) -> bool:
    return place.endswith(".py") or "/" in place or "\\" in place


def _file_of(module: Any) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) else None
