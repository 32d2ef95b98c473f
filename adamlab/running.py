"""From a config to results, figures and a report: the work of `adamlab run`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from adamlab.errors import InputError, reason
from adamlab.interrupts import hearing_interrupts, stop_if_interrupted
from adamlab.own import is_known, load_all
from adamlab.plots import PLOTS_OF
from adamlab.problems.data.openml import cache_folder
from adamlab.products import write_products
from adamlab.studies import distributed
from adamlab.studies.config.study import Config
from adamlab.studies.config.toml import read_config, text_of
from adamlab.studies.kinds import kind_in, load
from adamlab.studies.options import RunOptions
from adamlab.studies.progress import Listener
from adamlab.studies.store.files import DamageError
from adamlab.studies.store.folder import REPLACE, STORE, StoreError, removed
from adamlab.studies.store.items import UnfinishedError
from adamlab.studies.store.location import Location


def run(
    config: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    imports: str | Path | Sequence[str | Path] = (),
    listener: Listener | None = None,
    **options: Any,
) -> xr.DataTree:
    """Run an experiment config.

    Runs that the folder has are kept, whichever process computed them: a run that was cut off goes on, and of a config
    to which settings, seeds, starts, problems or optimizers were added only those are computed. What was taken out is
    left out of the results, and stays stored. So it is with comparisons and readings.

    Args:
        config: a TOML file, or a mapping of the same form.
        out: a folder for results.zarr, summary.csv, figures/ and report.html; None writes nothing.
        overrides: texts KEY=VALUE that replace keys of the config, such as "steps=100".
        imports: files of your own, such as "mine.py", or installed modules, whose optimizers, schedules and problems
            the config names; what depends on them is computed anew where their text has changed.
        listener: receives the progress.
        **options: the fields of `adamlab.studies.options.RunOptions`, such as `fresh=True` or `devices=2`.

    Returns:
        One child a problem: a dataset with dims run × step (× dim), see `adamlab.studies.store.dataset.dataset`. Of a
        config of comparisons one child, `comparisons`, and of readings `readings`, see
        `adamlab.studies.kinds`.

    Raises:
        ConfigError: the config has mistakes; all of them are named, and nothing has been written.
        InputError: a module cannot be imported.
        StoreError: the folder holds results of another config, cannot be written, or is locked by another run.
        TypeError: an option that does not exist.
        KeyboardInterrupt: Ctrl-C; what was done is kept, and the same call goes on from there.

    >>> results = run("experiments/quickstart.toml", out="results/quickstart")  # doctest: +SKIP
    """
    load_all([*map(str, [imports] if isinstance(imports, (str, Path)) else imports)])
    where = "the config" if isinstance(config, Mapping) else str(config)
    folder = None if out is None else Path(out)
    data, text = read_config(config, overrides), text_of(config, overrides)
    return run_data(data, where, folder, RunOptions(**options), listener or Listener(), text)


def run_data(
    data: Mapping[str, Any], where: str, folder: Path | None, options: RunOptions, listener: Listener, text: str = ""
) -> xr.DataTree:
    """Run the plain data of a config; `where` is its file's name, for messages, and `text` what it holds. See `run`."""
    distributed.begin(options)
    study = study_of(data, where)
    if options.is_shared and (loose := [name for name in study.own_code if not is_known(*name.split(" "))]):
        remedy = "import it in each, with --import mine.py"
        raise InputError(f"{', '.join(loose)}: code of your own has no text that all processes could know; {remedy}.")
    keep_programs(options)
    with hearing_interrupts(), _told(folder):
        tree = kind_in(data).run(study, where, Location(folder, options.fresh), options, listener)
        if folder is not None and distributed.is_first():
            if not tree.children or not (folder / STORE / "zarr.json").exists():
                raise removed(folder)
            write_products(study, tree, folder, listener, text)
        stop_if_interrupted()
        return tree


def keep_programs(options: RunOptions) -> None:
    """Keep what is compiled from now on for later processes, unless the options say otherwise."""
    if options.keep_compiled:
        distributed.keep_compiled(cache_folder() / "programs")


def study_of(data: Mapping[str, Any], where: str = "the config") -> Config:
    """The study that a config's plain data describes: runs of problems, comparisons, or readings.

    Raises:
        ConfigError: with every mistake in the data.
    """
    kind = kind_in(data)
    return kind.read(data, PLOTS_OF.get(kind.of, {}), where)


@contextmanager
def _told(folder: Path | None) -> Iterator[None]:
    """Turn what goes wrong with the folder meanwhile into a `StoreError`, and say what is kept where a run is stopped.

    Raises:
        StoreError: a file cannot be read or written, or the results were removed or renamed, or do not fit together.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except KeyboardInterrupt:
        if folder is None:
            raise
        kept = f"Stopped. What was done is kept in {folder}, and the same command goes on from there."
        raise KeyboardInterrupt(kept) from None
    except OSError as error:
        raise StoreError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error
    except Exception as error:
        if folder is None:
            raise
        is_stored = os.path.exists(folder / STORE)
        # Arrays can be written to a folder that is gone: their own folders are created anew.
        if isinstance(error, DamageError) or (isinstance(error, LookupError) and not is_stored):
            raise removed(folder) from error
        if is_stored:
            _require_sound(folder, error)
        raise


def _require_sound(folder: Path, error: Exception) -> None:
    """Require that what is stored can be loaded, where a run ended with an error.

    Raises:
        StoreError: it cannot, since its parts do not fit together, although each is as it was written.
    """
    try:
        load(folder)
    except UnfinishedError:
        return
    except StoreError:
        why = f"what is stored here does not fit together: {reason(error, 200)}"
        raise StoreError(f"{folder}: {why}. {REPLACE}") from error
