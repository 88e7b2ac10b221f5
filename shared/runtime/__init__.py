"""What turns a service's parts into a running process: settings, migrations, timers, health."""
