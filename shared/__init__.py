"""What every service is built on, and the language they publish. No business rule lives here."""

import warnings

# nameko runs on eventlet (see shared/green.py), which announces its retirement at every import: no news to operators
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
