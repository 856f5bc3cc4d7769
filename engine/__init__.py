"""The embedded engine: `up`, `preview`, `refresh`, `destroy` and `outputs` of a Pulumi program without the Pulumi CLI.

It speaks Pulumi's public gRPC protocol to the unchanged program and to providers, and keeps state in the layout of the
CLI's file backend, so that either can go on where the other stopped. Read it in this order: `engine` (an operation),
`monitor` (what the program says), `goal`, `steps` (what is done for a resource), `providers`, `state`, `wire`.
"""

from engine.engine import EmbeddedEngine
from engine.errors import EngineError, Unsupported
from engine.events import Event, Result, Step

__all__ = ["EmbeddedEngine", "EngineError", "Event", "Result", "Step", "Unsupported"]
