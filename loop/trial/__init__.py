"""A trial of the daemon: alone beside a model server under load, with two bad adapters."""
