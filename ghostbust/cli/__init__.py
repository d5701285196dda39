"""The command line: one file for each command or small group of commands.

``app`` puts the commands together. ``context`` gives a command its output, home folder, settings
and store; ``options`` has the options that several commands share; ``output`` prints tables for
people and one JSON document for programs; ``edge`` turns errors into one line and an exit code. A
command imports what is heavy inside its functions, so that ``ghostbust --help`` stays fast.
"""
