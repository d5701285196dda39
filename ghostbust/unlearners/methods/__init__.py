"""Unlearning methods, one a file; ``METHODS`` lists them."""

from __future__ import annotations

from ghostbust.errors import UsageError
from ghostbust.plugins import blame, load_plugin, plugin_names
from ghostbust.unlearners.methods import (
    au,
    au_heard,
    au_repair,
    ga,
    npo,
    npo_ref_free,
    simnpo,
    unlikelihood,
)
from ghostbust.unlearners.methods.interface import Method

METHODS: tuple[Method, ...] = (
    au_heard.METHOD,
    au_repair.METHOD,
    au.METHOD,
    unlikelihood.METHOD,
    *ga.METHODS,
    *npo.METHODS,
    npo_ref_free.METHOD,
    *simnpo.METHODS,
)


def method_named(name: str) -> Method:
    """The method of that name, ours or a plug-in's. Raises UsageError that lists the known ones."""
    for method in METHODS:
        if method.name == name:
            return method
    if name in plugin_names("methods"):
        found = load_plugin("methods", name)
        if not isinstance(found, Method) or found.name != name:
            wrong = TypeError(f"it should be a Method named {name!r}, not {found!r:.80}")
            raise UsageError(blame("methods", name, wrong))
        return found
    known = ", ".join([*(method.name for method in METHODS), *plugin_names("methods")])
    raise UsageError(f"there is no unlearning method {name!r}; there are {known}")
