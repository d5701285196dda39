"""The keys of ``ghostbust.toml``: a model for each table, a docstring for each key.

Every key stands in docs/reference/config.md, which a test compares with what is here. How they are
read is in ``config.py``. A key counts only from a file that the user chose, unless its type says
`Harmless`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from ghostbust.plugins import Kind, plugin_names
from ghostbust.records import RefKind
from ghostbust.times import Window, seconds_of

T = TypeVar("T")
HARMLESS: Final = "harmless"
Harmless = Annotated[T, HARMLESS]
"""The type of a key that counts from ``./ghostbust.toml`` too, which a stranger may have written.

It may change figures, and how long a command that the user began takes. It must not name anything
(an address, a path, a program, a variable), nor weaken a gate, a limit or what is kept private.
"""


class Section(BaseModel):
    """What all sections share: unknown keys are errors, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _or_plugin(kind: Kind) -> WrapValidator:
    """Lets a key take the name of a plug-in, too. Looks for plug-ins for no other value."""

    def validate(value: object, own: ValidatorFunctionWrapHandler) -> object:
        try:
            return own(value)
        except ValueError:
            if isinstance(value, str) and value in plugin_names(kind):
                return value
            raise

    return WrapValidator(validate)


class EndpointEntry(Section):
    """One of several servers of the same model."""

    url: str
    """base URL"""
    weight: float | None = Field(default=None, gt=0)
    """share of the requests that it gets, relative to the others' weights; none: `concurrency`"""
    concurrency: int = Field(default=8, ge=1)
    """requests under way there at once"""
    per_s: float | None = Field(default=None, gt=0)
    """requests a second that it gets at most; none: no limit"""


class ModelSection(Section):
    """Which model is watched, and how it is reached."""

    name: str = "smollm2"
    """`smollm2` for the embedded model, a GGUF file, a Hugging Face id, or a folder"""
    endpoint: str | None = None
    """base URL of an OpenAI-compatible server to sample from; none: the model runs here"""
    endpoints: tuple[EndpointEntry, ...] = ()
    """several such servers of the same model, instead of `endpoint`, which comes before them"""
    endpoint_model: str | None = None
    """the model's name at the endpoint; none: `name`"""
    chat: Harmless[bool] = True
    """ask through the chat template or chat endpoint; false: bare completion"""
    api_key_env: str = "OPENAI_API_KEY"
    """name of the environment variable that holds the endpoint's API key"""
    device: str | None = None
    """torch device such as `cuda:0`; none: an accelerator if there is one"""
    cutoff: date | None = None
    """last day of which the model can know; none: as known for it, if it is a well-known one"""

    @property
    def servers(self) -> tuple[EndpointEntry, ...]:
        """The servers that are sampled from; none where the model runs here."""
        return self.endpoints if self.endpoint is None else (EndpointEntry(url=self.endpoint),)

    @property
    def served_as(self) -> str:
        """The base's name at the servers."""
        return self.endpoint_model or self.name


class SamplingSection(Section):
    """How completions are drawn."""

    temperature: Harmless[float] = Field(default=0.7, ge=0)
    """0 is greedy"""
    top_k: Harmless[int] = Field(default=20, ge=0)
    """the k most likely tokens are kept; 0 keeps all"""
    top_p: Harmless[float] = Field(default=0.9, gt=0, le=1)
    """the most likely tokens with together this probability are kept"""
    max_new_tokens: Harmless[int] = Field(default=128, ge=1)
    """tokens after which an answer is cut off"""
    samples_per_prompt: Harmless[int] = Field(default=2, ge=1)
    """completions of each prompt"""
    batch_rows: Harmless[int] = Field(default=64, ge=1)
    """completions computed at once by a model that runs here"""


class RegistrySection(Section):
    """Who is asked whether a name is real."""

    mode: Literal["snapshot", "live", "auto"] = "auto"
    """`snapshot`: no network; `live`: the registries; `auto`: live for what a snapshot lacks"""
    as_of: date | None = None
    """judge by the newest snapshot that isn't later than this day, and ask nobody; none: today"""


