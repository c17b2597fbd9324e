"""Who did what, when, from where and why; it can be added to and read, never edited."""
