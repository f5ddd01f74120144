"""Loading: from a specification to an IndexedTube."""

from __future__ import annotations

from noob_runners import IndexedTube

from .common import Sized


class Loading(Sized):
    """``IndexedTube.from_specification``."""

    def setup(self, nodes: int) -> None:
        """Make a specification, as loading writes into the one it is given."""
        super().setup(nodes)
        tube = self.workload.to_tube(IndexedTube)
        assert len(tube.nodes) > nodes
        self.spec = self.workload.to_spec()

    def time_load(self, _nodes: int) -> None:
        IndexedTube.from_specification(self.spec)

    def peakmem_load(self, _nodes: int) -> None:
        IndexedTube.from_specification(self.spec)
