"""Sessions: who reaches which host, through what, and what is kept of it."""
