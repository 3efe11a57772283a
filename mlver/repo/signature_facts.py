"""Signatures in the fact log.

A fact of type `signature` has the subject `{commit}`, or of a promotion `{commit, stage, scope}`, and the body

    namespace  `mlver-commit` or `mlver-promotion`
    of         BLAKE3 of the bytes that were signed
    key        fingerprint of the key, as it says of itself
    signature  the armored SSH signature
    on         of a promotion: the operation that was the newest when it was signed

What is signed: of a commit its canonical bytes; of a promotion those of a `Statement`. docs/design/signing.md says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.encoding import Plain, encode
from mlver.objects.ids import BlobId, CommitId, OperationId
from mlver.objects.state import Fact, Live
from mlver.repo.subjects import subject, subject_commit

SIGNATURE = "signature"
COMMIT, PROMOTION = "mlver-commit", "mlver-promotion"  # the namespaces: one can never pass for the other


@frozen
class Statement:
    """What whoever moves a stage signs: that `live` serves `scope` of `stage` from now on, after operation `on`."""

    on: OperationId
    stage: str
    scope: str
    live: Live

    @property
    def bytes(self) -> bytes:
        """What is signed."""
        return encode(self)


@frozen
class Signature:
    """A signature as it was recorded. Nothing of it is believed before it was checked."""

    namespace: str
    of: str
    key: str
    text: str
    by: str
    known: datetime
    commit: CommitId
    stage: str = ""
    scope: str = ""
    on: OperationId | None = None


def digest_of(data: bytes) -> str:
    """Return how a signature names the bytes it is over."""
    return BlobId.of(data).hex()


def signature_fact(signature: Signature) -> Fact:
    """Return a signature as a fact."""
    body: dict[str, Plain] = {
        "namespace": signature.namespace,
        "of": signature.of,
        "key": signature.key,
        "signature": signature.text,
    }
    body |= {"on": signature.on.hex()} if signature.on is not None else {}
    about = subject(commit=signature.commit, stage=signature.stage, scope=signature.scope)
    return Fact(SIGNATURE, about, body, signature.known, signature.known, signature.by)


def signatures_in(facts: Iterable[Fact]) -> list[Signature]:
    """Return the signatures among facts; what has not their form is none."""
    return [found for fact in facts if fact.type == SIGNATURE and (found := _signature(fact)) is not None]


def _signature(fact: Fact) -> Signature | None:
    try:
        commit = subject_commit(fact.subject)
        on = fact.body.get("on")
        said = [fact.body.get(name) for name in ("namespace", "of", "key", "signature")]
        if commit is None or not all(isinstance(one, str) for one in said):
            return None
        namespace, of, key, text = map(str, said)
        return Signature(
            namespace=namespace,
            of=of,
            key=key,
            text=text,
            by=fact.by,
            known=fact.known,
            commit=commit,
            stage=fact.subject.get("stage", ""),
            scope=fact.subject.get("scope", ""),
            on=None if on is None else OperationId.parse(str(on)),
        )
    except UsageError:  # an id that is none
        return None
