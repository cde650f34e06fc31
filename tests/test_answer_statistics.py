"""What was asked, counted by the database, against a count by hand."""

import tempfile
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from hypothesis import given, settings
from hypothesis import strategies as st

from app.kept.answer_records import AnswerRecord, AnswerRecords, Verdict
from app.kept.answer_statistics import DayCount, answer_statistics
from tests.libraries import library_in

TODAY = date(2026, 11, 25)
DAYS = 7

ASKED = st.tuples(
    st.integers(-1, DAYS + 2),  # days ago
    st.sampled_from(["T00:00:00.000000+00:00", "T12:30:00.5", "T23:59:59.999999+00:00"]),
    st.booleans(),
    st.floats(0, 10_000),
    st.sampled_from([None, *Verdict]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ASKED, max_size=30))
def test_every_day_of_the_span_is_counted(
    asked: list[tuple[int, str, bool, float, Verdict | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library = library_in(Path(folder))
        records = AnswerRecords(library)
        for number, (ago, clock, answered, took, verdict) in enumerate(asked):
            moment = f"{TODAY - timedelta(days=ago)}{clock}"
            row = AnswerRecord(str(number), moment, "Hva?", answered, 0.5, took, "1", ())
            records.add([row])
            if verdict:
                records.judge(str(number), verdict, None, moment)
        found = answer_statistics(library, DAYS, TODAY)
        library.close()
    within = [one for one in asked if 0 <= one[0] < DAYS]
    assert found.questions == len(within)
    assert found.answered == sum(one[2] for one in within)
    assert found.median_ms == (median(one[3] for one in within) if within else None)
    assert found.up == sum(one[4] is Verdict.UP for one in within)
    assert found.down == sum(one[4] is Verdict.DOWN for one in within)
    oldest = max((one[0] for one in asked), default=None)
    assert found.since == (None if oldest is None else str(TODAY - timedelta(days=oldest)))
    assert [day.day for day in found.days] == [
        str(TODAY - timedelta(days=ago)) for ago in reversed(range(DAYS))
    ]
    for ago, day in zip(reversed(range(DAYS)), found.days, strict=True):
        those = [one for one in within if one[0] == ago]
        assert day == DayCount(
            day.day,
            len(those),
            sum(one[2] for one in those),
            median(one[3] for one in those) if those else None,
        )


def test_today_is_counted_when_none_is_named(tmp_path: Path) -> None:
    library = library_in(tmp_path)
    found = answer_statistics(library, 366)
    assert (found.questions, found.since, len(found.days)) == (0, None, 366)
    assert found.days[0].day < found.days[-1].day
