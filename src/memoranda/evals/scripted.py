"""An extractor that errs in known ways, to count which of its errors code catches.

Each error is made on top of a right answer: the proposal that a case of the development set expects, spoilt in one
respect. It counts as caught when what it would have done to the memory did not happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from memoranda.errors import InvalidInput, ProcessingFailed
from memoranda.evals._matching import reasons_of
from memoranda.evals._wilson import Share
from memoranda.records import MemoryRecord
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

if TYPE_CHECKING:
    from memoranda.evals._cases import CaseInputs, ExpectedOperation, ExtractionCase
    from memoranda.memory import AsyncMemory

__all__ = ['FAULTS', 'Fault', 'FaultRow', 'scripted_errors']

_SECRET: Final = 'sk-proj-' + 'Zx9Qw7Lm2Kt5Vb8Nc3Rd6Hf1'
_CLAIM: Final = 'You live in Atlantis and keep three dragons.'
_HERE: Final[Mapping[str, Any]] = {'user_id': 'somebody', 'run_id': 'conversation'}
_ELSEWHERE: Final[Mapping[str, Any]] = {'user_id': 'somebody', 'run_id': 'elsewhere'}
_STRANGER: Final[Mapping[str, Any]] = {'user_id': 'stranger'}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What a fault may use."""

    request: ExtractionRequest
    decoy: str
    """Another current memory of the same user."""
    elsewhere: str
    """A memory of the same user in another conversation."""
    foreign: str
    """A memory of another user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Aftermath:
    before: Mapping[str, MemoryRecord]
    after: Mapping[str, MemoryRecord]
    failed: bool
    messages_kept: bool

    @property
    def new(self) -> list[MemoryRecord]:
        return [m for id_, m in self.after.items() if id_ not in self.before and m.status != 'pending']

    @property
    def untouched(self) -> bool:
        return all(self.after.get(id_) == memory for id_, memory in self.before.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to err."""

    name: str
    spoil: Callable[[Proposal, _Scene], Sequence[Proposal]]
    """What is proposed in place of the right proposal; it may raise."""
    caught: Callable[[_Aftermath], bool]
    on: Literal['fact', 'target'] = 'fact'
    """Whether the right proposal is a new fact, or touches a known one."""
    needs: Literal['nothing', 'assistant', 'lock'] = 'nothing'
    """Whether the assistant claims something too, or a person has edited the target."""
    otherwise: str = 'contained'
    """What to call it when it is caught without being dropped."""
    beyond: bool = False
    """Whether code cannot know it: only a reader of the words could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """How often one way to err was caught."""

    name: str
    beyond: bool
    """Whether code cannot know it."""
    caught: Share
    reasons: Mapping[str, int] = field(default_factory=dict[str, int])
    """What code did about those it caught."""


def _nothing(a: _Aftermath) -> bool:
    return not a.new and a.untouched


def _with(**changes: Any) -> Callable[[Proposal, _Scene], Sequence[Proposal]]:
    return lambda right, _: [replace(right, **changes)]


def _quote(make: Callable[[Quote, _Scene], Quote]) -> Callable[[Proposal, _Scene], Sequence[Proposal]]:
    return lambda right, scene: [replace(right, evidence=(make(right.evidence[0], scene),))]


def _target(name: Literal['decoy', 'elsewhere', 'foreign']) -> Callable[[Proposal, _Scene], Sequence[Proposal]]:
    return lambda right, scene: [replace(right, target=getattr(scene, name), level=None)]


def _backwards(right: Proposal, scene: _Scene) -> Sequence[Proposal]:
    said = scene.request.messages[0].occurred_at
    return [replace(right, valid_from=said, valid_to=said - timedelta(days=1))]


def _claimed(right: Proposal, scene: _Scene) -> Sequence[Proposal]:
    number = next(i for i, m in enumerate(scene.request.messages) if m.text == _CLAIM)
    return [replace(right, text='Lives in Atlantis', trust='user', evidence=(Quote(number, 0, len(_CLAIM)),))]


def _raise(right: Proposal, scene: _Scene) -> Sequence[Proposal]:
    raise ValueError('no valid JSON')


FAULTS: Final[Sequence[Fault]] = (
    Fault(name='no evidence', spoil=_with(evidence=()), caught=_nothing),
    Fault(
        name='quote that is not in the message (beyond its end)',
        spoil=_quote(lambda q, s: replace(q, end=len(s.request.messages[q.message].text) + 7)),
        caught=_nothing,
    ),
    Fault(name='quote of length 0', spoil=_quote(lambda q, _: replace(q, end=q.start)), caught=_nothing),
    Fault(
        name='quote that ends before it starts',
        spoil=_quote(lambda q, _: replace(q, start=q.end, end=q.start)),
        caught=_nothing,
    ),
    Fault(name='quote at a negative place', spoil=_quote(lambda q, _: replace(q, start=-3)), caught=_nothing),
    Fault(name='message that does not exist', spoil=_quote(lambda q, _: replace(q, message=99)), caught=_nothing),
    Fault(name='message with a negative number', spoil=_quote(lambda q, _: replace(q, message=-1)), caught=_nothing),
    Fault(name='empty text', spoil=_with(text='  '), caught=_nothing),
    Fault(name='text of 100 kB', spoil=_with(text='very ' * 20_000), caught=_nothing),
    Fault(name='kind that is none', spoil=_with(kind='Not A Kind!'), caught=_nothing),
    Fault(name='slot that is none', spoil=_with(slot='home city; drop'), caught=_nothing),
    Fault(name='confidence of 7', spoil=_with(confidence=7.0), caught=_nothing),
    Fault(name='confidence that is no number', spoil=_with(confidence=float('nan')), caught=_nothing),
    Fault(name='operation that is none', spoil=_with(op=cast('Any', 'delete_everything')), caught=_nothing),
    Fault(name='end before the beginning', spoil=_backwards, caught=_nothing),
    Fault(
        name='level of everybody',
        spoil=_with(level='global'),
        caught=lambda a: all(m.level == 'user' and m.scope.user_id == 'somebody' for m in a.new) and a.untouched,
        otherwise="kept at the user's level",
    ),
    Fault(
        name='same fact twice in one answer',
        spoil=lambda right, _: [right, right],
        caught=lambda a: len(a.new) == 1 and a.untouched,
    ),
    Fault(
        name="assistant's claim given as the user's word",
        spoil=_claimed,
        caught=lambda a: all(m.trust != 'user' for m in a.new),
        needs='assistant',
        otherwise="kept as the assistant's word",
    ),
    Fault(
        name='secret written into the fact',
        spoil=_with(text=f'Uses the key {_SECRET}'),
        caught=lambda a: all(_SECRET not in m.text for m in a.new),
        otherwise='redacted',
    ),
    Fault(name='exception instead of an answer', spoil=_raise, caught=lambda a: a.failed and a.messages_kept),
    Fault(
        name='target that does not exist',
        on='target',
        spoil=_with(target='018f0000-0000-7000-8000-000000000000'),
        caught=lambda a: a.untouched,
    ),
    Fault(name="target of another user's", on='target', spoil=_target('foreign'), caught=lambda a: a.untouched),
    Fault(name='target of another conversation', on='target', spoil=_target('elsewhere'), caught=lambda a: a.untouched),
    Fault(name='target that a person has edited', on='target', needs='lock', spoil=_with(), caught=_nothing),
    Fault(
        name="wrong one of the user's own memories",
        on='target',
        spoil=_target('decoy'),
        caught=lambda a: a.untouched,
        beyond=True,
    ),
    Fault(
        name='invented fact with a true quote', spoil=_with(text='Owns a castle in Spain'), caught=_nothing, beyond=True
    ),
    Fault(
        name='negation turned round',
        spoil=lambda right, _: [replace(right, text=f'It is not so: {right.text}')],
        caught=_nothing,
        beyond=True,
    ),
)
"""Every way to err that is tried. Those `beyond` code are tried too, so that the table says what it doesn't catch."""


