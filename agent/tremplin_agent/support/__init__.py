"""Support sessions on the customer's side: a client that runs without being installed."""
