"""The reference server's endpoints that change what it serves, answered as each kind does.

What they say is what vLLM 0.32 said when asked (a real one, 2026-11-29) and what the source of
SGLang 0.5.23 says that it answers; llama.cpp's server likewise, as far as ghostbust reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from ghostbust.bench.serving import Serving
from ghostbust.errors import ModelError

Answered = tuple[int, object]
Routes = dict[tuple[str, str], Callable[[Any], Answered]]

_PATHS: Final = re.compile(r"/(?:home|usr|opt|var|tmp|root|lib|mnt|srv)(?:/[\w.-]+)+")
"""what vLLM replaces in its messages"""
_SGLANG_CLOSED: Final = "LoRA is not enabled. Please set `--enable-lora` to enable LoRA."
_VLLM_CLOSED: Final = "LoRA is not enabled. Use --enable-lora to enable LoRA."


class Changeable(Protocol):
    """The server, as far as these endpoints change it."""

    serving: Serving

    def load(self, name: str, folder: Path) -> None:
        """Has the adapter; raises ModelError as the engine would."""

    def unload(self, name: str) -> None:
        """Drops the adapter."""


def routes_of(server: Changeable) -> Routes:
    """The endpoints of the server's kind, by method and path."""
    serving = server.serving
    if serving.kind == "vllm" and serving.may_load:
        return {
            ("POST", "/v1/load_lora_adapter"): lambda body: _vllm_load(server, body),
            ("POST", "/v1/unload_lora_adapter"): lambda body: _vllm_unload(server, body),
        }
    if serving.kind == "sglang":
        return {
            ("GET", "/server_info"): lambda _: (200, {
                "enable_lora": serving.may_load or None, "max_lora_rank": serving.max_rank,
                "lora_target_modules": list(serving.targets),
            }),
            ("POST", "/load_lora_adapter"): lambda body: _sglang_load(server, body),
            ("POST", "/unload_lora_adapter"): lambda body: _sglang_unload(server, body),
        }  # fmt: skip
    if serving.kind == "llamacpp":
        return {
            ("GET", "/lora-adapters"): lambda _: (200, _scales(serving)),
            ("POST", "/lora-adapters"): lambda body: _rescale(serving, body),
        }
    return {}


def error(status: int, message: str, kind: str, param: str | None = None) -> Answered:
    """vLLM's form of an error."""
    said = {"message": _PATHS.sub("<path>", message), "type": kind, "param": param, "code": status}
    return status, {"error": said}


def flat_error(status: int, message: str, kind: str = "BadRequest") -> Answered:
    """SGLang's form of an error."""
    row = {"object": "error", "message": message, "type": kind, "param": None, "code": status}
    return status, row


def _vllm_load(server: Changeable, asked: Mapping[str, str]) -> Answered:
    lacking = [f"body.{key}" for key in ("lora_name", "lora_path") if key not in asked]
    if lacking:
        return _lacks(lacking)
    name, path = asked["lora_name"], asked["lora_path"]
    if not name or not path:
        said = "Both 'lora_name' and 'lora_path' must be provided."
        return error(400, said, "InvalidUserInput")
    if name == server.serving.name:
        said = f"The lora adapter '{name}' conflicts with a served base model."
        return error(400, said, "InvalidUserInput")
    if name in server.serving.adapters:
        said = (
            f"The lora adapter '{name}' has already been loaded. If you want to load the adapter in"
            " place, set 'load_inplace' to True."
        )
        return error(400, said, "InvalidUserInput")
    if not server.serving.enable_lora:
        return _vllm_failed(_VLLM_CLOSED)
    if not (Path(path) / "adapter_config.json").is_file():
        said = f"Loading lora {name} failed: No adapter found for {path}"
        return error(404, said, "NotFoundError")
    try:
        server.load(name, Path(path))
    except ModelError as exc:
        return _vllm_failed(str(exc))
    return 200, f"Success: LoRA adapter '{name}' added successfully."


def _vllm_unload(server: Changeable, asked: Mapping[str, str]) -> Answered:
    if "lora_name" not in asked:
        return _lacks(["body.lora_name"])
    name = asked["lora_name"]
    if name not in server.serving.adapters:
        return error(404, f"The lora adapter '{name}' cannot be found.", "NotFoundError")
    server.unload(name)
    return 200, f"Success: LoRA adapter '{name}' removed successfully."


def _vllm_failed(said: str) -> Answered:
    wrapped = (
        f"Call to add_lora method failed: Worker failed with error '{said}', please check the"
        " stack trace above for the root cause"
    )
    return error(500, wrapped, "InternalServerError")


def _lacks(fields: Sequence[str]) -> Answered:
    rows = "".join(
        f"\n  {{'type': 'missing', 'loc': '{field}', 'msg': 'Field required'}}" for field in fields
    )
    plural = "s" if len(fields) > 1 else ""
    said = f"{len(fields)} validation error{plural}:{rows}"
    return error(400, said, "Bad Request", fields[0])


def _sglang_load(server: Changeable, asked: Mapping[str, str]) -> Answered:
    name, path = asked["lora_name"], Path(asked["lora_path"])
    serving = server.serving
    if not serving.may_load:
        return _updated(_SGLANG_CLOSED, None)
    try:
        if name in serving.adapters:
            raise ModelError(f"Failed to load LoRA adapter {name} because it is already loaded")
        if not path.is_dir():
            raise ModelError(
                "Repo id must be in the form 'repo_name' or 'namespace/repo_name':"
                f" '{path}'. Use `repo_type` argument if needed."
            )
        if not (path / "adapter_config.json").is_file():
            raise ModelError(f"[Errno 2] No such file or directory: '{path}/adapter_config.json'")
        server.load(name, path)
    except ModelError as exc:
        return _updated(str(exc), serving.adapters)
    return _updated("", serving.adapters)


def _sglang_unload(server: Changeable, asked: Mapping[str, str]) -> Answered:
    name, adapters = asked["lora_name"], server.serving.adapters
    if not server.serving.may_load:
        return _updated(_SGLANG_CLOSED, None)
    if name not in adapters:
        said = f"LoRA with name {name} does not exist. Loaded LoRAs: odict_keys({list(adapters)})"
        return _updated(said, None)
    server.unload(name)
    return _updated("", adapters)


def _updated(said: str, adapters: Mapping[str, Path] | None) -> Answered:
    """SGLang's answer to a load or an unload; ``said`` is empty where it went well."""
    loaded = None if adapters is None else {name: str(path) for name, path in adapters.items()}
    return 400 if said else 200, {
        "success": not said, "error_message": said, "loaded_adapters": loaded,
    }  # fmt: skip


def _scales(serving: Serving) -> list[dict[str, object]]:
    return [
        {"id": number, "path": path, "scale": serving.scales[number]}
        for number, path in enumerate(serving.preloaded)
    ]


def _rescale(serving: Serving, asked: Sequence[Mapping[str, Any]]) -> Answered:
    wanted = {row["id"]: float(row["scale"]) for row in asked}
    serving.scales.update({number: wanted.get(number, 0.0) for number in serving.scales})
    return 200, {"success": True}
