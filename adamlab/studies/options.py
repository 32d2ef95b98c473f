"""Run options: what `adamlab run` and `al.run` are given beside a config and a folder."""

from dataclasses import dataclass, field
from typing import Any

from adamlab.errors import InputError


def _option(default: Any, help_: str, **limits: Any) -> Any:
    return field(default=default, metadata={"help": help_, **limits})


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of a run; each is a keyword of `al.run` and, by its metadata, an option of `adamlab run`.

    Attributes:
        devices: the number of this process's devices to compute on, the same for all that share a run; by default all,
            of a CPU that is not shared all cores that have enough to do. On a CPU that many virtual devices are
            created; if JAX has been used, it can be at most the number of cores.
        fresh: whether results that the folder has are replaced.
        distributed: whether this is one of several processes, as Slurm, Open MPI or a TPU pod says.
        coordinator: HOST:PORT of process 0, where several processes share the run.
        processes: the number of processes that share it.
        process: the number of this process, from 0.
        keep_compiled: whether compiled programs are kept for later processes, in `ADAMLAB_CACHE` or the user's cache
            folder, unless JAX has been given a folder already.
    """

    devices: int | None = _option(None, "On how many devices; on a CPU, virtual ones.", min=1, show_default="all")
    fresh: bool = _option(False, "Replace the results that the folder already has.")
    distributed: bool = _option(False, "One of several processes, as Slurm, Open MPI or a TPU pod says.")
    coordinator: str | None = _option(None, "Of process 0, where several processes share the run.", metavar="HOST:PORT")
    processes: int | None = _option(None, "How many processes share the run.", min=1)
    process: int | None = _option(None, "The number of this process, from 0.", min=0)
    keep_compiled: bool = _option(True, "Keep compiled programs for the next time.")

    def __post_init__(self):
        if (self.processes is not None or self.process is not None) and not self.is_shared:
            raise InputError("--processes and --process go with --coordinator HOST:PORT, or with --distributed.")

    @property
    def is_shared(self) -> bool:
        """Whether several processes share the run."""
        return self.distributed or self.coordinator is not None
