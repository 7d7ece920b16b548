"""CSV file -> subscribers: the whole file is checked, then written in short transactions."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete

from newsletter.audience.importing.csv_columns import Columns, map_columns
from newsletter.audience.importing.csv_reader import open_csv
from newsletter.audience.importing.import_job import ImportJob
from newsletter.audience.importing.import_suppressions import import_suppressions
from newsletter.audience.importing.rejects import Rejects
from newsletter.audience.importing.staging import StagedRow, Staging
from newsletter.audience.importing.unmapped import known_columns
from newsletter.audience.importing.value_counts import Tally
from newsletter.audience.importing.write_batch import BATCH, prepare, write_batch
from newsletter.audience.key_check import check_suppression_key
from newsletter.audience.lists import require_list_name
from newsletter.audience.model import ImportReport, LeftOut, SuppressionReason
from newsletter.audience.tables import import_member
from newsletter.errors import InputError

if TYPE_CHECKING:
    from newsletter.audience.keys import Keys
    from newsletter.store.engine import Store

_SHOWN = 10
log = logging.getLogger(__name__)


def import_csv(  # noqa: PLR0913 -- each is one decision of the caller
    store: Store,
    keys: Keys,
    path: Path,
    *,
    list_name: str,
    source: str,
    dry_run: bool = False,
    skip_invalid: bool = False,
    rejects: Path | None = None,
    form: str = "",
    uses: Sequence[str] = (),
    declared: Collection[str] = (),
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Import a CSV file into a list.

    Every row is checked before anything changes. Then each batch has a transaction of its own, so
    running a killed import again completes it, and running it twice changes nothing. People who
    unsubscribed or are suppressed are never re-added. Other services' exports are recognized by
    their headers (`csv_formats`), and people who unsubscribed there are suppressed. Any unknown
    column might say that somebody unsubscribed, so nothing is imported until the operator says
    what it is.

    Args:
        store: The database.
        keys: For the hashes of addresses.
        path: The file; UTF-8, UTF-16 or Windows-1252; comma, semicolon, tab or bar.
        list_name: The list to add to; created if needed.
        source: Where the consent comes from, for the record.
        dry_run: Count what would happen, and change nothing.
        skip_invalid: Import the valid rows of a file that has invalid ones.
        rejects: Where to write the rows that were left out, with line and reason.
        form: Name of the file's format; detected by its header by default.
        uses: The column uses given by the operator: ``NAME=USE``, a `ColumnUse` each.
        declared: The names of merge fields: columns with these names become attributes.
        progress: Called now and then with the number of rows read.

    Raises:
        InputError: The file or (without ``skip_invalid``) a row of it cannot be used.
        RefusedError: The suppression key is not this database's.
        UnmappedColumnsError: Some columns are unknown; the error shows what is in them.
        UsageError: The rejects file is the imported one, some of ``uses`` are invalid, or the file
            may list people who unsubscribed and ``form`` does not say.
    """
    file = open_csv(path)
    columns = known_columns(file, form, uses=uses, declared=declared)
    with (
        Rejects(rejects, path, file.header) as left_out,
        Staging(file, columns, left_out) as staging,
    ):
        staging.fill(progress or (lambda _rows: None))
        _require_rows(staging, path, rejects, skip_invalid=skip_invalid)
        check_suppression_key(store, keys, dry_run=dry_run)
        require_list_name(list_name)
        with store.read() as connection:
            at = store.now(connection)
        # The same file read in another way is another batch: its subscribers may be others.
        read = f"{file.digest} {columns.format.name} {columns.consent} {columns.opt_out}"
        scope = hashlib.blake2b(list_name.encode(), digest_size=4).hexdigest()
        digest = hashlib.blake2b(read.encode(), digest_size=12).hexdigest()
        job = ImportJob(keys, list_name, source, path.name, f"{scope}-{digest}", at)
        if not dry_run:
            # The snapshots of campaigns to earlier files of this list have been taken by now.
            batch = import_member.c.batch
            older = batch.startswith(f"{scope}-", autoescape=True) & (batch != job.batch)
            with store.write() as connection:
                connection.execute(delete(import_member).where(older))
        counts, no_yes = _apply(store, job, staging, dry_run=dry_run)
        staging.write_duplicates()
        report = _report(job, columns, staging, counts, no_yes, left_out.written)
    facts = {"rows": report.rows, "added": report.added, "rejected": report.rejected}
    log.info("import done", extra={"dry_run": dry_run, **facts})
    return report


