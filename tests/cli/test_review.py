"""`memoranda review`: on a screen, and by commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from memoranda import Memory
from memoranda.settings import Settings
from memoranda.testing import ScriptedExtractor
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

if TYPE_CHECKING:
    from conftest import Cli

EVIL = 'likes \x1b[31mtea\x1b]0;owned\x07 \u202ereversed\u202c [red]markup[/red] \x9b2J'


def read(request: ExtractionRequest) -> Extraction:
    """Each message is a fact that a tool tells; before a colon stands its slot."""
    proposals: list[Proposal] = []
    for number, message in enumerate(request.messages):
        slot, _, rest = message.text.rpartition(': ')
        start = len(message.text) - len(rest)
        proposals.append(
            Proposal(text=rest, slot=slot or None, trust='tool', evidence=(Quote(number, start, len(message.text)),))
        )
    return Extraction(proposals=proposals)


def propose(database: Path, *texts: str, user: str = 'ana') -> list[str]:
    """Proposals of these texts. Returns their ids."""
    with Memory(database, extractor=ScriptedExtractor(read), settings=Settings(workers=0)) as memory:
        return [memory.add(text, user_id=user).pending[0].id for text in texts]


def listed(cli: Cli, *options: str) -> list[str]:
    return [item['text'] for item in cli('review', 'list', '--json', *(options or ('-u', 'ana'))).json['items']]


def believed(cli: Cli, user: str = 'ana') -> list[str]:
    return [item['text'] for item in cli('list', '--json', '-u', user).json['items']]


def short(item_id: str) -> str:
    return item_id.replace('-', '')[-8:]


@pytest.mark.parametrize('command', [(), ('list',), ('approve',), ('edit',), ('reject',)])
def test_every_command_of_review_explains_itself_and_speaks_json(cli: Cli, command: tuple[str, ...]) -> None:
    ran = cli('review', *command, '--help')
    assert ran.code == 0
    for option in ('--json', '--database', '--all'):
        assert option in ran.out


class TestScreen:
    def test_each_is_shown_with_its_words_marked_and_decided_by_a_letter(self, cli: Cli, database: Path) -> None:
        propose(database, 'home.city: Lisbon', 'likes tea', 'likes rum', 'likes gin')
        ran = cli('review', '-u', 'ana', input='a\nr\ns\na\n')
        assert ran.code == 0
        assert 'What waits of user ana' in ran.err
        for words in ('home.city: “Lisbon”', 'waits because: comes from a tool', 'approving it would', 'remember'):
            assert words in ran.out
        assert '2 approved, 1 rejected, 1 skipped' in ran.out
        assert believed(cli) == ['Lisbon', 'likes gin']
        assert listed(cli) == ['likes rum']

    def test_letters_need_no_line_of_their_own(self, cli: Cli, database: Path) -> None:
        propose(database, 'likes tea', 'likes rum', 'likes gin')
        assert '1 approved, 1 rejected' in cli('review', '-u', 'ana', input='arq').out
        assert listed(cli) == ['likes gin']

    @pytest.mark.parametrize('typed', ['elikes green tea\n', 'e\nlikes green tea\n'])
    def test_other_words_are_typed_in(self, cli: Cli, database: Path, typed: str) -> None:
        propose(database, 'likes tea')
        assert '1 edited' in cli('review', '-u', 'ana', input=typed).out
        assert believed(cli) == ['likes green tea']

    def test_no_words_and_other_letters_change_nothing(self, cli: Cli, database: Path) -> None:
        propose(database, 'likes tea')
        ran = cli('review', '-u', 'ana', input='x\ne\n\ns\n')
        assert "'x' is none of these" in ran.err
        assert 'nothing was changed' in ran.err
        assert listed(cli) == ['likes tea']

    @pytest.mark.parametrize('typed', ['', 'q'])
    def test_it_ends_with_its_input(self, cli: Cli, database: Path, typed: str) -> None:
        propose(database, 'likes tea')
        ran = cli('review', '-u', 'ana', input=typed)
        assert (ran.code, listed(cli)) == (0, ['likes tea'])

    def test_an_empty_queue_says_so(self, cli: Cli) -> None:
        ran = cli('review', '-u', 'ana')
        assert (ran.code, ran.out) == (0, '')
        assert 'nothing waits (--all: of everybody in the project)' in ran.err
        assert '--all' not in cli('review', '--all').err

    def test_the_last_decision_is_taken_back_and_asked_again(self, cli: Cli, database: Path) -> None:
        propose(database, 'likes tea', 'likes rum')
        ran = cli('review', '-u', 'ana', input='uruasa')
        assert 'there is nothing to undo' in ran.err
        assert ran.out.count('waits because') == 4
        assert 'no longer rejected' in ran.out
        assert believed(cli) == ['likes tea']
        assert listed(cli) == ['likes rum']
        cli('review', '-u', 'ana', input='ruq')
        assert listed(cli) == ['likes rum']

    def test_it_is_noted_who_decides(self, cli: Cli, database: Path) -> None:
        propose(database, 'likes tea', 'likes rum')
        cli('review', '-u', 'ana', '--by', 'jane', input='aq')
        cli('review', 'reject', '--reason', 'source', '--all', '--yes', '--by', 'joe')
        items = cli('changes', '--json', '-u', 'ana').json['items']
        assert [item['actor'] for item in items][:2] == ['joe', 'jane']

    def test_what_it_is_about_and_what_is_near_is_shown(self, cli: Cli, database: Path) -> None:
        cli('add', '--fact', '--slot', 'home.city', 'Lives in Lisbon', '-u', 'ana')
        (known,) = cli('list', '--json', '-u', 'ana').json['items']
        cli('edit', known['id'], 'Lives in Braga', '-u', 'ana')
        with Memory(database, settings=Settings(workers=0)) as memory:
            memory.add('I moved to Porto', user_id='ana')
        ran = cli('review', '-u', 'ana', input='a')
        for words in ('contradicts a memory that a person edited', 'about: Lives in Braga', 'Lives in Porto'):
            assert words in ran.out
        assert believed(cli) == ['Lives in Porto']

    def test_a_proposal_decided_meanwhile_is_told_and_left(
        self, cli: Cli, database: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from memoranda.consent.review import BlockingReviewQueue

        propose(database, 'likes tea', 'likes rum')
        approve = BlockingReviewQueue.approve

        def after_somebody_else(self: BlockingReviewQueue, item_id: Any, **ids: Any) -> Any:
            self.reject(item_id, **ids)
            return approve(self, item_id, **ids)

        monkeypatch.setattr(BlockingReviewQueue, 'approve', after_somebody_else)
        ran = cli('review', '-u', 'ana', input='as')
        assert 'was rejected by user' in ran.err
        assert '1 refused, 1 skipped' in ran.out

    def test_hostile_text_is_made_harmless(self, cli: Cli, database: Path) -> None:
        propose(database, EVIL)
        for ran in (
            cli('review', '-u', 'ana', input='s'),
            cli('review', 'list', '-u', 'ana'),
            cli('review', 'list', '-u', 'ana', '--json'),
        ):
            assert not set('\x1b\x07\u202e\x9b') & set(ran.out + ran.err)
            assert '[red]markup[/red]' in ran.out
        assert listed(cli) == [EVIL]

    def test_options_before_a_command_are_refused(self, cli: Cli) -> None:
        ran = cli('review', '-u', 'ana', 'list')
        assert ran.code == 2
        assert 'after the command' in ran.err


class TestCommands:
    def test_reasons_are_told_in_words(self, cli: Cli, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv('MEMORANDA_SPECIAL_CATEGORIES', 'health=review')
        monkeypatch.setenv('MEMORANDA_PERSONAL_DATA', 'email address=review')
        cli('add', 'I have diabetes.', '-u', 'ana')
        cli('add', '--fact', 'Is reached at ana@example.com', '-u', 'ana')
        told = ' '.join(cli('review', 'list', '-u', 'ana').out.split())
        assert 'speaks of health' in told
        assert 'special category:' not in told + cli('review', '-u', 'ana', input='q').out
        assert 'waited for a person: speaks of health' in cli('export', '-u', 'ana', '--format', 'markdown').out

    def test_commands_that_are_named_go_on_with_the_same_memories(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv('MEMORANDA_SPECIAL_CATEGORIES', 'health=review')
        said = ' '.join(cli('add', 'I have diabetes.', '-u', 'ana lu', '--project', 'acme').out.split())
        assert "`memoranda review --project acme --user 'ana lu'`" in said
        assert '`memoranda review`' in ' '.join(cli('add', 'I have diabetes.').out.split())
        ran = cli('review', 'approve', 'zz', '-u', 'ana')
        assert '`memoranda review list --user ana` shows the ids' in ' '.join(ran.err.split())

    def test_one_that_was_decided_is_told_by_its_short_id_too(self, cli: Cli, database: Path) -> None:
        (tea,) = propose(database, 'likes tea')
        cli('review', 'approve', short(tea), '-u', 'ana', '--by', 'jane')
        ran = cli('review', 'reject', short(tea), '-u', 'ana')
        assert (ran.code, 'was approved by jane' in ' '.join(ran.err.split())) == (1, True), ran.err
        assert cli('review', 'reject', '00000000', '-u', 'ana').code == 3

    def test_what_waits_is_listed(self, cli: Cli, database: Path) -> None:
        (tea,) = propose(database, 'likes tea')
        (rum,) = propose(database, 'likes rum', user='ben')
        shown = cli('review', 'list', '-u', 'ana').out
        for words in (short(tea), 'add', 'likes tea', 'comes from a tool'):
            assert words in shown
        assert listed(cli, '--all') == ['likes tea', 'likes rum']
        assert 'ben' in cli('review', 'list', '--all').out
        assert rum in cli('review', 'list', '--all', '--full').out
        assert listed(cli, '-u', 'eve') == []
        assert 'nothing waits' in cli('review', 'list', '-u', 'eve').err
        (item,) = cli('review', '--json', '-u', 'ana').json['items']
        assert (item['id'], item['op'], item['reasons'], item['target']) == (tea, 'add', ['source:tool'], None)
        assert [e['quote'] for e in item['evidence']] == ['likes tea']
        assert [e['op'] for e in item['diff']] == ['approve']

    def test_what_waits_is_listed_a_page_at_a_time_and_by_reason(self, cli: Cli, database: Path) -> None:
        ids = propose(database, 'likes tea', 'likes rum', 'likes gin')
        first = cli('review', 'list', '-u', 'ana', '-n', '2', '--json').json
        assert [item['id'] for item in first['items']] == ids[:2]
        assert listed(cli, '-u', 'ana', '--cursor', first['cursor']) == ['likes gin']
        assert f'more: --cursor {ids[1]}' in cli('review', 'list', '-u', 'ana', '-n', '2').err
        assert len(listed(cli, '-u', 'ana', '--reason', 'source')) == 3
        assert listed(cli, '-u', 'ana', '-r', 'locked') == []

    def test_some_are_approved_and_others_rejected_by_part_of_their_ids(self, cli: Cli, database: Path) -> None:
        tea, rum, gin = propose(database, 'likes tea', 'likes rum', 'likes gin')
        assert 'Approved: 2 proposals.' in cli('review', 'approve', short(tea), gin, '-u', 'ana').out
        done = cli('review', 'reject', short(rum), '-u', 'ana', '--json').json
        assert [(i['id'], i['outcome'], i['memory']['status']) for i in done['items']] == [
            (rum, 'rejected', 'rejected')
        ]
        assert done['refused'] == {}
        assert sorted(believed(cli)) == ['likes gin', 'likes tea']
        change = done['items'][0]['change_id']
        assert cli('revert', change, '-u', 'ana', '--json').code == 0
        assert listed(cli) == ['likes rum']

    def test_one_that_fails_stops_no_other_and_the_exit_code_tells(self, cli: Cli, database: Path) -> None:
        tea, rum = propose(database, 'likes tea', 'likes rum')
        cli('review', 'reject', tea, '-u', 'ana')
        ran = cli('review', 'approve', tea, rum, '-u', 'ana', '--json')
        assert ran.code == 1
        assert [i['id'] for i in ran.json['items']] == [rum]
        assert 'was rejected by user' in ran.json['refused'][tea]
        again = cli('review', 'approve', tea, '-u', 'ana')
        assert (again.code, 'was rejected by user' in again.err) == (1, True)
        for given, code in ((tea.replace('0', '1'), 3), ('zz', 2), (short(tea), 1)):
            assert cli('review', 'approve', given, '-u', 'ana').code == code

    def test_one_of_somebody_else_is_not_found(self, cli: Cli, database: Path) -> None:
        (rum,) = propose(database, 'likes rum', user='ben')
        for command in (('approve', rum), ('reject', rum), ('reject', short(rum)), ('edit', rum, 'x')):
            assert cli('review', *command, '-u', 'ana').code == 3
        assert cli('review', 'approve', rum, '--all').code == 0
        assert believed(cli, 'ben') == ['likes rum']
        assert cli('review', 'list', '--all', '-u', 'ben').code == 2

    def test_all_that_wait_for_a_reason_are_decided_after_asking(self, cli: Cli, database: Path) -> None:
        propose(database, 'likes tea', 'likes rum')
        refused = cli('review', 'reject', '--reason', 'source:tool', '-u', 'ana', input='n\n')
        assert (refused.code, len(listed(cli))) == (1, 2)
        assert 'Reject 2 proposals?' in refused.err
        assert 'likes rum' in refused.err
        assert 'Approved: 2' in cli('review', 'approve', '--reason', 'source', '-u', 'ana', '--yes').out
        assert 'Approved: 0' in cli('review', 'approve', '--reason', 'source', '-u', 'ana').out
        for wrong in ((), ('abcd', '--reason', 'x')):
            assert cli('review', 'approve', *wrong, '-u', 'ana').code == 2

    def test_one_is_approved_in_other_words(self, cli: Cli, database: Path) -> None:
        (item,) = propose(database, 'home.city: Lisbon')
        done = cli('review', 'edit', short(item), 'Lives in Porto', '--slot', '', '-u', 'ana', '--json').json
        (changed,) = done['items']
        assert (changed['memory']['text'], changed['memory']['slot']) == ('Lives in Porto', None)
        assert changed['memory']['locked'] is True
        assert cli('review', 'edit', item, '-u', 'ana').code == 2  # nothing to change


def test_add_tells_that_something_waits(cli: Cli, database: Path) -> None:
    cli('add', '--fact', '--slot', 'home.city', 'Lives in Lisbon', '-u', 'ana')
    (known,) = cli('list', '--json', '-u', 'ana').json['items']
    cli('edit', known['id'], 'Lives in Braga', '-u', 'ana')
    ran = cli('add', 'I moved to Porto', '-u', 'ana')
    assert 'for review' in ran.out
    assert '1 proposal waits for a person: `memoranda review --user ana`' in ran.out


@pytest.mark.parametrize('command', [(), ('list',), ('approve', '--all'), ('reject', '--all')])
def test_a_reason_that_nothing_waits_for_is_refused(cli: Cli, command: tuple[str, ...]) -> None:
    ran = cli('review', *command, '--reason', 'sauce')
    assert ran.code == 2
    assert 'low confidence' in ran.err
