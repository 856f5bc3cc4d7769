"""Is the release that should be served the one that answers, rightly, and how fast?

Asks as a client of the chosen contract would, over HTTP, and changes nothing.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import httpx
import tenacity
from prometheus_client.parser import text_string_to_metric_families

from operations.errors import OperationError
from operations.verification.asking import AnswerError, Dialect
from operations.verification.compare import difference
from spec import contracts
from spec import release as releases
from spec.release import Release

#: Seconds until one request has to be answered.
TIMEOUT_SECONDS = 60.0
#: Differences that are told with their row; the rest are counted.
TOLD = 5
#: Gauge of the server that names the release and its digest.
_RELEASE_INFO = "model_release_info"

Verdict = Literal["passed", "failed", "not looked at"]
#: Is told how many samples were asked, and of how many.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. says: what was found, for people."""

    name: str
    verdict: Verdict
    says: str


@dataclass
class Report:
    """What was found about a service. latencies: milliseconds of each answered sample, as this client saw them."""

    url: str
    contract: str
    release: str
    findings: list[Finding] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and the samples were looked at."""
        return all(one.verdict != "failed" for one in self.findings)

    def percentile(self, share: float) -> float:
        """Latency in milliseconds that this share of the samples did not exceed, by the nearest rank."""
        ordered = sorted(self.latencies)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Asked:
    """What to verify. base: URL of the server or, where the platform chooses the path, of the prediction itself.

    p99_ms: the latency that 99 % of the samples may take; None looks at none. wait_seconds: how long the service may
    take until it answers at all. canary: versions that may answer too; their answers are not compared.
    """

    base: str
    dialect: Dialect
    release: Release
    auth: httpx.Auth | None = None
    p99_ms: float | None = None
    wait_seconds: float = 60.0
    canary: Sequence[int] = ()


def verify(asked: Asked, *, progress: Progress = lambda _done, _of: None) -> Report:
    """Look at everything. progress: is called with the number of samples asked and of all.

    Raises OperationError where URL or release make no sense; what is wrong with the service stands in the report.
    """
    root, url = urls(asked.base, asked.dialect, asked.release.model)
    try:
        metadata = releases.verify(asked.release.path)
    except releases.ReleaseError as error:
        raise OperationError(str(error)) from None
    samples = json.loads((asked.release.path / releases.SAMPLES_FILE).read_text())
    report = Report(url, asked.dialect.contract, str(asked.release))
    with httpx.Client(auth=asked.auth, timeout=TIMEOUT_SECONDS) as client:
        report.findings.append(_ready(client, asked, root, url, metadata, samples["samples"][0]))
        if report.findings[-1].verdict == "failed":
            return report  # every other request would only say the same
        report.findings.append(_digest(client, asked, root))
        report.findings += _replayed(client, asked, url, metadata, samples, report, progress)
    if asked.p99_ms is not None:
        report.findings.append(_fast(report, asked.p99_ms))
    return report


def urls(base: str, dialect: Dialect, model: str) -> tuple[str | None, str]:
    """The server's root, None where only the prediction is known, and the URL of the prediction."""
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise OperationError(f"URL is {base!r}; allowed is http(s)://host[:port][/path]: correct it")
    if not dialect.path:
        if parts.path in ("", "/"):
            raise OperationError(
                f"URL is {base!r}; with contract {dialect.contract} the platform chooses the path: write the whole URL "
                "of the prediction, as the stack exports it"
            )
        return None, base
    path = dialect.path.format(model=model)
    bare = parts.path.rstrip("/")
    if bare.endswith(path):
        before = bare.removesuffix(path)
        # A platform that puts a path before the server's own passes on nothing but the prediction.
        root = None if before else urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        return root, urlunsplit((parts.scheme, parts.netloc, bare, "", ""))
    root = urlunsplit((parts.scheme, parts.netloc, bare, "", ""))
    return root, root + path


