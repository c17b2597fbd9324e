"""Jump Shortcuts: Jump Items beside the clients, reached over RDP."""
