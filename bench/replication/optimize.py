"""Runs the engine's optimizers over a shard's folder that no server has open, as a real server would have by itself."""

import sys

import qdrant_edge

shard = qdrant_edge.EdgeShard.load(sys.argv[1])
shard.optimize()
shard.flush()
shard.close()
