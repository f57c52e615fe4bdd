"""``python -m flagstone_cli``: as the console script, wherever that was put. Depends on nothing else."""

from . import main

main()
