"""`memoranda eval`: how well an extractor does, and what attacks on memory do, on cases with known answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from memoranda.cli._output import emit, many, note, one_line, out, plain, say
from memoranda.cli._target import JsonOption

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memoranda import AsyncMemory
    from memoranda.evals.extraction import CaseOutcome, Drawn, ExpectedOperation, ExtractionReport, Scores, Share
    from memoranda.evals.poisoning import PoisoningReport
    from memoranda.evals.scripted import FaultRow

__all__ = ['app', 'extraction', 'poisoning']

_MODEL_CONCURRENCY = 4
_RULES_CONCURRENCY = 2

app = typer.Typer(help='Measure on cases with known answers.', no_args_is_help=True)


@app.callback()
def _eval() -> None:  # pyright: ignore[reportUnusedFunction]
    """Measure on cases with known answers."""


@app.command('extraction')
def extraction(
    model: Annotated[str, typer.Option(help="A Pydantic AI model such as openai:gpt-4o-mini, or 'rules'.")] = 'rules',
    holdout: Annotated[
        bool, typer.Option('--holdout', help='The frozen set instead of the one for development.')
    ] = False,
    failures: Annotated[
        bool, typer.Option('--failures', help='Also show each case with an error: what was expected and drawn.')
    ] = False,
    category: Annotated[str | None, typer.Option(metavar='NAME', help='Only cases of this category.')] = None,
    limit: Annotated[int | None, typer.Option(min=1, help='Only so many cases, from the first.')] = None,
    scripted: Annotated[
        bool,
        typer.Option(
            '--scripted-errors', help='Instead: an extractor that errs in known ways, and which of it code catches.'
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run an extractor on small conversations and compare what it remembers with what a careful reader would."""
    from memoranda.evals.extraction import CATEGORIES, evaluate, load_cases

    if category is not None and category not in CATEGORIES:
        raise typer.BadParameter(f'{category!r} is no category: use one of {", ".join(CATEGORIES)}')
    if scripted and (holdout or failures):
        raise typer.BadParameter('--scripted-errors is for the development set, and has no cases to show')
    cases = load_cases('holdout' if holdout else 'dev').cases
    if category is not None:
        cases = [c for c in cases if c.metadata is not None and c.metadata.category == category]
    if scripted:
        _run_scripted(cases, limit, as_json=as_json)
        return
    cases = cases[:limit]
    concurrency = _RULES_CONCURRENCY if model == 'rules' else _MODEL_CONCURRENCY
    with _progress(as_json=as_json) as progress:
        task = progress.add_task('cases', total=len(cases))
        report = asyncio.run(
            evaluate(
                cases,
                _memory_with(model),
                extractor=model,
                concurrency=concurrency,
                progress=lambda done, _: progress.update(task, completed=done),
            )
        )
    wrong = [o for o in report.outcomes if not o.passed]
    if as_json:
        listed = {'failures': [_failure_json(o) for o in wrong]} if failures else {}
        emit({'set': 'holdout' if holdout else 'dev', **report.summary(), **listed})
        return
    _print_report(report, 'hold-out' if holdout else 'development set')
    if failures:
        _print_failures(wrong)
    elif wrong and not holdout:
        note(f'{many(len(wrong), "case")} with an error: --failures shows them')


