"""Settings that administrators change on a page, over what the configuration says."""
