"""`python -m zsarbench` is the command `zsarbench`, for where the folder of commands is not on the path."""

from __future__ import annotations

from zsarbench.cli.main import main

if __name__ == "__main__":
    main()
