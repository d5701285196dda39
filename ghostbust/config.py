"""The settings: from a TOML file and the environment, checked, and never changed afterwards.

An environment variable ``GHOSTBUST_SECTION__KEY`` comes before the file, the file before the
default. The file is the one that the user names, else the home folder's with what is harmless of
``./ghostbust.toml`` over it: whoever wrote the current folder may have written that. The keys are
in ``sections.py``.
"""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from ghostbust.documents import parse_toml
from ghostbust.errors import ConfigError
from ghostbust.gguf_name import SUFFIX, recorded_name
from ghostbust.home import Home, cache_dir
from ghostbust.sections import (
    HARMLESS,
    AlarmSection,
    BudgetSection,
    BusySection,
    CanarySection,
    CheckSection,
    DaemonSection,
    DiscoverySection,
    GatesSection,
    GuardSection,
    IngestSection,
    JobsSection,
    ModelSection,
    NotifySection,
    PromptsSection,
    PublishSection,
    RegistrySection,
    RetentionSection,
    RollbackSection,
    SamplingSection,
    Section,
    SelfcheckSection,
    TrainerSection,
    TrainingSection,
)

log = logging.getLogger(__name__)

FILE_NAME: Final = "ghostbust.toml"
PREFIX: Final = "GHOSTBUST_"
HUB: Final = "hub:"
"""begins what names a file of a dataset on the model hub instead of a path"""

# What pydantic says of these in terms of Python.
_EXPECTED: Final = {"model_type": "should be a table", "path_type": "should be a path"}


class Config(BaseSettings):
    """All settings. Made by `load_config`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    model: ModelSection = ModelSection()
    sampling: SamplingSection = SamplingSection()
    registry: RegistrySection = RegistrySection()
    alarm: AlarmSection = AlarmSection()
    notify: NotifySection = NotifySection()
    check: CheckSection = CheckSection()
    prompts: PromptsSection = PromptsSection()
    training: TrainingSection = TrainingSection()
    trainer: TrainerSection = TrainerSection()
    gates: GatesSection = GatesSection()
    publish: PublishSection = PublishSection()
    canary: CanarySection = CanarySection()
    rollback: RollbackSection = RollbackSection()
    discovery: DiscoverySection = DiscoverySection()
    ingest: IngestSection = IngestSection()
    guard: GuardSection = GuardSection()
    daemon: DaemonSection = DaemonSection()
    jobs: JobsSection = JobsSection()
    budget: BudgetSection = BudgetSection()
    busy: BusySection = BusySection()
    retention: RetentionSection = RetentionSection()
    selfcheck: SelfcheckSection = SelfcheckSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then what `load_config` read from the file."""
        return env_settings, init_settings


def load_config(
    path: Path | None,
    home: Home,
    *,
    trust_here: bool = True,
    note: Callable[[str], None] = log.warning,
) -> Config:
    """The settings from ``path``, else the home folder's and, over them, the current folder's.

    Of ./ghostbust.toml, which whoever wrote the current folder may have written, only keys count
    that are marked as harmless; ``note`` gets a line that names the others. ``trust_here``: False
    doesn't read it at all. The environment comes before the files. Raises ConfigError, one line,
    for a ``path`` that isn't there, broken TOML, an unknown key, or a value of the wrong type or
    out of range.
    """
    file = path or (home.config if home.config.is_file() else None)
    data = {} if file is None else _read(file)
    here = Path(FILE_NAME)
    if path is None and trust_here and here.is_file() and not (file and here.samefile(file)):
        harmless, ignored = _sifted(_read(here))
        if ignored:
            note(
                f"./{here} isn't trusted: ignored {', '.join(ignored)}; trust it with"
                f" --config ./{here}, or put what you want of it into {home.config}"
            )
    else:
        harmless = {}
    _check_variables(os.environ)
    try:
        return _with_recorded_name(Config(**_laid_over(data, harmless)))
    except ValidationError as exc:
        error = exc.errors()[0]
        raise ConfigError(_explain(error, here if _has(harmless, error) else file)) from exc
    except (SettingsError, RecursionError) as exc:  # a list that isn't JSON, or nested too deeply
        raise ConfigError(
            f"environment variable {' or '.join(_list_variables())}: should be a JSON list"
        ) from exc


def override(config: Config, **options: object) -> Config:
    """The settings with command-line options such as ``model__name`` in their place.

    None leaves a key as it is. Raises ConfigError, one line, for a value out of range.
    """
    for key, value in options.items():
        if value is None:
            continue
        section, _, name = key.partition("__")
        part: Section = getattr(config, section)
        try:
            changed = type(part).model_validate(part.model_dump() | {name: value})
        except ValidationError as exc:
            problem = exc.errors()[0]["msg"].removeprefix("Input ")
            raise ConfigError(f"--{name.replace('_', '-')}: {problem}") from exc
        config = config.model_copy(update={section: changed})
    return _with_recorded_name(config)


def _with_recorded_name(config: Config) -> Config:
    """The settings with a GGUF file's model under the name that records have for it.

    A file that isn't there, or can't be read, keeps its path: whoever loads it says so.
    """
    name = recorded_name(config.model.name, cache_dir())
    if name == config.model.name:
        return config
    return config.model_copy(update={"model": config.model.model_copy(update={"name": name})})


