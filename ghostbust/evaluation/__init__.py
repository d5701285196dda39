"""What an adapter did beyond its gates: where it acts, whether it lasts, external suites."""
