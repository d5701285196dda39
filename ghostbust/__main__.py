"""The command line's door: ``ghostbust …`` and ``python -m ghostbust …``."""

from ghostbust.cli.app import app


def main() -> None:
    """Runs the command of ``sys.argv`` and exits with its code; see ``ghostbust.cli.edge``."""
    app()


if __name__ == "__main__":
    main()
