"""Imports point down and in no circle, starting up loads only what is needed, and folders and names are as agreed."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "adamlab"

LAYERS = [  # from the bottom; a module imports from its own layer and from those above it in this list
    ["errors", "types"],
    ["files", "interrupts"],
    ["own"],
    ["masks"],
    ["dependence"],
    ["derivatives"],
    ["arithmetic"],
    ["lifting"],
    ["rules"],
    ["schedules"],
    ["recipes"],
    ["optimizers"],
    ["adapters"],
    ["calls"],
    ["frameworks"],
    ["specs"],
    ["interpret"],
    ["flattening"],
    ["symbolic"],
    ["relations"],
    ["dynamics"],
    ["translation"],
    ["parity"],
    ["layers"],
    ["derivations"],
    ["problems"],
    ["analysis"],
    ["studies"],
    ["exporting"],
    ["plots"],
    ["pages"],
    ["explorer"],
    ["report"],
    ["products"],
    ["running"],
    ["terminal"],
    ["cli"],
    ["__main__"],
]

RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

UNSAID = {"one", "found", "made", "there"}
"""Names that do not say what they hold."""

MODULE_OF = {"pillow": "PIL", "scikit-learn": "sklearn", "orbax-checkpoint": "orbax"}
"""The modules of distributions that are called otherwise."""

TOOLS = {"adamlab", "beartype", "h5netcdf", "h5py", "ipykernel", "pyarrow", "pyright", "pytest-xdist", "ruff"}
"""Dependencies that are run, named in pyproject.toml or loaded by xarray and pandas, and not imported."""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def sources(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def module_at(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_at(path): path for path in sources(PACKAGE)}
"""The files of all modules, by name."""


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, but for those that only a type checker reads."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from nodes(child)


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules that a file imports or imports from, wherever in the file it does."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in inner)


def optional_imports(tree: ast.AST) -> Iterator[str]:
    """The modules that tests are skipped without."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(ast.Attribute(attr="importorskip"), [ast.Constant(str(name)), *_]):
                yield name


def own_imports(path: Path) -> set[str]:
    """The modules of this package that a file imports; of the front door only the modules behind it."""
    return {name for name in imports(parsed(path)) if name.startswith("adamlab.") and name in MODULES}


def layer_of(module: str) -> str:
    return module.split(".")[1]


def test_imports_point_down():
    upwards = [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        if module != "adamlab"  # the front door: it looks names up in all layers when they are asked for
        for name in own_imports(path)
        if RANK[layer_of(name)] > RANK[layer_of(module)]
    ]
    assert upwards == []


def lines_with(*internals: str) -> list[str]:
    """The files of the package that name something internal to JAX, one for each line."""
    return [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if any(name in line for name in internals)
    ]


def test_eight_files_know_jax_internals():
    """As the docstring of `adamlab.interpret` says; JAX changes both without notice."""
    assert set(lines_with("jax.extend", "make_jaxpr", ".eqns")) == {
        "dependence.py",
        "flattening/reading.py",
        "interpret/jaxpr.py",
        "interpret/plans.py",
        "parity/constants.py",
        "studies/engine/equations.py",
        "studies/engine/keys.py",
        "studies/engine/loops.py",
    }
    assert lines_with("jax._src") == ["interpret/jaxpr.py"]


def test_every_module_has_a_layer():
    assert {layer_of(module) for module in MODULES if module != "adamlab"} == set(RANK)


def graph() -> dict[str, set[str]]:
    """For each module those that are loaded with it: what it imports, and the packages that these are in."""
    edges = {}
    for module, path in MODULES.items():
        loaded = set()
        for name in own_imports(path):
            parts = name.split(".")
            packages = {".".join(parts[:i]) for i in range(2, len(parts))}
            # The packages that a module is in itself are being loaded before it.
            loaded |= {name} | {package for package in packages if not f"{module}.".startswith(f"{package}.")}
        edges[module] = loaded
    return edges