async def scripted_errors(
    cases: Sequence[ExtractionCase], *, each: int = 5, faults: Sequence[Fault] = FAULTS
) -> list[FaultRow]:
    """Try every fault on some cases.

    Args:
        cases: Such as `load_cases('dev').cases`; those with a required fact, or with a required change of a known one.
        each: On how many cases each fault is tried.
        faults: Which.

    Raises:
        InvalidInput: No case suits.
    """
    rows: list[FaultRow] = []
    for fault in faults:
        outcomes: list[bool] = []
        reasons: Counter[str] = Counter()
        for inputs, operation in _suitable(cases, fault):
            tried = await _try(fault, inputs, operation)
            if tried is None:  # the gate let no message through
                continue
            caught, why = tried
            outcomes.append(caught)
            if caught:
                reasons.update(why)
            if len(outcomes) == each:
                break
        if not outcomes:
            raise InvalidInput(f'no case suits {fault.name!r}: pass cases with a required fact and with a required end')
        rows.append(FaultRow(name=fault.name, beyond=fault.beyond, caught=Share.of(outcomes), reasons=dict(reasons)))
    return rows


def _suitable(cases: Sequence[ExtractionCase], fault: Fault) -> Iterator[tuple[CaseInputs, ExpectedOperation]]:
    wanted = ('add',) if fault.on == 'fact' else ('supersede', 'correct', 'retract')
    for case in cases:
        if case.inputs.scope == 'agent' or case.expected_output is None:
            continue
        for operation in case.expected_output.operations:
            if operation.op in wanted and not operation.optional and operation.quote is not None:
                yield case.inputs, operation
                break


