"""Processes die, servers go away, messages are lost and handlers fail: what was answered stays true."""
