"""The outside world: is this name real? Names in, verdicts out.

A name is judged by `judge.Judge`, from a snapshot that ships with ghostbust, from the
live registry, or from both. "No" is a `Lookup`; "could not ask" is a `RegistryError`
at a registry and an UNKNOWN `Lookup` at the judge.
"""
