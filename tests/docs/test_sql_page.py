"""What the pages about SQL say is so: columns, types, indexes, kinds of records, arguments, and how Alembic is told."""

from __future__ import annotations

import os
from inspect import Parameter, signature
from itertools import takewhile
from pathlib import Path
from typing import get_args

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from test_code_blocks import DOCS, REFERENCE, blocks, names, rows

from stepup import changes
from stepup.stores.sql import SQLStore, metadata
from stepup.stores.sql.schema import NEVER, SCHEMA_KIND

PAGE = REFERENCE / "sql-schema.md"
HOW_TO = DOCS / "how-to" / "store-in-sql.md"
RECORD = metadata.tables["stepup_record"]
EVENT = metadata.tables["stepup_event"]
POSTGRESQL = sa.make_url("postgresql://").get_dialect()()


def described(column: sa.Column[object]) -> list[str]:
    """A column as the page writes it: name, type on PostgreSQL without its collation, and whether it may be null."""
    kind = column.type.compile(dialect=POSTGRESQL).partition(" COLLATE")[0]
    return [f"`{column.name}`", f"`{kind}`", "yes" if column.nullable else "no"]


@pytest.mark.parametrize(("first", "table"), [("record column", RECORD), ("event column", EVENT)])
def test_the_page_lists_exactly_the_columns(first: str, table: sa.Table) -> None:
    """Every column of both tables stands on the page, in order, with its type and whether it may be null."""
    listed = rows(PAGE, first)

    assert [cells[:3] for cells in listed] == [described(column) for column in table.columns]
    assert all(cells[3] for cells in listed)


def test_the_page_lists_exactly_the_indexes() -> None:
    """And every index, with its columns in order."""
    listed = {cells[0].strip("`"): cells[1].replace("`", "").split(", ") for cells in rows(PAGE, "index")}

    assert listed == {
        str(index.name): [column.name for column in index.columns]
        for table in (RECORD, EVENT)
        for index in table.indexes
    }


def test_the_page_lists_exactly_the_kinds_of_records() -> None:
    """The kinds that stepup keeps, as its own table of them says, and the two rows besides."""
    table = (changes.__doc__ or "").split("kind      id")[1].splitlines()[2:]
    kept = [line.split()[0] for line in takewhile(lambda line: not line.startswith("==="), table)]

    listed = names(PAGE, "kind")

    assert sorted(listed) == sorted([*kept, SCHEMA_KIND, "(empty)"])
    assert len(kept) == len(get_args(changes.Value))


def test_the_page_says_which_number_is_never() -> None:
    """What never expires can be told from the number in the table."""
    assert f"{NEVER} is never" in PAGE.read_text(encoding="utf-8")


def test_the_arguments_of_a_store_are_those_of_the_page() -> None:
    """The how-to lists every argument of ``SQLStore`` with its default."""
    said = [[cell.strip("`") for cell in cells[:2]] for cells in rows(HOW_TO, "argument")]

    assert [[name, default.replace('"', "'")] for name, default in said] == [
        [name, "required" if one.default is Parameter.empty else repr(one.default)]
        for name, one in signature(SQLStore).parameters.items()
    ]


def heads(folder: Path, text: str) -> list[str]:
    """The heads that Alembic finds with *text* as its configuration."""
    (folder / "migrations" / "versions").mkdir(parents=True, exist_ok=True)
    (folder / "alembic.ini").write_text(text, encoding="utf-8")
    return list(ScriptDirectory.from_config(Config(str(folder / "alembic.ini"))).get_heads())


def test_alembic_finds_the_revisions_with_the_lines_of_the_page(tmp_path: Path) -> None:
    """The lines for ``alembic.ini`` work as they stand."""
    (text,) = (block.code for block in blocks(HOW_TO) if block.code.startswith("[alembic]"))

    assert heads(tmp_path, text) == ["stepup_0001"]


@pytest.mark.skipif(os.pathsep != ":", reason="a colon separates paths on POSIX only")
def test_alembic_passes_over_them_where_a_colon_separates_paths(tmp_path: Path) -> None:
    """The trap that the page warns of is one: no error, and no revisions."""
    (text,) = (block.code for block in blocks(HOW_TO) if block.code.startswith("[alembic]"))
    cut = text.replace("path_separator = newline", "path_separator = os")

    assert cut != text
    assert heads(tmp_path, cut) == []