def circle_in(edges: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; an empty list if none do."""
    finished: set[str] = set()

    def search(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in finished:
            return []
        for name in sorted(edges[module]):
            if circle := search(name, [*path, module]):
                return circle
        finished.add(module)
        return []

    return next((circle for module in sorted(edges) if (circle := search(module, []))), [])


def test_no_modules_import_each_other_in_a_circle():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert circle_in(graph()) == []


def test_the_engine_knows_neither_configs_nor_stores():
    below = ("adamlab.studies.engine",)
    upwards = [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        if module.startswith(below)
        for name in own_imports(path)
        if name.startswith("adamlab.studies.") and not name.startswith(below)
    ]
    assert upwards == []


@pytest.mark.parametrize("folder", ["studies", "studies/config", "symbolic", "problems", "terminal", "analysis"])
def test_a_folder_is_seen_at_a_glance(folder):
    entries = [path.name for path in (PACKAGE / folder).iterdir() if path.is_dir() or path.suffix == ".py"]
    assert len({*entries} - {"__pycache__"}) <= 12, sorted(entries)


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_command_line_starts_without_heavy_libraries():
    assert not loaded_by("import adamlab.cli") & {"jax", "matplotlib", "sympy", "xarray", "optax", "zarr", "pydantic"}


def test_optimizers_load_without_what_studies_need():
    heavy = {"matplotlib", "sympy", "xarray", "zarr", "pandas", "sklearn", "pydantic", "chex"}
    assert not loaded_by("import adamlab as al; al.adam(1e-3)") & heavy


def test_formulas_and_lists_load_without_what_results_need():
    commands = "formulas, derivations, relations, comparing, translations"
    shown = f"from adamlab.terminal.optimizers import {commands}; from adamlab.terminal import lists"
    assert not loaded_by(shown) & {"matplotlib", "xarray", "zarr"}


def test_drawing_loads_no_sympy(tmp_path):
    command = ["adamlab", "plot", "beale", "landscape", "--out", str(tmp_path / "beale.png")]
    drawn = f"sys.argv = {command!r}; from adamlab.cli import app; app(standalone_mode=False)"
    assert "sympy" not in loaded_by(f"import adamlab.plots, adamlab.plots.files; {drawn}")
    assert (tmp_path / "beale.png").exists()


def test_loading_the_optimizers_leaves_the_backend_to_be_configured():
    code = "import jax, adamlab; adamlab.adam(1e-3); jax.config.update('jax_num_cpu_devices', 2)"
    code += "; print(jax.device_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "2", done.stderr


def test_the_front_door_says_what_it_offers():
    import adamlab

    assert {"adam", "sgd", "run", "load", "plots", "problems", "Decay", "scale_by_adam"} <= set(dir(adamlab))
    for name in dir(adamlab):
        assert getattr(adamlab, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'adm'; it offers Decay, adadelta, adagrad, adam"):
        _ = adamlab.adm


def test_every_declared_dependency_is_imported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    distributions = {re.split(r"[\[<>=~! ]", text)[0] for text in declared} - TOOLS
    trees = [parsed(path) for path in sources(PACKAGE, ROOT / "tests")]
    used = {name.split(".")[0] for tree in trees for name in [*imports(tree), *optional_imports(tree)]}
    assert {name for name in distributions if MODULE_OF.get(name, name) not in used} == set()


def named(node: ast.AST) -> str | None:
    """The name that a node gives: to a variable, a parameter, an attribute or an import."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return name
        case ast.arg(arg=name) | ast.alias(asname=name) | ast.ExceptHandler(name=name):
            return name
        case ast.MatchAs(name=name) | ast.MatchStar(name=name) | ast.MatchMapping(rest=name):
            return name
    return None


EVERY_FORM = """
def f(one, *found, made=1, **there): pass
lambda one: 0
one = found, (made, *there) = 0
one: int = 0
one += (found := 0)
for made in []: pass
with f() as there: pass
[0 for one in [] if [0 for _, found in []]]
self.made = 0
import os as there
try: pass
except f as one: pass
match f:
    case [found, *made] | {**there}: pass
"""


def test_names_say_what_they_hold():
    forms = [name for node in ast.walk(ast.parse(EVERY_FORM)) if (name := named(node)) in UNSAID]
    assert len(forms) == len(re.findall(r"\b(?:one|found|made|there)\b", EVERY_FORM))
    unsaid = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}: {named(node)}"
        for path in sources(PACKAGE, ROOT / "tests")
        for node in ast.walk(parsed(path))
        if named(node) in UNSAID
    ]
    assert unsaid == []
