"""Whether the machine, its GPU or the model servers have other things to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import httpx

from ghostbust.config import Config
from ghostbust.http import ask
from ghostbust.samplers.endpoint import base_url_of
from ghostbust.sections import ModelSection

ANSWER_S: Final = 10.0
"""in which a server lists its models, if the settings say nothing else"""
BUSY_STATUSES: Final = frozenset({429, 503, 529})

Load = Callable[[], float]
Percent = Callable[[], float | None]


def busy_reason(
    config: Config, *, load: Load | None = None, gpu_percent: Percent | None = None
) -> str | None:
    """Why no model should be asked or trained now, in one line; None where nothing says so.

    ``load`` and ``gpu_percent`` measure this machine; None: the system and NVML do.
    """
    if config.model.servers:
        return _servers_busy(config.model, config.busy.answer_s or ANSWER_S)
    return machine_busy(config, load=load, gpu_percent=gpu_percent)


def machine_busy(
    config: Config, *, load: Load | None = None, gpu_percent: Percent | None = None
) -> str | None:
    """Why no model should run on this machine now; None where nothing says so."""
    if config.busy.load is not None:
        per_core = (load or load_per_core)()
        if per_core >= config.busy.load:
            return f"the load is {per_core:.2f} per core (busy.load is {config.busy.load:g})"
    if config.busy.gpu_percent is not None:
        used = (gpu_percent or use_of_gpu)()
        if used is not None and used >= config.busy.gpu_percent:
            return (
                f"a GPU is used by {used:.0f} % (busy.gpu_percent is {config.busy.gpu_percent:g})"
            )
    return None


def load_per_core() -> float:
    """The load average of the last minute, by the cores that this process may use."""
    return os.getloadavg()[0] / len(os.sched_getaffinity(0))


def use_of_gpu() -> float | None:
    """The use of the most used GPU in percent; None where NVML, or a GPU, isn't there."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return max(
            (float(pynvml.nvmlDeviceGetUtilizationRates(one).gpu) for one in handles), default=None
        )
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def _servers_busy(model: ModelSection, answer_s: float) -> str | None:
    """Why all servers are busy; None where one isn't, and where one is simply not there.

    The job itself says better what is wrong with a server that can't be reached.
    """
    reasons = []
    key = os.environ.get(model.api_key_env, "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for server in model.servers:
        url = base_url_of(server.url)
        try:
            answer = ask("GET", f"{url}/models", headers=headers, total_s=answer_s, max_bytes=None)
        except httpx.TimeoutException:
            reasons.append(
                f"{url.netloc.decode()} needs more than {answer_s:g} s to list its models"
            )
        except httpx.HTTPError:
            return None
        else:
            if answer.status_code not in BUSY_STATUSES:
                return None
            reasons.append(f"{url.netloc.decode()} answers {answer.status_code}")
    return "; ".join(reasons)
