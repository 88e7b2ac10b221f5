"""Why a file is not handed out.

DomainError
├── FileNotValid       what stands in the batch cannot be written as a valid file: an error of the code, 500
└── NothingToTransfer  the batch pays nobody, and a transfer file holds one transfer at least
"""

from __future__ import annotations

from shared.kernel.errors import DomainError, NotFound


class FileNotValid(DomainError):
    """Nothing that its caller could do otherwise: it is never kept under a key."""

    status = 500
    code = "file-not-valid"


class NothingToTransfer(NotFound):
    code = "nothing-to-transfer"
