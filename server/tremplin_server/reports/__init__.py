"""Reports: what happened in a span of time, counted, listed and as a file."""
