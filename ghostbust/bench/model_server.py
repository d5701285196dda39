"""A reference model server on the loopback: a real model, adapters loaded at run time by peft.

Speaks what vLLM speaks (models, chat, completions, load and unload of LoRA adapters), and stands
in for SGLang and llama.cpp where ghostbust speaks to those. Answers, errors and status codes are
those of the real ones, as far as they are used (``server_adapters.py`` says of which). A completion
depends on model, adapter, prompt and seed, as ghostbust's own sampling, and, as
at any of these servers, in the last bits on what is computed with it.

    python -m ghostbust.bench.model_server FOLDER --name base --kind vllm --port 8000
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePath
from typing import Any

from ghostbust.bench.server_adapters import Answered, error, flat_error, routes_of
from ghostbust.bench.server_engine import Engine, Job
from ghostbust.bench.serving import Serving
from ghostbust.errors import ModelError
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.samplers.decode import Sampling


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
