"""A reader's own runs: their table in the book's terms, everything that is wrong with it, and a chapter on it."""