class AlarmSection(Section):
    """Who is notified when an invented name was registered."""

    webhook: str | None = None
    """URL that each alarm is posted to as JSON; none: nobody"""
    command: tuple[str, ...] = ()
    """program and arguments that get each alarm as JSON on standard input"""
    timeout_s: float = Field(default=10, gt=0)
    """seconds that webhook and program may take each"""


EventName = Literal["claimed", "gates-failed", "promotion", "rollback", "job-failing", "low-disk"]
"""what the daemon has news of"""


class NotifySection(Section):
    """Who gets news of what the daemon does. Once each; what fails to be sent is logged."""

    webhook: str | None = None
    """URL that each notice is posted to as JSON; none: nobody"""
    command: tuple[str, ...] = ()
    """program and arguments that get each notice as JSON on standard input; never a shell's line"""
    apprise: tuple[str, ...] = ()
    """addresses of apprise that each notice's text is sent to; needs `ghostbust[notices]`"""
    events: tuple[EventName, ...] = get_args(EventName)
    """what there are notices of"""
    secret_env: str | None = None
    """name of the environment variable whose secret signs what is posted; none: unsigned"""
    timeout_s: float = Field(default=10, gt=0)
    """seconds that an attempt at the webhook, and the program, may take each"""
    failures: int = Field(default=3, ge=1)
    """failed runs of a job in a row that are news"""
    free_bytes: int = Field(default=2_000_000_000, ge=0)
    """free space of the home folder's disk under which it is news"""
    reveal: bool = False
    """claimed names in full, not shortened"""


class CheckSection(Section):
    """What `ghostbust check` doesn't look up."""

    allow: tuple[str, ...] = ()
    """names that you vouch for, written as for `check`: `acme-core`, `@acme/ui`, a purl"""
    private: tuple[str, ...] = ()
    """whose names are your own: npm scopes such as `@acme`, PyPI prefixes such as `acme-*`"""


class PromptsSection(Section):
    """What the model is asked."""

    files: tuple[Path, ...] = ()
    """JSON-lines files with prompts of your own; paths are relative to the settings file"""
    keep: bool = False
    """store the texts of your own prompts and their answers; false: hashes only"""
    holdout_share: float = Field(default=0.25, gt=0, lt=1)
    """share of the prompt families that never train and measure the gates"""
    name_holdout_share: float = Field(default=0.0, ge=0, lt=1)
    """share of all names that no round is shown, so that what it does to others can be told"""


MethodName = Literal[
    "au-heard", "au-repair", "au", "unlikelihood", "ga", "ga-whole", "npo", "npo-whole",
    "npo-ref-free", "simnpo", "simnpo-whole",
]  # fmt: skip
"""how a round can unlearn, as `ghostbust bench unlearners` lists it"""


class TrainingSection(Section):
    """How a round trains its adapter."""

    method: Annotated[MethodName, _or_plugin("methods"), PlainSerializer(str)] = "au-heard"
    """how it unlearns: a name of `ghostbust bench unlearners`, or of a plug-in"""
    start: Harmless[Literal["base", "deployed"]] = "base"
    """`base`: each round fits all that is logged anew; `deployed`: it trains what serves further"""
    rank: Harmless[int] = Field(default=16, ge=1, le=512)
    """LoRA rank; vLLM serves it with `--max-lora-rank` at least as high, which is 16 by default"""
    alpha: Harmless[int] = Field(default=32, ge=1)
    """LoRA alpha: updates are scaled by alpha / rank"""
    rslora: Harmless[bool] = False
    """scale updates by alpha / √rank instead, as suits high ranks"""
    checkpointing: Harmless[bool] = False
    """compute activations again instead of keeping them: slower, and far less memory"""
    lr: Harmless[float] = Field(default=8e-4, gt=0)
    """learning rate at its highest; it falls to 0 over the training"""
    epochs: Harmless[int] = Field(default=1, ge=1)
    """passes over the forget and retain sets"""
    max_answers: Harmless[int] = Field(default=600, ge=2)
    """answers that a training learns from, those to unlearn and those to keep together"""
    answers_per_step: Harmless[int] = Field(default=8, ge=1)
    """answers in an optimizer step, repaired ones included"""
    members: Harmless[int] = Field(default=2, ge=1, le=16)
    """trainings of which the adapter is the mean, on other answers as far as the log has any"""
    repair: Harmless[float | None] = Field(default=None, ge=0)
    """weight of repaired answers: more of it, and the model names less; none: the method's own"""
    probes: Harmless[int] = Field(default=150, ge=0)
    """train-side prompts by which the volume is held while training; under 30: it isn't"""


