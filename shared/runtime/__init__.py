"""What turns a service's parts into a running process: settings, migrations, timers, health."""

from shared.runtime.service import Service, Task, Timer

__all__ = ["Service", "Task", "Timer"]
