"""Group policies: what many users are given at once, and how that adds up for one of them."""