class TrainerSection(Section):
    """Who trains the adapter, if not ghostbust itself."""

    command: tuple[str, ...] = ()
    """program and arguments that leave an adapter folder; none: ghostbust trains"""
    timeout_s: float | None = Field(default=None, gt=0)
    """seconds after which it is ended, and the round has failed; none: no limit"""


LayerName = Literal[
    "no network", "no looking into the gate", "no processes", "no signals", "no foreign files",
    "no writing elsewhere", "own process tree", "few system calls",
]  # fmt: skip
"""what the sandbox can hold, as `ghostbust doctor` shows it"""


class GatesSection(Section):
    """What a candidate must show before it serves."""

    samples: int = Field(default=6, ge=2)
    """answers to each held-out prompt in a block: a real name is supported by the base's others"""
    blocks: int = Field(default=3, ge=1, le=10)
    """blocks of answers at most: another one is asked where a gate can't tell and none failed"""
    min_drop: float = Field(default=0.5, gt=0, le=1)
    """least relative fall of the held-out hallucination rate that must be shown"""
    volume_low: float = Field(default=0.9, gt=0, le=1)
    """least supported real names per answer that must be shown, as a share of the base's"""
    volume_high: float = Field(default=1.1, ge=1)
    """most names of any kind per answer that must be shown, as a share of the base's"""
    volume_context_low: float = Field(default=0.8, gt=0, le=1)
    """least supported real names in each context apart"""
    volume_context_high: float = Field(default=1.25, ge=1)
    """most names of any kind in each context apart"""
    unknown_margin: float = Field(default=0.1, gt=0, lt=1)
    """largest rise of the shares of unknown and of unsupported names that is let through"""
    faults_margin: float = Field(default=0.1, gt=0, lt=1)
    """largest rise of the share of answers with a fault that is let through"""
    humaneval_tasks: int = Field(default=164, ge=0, le=164)
    """HumanEval tasks that are run; under 100 tasks in all two gates can't pass"""
    mbpp: str | None = None
    """MBPP's file, relative to the settings file, or `hub:OWNER/NAME/FILE`; none: it isn't run"""
    mbpp_tasks: int = Field(default=974, ge=1)
    """MBPP tasks that are run, the file's first ones"""
    coding_margin: float = Field(default=0.05, gt=0, lt=1)
    """largest fall of pass@1 over all coding tasks that is let through"""
    likelihood_margin: float = Field(default=0.02, gt=0)
    """largest loss of log-likelihood of the canonical solutions, in nats per token"""
    max_new_tokens: int = Field(default=512, ge=1)
    """tokens after which the answer to a coding task is cut off"""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """error probability of each gate's tests and one-sided bounds"""
    spend: Literal["auto", "rounds", "none"] = "auto"
    """`rounds`: all share `alpha`; `none`: each has it; `auto`: shared, on code if MBPP is run"""
    sandbox_layers: tuple[LayerName, ...] = (
        "no network", "no looking into the gate", "no foreign files", "no writing elsewhere",
    )  # fmt: skip
    """layers of the sandbox without which no model-written code is run"""

    @property
    def support(self) -> int:
        """Other answers of the base of which one has to name what is supported, in any block."""
        return self.samples - 1


