"""One file of a dataset on the model hub, fetched once and kept in the hub client's own cache."""

from __future__ import annotations

from pathlib import Path

from ghostbust.config import HUB
from ghostbust.errors import FetchError, UsageError


def hub_file(named: str, *, endpoint: str | None = None, cache_dir: Path | None = None) -> Path:
    """The local copy of ``hub:OWNER/NAME/FILE``, FILE being a path inside the dataset.

    ``endpoint`` and ``cache_dir`` None: what the hub client's own environment says. A copy
    that is there already serves where the hub can't be reached. Raises UsageError for
    another form, and for what the hub doesn't have or doesn't give to this user; FetchError
    where it can't be asked and there is no copy.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    owner, _, rest = named.removeprefix(HUB).partition("/")
    name, _, file = rest.partition("/")
    if not (named.startswith(HUB) and owner and name and file):
        raise UsageError(f"{named!r} should be {HUB}OWNER/NAME/FILE, a file of a dataset")
    disable_progress_bars()
    try:
        kept = hf_hub_download(
            f"{owner}/{name}", file, repo_type="dataset", endpoint=endpoint, cache_dir=cache_dir
        )
    except LocalEntryNotFoundError as exc:
        raise FetchError(
            f"can't reach the hub for {named}, and no copy of it is kept; check the network,"
            " or name a file on this machine"
        ) from exc
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as exc:
        raise UsageError(
            f"the hub has no {named}, or only for those who log in; is {file} a file of the"
            f" dataset {owner}/{name}?"
        ) from exc
    except HFValidationError as exc:
        raise UsageError(f"{named}: {owner}/{name} can't be the name of a dataset") from exc
    except OSError as exc:
        raise FetchError(f"the hub didn't give {named} ({type(exc).__name__})") from exc
    return Path(kept)
