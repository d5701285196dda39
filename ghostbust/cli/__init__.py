"""The command line: one file for each command or small group of commands.

``app`` puts the commands together, ``edge`` turns errors into one line and an exit code,
``output`` prints (tables for people, one JSON document for programs), ``options`` holds the
options that several commands share. A command module imports what is heavy inside its
functions, so that ``ghostbust --help`` stays fast.
"""
