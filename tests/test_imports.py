"""Imports point down, and starting up loads only what is needed."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "adamlab"

LAYERS = [  # from the bottom; a module imports from its own layer and from those above it in this list
    ["errors", "types"],
    ["dependence"],
    ["arithmetic"],
    ["lifting"],
    ["rules"],
    ["schedules"],
    ["recipes"],
    ["calls"],
    ["specs"],
    ["interpret"],
    ["symbolic"],
    ["relations"],
    ["parity"],
    ["layers"],
    ["derivations"],
    ["problems"],
    ["analysis"],
    ["studies"],
    ["plots"],
    ["report"],
    ["running"],
    ["terminal"],
    ["cli"],
    ["__main__"],
]

RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def layer_of(module: str) -> str:
    return module.split(".")[1]


def imports(path: Path) -> set[str]:
    """The layers that a file imports from, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level
            ahead = f"{node.module}." if node.module == "adamlab" else ""  # of the front door only modules
            modules = [ahead + alias.name for alias in node.names] if ahead else [str(node.module)]
        else:
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {layer_of(module) for module in modules if module.startswith("adamlab.")}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    if path == PACKAGE / "__init__.py":
        return  # the front door: it looks names up in all layers when they are asked for
    own = layer_of(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    assert {name for name in imports(path) if RANK[name] > RANK[own]} == set()


def lines_with(*internals: str) -> list[str]:
    """The files of the package that name something internal to JAX, one for each line."""
    return [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if any(name in line for name in internals)
    ]


def test_two_files_know_jax_internals():
    """As the docstring of `adamlab.interpret` says; JAX changes both without notice."""
    assert set(lines_with("jax.extend", "make_jaxpr", ".eqns")) == {"dependence.py", "interpret/jaxpr.py"}
    assert lines_with("jax._src") == ["interpret/jaxpr.py"]


def test_every_module_has_a_layer():
    modules = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in PACKAGE.rglob("*.py")}
    assert modules - {"__init__"} == set(RANK)


def test_every_dependency_is_imported_somewhere():
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"\W", dependency)[0] for dependency in project["dependencies"]}
    lines = [line.split() for path in PACKAGE.rglob("*.py") for line in path.read_text(encoding="utf-8").splitlines()]
    imported = {words[1].partition(".")[0] for words in lines if words[:1] in (["import"], ["from"]) and len(words) > 1}
    assert declared - imported == set()


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_command_line_starts_without_heavy_libraries():
    assert not loaded_by("import adamlab.cli") & {"jax", "matplotlib", "sympy", "xarray", "optax", "zarr", "pydantic"}


def test_optimizers_load_without_what_studies_need():
    heavy = {"matplotlib", "sympy", "xarray", "zarr", "pandas", "sklearn", "pydantic", "chex"}
    assert not loaded_by("import adamlab") & heavy
    assert not loaded_by("import adamlab as al; al.adam(1e-3)") & heavy


def test_drawing_loads_no_sympy():
    assert "sympy" not in loaded_by("import adamlab.plots")


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
