"""Installers: the right to deploy Jump Clients, for a while and a number of times."""
