"""Keeps 25 uploads a second on each phone number, over all processes and machines: who may, and when."""
