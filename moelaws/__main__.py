"""Lets ``python -m moelaws`` do what ``moelaws`` does."""

from moelaws.cli import main

main()