def _read(file: Path) -> dict[str, Any]:
    """The file's tables, paths in it made relative to where it lies."""
    try:
        data = parse_toml(file.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(f"can't read the settings file {file}: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigError(f"{file} isn't valid TOML: {exc}") from exc
    # Here, since pydantic-settings takes such keys as ``_cli_parse_args`` for options of its own.
    for section in data:
        if section not in Config.model_fields:
            raise ConfigError(
                f"{file}: unknown key {section}{_nearest(section, Config.model_fields)}"
            )
    for section, key in (("prompts", "files"), ("ingest", "paths")):
        table = data.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), list):
            table[key] = [
                file.parent / Path(name).expanduser() if isinstance(name, str) else name
                for name in table[key]
            ]
    model = data.get("model")
    if isinstance(model, dict) and str(model.get("name")).lower().endswith(SUFFIX):
        model["name"] = str(file.parent / Path(model["name"]).expanduser())
    gates = data.get("gates")
    if isinstance(gates, dict) and isinstance(gates.get("mbpp"), str):
        named = gates["mbpp"]
        gates["mbpp"] = (
            named if named.startswith(HUB) else str(file.parent / Path(named).expanduser())
        )
    for section, key in (("publish", "pointer"), ("guard", "log")):
        table = data.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = file.parent / Path(table[key]).expanduser()
    return data


def _sifted(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What counts of a file that nobody vouches for, and the names of the keys that don't.

    What isn't a key at all stays, and is the error that it is in any file.
    """
    kept: dict[str, Any] = {}
    ignored = []
    for section, table in data.items():
        known = _fields_of(Config.model_fields[section].annotation)
        if not isinstance(table, dict):
            kept[section] = table
            continue
        sensitive = {key for key in known.keys() & table.keys() if not is_harmless(known[key])}
        ignored += [f"{section}.{key}" for key in table if key in sensitive]
        kept[section] = {key: table[key] for key in table if key not in sensitive}
    return kept, ignored


def is_harmless(field: FieldInfo) -> bool:
    """Whether the key counts from any file (``sections.Harmless``)."""
    return HARMLESS in field.metadata


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of both, key by key; ``above`` wins."""
    laid = dict(below)
    for section, table in above.items():
        under = laid.get(section)
        if isinstance(under, dict) and isinstance(table, dict):
            table = {**under, **table}
        laid[section] = table
    return laid


def _has(data: Mapping[str, Any], error: ErrorDetails) -> bool:
    """Whether what the error is about stands in these tables."""
    section, *keys = error["loc"]
    table = data.get(str(section))
    return table is not None and (
        not isinstance(table, dict) or any(key in table for key in keys[:1])
    )


def _check_variables(environment: Mapping[str, str]) -> None:
    """Raises ConfigError for a variable that names no key of a known section.

    Pydantic would ignore an unknown section, and read a variable for a whole section as JSON.
    """
    for variable in environment:
        if not variable.upper().startswith(PREFIX):
            continue
        section, separator, _ = variable[len(PREFIX) :].lower().partition("__")
        if separator and section not in Config.model_fields:
            near = _nearest(section, Config.model_fields)
            raise ConfigError(f"environment variable {variable}: unknown section{near}")
        if not separator and section in Config.model_fields:
            raise ConfigError(
                f"environment variable {variable}: names a section; should be {variable}__KEY"
            )


def _list_variables() -> list[str]:
    """The variables that are set and have to hold a JSON list."""
    return [
        variable
        for variable in os.environ
        for section, settings in Config.model_fields.items()
        for key, field in _fields_of(settings.annotation).items()
        if isinstance(field.default, tuple) and variable.upper() == _variable(section, key)
    ]


def _variable(*keys: str) -> str:
    """The environment variable of a section's key."""
    return PREFIX + "__".join(keys).upper()


def _fields_of(annotation: Any) -> dict[str, FieldInfo]:
    """The keys of a section's model, or of the one in a list or an optional value."""
    models = (annotation, *get_args(annotation))
    model = next((one for one in models if hasattr(one, "model_fields")), None)
    fields: dict[str, FieldInfo] = {} if model is None else model.model_fields
    return fields


def _explain(error: ErrorDetails, file: Path | None) -> str:
    """Where the fault is, which key, and what was expected there."""
    keys = [str(part) for part in error["loc"]]
    variable = _variable(*keys[:2])
    in_environment = variable in (name.upper() for name in os.environ)
    where = f"environment variable {variable}" if in_environment else str(file)
    if error["type"] != "extra_forbidden":
        said = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
        expected = _EXPECTED.get(error["type"], said)
        return f"{where}: {'.'.join(keys)}: {expected}, not {error['input']!r}"
    known = Config.model_fields
    for section in keys[:-1]:
        if section.isdecimal():  # the how-manieth server, whose keys are its own
            continue
        known = _fields_of(known[section].annotation)
    return f"{where}: unknown key {'.'.join(keys)}{_nearest(keys[-1], known)}"


def _nearest(key: str, known: Iterable[str]) -> str:
    """The likeliest known key, else all of them, as the end of a message."""
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
