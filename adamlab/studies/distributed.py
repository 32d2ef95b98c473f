"""Devices and processes: the devices of this process, and its place among the processes that share a run."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import jax

from adamlab.errors import InputError, reason
from adamlab.studies.options import RunOptions

_JOINED: list[bool] = []
"""Not empty once `join` has joined other processes; a user's own call of JAX leaves it empty."""


def begin(options: RunOptions) -> None:
    """Create this process's devices and join the others, where several processes share a run."""
    if options.is_shared and not _JOINED:
        if options.devices is not None:
            create_devices(options.devices)
        join(options.coordinator, options.processes, options.process)


def join(coordinator: str | None = None, processes: int | None = None, process: int | None = None) -> None:
    """Join the processes that share a run; JAX must not have been used before.

    What is not given comes from Slurm, Open MPI, Kubernetes or a TPU pod, see `jax.distributed.initialize`. If process
    0 dies, all end; if another one dies, the rest go on.

    Args:
        coordinator: host and port of process 0, such as "10.0.0.1:7788", the same in every process.
        processes: the number of processes.
        process: the number of this process, from 0.

    Raises:
        InputError: a value is missing, or the processes do not find each other.
    """
    if coordinator is not None and not re.fullmatch(r".+:\d{1,5}", coordinator):
        raise InputError(f'--coordinator: expected HOST:PORT, such as 10.0.0.1:7788; got "{coordinator}".')
    jax.config.update("jax_enable_recoverability", True)
    _JOINED.append(True)
    try:
        jax.distributed.initialize(coordinator, processes, process)
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"this process cannot join the others: {reason(error)} "
            "Give --coordinator HOST:PORT, --processes and --process, or start it under Slurm or Open MPI."
        ) from error


def devices(count: int | None) -> list[Any]:
    """The first `count` devices of this process; on a CPU they are created first.

    By default all. A CPU that is not divided counts once for each of the cores that the process may use; not by default
    where processes share the run, since each may have another number of cores.

    Raises:
        InputError: the process has fewer.
    """
    if count is not None and count < 1:
        raise InputError(f"expected at least 1 device; got {count}.")
    if count is not None:
        create_devices(count)
    local = jax.local_devices()
    usable = local
    if len(local) == 1 and local[0].platform == "cpu" and (count is not None or jax.process_count() == 1):
        usable = local * _cores()
    if count is not None and count > len(usable):
        raise InputError(
            f"{count} devices were asked for, and this process has {len(local)}. A CPU is divided when JAX is first "
            f'used: ask before, or begin with jax.config.update("jax_num_cpu_devices", {count}).'
        )
    return usable[:count]


def _cores() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def create_devices(count: int) -> None:
    """Create `count` virtual devices on a CPU, if JAX has not been used yet."""
    try:
        if jax.config.values["jax_num_cpu_devices"] in (None, -1, 1) and count > 1:
            jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        pass  # JAX has been used already: `devices` checks whether it has enough


def is_first() -> bool:
    """Whether this is process 0, which does what is done once."""
    return jax.process_index() == 0


def number() -> int:
    """The number of this process, from 0."""
    return jax.process_index()


def count() -> int:
    """The number of processes."""
    return jax.process_count()


def wait_for_all(barrier: str) -> None:
    """Wait until all processes of the run have reached a barrier, which the text describes.

    Raises:
        InputError: one of them has ended.
    """
    if jax.process_count() > 1:
        from jax.experimental.multihost_utils import sync_global_devices

        try:
            sync_global_devices(barrier)
        except (ValueError, RuntimeError) as error:  # depending on how the connection broke
            raise InputError(
                f"another process ended before {barrier}. "
                "What was done is kept, and the same command goes on from there."
            ) from error


def leave() -> None:
    """Leave the other processes, if `join` has joined them."""
    if _JOINED:
        jax.distributed.shutdown()


def keep_compiled(folder: Path) -> None:
    """Keep compiled programs in a folder for later processes, unless JAX has been given a folder already."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