@app.command('poisoning')
def poisoning(
    files: Annotated[list[Path], typer.Argument(help='Cases as JSON Lines, such as tests/security/attacks.jsonl.')],
    failures: Annotated[bool, typer.Option('--failures', help='Also show the cases that failed, and how.')] = False,
    family: Annotated[str | None, typer.Option(metavar='NAME', help='Only cases of this family.')] = None,
    documents: Annotated[
        bool, typer.Option('--documents', help="As in an application whose prompts show others' documents, fenced.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Play attacks on memory, and harmless cases that look like them, through a real agent; exit 1 above the goals."""
    from memoranda.evals._poisoning_cases import FAMILIES
    from memoranda.evals.poisoning import PASSES, evaluate, read_cases

    if family is not None and family not in FAMILIES:
        raise typer.BadParameter(f'{family!r} is no family: use one of {", ".join(FAMILIES)}')
    cases = [c for c in read_cases(files) if family in (None, c.family)]
    with _progress(as_json=as_json) as progress:
        task = progress.add_task('cases', total=len(cases) * len(PASSES))

        def told(done: int, _: int) -> None:
            progress.update(task, completed=done)

        report = asyncio.run(evaluate(cases, documents=documents, progress=told))
    if as_json:
        failed = [{'case': o.case.id, 'extractor': o.extractor, 'problems': o.problems} for o in report.failed]
        emit({**report.summary(), **({'failures': failed} if failures else {})})
    else:
        _print_poisoning(report)
        for o in report.failed if failures else ():
            about = f'  {o.case.label}, {o.extractor}: {one_line(o.case.about, 200)}'
            _block(Text.assemble((o.case.id, 'bold'), (about, 'dim')))
            for problem in o.problems:
                say(Text(f'  {one_line(problem, 300)}', style='red'))
    if not report.passed:
        raise typer.Exit(1)


def _print_poisoning(report: PoisoningReport) -> None:
    from memoranda.evals._poisoning_cases import FAMILIES
    from memoranda.evals.poisoning import MAX_ATTACKS, MAX_FALSE_POSITIVES, PASSES

    say(Text('Share, count, and 95 % interval (Wilson). A case fails if it does with any extractor.', style='dim'))
    table = _table('', 'attacks that succeeded', 'false positives')
    table.add_row('all', _share(report.attacks), _share(report.false_positives))
    table.add_row('at most', Text(f'{MAX_ATTACKS:.3f}'), Text(f'{MAX_FALSE_POSITIVES:.3f}'))
    for name in PASSES:
        row = [report.share(label, extractor=name) for label in ('attack', 'harmless')]
        table.add_row(f'extractor {name}', *map(_share, row))
    _block(table)
    families = _table('family', 'attacks that succeeded', 'false positives')
    for name in FAMILIES:
        families.add_row(name, *(_share(report.share(label, family=name)) for label in ('attack', 'harmless')))
    _block(families)
    note('within the goals' if report.passed else 'above the goals', style='green' if report.passed else 'red')


def _memory_with(model: str) -> Callable[[], AsyncMemory]:
    from memoranda import AsyncMemory

    if model != 'rules':
        return lambda: AsyncMemory(':memory:', model=model)
    from memoranda.write.rules import RulesExtractor

    return lambda: AsyncMemory(':memory:', extractor=RulesExtractor())


def _progress(*, as_json: bool) -> Progress:
    console = out(stderr=True)
    return Progress(
        TextColumn('running cases'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=as_json or not console.is_terminal,
        transient=True,
    )


def _block(part: RenderableType) -> None:
    """Print after an empty line."""
    say()
    say(part)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style='dim')
    for number, column in enumerate(columns):
        table.add_column(column, justify='left' if number == 0 else 'right', no_wrap=number == 0)
    return table


def _share(share: Share) -> Text:
    if share.value is None:
        return Text('none', style='dim')
    low, high = share.interval
    return Text.assemble(
        f'{share.value:.3f}', (f'  {share.hits}/{share.total}', 'dim'), (f'  {low:.3f} to {high:.3f}', 'dim')
    )


def _print_report(report: ExtractionReport, which: str) -> None:
    say(
        Text.assemble(
            (one_line(report.extractor, 60), 'bold'), f' on {many(len(report.outcomes), "case")} of the {which}'
        )
    )
    say(Text('Share, count, and 95 % interval (Wilson).', style='dim'))
    headline = _table('', 'all')
    for name, share in (
        ('precision', report.overall.precision),
        ('precision, all parts right', report.strict_precision),
        ('recall', report.overall.recall),
        ('supersession', report.supersession),
        ('left alone', report.left_alone),
        ('gate precision', report.gate.precision),
        ('gate recall', report.gate.recall),
        ('cases without error', report.passed),
        *((f'{name} right', share) for name, share in report.parts.items()),
    ):
        headline.add_row(name, _share(share))
    _block(headline)
    _block(_by('kind', report.by_kind))
    _block(_by('category', report.by_category))
    if report.skipped:
        dropped = ', '.join(f'{one_line(reason, 40)} {count}' for reason, count in report.skipped.items())
        _block(Text(f'dropped by code: {dropped}'))
    if report.usage.requests:
        usage = report.usage
        cost = '' if usage.cost is None else f', ${usage.cost:.4f}'
        tokens = f'{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out'
        say(Text(f'{many(usage.requests, "request")}, {tokens}{cost}'))
    if report.failed:
        note(f'extraction failed in {many(len(report.failed), "case")}: nothing was drawn there', style='red')


def _by(name: str, rows: Any) -> Table:
    table = _table(name, 'precision', 'recall')
    scores: Scores
    for key, scores in rows.items():
        table.add_row(one_line(key, 40), _share(scores.precision), _share(scores.recall))
    return table


def _print_failures(outcomes: Sequence[CaseOutcome]) -> None:
    for outcome in outcomes:
        _block(Text.assemble((one_line(outcome.name, 80), 'bold'), (f'  {outcome.category}', 'dim')))
        for fact in outcome.inputs.existing:
            say(Text(f'  known     {one_line(fact.text, 200)}', style='dim'))
        for message in outcome.inputs.messages:
            say(Text(f'  {message.role:9} {one_line(message.content, 300)}', style='dim'))
        for drawn, number, parts in zip(outcome.drawn, outcome.matches, outcome.fields, strict=True):
            if number is None or parts is None:
                say(Text(f'  wrong     {_drawn_line(drawn)}', style='red'))
            elif not parts.right:
                bad = [part for part in ('op', 'kind', 'level', 'evidence', 'date') if getattr(parts, part) is False]
                say(Text(f'  part      {_drawn_line(drawn)}: {", ".join(bad)}', style='yellow'))
            else:
                say(Text(f'  right     {_drawn_line(drawn)}', style='green'))
        for operation in outcome.missed:
            say(Text(f'  missed    {_expected_line(operation)}', style='red'))
        if outcome.error is not None:
            say(Text(f'  failed    {one_line(outcome.error, 300)}', style='red'))


def _drawn_line(drawn: Drawn) -> str:
    target = '' if drawn.target is None else f' {drawn.target}'
    return f'{drawn.op}{target} {one_line(drawn.text, 200)!r} ({drawn.kind}, {drawn.level} level)'


def _expected_line(operation: ExpectedOperation) -> str:
    target = '' if operation.target is None else f' {operation.target}'
    words = ' and '.join(one_line('|'.join(alternatives), 120) for alternatives in operation.says)
    return f'{operation.op}{target} {words}'.rstrip()


def _failure_json(outcome: CaseOutcome) -> dict[str, Any]:
    return {
        'case': outcome.name,
        'category': outcome.category,
        'messages': [{'role': m.role, 'content': m.content} for m in outcome.inputs.messages],
        'existing': [fact.text for fact in outcome.inputs.existing],
        'drawn': [
            {**plain(drawn), 'matches': number, 'parts': plain(parts)}
            for drawn, number, parts in zip(outcome.drawn, outcome.matches, outcome.fields, strict=True)
        ],
        'missed': [operation.model_dump(mode='json', exclude_none=True) for operation in outcome.missed],
        'error': outcome.error,
    }


def _run_scripted(cases: Sequence[Any], limit: int | None, *, as_json: bool) -> None:
    from memoranda.evals.scripted import scripted_errors

    ours = logging.getLogger('memoranda')
    before = ours.level
    ours.setLevel(logging.ERROR)  # the jobs that fail are meant to
    try:
        rows = asyncio.run(scripted_errors(cases, each=limit or 5))
    finally:
        ours.setLevel(before)
    code = [row for row in rows if not row.beyond]
    if as_json:
        emit(
            {
                'injected': sum(row.caught.total for row in code),
                'caught': sum(row.caught.hits for row in code),
                'errors': [
                    {
                        'error': row.name,
                        'injected': row.caught.total,
                        'caught': row.caught.hits,
                        'reasons': dict(row.reasons),
                        'beyond_code': row.beyond,
                    }
                    for row in rows
                ],
            }
        )
        return
    say('Errors that code can know of', style='bold')
    say(_faults(code))
    _block(Text('Errors that only a reader of the words could know of', style='bold'))
    say(_faults([row for row in rows if row.beyond]))


def _faults(rows: Sequence[FaultRow]) -> Table:
    table = _table('error', 'injected', 'caught')
    table.add_column('as')
    for row in rows:
        caught = Text(str(row.caught.hits), style='green' if row.caught.hits == row.caught.total else 'red')
        reasons = ', '.join(f'{one_line(reason, 40)} {count}' for reason, count in row.reasons.items())
        table.add_row(row.name, str(row.caught.total), caught, reasons)
    return table
