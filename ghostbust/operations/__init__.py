"""For those who run the daemon: health, metrics, logs, systemd, reloading, notifications.

Each part is a companion of the daemon (`ghostbust.loop.signals`): it starts and stops with the
daemon and is called after every job. Its errors never reach a job.
"""
