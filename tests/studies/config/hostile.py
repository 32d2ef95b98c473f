"""Configs made to exhaust whoever reads them, as data, and configs that are large and sound.

`python -m tests.studies.config.hostile FOLDER` reads them all, one after the other, without the checks of types that
tests run under, which take a hundred times longer; and writes a line of JSON for each.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adamlab.plots import PLOTS_OF
from adamlab.studies.config import sizes
from adamlab.studies.config.errors import ConfigError
from adamlab.studies.config.toml import read_config
from adamlab.studies.kinds import kind_in

HUGE = 16**5000
"""A whole number of more digits than Python writes out."""


def nested(depth: int, inner: Any = 1) -> Any:
    for _ in range(depth):
        inner = {"a": inner}
    return inner


def runs(**keys: Any) -> dict[str, Any]:
    return {
        "name": "hostile",
        "steps": 10,
        "problem": [{"name": "beale"}],
        "optimizer": [{"name": "adamlab.adam", "learning_rate": 0.1}],
    } | keys


def beale(**options: Any) -> dict[str, Any]:
    return {"problem": [{"name": "beale"} | options]}


def problem(name: str, **options: Any) -> dict[str, Any]:
    return {"problem": [{"name": name} | options]}


def sgds(count: int, **keys: Any) -> dict[str, Any]:
    return runs(optimizer=[{"name": "optax.sgd", "label": str(i), **keys} for i in range(count)])


def adam(**numbers: Any) -> dict[str, Any]:
    return {"optimizer": [{"name": "adamlab.adam", "learning_rate": 0.1} | numbers]}


def compare(**keys: Any) -> dict[str, Any]:
    table = {"left": "optax.sgd(lr)", "right": "optax.sgd(lr)", "lr": 0.1} | keys
    return {"name": "hostile", "compare": [table]}


def reading(**keys: Any) -> dict[str, Any]:
    return {"name": "hostile", "reading": [{"spec": "optax.sgd(lr, momentum=m)"} | keys]}


MANY = 10**6
RANGE = {"log": [1e-6, 1.0, MANY]}
LINE = {"linear": [0.0, 0.9, MANY]}
NAMES = [f"wat{i}" for i in range(30_000)]
NUMBERS = ("learning_rate", "b1", "b2", "eps", "eps_root")

REFUSED: dict[str, tuple[dict[str, Any], str]] = {  # a config, and words of its message
    # what multiplies
    "seeds × rates": (runs(seeds=MANY) | adam(learning_rate=RANGE), r"1,000,000 settings × 1,000,000 seeds × 1 starts"),
    "seeds × random starts": (runs(seeds=1000) | beale(starts={"random": MANY}), r"1,000 seeds × 1,000,000 starts"),
    "seeds × starts on a grid": (runs(seeds=1000) | beale(starts={"grid": 1000}), r"= 1,000,000,000 runs"),
    "seeds × starts of a sequence": (runs(seeds=100) | beale(starts={"sobol": MANY}), r"= 100,000,000 runs"),
    "seeds × drawn settings": (
        runs(seeds=100, design={"random": MANY}) | adam(b2={"uniform": [0, 1]}),
        r"runs: at most",
    ),
    "rates × decays": (runs() | adam(learning_rate=RANGE, b1=LINE), r"1,000,000 × 1,000,000 = 1,000,000,000,000"),
    "five long ranges": (runs() | adam(**dict.fromkeys(NUMBERS, LINE)), r"at most 1,000,000 settings; got"),
    "long ranges in step": (runs(design="zip") | adam(**dict.fromkeys(NUMBERS, LINE)), r"at most 3,000,000 numbers"),
    "drawn in many dimensions": (
        runs(design={"sobol": MANY}) | adam(**{name: {"uniform": [0.0, 0.9]} for name in NUMBERS}),
        r"at most 3,000,000 numbers; got 1,000,000 × 5",
    ),
    "long ranges in a schedule": (
        runs() | adam(learning_rate={"schedule": "cosine", "init": RANGE, "steps": {"log": [1, 10**6, 1000]}}),
        r"1,000,000 × 1,000 = 1,000,000,000",
    ),
    "tables × rates": (
        runs(
            optimizer=[
                {"name": "optax.sgd", "label": str(i), "learning_rate": {"log": [1e-3, 1, 9000 * 1000]}}
                for i in range(9)
            ]
        ),
        r"a whole count from 1 to 1,000,000",
    ),
    "tables × a million rates": (sgds(1000, learning_rate=RANGE), r"at most 1,000,000 values in all tables; the first"),
    "tables × wrong rates": (sgds(1000, learning_rate=RANGE, wat=1), r"at most 1,000,000 values in all tables"),
    "tables × draws": (
        sgds(1000, design={"sobol": MANY}, learning_rate={"loguniform": [0.1, 1.0]}, momentum="1 - wat"),
        r"at most 1,000,000 values in all tables",
    ),
    "tables × draws of one design": (
        runs(design={"random": MANY}) | sgds(1000, learning_rate={"loguniform": [0.1, 1.0]}, momentum="1 - wat"),
        r"at most 1,000,000 values in all tables",
    ),
    "tables × numbers of comparisons": (
        {**compare(), "compare": [{**compare(lr=RANGE)["compare"][0], "label": str(i)} for i in range(1000)]},
        r"at most 1,000,000 values in all tables",
    ),
    "tables × numbers of readings": (
        {**reading(), "reading": [{**reading(m=LINE)["reading"][0], "label": str(i)} for i in range(1000)]},
        r"at most 1,000,000 values in all tables",
    ),
    "rates × operations": (
        runs() | adam(learning_rate=RANGE, b1="0.9" + " + 0*learning_rate" * 27),
        r"at most 2,000,000 operations at all settings together; at 1,000,000 settings these have",
    ),
    "a tower of powers": (runs() | adam(b1="9^9^9^9^9"), r"is too large for a number"),
    "a tower of roots": (runs() | adam(b1="(2^(0-9)^9)^9^9^9"), r"optimizer\[0\]\.b1"),
    "brackets in an expression": (runs() | adam(b1="(" * 240 + "b2" + ")" * 240), r"optimizer\[0\]\.b1"),
    "signs in an expression": (runs() | adam(b1="-" * 498 + "b2"), r"optimizer\[0\]\.b1"),
    "fresh seeds × optimizers": (
        sgds(20, learning_rate=0.1) | {"evaluation": {"seeds": MANY}},
        r"20 optimizers × 1,000,000 fresh seeds × 1 starts on problems = 20,000,000 runs: at most 10,000,000",
    ),
    "data × data": (
        runs() | problem("least_squares", dim=1000, examples=1000, data_seed=[*range(100)]),
        r"at most 8,000,000 numbers in the data of problems",
    ),
    "sparse data × sparse data": (
        runs() | problem("sparse_logistic", features=1000, examples=10**4, data_seed=[*range(100)]),
        r"at most 8,000,000 numbers in the data of problems",
    ),
    "heavy-tailed data × data": (
        runs() | problem("heavy_tailed_regression", dim=1000, examples=10**4, data_seed=[*range(100)]),
        r"at most 8,000,000 numbers in the data of problems",
    ),
    "deep quadratics": (
        runs() | problem("quadratic_deep", dim=1000, examples=1000, data_seed=[*range(100)]),
        r"at most 8,000,000 numbers in the data of problems",
    ),
    "a range of 10^9": (runs() | adam(learning_rate={"log": [1e-3, 1, 10**9]}), r"a whole count from 1 to 1,000,000"),
    "a range of no end": (runs() | adam(learning_rate={"log": [1e-3, 1, HUGE]}), r"a whole count from 1 to 1,000,000"),
    "10^9 seeds": (runs(seeds=10**9), r"how many seeds, from 1 to 1,000,000"),
    "seeds of an evaluation": (runs(evaluation={"seeds": 10**9}), r"how many seeds"),
    "starts on a grid of 10^9": (runs() | beale(starts={"grid": 10**9}), r"from 2 to 1,000,000"),
    "10^9 random starts": (runs() | beale(starts={"random": 10**9}), r"from 1 to 1,000,000"),
    "starts in many dimensions": (
        runs() | problem("rosenbrock", dim=1000, starts={"random": MANY}),
        r"1000 dimensions take at most 10,000",
    ),
    "starts of many problems": (
        runs() | beale(spread=[i / 1000 for i in range(100)], starts={"grid": 1000}),
        r"at most 10,000,000 numbers in all starts",
    ),
    "every step of 2^31": (runs(steps=2**31 - 2), r"at most 10,000,000 recorded steps of a run; got 2,147,483,647"),
    "steps of equal ratios": (
        runs(steps=2**31 - 2, record={"every": {"log": 2**31 - 2}}),
        r"at most 10,000,000 recorded",
    ),
    "steps of equal ratios of few": (runs(record={"every": {"log": 2**31 - 2}}), r"at most 10,000,000 recorded"),
    "records of many runs": (runs(steps=10**6, seeds=10**5), r"100,000 runs of 1,000,001 recorded steps: .* of memory"),
    "every quantity of many": (
        runs(steps=10**5, seeds=10**4, record={"what": ["loss", "params", "m", "v", "m_hat", "v_hat"]}),
        r"of memory, of",
    ),
    "parameters of many runs": (
        runs(seeds=10**6) | problem("rosenbrock", dim=10**5),
        r"of memory, of",
    ),
    "runs of wide networks": (runs(seeds=10**5) | problem("digits_mlp", hidden=5000), r"of memory, of"),
    "an evaluation of many runs": (
        runs(steps=1000, evaluation={"seeds": MANY}, record={"what": ["loss", "params"]})
        | problem("rosenbrock", dim=16),
        r"of memory, of",
    ),
    "many large problems": (
        runs() | problem("rosenbrock", dim=[MANY - i for i in range(100)]),
        r"at most 3,000,000 coordinates of known minima",
    ),
    "problems × optimizers": (
        runs(optimizer=[{"name": "optax.sgd", "label": f"{i}", "learning_rate": 0.1} for i in range(101)])
        | beale(spread=[i / 1000 for i in range(100)]),
        r"100 problems × 101 optimizers = 10,100 programs",
    ),
    "options × options": (
        runs() | problem("quadratic", condition=[*range(1, 101)], dim=[*range(2, 102)]),
        r"at most 100 problems; its options make 10,000",
    ),
    "a wide network": (runs() | problem("digits_mlp", hidden=10**9), r"hidden must be from 1"),
    "a wide encoder": (runs() | problem("digits_vae", latent=10**9), r"latent must be from 1"),
    "many channels": (runs() | problem("digits_conv", channels=HUGE), r"problem\[0\]"),
    "many dimensions": (runs() | problem("rosenbrock", dim=10**9), r"dim must be from 2"),
    "dimensions of no end": (runs() | problem("rosenbrock", dim=HUGE), r"problem\[0\]"),
    "many examples": (runs() | problem("sparse_logistic", examples=10**9, features=10**9), r"features must be from 1"),
    "a large batch": (runs() | problem("digits_softmax", batch_size=10**9), r"batch_size must be from 1"),
    "large data": (runs() | problem("least_squares", dim=2000, examples=2000), r"must be from 1"),
    "whole numbers compiled in": (
        runs(optimizer=[{"name": "optax.lbfgs", "memory_size": [*range(1, 20_000)]}]),
        r"at most 1,000 values",
    ),
    "types × contexts × numbers": (
        compare(dtype=["float32", "float64"], context=["jit", "scan"], lr=RANGE),
        r"2 × 2 × 1,000,000 = 4,000,000",
    ),
    "numbers × numbers": (
        compare(left="optax.sgd(lr, m)", lr={"log": [0.1, 1, 200]}, m={"linear": [0.1, 0.9, 200]}),
        r"at most 10,000 comparisons in all; here are 200 × 200 = 40,000",
    ),
    "types given twice": (compare(dtype=["float32"] * 90), r"given twice"),
    "types given often": (compare(dtype=["float32"] * 10**5), r"at most 100 of them; got 100,000"),
    "families given often": (compare(families=["normal"] * 10**5), r"at most 100 of them"),
    "steps of a comparison": (compare() | {"steps": 10**9}, r"less than or equal to 1000000"),
    "steps of a reading": (reading() | {"steps": 10**9}, r"less than or equal to 100"),
    "lags of a reading": (reading(lags=10**9), r"less than or equal to 1000"),
    "numbers of a reading": (reading(m={"linear": [0.1, 0.9, MANY]}), r"weights in at most 10,000 places"),
    "states of a reading": (reading(state=NAMES), r"at most 100 of them"),
    # what is long
    "30,000 problems": (
        runs(problem=[{"name": "beale"}] * 30_000),
        r"problem: expected at most 1,000 of them; got 30,000",
    ),
    "30,000 optimizers": (
        runs(optimizer=[{"name": "optax.sgd"}] * 30_000),
        r"optimizer: expected at most 1,000 of them",
    ),
    "30,000 pictures": (runs(output=[{"kind": "curves"}] * 30_000), r"output: expected at most 1,000 of them"),
    "30,000 comparisons": ({**compare(), "compare": [{}] * 30_000}, r"compare: expected at most 1,000 of them"),
    "30,000 readings": ({**reading(), "reading": [{}] * 30_000}, r"reading: expected at most 1,000 of them"),
    "30,000 quantities": (runs(record={"what": NAMES}), r"at most 100 of them; got 30,000"),
    "30,000 unknown keys": (runs(**dict.fromkeys(NAMES, 1)), r"has 10,000 mistakes(.|\n)*… and 9,980 more"),
    "30,000 unknown numbers": (runs() | adam(**dict.fromkeys(NAMES, 1)), r"has 10,000 mistakes"),
    "30,000 unknown options": (runs() | beale(**dict.fromkeys(NAMES, 1)), r"has 10,000 mistakes"),
    "30,000 starts twice": (runs() | beale(starts=[[0.0, 0.0]] * 30_000), r"given twice(.|\n)*… and 9,980 more"),
    "30,000 seeds twice": (runs(seeds=[7] * 30_000), r"a list of different seeds"),
    "30,000 wrong seeds": (runs(seeds=NAMES), r"how many seeds"),
    "30,000 wrong rates": (runs() | adam(learning_rate=NAMES), r"expected a number"),
    "30,000 rates twice": (runs() | adam(learning_rate=[0.1] * 30_000), r"values that differ"),
    "tables of many unknown keys": (
        runs(optimizer=[{"name": "optax.sgd", **dict.fromkeys(NAMES[:90], 1)} for _ in range(900)]),
        r"has 10,000 mistakes",
    ),
    "a long name": (runs(name="x" * 400), r"name: expected a shorter text"),
    "a long label of a problem": (runs() | beale(label="x" * 400), r"at most 100"),
    "long names of options": (
        runs() | problem("least_squares", label="y" * 90, condition=[10, 100], dim=[5, 6]),
        r"problem\[0\]",
    ),
    "a long label": (runs() | adam(label="x" * 400), r"a printable text of up to 200 characters"),
    "a long label of a comparison": (compare(label="x" * 400), r"a printable text of up to 200 characters"),
    "a long label of a reading": (reading(label="x" * 400), r"a printable text of up to 200 characters"),
    "a long key": (runs(**{"k" * 10**5: 1}), r"there is no such key"),
    "a long value": (runs(seeds="k" * 10**5), r"how many seeds"),
    "a long problem": (runs() | problem("b" * 10**5), r"there is no problem"),
    "a long optimizer": (runs(optimizer=[{"name": "o" * 10**5}]), r"there is no optimizer"),
    "a long spec": (runs(optimizer=[{"spec": "optax.sgd(" + "x" * 10**5 + "(1))"}]), r"there is no schedule"),
    "a spec of many arguments": (runs(optimizer=[{"spec": "optax.sgd(" + "1," * 10**4 + ")"}]), r"takes at most"),
    "a deep spec": (runs(optimizer=[{"spec": "(" * 3000 + "optax.sgd" + ")" * 3000}]), r"is not a spec"),
    # what is deep
    "a deep mapping": (runs(question=nested(3000)), r"nested more than 100 levels"),
    "a deep rate": (runs() | adam(learning_rate=nested(300)), r"nested more than 100 levels"),
    "a rate less deep": (runs() | adam(learning_rate=nested(90)), r"learning_rate: expected a number"),
    "deep starts": (runs() | beale(starts=nested(90)), r"expected a list of points"),
    # numbers that Python does not write out
    "steps of no end": (runs(steps=HUGE), r"steps: "),
    "records of no end": (runs(record={"every": HUGE}), r"record.every: "),
    "seeds of no end": (runs(seeds=HUGE), r"how many seeds"),
    "a rate of no end": (runs() | adam(learning_rate=HUGE), r"expected a number"),
    "an evaluation of no end": (runs(evaluation={"seeds": [HUGE]}), r"how many seeds"),
    "a target of no end": (runs(record={"what": ["steps_to_target"], "target": HUGE}), r"record.target"),
    "a start of no end": (runs() | beale(starts=[[HUGE, 0]]), r"2 finite numbers"),
    "a spread of no end": (runs() | beale(spread=HUGE), r"problem\[0\]"),
    "lags of no end": (reading(lags=HUGE), r"lags"),
    "a seed of no end": (compare(seed=-HUGE), r"seed"),
    # what a terminal would act on
    "a name that reverses": (runs(name="\u202eevil"), r"letters, digits.*\\u202e"),
    "a key that clears the screen": (runs(**{"\x1b[2J": 1}), r"\\u001b\[2J: there is no such key"),
    "a key of several lines": (
        runs(**{"a\nadamlab: all is well": 1}),
        r"a\\nadamlab: all is well: there is no such key",
    ),
    "a problem that rings": (runs() | problem("\a"), r"there is no problem"),
    "a spec that rings": (runs(optimizer=[{"spec": "optax.sgd\a"}]), r"\\u0007"),
    "a schedule that reverses": (runs() | adam(learning_rate={"schedule": "\u202e"}), r"there is no schedule"),
    "a label that reverses": (runs() | adam(label="\u202e"), r"a printable text"),
    "a label with an end of text": (compare(label="\0"), r"a printable text"),
    "a label in a reading": (reading(label="\x9b31m"), r"a printable text"),
    "a quantity that reverses": (runs(record={"what": ["\u2066"]}), r"there is no"),
    "a picture that rings": (runs(output=[{"kind": "\a"}]), r"output\[0\].kind"),
}

READ = {  # large and sound
    "a million rates": runs() | adam(learning_rate=RANGE),
    "a million seeds": runs(seeds=MANY),
    "a million starts": runs() | beale(starts={"grid": 1000}),
    "a million drawn settings": runs(design={"sobol": MANY}) | adam(learning_rate={"loguniform": [0.1, 1.0]}),
    "2^31 steps": runs(steps=2**31 - 2, record={"every": 10**6}),
    "2^31 steps in equal ratios": runs(steps=2**31 - 2, record={"every": {"log": 1000}}),
    "a chain of powers": runs() | adam(b1="0.9" + "^1.0000001" * 45),
    "networks × shares": runs() | problem("digits_mlp", validation_share=[i / 1000 for i in range(1, 101)]),
    "a hundred problems": runs() | beale(spread=[i / 1000 for i in range(100)]),
}


def files(folder: Path) -> Iterator[tuple[Path, bytes | None, str]]:
    """Files that are no configs: each with its bytes, None where the system makes it, and the words of its message."""
    yield Path("/dev/zero"), None, "it is no regular file"
    yield Path("/dev/null"), None, "it is no regular file"
    yield folder, None, "cannot be read: "
    yield folder / "pipe", None, "it is no regular file"
    yield folder / ("x" * 300), None, "cannot be read: File name too long"
    yield folder / "none", None, "there is no such file"
    texts = {
        "too much": (b"#" * (10**6 + 1), "it has more than 1,000,000 bytes"),
        "a mark": ("\ufeff".encode() + b'name = "x"', "byte order mark"),
        "bytes": (b"\xff\xfe\x00", "is not UTF-8"),
        "nul": (b'name = "\x00"', "is not valid TOML"),
        "dots": (b"a." * 400_000 + b"b = 1", "a key of more than 100 parts"),
        "dots in a table": (b"a = {" + b"a." * 400_000 + b"b = 1}", "a key of more than 100 parts"),
        "brackets": (b"a = " + b"[" * 400_000, "is not valid TOML"),
        "deep": (b"a = " + b"[" * 150 + b"]" * 150, "nested more than 100 levels"),
        "digits": (b"a = " + b"9" * 900_000, "is not valid TOML"),
        "text": (b'a = "' + b"a" * 900_000, "is not valid TOML"),
    }
    for name, (data, words) in texts.items():
        yield folder / name, data, words


HEAVY = (
    *("numbers of a reading", "many large problems", "seeds × rates", "types × contexts × numbers"),
    *("seeds × drawn settings", "30,000 problems", "seeds × random starts", "rates × operations", "deep quadratics"),
    *(name for name in REFUSED if name.startswith(("tables × ", "data × ", "sparse data × ", "heavy-tailed data × "))),
)
"""Configs that are refused after some seconds."""


def large() -> Iterator[tuple[str, Any]]:
    """Every config that takes seconds, by its name."""
    yield from READ.items()
    yield from ((name, REFUSED[name][0]) for name in HEAVY)


def small(folder: Path, every: int) -> Iterator[tuple[str, Any]]:
    """One of so many of the other configs that are refused, by its name; data or a path."""
    names = [name for name in REFUSED if name not in HEAVY]
    yield from ((name, REFUSED[name][0]) for name in names[::every])
    os.mkfifo(folder / "pipe")
    for path, data, _ in [*files(folder)][::every]:
        if data is not None:
            path.write_bytes(data)
        yield str(path), path


def read(config: Any) -> str | None:
    """The message with which a config is refused; None where it is read."""
    try:
        data = read_config(config)
        kind = kind_in(data)
        kind.read(data, PLOTS_OF.get(kind.of, {}), "the config")
    except ConfigError as error:
        return str(error)
    return None


def most_memory() -> int:
    """The most memory that this process has had, in kB; the system's own count begins with that of its parent."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return own[0] if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sizes.available_memory = lambda: 16 * 10**9  # whatever the tests run on
    for name, config in large() if sys.argv[1] == "large" else small(Path(sys.argv[1]), int(sys.argv[2])):
        began = time.process_time()
        message = read(config)
        seconds = time.process_time() - began
        line = {"name": name, "message": message, "seconds": seconds, "kilobytes": most_memory()}
        sys.stdout.write(json.dumps(line) + "\n")
