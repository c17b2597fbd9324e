"""The bench: what a server and an agent reach on this machine, next to the targets."""