def csv_columns(path: Path, declared: Collection[str], uses: Sequence[str] = ()) -> frozenset[str]:
    """The merge fields a file can fill: names, and the columns that become attributes.

    Args:
        path: The file.
        declared: The names of merge fields.
        uses: The column uses given by the operator, ``NAME=USE`` each.

    Raises:
        InputError: The file cannot be used.
        UsageError: As `newsletter.audience.importing.csv_columns.map_columns`.
    """
    file = open_csv(path)
    columns = map_columns(file.header, path, file.header_line, uses=uses, declared=declared)
    names = {"first_name": columns.first_name, "last_name": columns.last_name}
    return frozenset(
        [name for name, index in names.items() if index >= 0]
        + [name for name, _ in columns.attributes]
    )


def _require_rows(
    staging: Staging, path: Path, rejects: Path | None, *, skip_invalid: bool
) -> None:
    if not staging.rows:
        raise InputError("the file has a header and no rows", file=path)
    if staging.rejected and not skip_invalid:
        first = staging.problems[0]
        raise InputError(
            f"{staging.rejected:,} of {staging.rows:,} rows cannot be used, so nothing was "
            f"imported; the first problem: {first.reason}",
            file=path,
            line=first.line,
            fix=f"fix them{f' (all are in {rejects})' if rejects else ''}, or use --skip-invalid",
        )


def _apply(
    store: Store, job: ImportJob, staging: Staging, *, dry_run: bool
) -> tuple[Counter[str], dict[str, Tally]]:
    """Write all batches; returns the counts, and by column the values that are not a clear yes."""
    counts: Counter[str] = Counter()
    no_yes: dict[str, Tally] = defaultdict(Tally)
    for staged in staging.batches(BATCH):
        by_reason: dict[str, list[StagedRow]] = defaultdict(list)
        for row in staged:
            if row.unclear:
                column, _, value = row.unclear.partition("\n")
                no_yes[column].add(value)
            else:
                by_reason[row.left].append(row)
        staying = by_reason.pop("", [])
        # Hashing takes longer than writing: outside of the transaction it blocks no other writer.
        batch = prepare(staying, job.keys, job.at)
        with store.write() as connection:
            for reason, rows in by_reason.items():
                counts += import_suppressions(connection, job, SuppressionReason(reason), rows)
            if staying:
                counts += write_batch(connection, job, batch)
            if dry_run:
                connection.get_transaction().rollback()  # type: ignore[union-attr]
    return counts, no_yes


def _report(
    job: ImportJob,
    columns: Columns,
    staging: Staging,
    counts: Counter[str],
    no_yes: Mapping[str, Tally],
    rejects: Path | None,
) -> ImportReport:
    suppressed: dict[SuppressionReason, int] = {
        reason: counts[reason]
        for reason in SuppressionReason
        if counts[reason] and reason is not SuppressionReason.UNSUBSCRIBED
    }
    return ImportReport(
        list_name=job.list_name,
        batch=job.batch,
        encoding=staging.file.encoding,
        format=columns.format.name,
        rows=staging.rows,
        added=counts["added"],
        updated=counts["updated"],
        unchanged=counts["unchanged"],
        already_unsubscribed=counts[SuppressionReason.UNSUBSCRIBED],
        suppressed=suppressed,
        newly_suppressed=counts["newly_suppressed"],
        no_clear_yes=sum(tally.rows for tally in no_yes.values()),
        duplicates=staging.duplicates,
        rejected=staging.rejected,
        undated=staging.undated,
        rejects=str(rejects or ""),
        columns=columns.as_read(staging.file.header),
        left_out=tuple(
            LeftOut(column, tally.rows, tally.commonest(_SHOWN))
            for column, tally in sorted(no_yes.items())
        ),
        problems=tuple(staging.problems),
    )
