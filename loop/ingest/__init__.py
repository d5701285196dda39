"""Logs of production: what a deployed model answered is read, not sampled."""
