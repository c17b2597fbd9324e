"""The console: Jump Items of every kind in one list, their groups, and what is done to them."""
