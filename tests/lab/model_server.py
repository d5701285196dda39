"""A reference model server on the loopback: a real model, adapters loaded at run time by peft.

Speaks what vLLM speaks (models, chat, completions, load and unload of LoRA adapters), and stands
in for SGLang and llama.cpp where ghostbust speaks to those. Its answers, errors and status codes
are what vLLM 0.32 said when asked (a real one, 2026-11-29), and what the sources of SGLang 0.5.23
and of llama.cpp's server say that they answer, as far as ghostbust reads it. A completion depends
on model, adapter, prompt and seed and, as at any of these servers, in the last bits on what is
computed with it.

    python -m tests.lab.model_server FOLDER --name base --kind vllm --port 8000
"""

from __future__ import annotations

import argparse
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePath
from typing import Any, Final, Literal

from ghostbust.errors import ModelError
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.samplers.decode import Sampling
from tests.lab.server_engine import Engine, Job

Kind = Literal["vllm", "sglang", "llamacpp"]
Answered = tuple[int, object]
Routes = dict[tuple[str, str], Callable[[Any], Answered]]

_PATHS: Final = re.compile(r"/(?:home|usr|opt|var|tmp|root|lib|mnt|srv)(?:/[\w.-]+)+")
"""what vLLM replaces in its messages"""
_SGLANG_CLOSED: Final = "LoRA is not enabled. Please set `--enable-lora` to enable LoRA."
_VLLM_CLOSED: Final = "LoRA is not enabled. Use --enable-lora to enable LoRA."


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


class ModelServer(ThreadingHTTPServer):
    """The server; ``serve_forever`` in a thread, or by ``main``."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, serving: Serving, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.serving = serving
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._models: dict[str, LoadedModel] = {"": self._with(None)}
        self._changing = threading.Lock()
        self._engine = Engine(serving.linger_s)
        for number, folder in enumerate(serving.preloaded.values()):
            self._models[str(number)] = self._with(folder)
            serving.scales[number] = 0.0

    def load(self, name: str, folder: Path) -> None:
        """Has the adapter; raises ModelError as the engine would."""
        rank = json.loads((folder / "adapter_config.json").read_text())["r"]
        if rank > self.serving.max_rank:
            raise ModelError(_too_high(self.serving, name, rank))
        model = self._with(folder)
        with self._changing:
            self._models[name] = model
            self.serving.adapters[name] = self.serving.known[name] = folder

    def unload(self, name: str) -> None:
        """Drops the adapter; requests under way keep theirs."""
        with self._changing:
            del self.serving.adapters[name], self._models[name]

    def complete(self, adapter: str, ids: list[int], asked: Mapping[str, Any]) -> dict[str, Any]:
        """One completion: its text, why it ended, and its tokens."""
        most = int(asked.get("max_tokens") or 16)
        sampling = Sampling(
            float(asked.get("temperature", 1)), int(asked.get("top_k", 0)),
            float(asked.get("top_p", 1)), most,
        )  # fmt: skip
        job = Job(self.model(adapter), ids, sampling, int(asked.get("seed") or 0))
        done = self._engine.complete(job)
        text = job.loaded.decode(done.ids)
        for mark in asked.get("stop") or ():
            text = text.partition(mark)[0]
        reason = "length" if done.truncated else "stop"
        return {"text": text, "finish_reason": reason, "tokens": len(done.ids)}

    def server_close(self) -> None:
        """Ends the computing thread too."""
        super().server_close()
        self._engine.close()

    def model(self, adapter: str = "") -> LoadedModel:
        """The model with an adapter, or the base."""
        return self._models[adapter]

    def _with(self, folder: Path | None) -> LoadedModel:
        """The model with the adapter of a folder, or the base."""
        return load_model(str(self.serving.folder), self.serving.folder, adapter=folder)


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._route({})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self._route(json.loads(content or b"null"))

    def _route(self, body: Any) -> None:
        serving = self.server.serving
        serving.asked.append((self.command, self.path))
        if serving.key and self.headers["Authorization"] != f"Bearer {serving.key}":
            self._answer(401, {"error": "Unauthorized"})
            return
        routes = {
            ("GET", "/v1/models"): self._models,
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/v1/completions"): self._completions,
        } | routes_of(self.server)
        route = routes.get((self.command, self.path))
        if route is None:
            known = any(path == self.path for _, path in routes)
            status, said = (405, "Method Not Allowed") if known else (404, "Not Found")
            self._answer(status, {"detail": said})
            return
        status, answer = route(body)
        if "completions" in self.path and status != 200:
            serving.failures.append(status)
        self._answer(status, answer)

    def _models(self, _: object) -> Answered:
        serving = self.server.serving
        root = serving.name if serving.kind == "sglang" else str(serving.folder)
        card: dict[str, object] = {
            "object": "model", "created": int(time.time()), "owned_by": serving.kind,
        }  # fmt: skip
        cards = [card | {"id": serving.name, "root": root, "parent": None}]
        cards += [
            card | {"id": name, "root": str(path), "parent": serving.name}
            for name, path in serving.adapters.items()
        ]
        return 200, {"object": "list", "data": cards}

    def _chat(self, asked: dict[str, Any]) -> Answered:
        turns = [message["content"] for message in asked["messages"]]
        done = self._complete(asked, self.server.model().encode_prompt(turns[-1], turns[:-1]))
        if done[0] != 200:
            return done
        told: Any = done[1]
        message = {"role": "assistant", "content": told["text"]}
        return 200, _completion("chat.completion", {"message": message}, told)

    def _completions(self, asked: dict[str, Any]) -> Answered:
        done = self._complete(asked, self.server.model().encode(asked["prompt"]))
        if done[0] != 200:
            return done
        told: Any = done[1]
        return 200, _completion("text_completion", {"text": told["text"]}, told)

    def _complete(self, asked: dict[str, Any], ids: list[int]) -> Answered:
        serving, model = self.server.serving, asked["model"]
        adapter = _adapter_of(serving, asked)
        if adapter is None:
            return _unknown(serving, model)
        if adapter and adapter not in serving.adapters and serving.kind == "sglang":
            self.server.load(adapter, serving.known[adapter])
        serving.asked.append(("model", adapter))
        if adapter in serving.broken:
            return error(500, "EngineCore encountered an issue.", "InternalServerError")
        time.sleep(serving.slow.get(adapter, 0))
        return 200, self.server.complete(adapter, ids, asked)

    def _answer(self, status: int, document: object) -> None:
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


def _adapter_of(serving: Serving, asked: Mapping[str, Any]) -> str | None:
    """The adapter of a request, "" for the base; None where there is none of that name."""
    model = asked["model"]
    if serving.kind == "llamacpp":  # the model's name isn't read
        scales = serving.scales
        if "lora" in asked:
            scales = {row["id"]: row["scale"] for row in asked["lora"]}
        on = [number for number, scale in scales.items() if scale]
        return str(on[0]) if on else ""
    if serving.kind == "sglang":  # and of an unknown name neither
        name = str(model.partition(":")[2])
        return name if name in serving.known or not name else None
    if model == serving.name:
        return ""
    return model if model in serving.adapters else None


def _unknown(serving: Serving, model: str) -> Answered:
    """What is said of a model that isn't there."""
    if serving.kind != "sglang":
        said = f"The model `{model}` does not exist. Valid aliases: {serving.name}."
        return error(404, said, "NotFoundError", "model")
    name = model.partition(":")[2]
    if not serving.may_load:
        return flat_error(400, f"LoRA adapter '{name}' was requested, but LoRA is not enabled.")
    said = f"Got LoRA adapter that has never been loaded: {name}\nAll loaded adapters: "
    return flat_error(400, f"{said}dict_keys({list(serving.known)}).")


