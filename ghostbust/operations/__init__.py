"""What those who run the daemon need: health, metrics, logs, systemd, reloading, notifications.

Each part is a companion of the daemon (`ghostbust.loop.signals`): it starts and stops with it,
hears of every job, and none of its troubles ever reaches a job.
"""
