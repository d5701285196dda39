"""The settings of the reference server, and what tests see of its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["vllm", "sglang", "llamacpp"]


@dataclass
class Serving:
    """What a server serves, and how it is set to behave."""

    folder: Path
    name: str
    """the base's name"""
    kind: Kind = "vllm"
    may_load: bool = True
    """whether it was started with runtime loading"""
    enable_lora: bool = True
    """vLLM only: whether it was started with ``--enable-lora``, which is another option there"""
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    """SGLang only: the layers that it says it takes adapters over"""
    max_rank: int = 16
    key: str = ""
    """the API key that it wants; empty for none"""
    preloaded: Mapping[str, Path] = field(default_factory=dict)
    """llama.cpp only: GGUF file to the folder that it was converted from"""
    adapters: dict[str, Path] = field(default_factory=dict)
    """loaded adapters, by name"""
    known: dict[str, Path] = field(default_factory=dict)
    """SGLang only: all that were ever loaded; a request for an unloaded one loads it again"""
    scales: dict[int, float] = field(default_factory=dict)
    """llama.cpp only: what applies to requests without scales of their own"""
    broken: set[str] = field(default_factory=set)
    """models that every request for fails with 500"""
    slow: dict[str, float] = field(default_factory=dict)
    """models that take this much longer, in seconds"""
    linger_s: float = 0.0
    """how long the first completion of a batch waits for others"""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """method and path, or the model asked for, of each request"""
    failures: list[int] = field(default_factory=list)
    """statuses other than 200 of completions"""
