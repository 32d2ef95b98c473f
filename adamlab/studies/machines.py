"""On which devices a process computes, and which of several processes it is."""

import re
from pathlib import Path
from typing import Any

import jax

from adamlab.errors import InputError

_JOINED: list[bool] = []
"""Not empty where this process has joined others here, and not by the user's own call of JAX."""


def join(coordinator: str | None = None, processes: int | None = None, process: int | None = None) -> None:
    """Makes this process one of several that share a run; nothing of JAX may have been computed before.

    What is not given is found as `jax.distributed.initialize` finds it: from Slurm, Open MPI, Kubernetes, a TPU pod.
    The others go on where one of them dies, unless it is the first.

    Args:
        coordinator: host and port of process 0, such as "10.0.0.1:7788"; all give the same.
        processes: how many there are.
        process: which of them this is, from 0.

    Raises:
        InputError: what is missing cannot be found, or the processes do not find each other.
    """
    if coordinator is not None and not re.fullmatch(r".+:\d{1,5}", coordinator):
        raise InputError(f'--coordinator: expected HOST:PORT, such as 10.0.0.1:7788; got "{coordinator}".')
    jax.config.update("jax_enable_recoverability", True)
    _JOINED.append(True)
    try:
        jax.distributed.initialize(coordinator, processes, process)
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"this process cannot join the others: {' '.join(str(error).split())} "
            "Give --coordinator HOST:PORT, --processes and --process, or start it under Slurm or Open MPI."
        ) from error


def devices(count: int | None) -> list[Any]:
    """So many devices of this process, by default all it has; a CPU is made as many devices as are asked for.

    Raises:
        InputError: there are not so many.
    """
    if count is not None and count < 1:
        raise InputError(f"expected at least 1 device; got {count}.")
    if count is not None:
        divide(count)
    found = jax.local_devices()
    if count is not None and count > len(found):
        raise InputError(
            f"{count} devices were asked for, and this process has {len(found)}. A CPU is divided when JAX is first "
            f'used: ask before, or begin with jax.config.update("jax_num_cpu_devices", {count}).'
        )
    return found[:count]


def divide(count: int) -> None:
    """Makes so many devices of a CPU, where JAX has not been used yet."""
    try:
        if jax.config.values["jax_num_cpu_devices"] in (None, -1, 1) and count > 1:
            jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        pass  # JAX has been used already; whether it has enough devices is seen next


def is_first() -> bool:
    """Whether this is the process that does what is done once."""
    return jax.process_index() == 0


def number() -> int:
    """Which process this is."""
    return jax.process_index()


def count() -> int:
    """How many processes there are."""
    return jax.process_count()


def together(what: str) -> None:
    """Waits until all processes of the run are there.

    Raises:
        InputError: one of them is not there any more.
    """
    if jax.process_count() > 1:
        from jax.experimental.multihost_utils import sync_global_devices

        try:
            sync_global_devices(what)
        except (ValueError, RuntimeError) as error:  # whatever the way is that the connection broke
            raise InputError(
                f"another process ended before {what}. What was done is kept, and the same command goes on from there."
            ) from error


def leave() -> None:
    """Parts this process from the others, if it has joined them by `join`."""
    if _JOINED:
        jax.distributed.shutdown()


def keep_compiled(folder: Path) -> None:
    """Keeps compiled programs in a folder for the processes to come, unless JAX was told of another already."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
