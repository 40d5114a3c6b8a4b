"""`python -m memoranda`: the command line."""

from memoranda.cli import main

main()
