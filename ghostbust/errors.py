"""The error tree. Foreign errors are mapped to it at the edge where they occur.

::

    GhostbustError            exit  what it means
    ├── UsageError               2  wrong input: a bad option, file, key or name
    │   ├── ConfigError          2  a config file or environment value can't be used
    │   └── ModelError           2  a model id, folder or adapter can't be loaded
    ├── DataError                2  something ghostbust keeps is broken or missing
    │   ├── SnapshotError        2  a registry snapshot is missing, damaged or too old
    │   ├── StoreError           2  the database can't be opened, read or written
    │   └── HomeError            2  the home or cache folder can't be used
    ├── UnreachableError         3  could not ask; says nothing about the answer
    │   ├── RegistryError        3  a package registry gave no usable answer
    │   │   ├── UnansweredError  3  … however often it was asked; it may another time
    │   │   └── SpentError       3  … since the day's requests are used up
    │   ├── EndpointError        3  a model server gave no usable answer
    │   │   └── RefusedError     3  … since the request itself can't be answered, by any server
    │   └── FetchError           3  a file could not be fetched whole and intact
    ├── BusyError                3  another ghostbust process holds this home folder
    ├── BudgetError              3  the day's budgets have too little left to begin
    ├── PublishError             1  a server or a folder doesn't take an adapter
    │   └── CanaryError          1  … it took it, and the adapter isn't fit to serve there
    ├── TrainingError            1  a round's training broke an assertion (NaN, empty mask, …)
    │   └── NotReadyError        2  … it wasn't begun: nothing to learn, or gates that can't pass
    └── SandboxError             1  the sandbox for model-written code can't be trusted

Only the command line exits. It prints the message as one line, which says what
happened and what to do, and ends with the class's ``exit_code``.
"""

from __future__ import annotations

from typing import ClassVar


class GhostbustError(Exception):
    """Base of every error that ghostbust raises on purpose; its text is one line for the user."""

    exit_code: ClassVar[int] = 1


class UsageError(GhostbustError):
    """Wrong input: a bad option, file, key or name."""

    exit_code = 2


class ConfigError(UsageError):
    """A config file or an environment value can't be used."""


class ModelError(UsageError):
    """A model id, model folder or adapter can't be loaded."""


class DataError(GhostbustError):
    """Something that ghostbust keeps is broken or missing."""

    exit_code = 2


class SnapshotError(DataError):
    """A registry snapshot is missing, damaged or of an unknown format."""


class StoreError(DataError):
    """The database can't be opened, read or written."""


class HomeError(DataError):
    """The home or cache folder can't be created or written."""


class UnreachableError(GhostbustError):
    """Could not ask. Says nothing about what the answer would have been."""

    exit_code = 3


class RegistryError(UnreachableError):
    """A package registry gave no usable answer."""


class UnansweredError(RegistryError):
    """A package registry gave no usable answer however often it was asked; it may another time."""


class SpentError(RegistryError):
    """A package registry wasn't asked, since the day's requests are used up."""


class EndpointError(UnreachableError):
    """A model server gave no usable answer."""


class RefusedError(EndpointError):
    """A model server can't answer this request, and no other one could: too long, wrong field."""


class FetchError(UnreachableError):
    """A file could not be fetched whole and intact."""


class BusyError(GhostbustError):
    """Another ghostbust process holds this home folder."""

    exit_code = 3


class BudgetError(GhostbustError):
    """The day's budgets have too little left for what would begin; nothing was."""

    exit_code = 3


class PublishError(GhostbustError):
    """A server or a folder doesn't take an adapter."""


class CanaryError(PublishError):
    """A server took an adapter, and what it answers with it isn't fit to serve."""


class TrainingError(GhostbustError):
    """A round's training broke one of its assertions: NaN, an empty mask, unmoved weights."""


class NotReadyError(TrainingError):
    """A round isn't begun: nothing to learn from, or a gate that can't pass whatever is trained."""

    exit_code = 2


class SandboxError(GhostbustError):
    """The sandbox for model-written code failed its canary, so no result of it counts."""
