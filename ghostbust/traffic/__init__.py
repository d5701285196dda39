"""What a deployed model answered in production, read from logs: nothing is sampled.

``read_line`` is the entry for a line, whose format is told from the line itself. To add a format,
write a reader (``interface.Format``) in a file of its own and add it to ``FORMATS``; the first one
that takes a record reads it.

Where lines come from: ``sources`` (which files are meant), ``log_file`` and ``stream`` (one of
them, from its first line or from where it was left), ``blocks`` (whole lines, none too long).
"""
