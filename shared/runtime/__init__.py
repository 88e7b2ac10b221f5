"""Runs a service's parts as a process: settings, clocks, migrations, timers, tokens, logs."""
