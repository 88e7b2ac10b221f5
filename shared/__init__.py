"""What every service is built on, and the language they publish. No business rule lives here."""

import warnings

# nameko runs on eventlet, which announces its own retirement at every import: known, and no news to who runs a command
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