PublishKind = Literal["none", "vllm", "sglang", "llamacpp", "directory"]


class PublishSection(Section):
    """Where an adapter that is promoted goes, besides the home folder."""

    kind: Annotated[PublishKind, _or_plugin("publishers"), PlainSerializer(str)] = "none"
    """what takes it: nobody, servers of that kind, folders that servers read from, or a plug-in"""
    replicas: tuple[str, ...] = ()
    """base URLs of the servers, or absolute paths of the folders; all take every adapter"""
    api_key_env: str = "OPENAI_API_KEY"
    """name of the environment variable that holds the key for loading adapters"""
    headers: tuple[str, ...] = ()
    """further headers, each `NAME=VARIABLE`: the value is read from that environment variable"""
    timeout_s: float = Field(default=60, gt=0)
    """seconds that a server may take to load an adapter"""
    server_path: str | None = None
    """the folder `HOME/adapters` as the servers see it; none: under the same path"""
    max_rank: int = Field(default=16, ge=1)
    """the servers' `--max-lora-rank`; a round whose adapter would have more doesn't begin"""
    keep: int = Field(default=2, ge=1)
    """adapters that served before and stay loaded, for clients that still ask for them"""
    pointer: Path | None = None
    """file that tells clients which model to ask for; none: `HOME/serving.json`"""


class CanarySection(Section):
    """What a loaded adapter must show at each server before clients get it."""

    forget: int = Field(default=24, ge=0)
    """prompts that elicited inventions; with `general` 0 as well there is no canary"""
    general: int = Field(default=6, ge=0, le=12)
    """prompts about other things, answered greedily"""
    concurrency: int = Field(default=4, ge=1)
    """requests under way at once"""
    errors: float = Field(default=0, ge=0, lt=1)
    """largest share of failed requests"""
    empty: float = Field(default=0.1, ge=0, lt=1)
    """largest share of empty answers beyond the base's"""
    slower: float = Field(default=2, ge=1)
    """largest median time of an answer, as a multiple of the base's"""
    rate: float = Field(default=1, gt=0)
    """largest hallucination rate on the `forget` prompts, as a multiple of the base's"""
    volume: float = Field(default=0.5, ge=0, le=1)
    """least real names on the `forget` prompts, as a share of the base's; fewer by chance pass"""
    overlap: float = Field(default=0.2, ge=0, lt=1)
    """least share of words that general answers have in common with the base's"""


class RollbackSection(Section):
    """When the daemon takes back what it let serve, compared with what served before."""

    auto: bool = True
    """false: only a person does"""
    answers: int = Field(default=100, ge=10)
    """answers of watches, before and after, under which nothing is concluded"""
    rate: float = Field(default=1, gt=0)
    """largest hallucination rate, as a multiple; it has to be over it surely"""
    errors: float = Field(default=0.02, ge=0, lt=1)
    """largest share of failed requests beyond the share before"""
    slower: float = Field(default=2, ge=1)
    """largest median time of a request, as a multiple"""


class RewriterEntry(Section):
    """A model at a server that rewrites tasks in the place of the one under watch."""

    url: str
    """base URL of an OpenAI-compatible server"""
    model: str
    """its name there"""
    api_key_env: str = "OPENAI_API_KEY"
    """name of the environment variable that holds the server's API key"""


class DiscoverySection(Section):
    """How prompts that elicited inventions are followed up."""

    explore_share: float = Field(default=0.3, ge=0, le=1)
    """share of a watch's prompts that goes through all tasks and retired prompts, paid or not"""
    variants_per_prompt: int = Field(default=2, ge=1)
    """new prompts made of one that paid, in one watch"""
    rewriter: RewriterEntry | None = None
    """another model that rewrites tasks; none: the model under watch does"""
    described_packages: int = Field(default=0, ge=0, le=100)
    """real packages whose descriptions the registry is asked for, as tasks of a watch; 0: none"""
    newest_packages: int = Field(default=0, ge=0, le=100)
    """the same of packages that the last `ghostbust registry sync` found to be new; 0: none"""
    stop_below: float | None = Field(default=None, gt=0)
    """new names per 1,000 answers of watches under which the daemon's watches pause; none: never"""
    look_again_days: float = Field(default=7, gt=0)
    """days after which watches that paused begin again; at once where another adapter serves"""


