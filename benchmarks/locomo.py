"""Recall on LoCoMo: how often the turns that answer a question are among the first hits.

Usage: python benchmarks/locomo.py PATH [--database FILE] [--embedder NAME] [--include episodes] [--worst 20]
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from _common import Clock, TimedEmbedder, folder, import_locomo, locomo_file, machine, spread, title
from memoranda import Memory
from memoranda.embedders import resolve_embedder
from memoranda.evals.locomo import ADVERSARIAL, CATEGORIES, Question, read_questions, read_turns
from memoranda.evals.metrics import CUTS, Tally, score

if TYPE_CHECKING:
    from memoranda import Hit
    from memoranda.records import Episode

TOP_K = 20


@dataclass
class Result:
    by_category: dict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    seconds: list[float] = field(default_factory=list)
    without_embedding: list[float] = field(default_factory=list)
    left_out: int = 0
    lanes: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[float, Question, list[str]]] = field(default_factory=list)

    @property
    def overall(self) -> Tally:
        """Categories 1 to 4: adversarial questions have no true answer."""
        together = Tally()
        for category, tally in self.by_category.items():
            if category != ADVERSARIAL:
                together.extend(tally.scores)
        return together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('path', type=Path, nargs='?', help='locomo10.json or a part of it; by default LOCOMO_FILE')
    parser.add_argument('--database', type=Path, help='a file to import into, or that holds the import already')
    parser.add_argument('--embedder', help='by default the bundled one')
    parser.add_argument(
        '--include',
        action='append',
        help='what to search, such as episodes or memories,episodes; may be repeated; by default each of the three',
    )
    parser.add_argument('--worst', type=int, default=0, metavar='N', help='also list N questions that found least')
    arguments = parser.parse_args()
    path = locomo_file(arguments.path)
    if path is None:
        return
    includes = [i.split(',') for i in arguments.include or ('episodes', 'memories,episodes', 'memories')]
    print(machine())
    with folder(None) as temporary:
        embedder = TimedEmbedder(resolve_embedder(arguments.embedder))
        with Memory(arguments.database or temporary / 'locomo.db', embedder=embedder) as memory:
            run(memory, embedder, path, includes, arguments.worst)


def run(memory: Memory, embedder: TimedEmbedder, path: Path, includes: list[list[str]], worst: int) -> None:
    messages, memories, seconds = import_locomo(memory, path)
    title('import')
    print(
        f'{messages} messages added, {memories} memories drawn, {seconds:.1f} s, of which embedding '
        f'{embedder.seconds:.1f} s ({embedder.texts} texts)'
    )
    questions = read_questions(path)
    turns = {sample: dict(episodes(memory, sample)) for sample in {q.sample for q in questions}}
    check_evidence(memory, path, turns)
    for include in includes:
        result = ask(memory, embedder, questions, turns, include)
        report(result, include)
        for share, question, found in sorted(result.missed, key=lambda m: m[0])[:worst]:
            print(f'  {share:4.2f} {CATEGORIES[question.category]:<12} {question.text}  {question.evidence} {found}')


def episodes(memory: Memory, sample: str) -> Iterator[tuple[str, Episode]]:
    cursor = None
    while True:
        page = memory.episodes(user_id=sample, limit=1000, cursor=cursor)
        yield from ((e.id, e) for e in page.items)
        cursor = page.cursor
        if cursor is None:
            return


def ask(
    memory: Memory,
    embedder: TimedEmbedder,
    questions: Sequence[Question],
    turns: dict[str, dict[str, Episode]],
    include: list[str],
) -> Result:
    result = Result()
    memory.search('ready', user_id=questions[0].sample, include=include)  # loads the embedder
    for question in questions:
        if not question.evidence:
            result.left_out += 1
            continue
        clock = Clock()
        before = embedder.seconds
        hits = clock.call(memory.search, question.text, user_id=question.sample, include=include, top_k=TOP_K)
        result.seconds += clock.seconds
        result.without_embedding.append(clock.seconds[0] - (embedder.seconds - before))
        result.lanes.update('memories' if hit.memory else 'episodes' for hit in hits[:10])
        ranking = [stands_for(hit, turns[question.sample]) for hit in hits]
        scores = score(ranking, question.evidence)
        result.by_category[question.category].add(scores)
        if question.category != ADVERSARIAL and scores.recall[1] < 1:
            result.missed.append((scores.recall[1], question, [' '.join(r) for r in ranking[:5]]))
    return result


def stands_for(hit: Hit, turns: dict[str, Episode]) -> Collection[str]:
    """The turns a hit leads to: its own, or those a fact was drawn from."""
    ids = [hit.episode.id] if hit.episode else [e.episode_id for e in hit.memory.evidence] if hit.memory else []
    return {str(turns[i].metadata.get('dia_id')) for i in ids}


def report(result: Result, include: list[str]) -> None:
    title(f'search in {" and ".join(include)}, top {TOP_K}')
    print(f'{"":<24}{"n":>6}' + ''.join(f'{f"R@{k}":>8}' for k in CUTS) + f'{"MRR":>8}{"NDCG@10":>9}')
    line('categories 1-4', result.overall)
    for category in sorted(result.by_category):
        line(f'  {category} {CATEGORIES[category]}', result.by_category[category])
    places = ', '.join(f'{name} {count}' for name, count in sorted(result.lanes.items()))
    print(f'left out, no usable evidence: {result.left_out}; among the first ten hits: {places}')
    print(f'search                    {spread(result.seconds)}')
    print(f'search without embedding  {spread(result.without_embedding)}')


def line(name: str, tally: Tally) -> None:
    mean = tally.mean()
    if mean is not None:
        cells = ''.join(f'{100 * value:8.1f}' for value in (*mean.recall, mean.mrr))
        print(f'{name:<24}{len(tally):>6}{cells}{100 * mean.ndcg:9.1f}')


def check_evidence(memory: Memory, path: Path, turns: dict[str, dict[str, Episode]]) -> None:
    """Every stored memory's quotes against the stored message, and against the words of the file itself."""
    words = read_turns(path)
    checked = wrong = bare = altered = 0
    for sample, own in turns.items():
        altered += sum(words.get((sample, str(e.metadata.get('dia_id')))) != e.text for e in own.values())
        cursor = None
        while True:
            page = memory.get_all(user_id=sample, limit=1000, cursor=cursor, include_inactive=True)
            for record in page:
                bare += not record.evidence
                for evidence in record.evidence:
                    checked += 1
                    episode = own.get(evidence.episode_id)
                    spans = 0 <= evidence.start < evidence.end
                    source = words.get((sample, str(episode.metadata.get('dia_id')))) if episode else None
                    wrong += (
                        episode is None
                        or not spans
                        or evidence.quote != episode.text[evidence.start : evidence.end]
                        or (source == episode.text and evidence.quote != source[evidence.start : evidence.end])
                    )
            cursor = page.cursor
            if cursor is None:
                break
    title('evidence')
    print(
        f'{checked} quotes checked, {wrong} wrong, {bare} memories without evidence, '
        f'{altered} messages stored otherwise than in the file (redaction)'
    )


if __name__ == '__main__':
    main()
