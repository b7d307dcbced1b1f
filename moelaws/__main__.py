"""Lets ``python -m moelaws`` do what ``moelaws`` does."""

from moelaws.cli.main import main

main()