class IngestSection(Section):
    """How logs of production are read."""

    paths: tuple[Path, ...] = ()
    """logs that the daemon reads, files or folders; relative to the settings file"""
    workers: int | None = Field(default=None, ge=0, le=256)
    """processes that extract and judge; none: one for each core; 0: the main one, without limits"""
    line_bytes: int = Field(default=4_194_304, ge=1024)
    """bytes of a line; a longer one is skipped and counted, and never in memory as a whole"""
    poll_s: float = Field(default=0.5, gt=0, le=60)
    """seconds from one look for new lines to the next, where logs are followed"""


class GuardSection(Section):
    """How `ghostbust guard serve` stands before a model server, and what a guard lets through."""

    upstream: str | None = None
    """base URL of the OpenAI-compatible server whose answers are read"""
    daemon: bool = False
    """the daemon runs it, and starts it again when it ends"""
    host: str = "127.0.0.1"
    """address that it listens on; by default nobody else's machine can reach it"""
    port: int = Field(default=8471, ge=1, le=65535)
    """port that it listens on"""
    action: Literal["annotate", "replace", "stop"] = "replace"
    """a line with an invented name gets a note behind it, or in its place, or the answer ends"""
    on_error: Literal["open", "closed"] = "open"
    """answers that can't be read: `open` lets them pass, `closed` turns them into an error"""
    hard: tuple[RefKind, ...] = (RefKind.INSTALL, RefKind.MANIFEST)
    """where a sampler may write no invented name at all; elsewhere it is made unlikely"""
    log: Path | None = None
    """file that gets prompts and answers as `ghostbust ingest` reads them; none: nothing is kept"""

    @property
    def url(self) -> str:
        """Where it is asked on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class DaemonSection(Section):
    """When the daemon does what."""

    watch_every_s: float = Field(default=3600, gt=0)
    """seconds from one watch to the next"""
    watch_prompts: int = Field(default=64, ge=1)
    """prompts in a watch"""
    watch_answers: int | None = Field(default=None, ge=1)
    """answers after which a watch ends; none: when all prompts are answered"""
    watch_tokens: int | None = Field(default=None, ge=1)
    """generated tokens after which a watch ends, those of rewriting included; none: no limit"""
    watch_seconds: float | None = Field(default=None, gt=0)
    """seconds after which a watch ends, counted from when it, or what is left of it, begins"""
    round_min_new: int = Field(default=200, ge=1)
    """names first seen since the last round, in watches and in logs, at which one begins"""
    round_min_rate: float | None = Field(default=None, ge=0, lt=1)
    """one begins as well where the newest watch's rate is surely over this; none: never for that"""
    round_every_s: float = Field(default=3600, gt=0)
    """seconds from one look whether a round is due to the next"""
    child_memory_gb: float | None = Field(default=None, gt=0)
    """GB of memory at which a round's processes together are ended; none: no limit"""
    recheck_every_s: float = Field(default=86400, gt=0)
    """seconds after which an invented name is looked up again"""
    promote: Literal["auto", "review"] = "auto"
    """`auto`: a candidate that passes serves; `review`: it waits for a person"""
    listen: str | None = None
    """`HOST:PORT`, or `:PORT` on the loopback, of health checks and metrics; none: nowhere"""


