"""What differs between operating systems: paths, boot registration, statistics."""
