"""The JSON objects that the server seals (section 7), each with its exact shape."""

from .encoding import ProtocolError, from_json
from .shapes import (
    GATE,
    LABEL,
    POSITION,
    Reader,
    boolean,
    integer,
    many,
    matching,
    nullable,
    octets,
    optional,
    prompt,
    shape,
    text,
)

CLOSE_NAMES = {
    "closed": 1000,
    "going-away": 1001,
    "restart": 1012,
    "slow-consumer": 4000,
    "unavailable": 4001,
    "expired-bundle": 4002,
    "session-expired": 4003,
    "deadline": 4008,
    "rate": 4029,
    "malformed": 4500,
    "out-of-order": 4501,
    "too-large": 4502,
    "denied": 4503,
    "revoked": 4504,
    "unsupported": 4505,
    "replaced": 4506,
}
DAY_MS = 86_400_000
NAME, GATES = text(1, 128), many(matching(GATE), 0, 64)
COUNT, COUNTER = integer(1, 2**32 - 1), integer(0, 2**53 - 1)
CODE, RETRY_AFTER = matching("|".join(CLOSE_NAMES)), optional(integer(0, DAY_MS))
ASSURANCE = shape(key=boolean, memberBound=boolean, gates=GATES)
GROUP = shape(
    socket=matching(LABEL),
    epoch=integer(0, 2**32 - 1),
    step=integer(0, 1024),
    key=octets(32),
    verify=octets(32),
)
SIGNED_IDENTITY = shape(statement=octets(1, 512), sig=octets(64), sigBefore=optional(octets(64)))
SIGNED_PREKEY = shape(statement=octets(1, 2304), sig=octets(64))
FAILURE = matching("not-found|unsupported|too-many|conflict|unavailable")
OPTION = shape(at=matching(POSITION), gate=matching(GATE), prompt=optional(prompt))
STATUS = matching("queued|sent|delayed|failed|refused")
REVOKED = matching("kicked|key-revoked|member-removed|socket-deleted|policy-changed|expired|step-up")


def challenge(n: Reader) -> Reader:
    return shape(
        n=n,
        t=text(1, 32),
        cid=matching(LABEL),
        options=many(OPTION, 1, 32),
        attemptsLeft=integer(0, 1000),
        answerMs=integer(0, DAY_MS),
        retry=boolean,
    )


def wait(n: Reader) -> Reader:
    return shape(
        n=n,
        t=text(1, 32),
        cid=matching(LABEL),
        at=matching(POSITION),
        gate=matching(GATE),
        prompt=optional(prompt),
        status=STATUS,
        resendMs=nullable(integer(0, DAY_MS)),
        attemptsLeft=integer(0, 1000),
        answerMs=integer(0, DAY_MS),
        retry=boolean,
    )


def parameters(value: object, where: str) -> object:
    if not isinstance(value, dict) or len(value) > 32:
        raise ProtocolError("malformed", where)
    return {text(1, 64)(name, where): text(0, 1024)(each, where) for name, each in value.items()}


ACCEPTED = shape(
    n=COUNT,
    t=text(1, 32),
    nC=integer(0, 2**32 - 1),
    F=octets(32),
    sid=matching(LABEL),
    member=optional(nullable(NAME)),
    role=optional(matching("owner|consumer")),
    mode=optional(matching("consumer")),
    assurance=ASSURANCE,
    gates=GATES,
    policyHash=octets(32),
    sealed=boolean,
    endToEnd=optional(matching("allowed|required")),
    group=optional(GROUP),
    place=optional(COUNTER),
    resumeMs=optional(integer(1, DAY_MS)),
    next=optional(COUNTER),
    receipt=optional(shape(at=COUNTER, sig=octets(64))),
    expiresAt=COUNTER,
    limits=shape(maxBytes=integer(1, 1_048_576), perSecond=integer(1, 1_000_000)),
)

HANDSHAKE: dict[str, Reader] = {
    "challenge": challenge(COUNT),
    "wait": wait(COUNT),
    "accepted": ACCEPTED,
    "denied": shape(n=COUNT, t=text(1, 32), code=CODE, retryAfterMs=RETRY_AFTER),
    "goodbye": shape(n=COUNT, t=text(1, 32), code=CODE, retryAfterMs=RETRY_AFTER),
}

APPLICATION: dict[str, Reader] = {
    "challenge": challenge(integer(1, 2**53 - 1)),
    "wait": wait(integer(1, 2**53 - 1)),
    "stepped-up": shape(t=text(1, 32), n=integer(1, 2**53 - 1), gates=GATES, until=optional(COUNTER)),
    "revoked": shape(n=optional(COUNT), t=text(1, 32), what=REVOKED),
    "goodbye": shape(n=optional(COUNT), t=text(1, 32), code=CODE, retryAfterMs=RETRY_AFTER),
    "grant": shape(t=text(1, 32), group=GROUP),
    "caught-up": shape(t=text(1, 32), through=COUNTER, complete=boolean, more=boolean, group=optional(GROUP)),
    "arrived": shape(t=text(1, 32), counter=COUNTER),
    "undelivered": shape(t=text(1, 32), counter=COUNTER),
    "about": shape(
        t=text(1, 32),
        ref=matching(LABEL),
        sid=matching(LABEL),
        member=nullable(NAME),
        memberProven=boolean,
        role=matching("member|owner|consumer"),
        gates=GATES,
        assurance=ASSURANCE,
        context=shape(rest=text(0, 2048), query=text(0, 2048)),
        parameters=parameters,
        acceptedAt=COUNTER,
        expiresAt=COUNTER,
        steppedUpAt=nullable(COUNTER),
        words=nullable(matching("[a-z]+( [a-z]+){5}")),
    ),
    "done": shape(t=text(1, 32), ref=matching(LABEL)),
    "failed": shape(t=text(1, 32), ref=matching(LABEL), code=FAILURE),
    "entry": shape(
        t=text(1, 32),
        ref=matching(LABEL),
        name=matching(LABEL),
        history=many(SIGNED_IDENTITY, 1, 8),
        prekey=optional(SIGNED_PREKEY),
    ),
    "joined": shape(t=text(1, 32), sid=matching(LABEL)),
    "left": shape(t=text(1, 32), sid=matching(LABEL)),
}

GROUP_WIDE: dict[str, Reader] = {"tick": shape(t=text(1, 32), place=COUNTER)}


def read(plaintext: bytes, kinds: dict[str, Reader], where: str) -> dict:
    value = from_json(plaintext, where)
    kind = value.get("t") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise ProtocolError("malformed", f"{where}.t")
    read_value = kinds[kind](value, where)
    if kind == "accepted" and (read_value["sealed"] != ("group" in read_value)):
        raise ProtocolError("malformed", f"{where}.group")
    if kind == "accepted" and read_value["sealed"] and "place" not in read_value:
        raise ProtocolError("malformed", f"{where}.place")
    return read_value
