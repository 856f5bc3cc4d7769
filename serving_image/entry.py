"""What the image runs: `python3 -m entry <command> …`. One process, so that SIGTERM reaches what serves.

server   the model server (also without a command); `serve` is the word that SageMaker says
lambda   AWS Lambda's runtime client with this project's handler
score    the batch scorer; `score --help` lists its options
fetch    fetches a release, verifies it, and lays a folder of it where another server looks
"""

from __future__ import annotations

import os
import sys

#: What AWS Lambda calls unless the function's own command names another.
LAMBDA_HANDLER = "functions.aws_lambda.handler.handle"
BAD_COMMAND = 78  # EX_CONFIG, as for a bad setting of the server


def main(arguments: list[str]) -> int:
    """Run the command. Returns the exit code."""
    command, *rest = arguments or ["server"]
    if command in ("server", "serve"):
        if rest:
            return _refuse(
                f"command {command!r} takes no arguments, but got {rest}; settings are environment variables"
            )
        from model_server.__main__ import main as server

        return server()
    if command == "lambda":
        return _lambda(rest)
    if command == "score":
        from batch.__main__ import main as score

        return score(rest)
    if command == "fetch":
        from model_server.fetching import main as fetch

        return fetch(rest)
    return _refuse(f"command {command!r} is none of this image; allowed: server, serve, lambda, score, fetch")


def _lambda(rest: list[str]) -> int:
    if "AWS_LAMBDA_RUNTIME_API" not in os.environ:
        return _refuse(
            "command 'lambda' runs only where AWS Lambda has set AWS_LAMBDA_RUNTIME_API; elsewhere use server"
        )
    if len(rest) > 1:
        return _refuse(f"command 'lambda' takes at most a handler (module.function), but got {rest}")
    from awslambdaric.__main__ import main as runtime_client  # pyright: ignore[reportMissingImports] # in the image

    runtime_client(["entry", rest[0] if rest else LAMBDA_HANDLER])
    return 0


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 # before any logging is set up
    return BAD_COMMAND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
