"""`google.rpc.Status`, which carries what a gRPC error has to say beyond its text.

Google's own module and the copy in Pulumi's SDK describe the same message under the same name, and protobuf refuses
the second one that is loaded: a process that talks to Google Cloud as well could load only one. So Google's it is.
"""

try:
    from google.rpc import status_pb2
except ImportError:  # nothing of Google's is installed, so nothing can collide
    from pulumi.runtime.proto import status_pb2

__all__ = ["status_pb2"]
