"""Whose certificates to believe: the usual ones, and those that this user's pip and npm believe."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from ghostbust.errors import ConfigError
from ghostbust.registries.npm_config import npm_authority, npm_certificates
from ghostbust.registries.pip_config import PipPlaces, pip_certificates

_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def trusted(
    environ: Mapping[str, str] = os.environ, *, npm_project: Path | None = None
) -> ssl.SSLContext:
    """The context in which servers prove who they are.

    httpx's own certificates, or those of ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``; besides them
    the system's, pip's ``cert``, npm's ``cafile`` and ``ca``, and the files that
    ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE`` and ``NODE_EXTRA_CA_CERTS`` name. ``npm_project``:
    the folder whose ``.npmrc`` counts; None: no folder's. Raises ConfigError for one that
    can't be read.
    """
    context = httpx.create_ssl_context()
    context.load_default_certs()
    for origin, place in _additional(environ, npm_project):
        file, folder = (None, place) if place.is_dir() else (place, None)
        try:
            context.load_verify_locations(file, folder)
        except OSError as exc:
            raise ConfigError(f"{origin}: {place} can't be read as certificates") from exc
    if held := npm_authority(environ, project=npm_project):
        try:
            context.load_verify_locations(cadata=held)
        except (OSError, ValueError) as exc:
            raise ConfigError("npm's 'ca': it can't be read as certificates") from exc
    return context


def _additional(environ: Mapping[str, str], npm_project: Path | None) -> Iterator[tuple[str, Path]]:
    """Where a setting comes from, and the file or folder that it names."""
    if (file := pip_certificates(PipPlaces(environ))) is not None:
        yield "pip's 'cert'", file
    if (file := npm_certificates(environ, project=npm_project)) is not None:
        yield "npm's 'cafile'", file
    for variable in _VARIABLES:
        if value := environ.get(variable):
            yield variable, Path(value).expanduser()
