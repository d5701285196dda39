"""Files that ghostbust ships: seed tasks, registry snapshots and name tables."""
