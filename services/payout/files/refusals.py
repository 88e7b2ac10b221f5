"""Why a file is not handed out.

Conflict
├── FileNotValid       what stands in the batch cannot be written as a valid file
└── NothingToTransfer  the batch pays nobody, and a transfer file holds one transfer at least
"""

from __future__ import annotations

from shared.kernel.errors import Conflict


class FileNotValid(Conflict):
    code = "file-not-valid"


class NothingToTransfer(Conflict):
    code = "nothing-to-transfer"