def _ready(
    client: httpx.Client, asked: Asked, root: str | None, url: str, metadata: dict[str, Any], sample: Any
) -> Finding:
    health = asked.dialect.ready if root is not None else None
    body = asked.dialect.body(metadata["inputs"], sample["inputs"])

    def look() -> httpx.Response:
        return client.get(f"{root}{health}") if health else client.post(url, json=body)

    def not_yet(answer: httpx.Response) -> bool:
        return answer.status_code >= 500 or answer.status_code == 429

    waits = tenacity.Retrying(
        stop=tenacity.stop_after_delay(asked.wait_seconds),
        wait=tenacity.wait_exponential(multiplier=0.1, max=5),
        retry=tenacity.retry_if_exception_type(httpx.TransportError) | tenacity.retry_if_result(not_yet),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    what = f"GET {health}" if health else "a first prediction, as the platform offers no health check to callers"
    try:
        answer = waits(look)
    except httpx.TransportError as error:
        return Finding("ready", "failed", f"{what}: no answer within {asked.wait_seconds:g} s: {error}")
    if answer.status_code != 200:
        return Finding("ready", "failed", f"{what}: status {answer.status_code}: {_short(answer)}")
    return Finding("ready", "passed", what)


def _digest(client: httpx.Client, asked: Asked, root: str | None) -> Finding:
    expected = releases.digest(asked.release.path)
    if root is None:
        return Finding("digest", "not looked at", "the platform passes on nothing but predictions")
    try:
        answer = client.get(root + contracts.METRICS_PATH)
    except httpx.TransportError as error:
        return Finding("digest", "failed", f"GET {contracts.METRICS_PATH}: {error}")
    if answer.status_code != 200:
        return Finding(
            "digest", "not looked at", f"GET {contracts.METRICS_PATH}: status {answer.status_code}, no metrics for us"
        )
    served = {
        sample.labels.get("digest", "")
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == _RELEASE_INFO
    }
    if not served:
        return Finding("digest", "not looked at", f"{contracts.METRICS_PATH} has no {_RELEASE_INFO}: another server")
    if expected not in served:
        return Finding(
            "digest", "failed", f"served is {', '.join(sorted(served))}; the release here is {expected}: deploy it"
        )
    return Finding("digest", "passed", expected)


def _replayed(
    client: httpx.Client,
    asked: Asked,
    url: str,
    metadata: dict[str, Any],
    samples: dict[str, Any],
    report: Report,
    progress: Progress,
) -> list[Finding]:
    tolerance = float(samples.get("tolerance", {}).get("absolute", 0))
    rows = samples["samples"]
    versions: dict[str, int] = {}
    wrong: list[str] = []
    compared = 0
    for index, sample in enumerate(rows):
        progress(index, len(rows))
        began = time.perf_counter()
        try:
            answer = client.post(url, json=asked.dialect.body(metadata["inputs"], sample["inputs"]))
        except httpx.TransportError as error:
            wrong.append(f"sample {index}: no answer: {error}")
            continue
        if answer.status_code != 200:
            wrong.append(f"sample {index}: status {answer.status_code}: {_short(answer)}")
            continue
        report.latencies.append((time.perf_counter() - began) * 1000)
        version = answer.headers.get(contracts.VERSION_HEADER, "")
        versions[version] = versions.get(version, 0) + 1
        if version in {str(one) for one in asked.canary}:
            continue
        compared += 1
        try:
            found = asked.dialect.read(metadata["outputs"], answer.json())
            other = difference(sample["outputs"], found, tolerance)
        except (ValueError, TypeError) as error:
            other = str(error) if isinstance(error, AnswerError) else f"no answer of {asked.dialect.contract}: {error}"
        if other is not None:
            wrong.append(f"sample {index}: {other}")
    progress(len(rows), len(rows))
    return [_release(asked, versions), _answers(len(rows), compared, wrong)]


def _release(asked: Asked, versions: dict[str, int]) -> Finding:
    allowed = {str(asked.release.version), *(str(one) for one in asked.canary)}
    told = ", ".join(f"{version or 'none named'} ({count} answers)" for version, count in sorted(versions.items()))
    if not versions:
        return Finding("release", "failed", "no sample was answered")
    if versions.keys() == {""}:
        return Finding("release", "not looked at", f"answers carry no {contracts.VERSION_HEADER}: another server")
    if not versions.keys() <= allowed:
        return Finding(
            "release", "failed", f"versions that answered: {told}; allowed: {', '.join(sorted(allowed))}: deploy it"
        )
    return Finding("release", "passed", f"versions that answered: {told}")


def _answers(asked: int, compared: int, wrong: list[str]) -> Finding:
    if not wrong and not compared:
        return Finding("answers", "failed", f"none of {asked} samples was answered by the release itself")
    if not wrong:
        return Finding("answers", "passed", f"{compared} of {asked} samples compared, all right")
    more = f"; and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
    return Finding("answers", "failed", f"{len(wrong)} of {asked} samples: " + "; ".join(wrong[:TOLD]) + more)


def _fast(report: Report, limit: float) -> Finding:
    if not report.latencies:
        return Finding("latency", "failed", "no sample was answered")
    found = report.percentile(0.99)
    says = f"p99 {found:.1f} ms over {len(report.latencies)} samples, one after the other; allowed: {limit:g} ms"
    return Finding("latency", "passed" if found <= limit else "failed", says)


def _short(answer: httpx.Response) -> str:
    return answer.text[:200].replace("\n", " ") or "empty body"