def _too_high(serving: Serving, name: str, rank: int) -> str:
    if serving.kind == "sglang":
        return (
            f"LoRA adapter {name} with rank {rank} is incompatible with the current LoRA memory"
            " pool configuration."
        )
    return f"LoRA rank {rank} is greater than max_lora_rank {serving.max_rank}."


def _completion(kind: str, choice: dict[str, object], told: Mapping[str, Any]) -> object:
    return {
        "object": kind,
        "choices": [{"index": 0, "finish_reason": told["finish_reason"], **choice}],
        "usage": {"completion_tokens": told["tokens"]},
    }


def routes_of(server: ModelServer) -> Routes:
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


def _vllm_load(server: ModelServer, asked: Mapping[str, str]) -> Answered:
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


def _vllm_unload(server: ModelServer, asked: Mapping[str, str]) -> Answered:
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


def _sglang_load(server: ModelServer, asked: Mapping[str, str]) -> Answered:
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


def _sglang_unload(server: ModelServer, asked: Mapping[str, str]) -> Answered:
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


@contextmanager
def serve(serving: Serving) -> Iterator[ModelServer]:
    """The server in a thread of this process."""
    server = ModelServer(serving)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serves until it is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="base")
    parser.add_argument("--kind", choices=["vllm", "sglang", "llamacpp"], default="vllm")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--lora", type=Path, action="append", default=[])
    parser.add_argument("--max-rank", type=int, default=16)
    parser.add_argument("--linger-s", type=float, default=0.0)
    told = parser.parse_args()
    preloaded = {f"{PurePath(folder).name}.gguf": folder for folder in told.lora}
    serving = Serving(
        told.folder, told.name, told.kind, preloaded=preloaded, max_rank=told.max_rank,
        linger_s=told.linger_s,
    )  # fmt: skip
    server = ModelServer(serving, told.port)
    print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
