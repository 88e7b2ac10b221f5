"""The platform over HTTP: the same tests on one process and on a process per service."""
