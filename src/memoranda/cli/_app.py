"""The commands, and what becomes of their errors."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from memoranda.cli._output import note
from memoranda.cli._safe import escape_json, one_line
from memoranda.cli._target import JSON_ASKED
from memoranda.errors import InvalidInput, MemorandaError, MemoryNotFound

__all__ = ['app']

# Wrong usage and orderly ends, which Typer itself reports. Where its base class lives depends on Typer's version.
_TYPERS_OWN: tuple[type[BaseException], ...] = (
    typer.Exit,
    typer.Abort,
    *(c for c in typer.BadParameter.__mro__ if c.__name__ == 'ClickException' and issubclass(c, Exception)),
)
_ERROR, _USAGE, _NOT_FOUND, _INTERRUPTED = 1, 2, 3, 130


class _Group(TyperGroup):
    """Turns errors into one line and an exit code: 1 error, 2 wrong usage, 3 not found."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _TYPERS_OWN:
            raise
        except KeyboardInterrupt:
            note('interrupted')
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read our output has seen enough; the interpreter must not try to flush the rest.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(_ERROR) from None
        except Exception as error:
            if ctx.params.get('traceback'):
                raise
            raise typer.Exit(_explain(error, as_json=bool(ctx.meta.get(JSON_ASKED)))) from None


def _explain(error: Exception, *, as_json: bool) -> int:
    code = _ERROR
    if isinstance(error, MemoryNotFound):
        code = _NOT_FOUND
    elif isinstance(error, InvalidInput):
        code = _USAGE
    message = str(error)
    if isinstance(error, OSError):
        message = f'{error.filename}: {error.strerror}' if error.filename else str(error)
    elif not isinstance(error, MemorandaError):
        message = f'unexpected {type(error).__name__}: {error} (memoranda --traceback COMMAND shows where)'
    if as_json:
        document = json.dumps(
            {'error': type(error).__name__, 'message': message, 'exit_code': code}, ensure_ascii=False
        )
        sys.stderr.write(escape_json(document) + '\n')
    else:
        note(f'error: {one_line(message)}', style='red')
    return code


app = typer.Typer(
    name='memoranda',
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={'help_option_names': ['-h', '--help']},
    epilog='Exit codes: 0 done, 1 error, 2 wrong usage, 3 not found.',
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from memoranda.cli.version import version

        version()
        raise typer.Exit


@app.callback()
def _root(  # pyright: ignore[reportUnusedFunction]
    traceback: Annotated[bool, typer.Option('--traceback', help='Show where an error came from.')] = False,
    version: Annotated[
        bool, typer.Option('--version', help='Print the version, and end.', callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Memory for AI agents: facts with the words they came from, recalled offline."""


def _register() -> None:
    from memoranda.cli import (
        add,
        backup,
        changes,
        chat,
        clean,
        console,
        demo,
        doctor,
        edit,
        evaluate,
        export,
        forget,
        history,
        imports,
        index,
        jobs,
        keys,
        listing,
        mcp,
        migrate,
        preview,
        reindex,
        reset,
        restore,
        revert,
        review,
        search,
        serve,
        show,
        verify,
        version,
        worker,
    )

    for name, function in (
        ('demo', demo.demo),
        ('chat', chat.chat),
        ('add', add.add),
        ('search', search.search),
        ('list', listing.list_),
        ('show', show.show),
        ('edit', edit.edit),
        ('forget', forget.forget),
        ('history', history.history),
        ('changes', changes.changes),
        ('preview', preview.preview),
        ('revert', revert.revert),
        ('clean', clean.clean),
        ('reset', reset.reset),
        ('import', imports.import_),
        ('export', export.export),
        ('worker', worker.worker),
        ('serve', serve.serve),
        ('console', console.console),
        ('mcp', mcp.mcp),
        ('doctor', doctor.doctor),
        ('reindex', reindex.reindex),
        ('backup', backup.backup),
        ('restore', restore.restore),
        ('migrate', migrate.migrate),
        ('verify', verify.verify),
        ('version', version.version),
    ):
        app.command(name)(function)
    app.add_typer(jobs.app, name='jobs')
    app.add_typer(keys.app, name='keys')
    app.add_typer(review.app, name='review')
    app.add_typer(index.app, name='index')
    app.add_typer(evaluate.app, name='eval')


_register()
