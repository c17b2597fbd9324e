"""Jump Policies and session policies."""
