"""Channels: how a notice gets to its customer. One file for each kind."""