async def _try(fault: Fault, inputs: CaseInputs, operation: ExpectedOperation) -> tuple[bool, Mapping[str, int]] | None:
    from memoranda.memory import AsyncMemory
    from memoranda.testing.embedders import HashingEmbedder

    ids: dict[str, str] = {}
    target: list[str] = []

    def answer(request: ExtractionRequest) -> Extraction:
        right = _right(operation, inputs, request, target)
        scene = _Scene(request=request, decoy=ids['decoy'], elsewhere=ids['elsewhere'], foreign=ids['foreign'])
        return Extraction(proposals=fault.spoil(right, scene))

    extractor = _Scripted(answer)
    async with AsyncMemory(':memory:', extractor=extractor, embedder=HashingEmbedder()) as memory:
        first = min(message.timestamp for message in inputs.messages)
        early = min((inputs.known_since(fact) for fact in inputs.existing), default=first) - timedelta(days=1)
        ids['decoy'] = await _given(memory, 'Plays the oboe', early, user_id='somebody')
        ids['elsewhere'] = await _given(memory, 'Is in a hurry', early, level='run', **_ELSEWHERE)
        ids['foreign'] = await _given(memory, 'Lives in Prague', early, **_STRANGER)
        for place, fact in enumerate(inputs.existing):
            at = inputs.known_since(fact)
            given = await _given(memory, fact.text, at, kind=fact.kind, slot=fact.slot, user_id='somebody')
            if place == operation.target:
                target.append(given)
                if fault.needs == 'lock':
                    await memory.update(given, locked=True, user_id='somebody')
        said = [message.model_dump(exclude_none=True) for message in inputs.messages]
        if fault.needs == 'assistant':
            said.append({'role': 'assistant', 'content': _CLAIM, 'timestamp': inputs.messages[-1].timestamp})
        before = await _everything(memory)
        skipped: Mapping[str, int] = {}
        failed = False
        try:
            result = await memory.add(said, **_HERE)
            skipped = {**result.skipped, **reasons_of(result.changes)}
        except ProcessingFailed:
            failed = True
        if not extractor.asked:
            return None
        aftermath = _Aftermath(
            before=before,
            after=await _everything(memory),
            failed=failed,
            messages_kept=len((await memory.episodes(**_HERE)).items) >= len(said),
        )
    why = dict(skipped) or {'messages kept, job tried again' if failed else fault.otherwise: 1}
    return fault.caught(aftermath), why


class _Scripted:
    """Asynchronous, so that it is shown what a model would be shown, not only what shares words with the message."""

    name = 'scripted-errors'

    def __init__(self, answer: Callable[[ExtractionRequest], Extraction]) -> None:
        self._answer = answer
        self.asked = False

    async def extract(self, request: ExtractionRequest) -> Extraction:
        self.asked = True
        return self._answer(request)


def _right(
    operation: ExpectedOperation, inputs: CaseInputs, request: ExtractionRequest, target: Sequence[str]
) -> Proposal:
    """What a case expects, as a proposal."""
    quote = operation.quote or ''
    number = next(i for i, message in enumerate(inputs.messages) if quote in message.content)
    start = max(0, request.messages[number].text.find(quote))  # redaction may have cut into it
    return Proposal(
        op=operation.op,
        text=' '.join(words[0] for words in operation.says),
        kind=operation.kind[0] if operation.kind else 'knowledge',
        target=target[0] if target else None,
        evidence=(Quote(number, start, min(start + len(quote), len(request.messages[number].text))),),
    )


async def _given(memory: AsyncMemory, text: str, at: Any, **options: Any) -> str:
    return (await memory.add(text, infer=False, occurred_at=at, **options)).memories[0].id


async def _everything(memory: AsyncMemory) -> dict[str, MemoryRecord]:
    """Every memory of both users, by id."""
    pages = [await memory.get_all(user_id=user, limit=1000, include_inactive=True) for user in ('somebody', 'stranger')]
    return {m.id: m for page in pages for m in page.items}
