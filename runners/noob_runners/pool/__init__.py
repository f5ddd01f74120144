"""Worker processes of this machine, as an executor."""

from noob_runners.pool.member import WorkerCount
from noob_runners.pool.parcel import Parcel
from noob_runners.pool.pool import WorkerPool

__all__ = ["Parcel", "WorkerCount", "WorkerPool"]