class JobEntry(Section):
    """When a job runs: one of the two."""

    every: str | None = None
    """from one run to the next: `90s`, `15m`, `6h`, `1d`; `off`: never by itself"""
    cron: str | None = None
    """minute, hour, day of the month, month, day of the week, as cron has them"""

    @field_validator("every")
    @classmethod
    def _check_every(cls, every: str | None) -> str | None:
        if every is not None:
            seconds_of(every)
        return every

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str | None) -> str | None:
        if cron is not None:
            from apscheduler.triggers.cron import CronTrigger

            try:
                CronTrigger.from_crontab(cron)
            except ValueError as exc:
                raise ValueError(f"should be five fields as cron has them ({exc})") from exc
        return cron

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.every is None) == (self.cron is None):
            raise ValueError("should have one of every and cron")
        return self


class JobsSection(Section):
    """When the daemon does what; what isn't here goes by the section `daemon`."""

    watch: JobEntry | None = None
    """none: every `daemon.watch_every_s`"""
    ingest: JobEntry | None = None
    """none: every 5 minutes, where `ingest.paths` names logs"""
    round: JobEntry | None = None
    """a look whether one is due; none: every `daemon.round_every_s`"""
    rollback: JobEntry | None = None
    """none: every 10 minutes, unless `rollback.auto` is off"""
    alarms: JobEntry | None = None
    """another try to tell of claimed names; none: every 5 minutes, if `alarm` names anybody"""
    recheck: JobEntry | None = None
    """none: every `daemon.recheck_every_s`"""
    sync: JobEntry | None = None
    """fetches PyPI's names as `ghostbust registry sync` does; none: never"""
    retention: JobEntry | None = None
    """none: once a day, where the section `retention` has a limit"""
    selfcheck: JobEntry | None = None
    """none: every 6 hours"""
    guard: JobEntry | None = None
    """a look whether the guard is well; none: every minute, where `guard.upstream` is set"""
    time_zone: str = "UTC"
    """of `cron`, `quiet` and the days of the budgets, such as `Europe/Berlin`"""
    quiet: tuple[str, ...] = ()
    """when no job works: `22:00-06:00`, `mon-fri 09:00-18:00`, `sat,sun 00:00-24:00`"""

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise ValueError("should be a time zone such as Europe/Berlin") from exc
        return name

    @field_validator("quiet")
    @classmethod
    def _check_quiet(cls, windows: tuple[str, ...]) -> tuple[str, ...]:
        for window in windows:
            Window.parse(window)
        return windows


class BudgetSection(Section):
    """How much the daemon's jobs may spend in a day. What is spent, restarts keep."""

    samples: int | None = Field(default=None, ge=0)
    """answers of watches, those of rewriting included, and of rounds; none: no limit"""
    tokens: int | None = Field(default=None, ge=0)
    """tokens of those answers; none: no limit"""
    registry_requests: int | None = Field(default=None, ge=0)
    """requests of all jobs to live registries, repeated ones included; none: no limit"""
    gpu_minutes: float | None = Field(default=None, ge=0)
    """minutes in which a model that runs here is asked or trained, GPU or not; none: no limit"""


class BusySection(Section):
    """When jobs give way to other work on the machine or at the model servers."""

    load: float | None = Field(default=None, gt=0)
    """load average of a minute per core from which no model is run here; none: any"""
    gpu_percent: float | None = Field(default=None, gt=0, le=100)
    """use of a GPU from which no model is run here, if NVML tells; none: any"""
    answer_s: float | None = Field(default=None, gt=0)
    """seconds in which a model server has to list its models, else it is busy; none: 10"""
    wait_s: float = Field(default=60, gt=0)
    """seconds until the next look, doubled each time up to half an hour"""


class RetentionSection(Section):
    """What is deleted after a while. Never what an adapter was trained on or judged by."""

    answers_days: float | None = Field(default=None, gt=0)
    """days after which an adapter's answers to watches go that invent nothing; none: never"""
    lookups_days: float | None = Field(default=None, gt=0)
    """days after which live verdicts on names go that weren't invented; none: never"""


class SelfcheckSection(Section):
    """What the daemon wants of its own house."""

    free_bytes: int = Field(default=500_000_000, ge=0)
    """free space of the home folder's disk under which no job begins"""
