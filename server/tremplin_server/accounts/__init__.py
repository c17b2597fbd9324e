"""People, API accounts and their tokens."""
