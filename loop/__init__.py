"""The verbs, in order: watch, round, discovery, recheck, and the daemon that calls them in time.

Only these modules write to the store. ``watch.py`` and ``round.py`` read as the line that a
sample takes; docs/concepts/line.md describes it.
"""
