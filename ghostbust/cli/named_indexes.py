"""The verdict of ``check`` on a name for which a text names an index: the text can't vouch for it.

- An index asked beside the usual one changes no verdict: pip asks the public one all the same, so
  whoever registers the name there may be the one who is installed from.
- An index asked instead of it: what is public stays as it is. A name that isn't is UNKNOWN,
  ``private-index``, unless the user's own settings name that index; then it is asked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ghostbust.records import Flag, Lookup, NamedIndex, PackageRef, Verdict

if TYPE_CHECKING:
    from ghostbust.registries.judge import Judge

_LONGEST = 120
"""characters of an address that a message shows"""


def to_be_judged(ref: PackageRef) -> PackageRef:
    """The ref as the public index is asked about it, whatever index the text names."""
    return replace(ref, flags=ref.flags - {Flag.PRIVATE_INDEX})


def by_named_indexes(judge: Judge, ref: PackageRef, public: Lookup) -> Lookup:
    """The verdict on a ref, from the ``public`` one. Raises ConfigError."""
    named = ref.indexes
    if not named and Flag.PRIVATE_INDEX in ref.flags:
        named = (NamedIndex("", replaces=True),)
    if Flag.ELSEWHERE in ref.flags or public.verdict is Verdict.BUILTIN:
        return public
    others = [one for one in named if not judge.known.is_public(ref.ecosystem, one.address)]
    foreign = [one for one in others if not _is_own(judge, one, public)]
    if len(foreign) < len(others):  # one of them is the user's own
        public = _asked_again(judge, public)
    if not foreign:
        return public
    where = ", ".join(shown_address(one.address) for one in foreign)
    is_replaced = any(one.replaces for one in foreign)
    if not is_replaced or not public.invented or public.reason == "invalid-name":
        how = "is named instead of" if is_replaced else "is asked beside"
        return replace(public, evidence=f"{public.evidence}; {where} {how} the usual index")
    evidence = f"{public.evidence}; the text names {where} instead, which wasn't asked"
    return replace(public, verdict=Verdict.UNKNOWN, reason=Flag.PRIVATE_INDEX, evidence=evidence)


def _is_own(judge: Judge, index: NamedIndex, public: Lookup) -> bool:
    return judge.known.is_own(public.ecosystem, index.address, public.name)


def _asked_again(judge: Judge, public: Lookup) -> Lookup:
    """The live verdict where a snapshot, which doesn't know the user's own index, says no."""
    if public.verdict is Verdict.ABSENT and public.source.startswith("snapshot:"):
        return judge.asked_live(public.ecosystem, public.name)
    return public


def shown_address(address: str) -> str:
    """An address, or words with one, without credentials and short enough for a line."""
    from ghostbust.registries.known_indexes import without_credentials

    words = " ".join(without_credentials(word) for word in address.split())
    return (words[:_LONGEST] + "…" if len(words) > _LONGEST else words) or "another index"
