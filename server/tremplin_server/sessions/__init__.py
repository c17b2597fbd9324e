"""Sessions: who reaches which host, from when to when, and what was recorded."""
