"""Finds every place where a text names a package; `extract.examine` is the entry."""
