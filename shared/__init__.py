"""The infrastructure of every service, and the contracts of their messages and calls. It has no business rules."""

import warnings

# nameko runs on eventlet (see shared/green.py), which warns of its retirement at every import
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
