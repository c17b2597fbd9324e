"""E-mail: messages wait in the database, and a worker sends them."""
