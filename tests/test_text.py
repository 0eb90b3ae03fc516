from __future__ import annotations

import json
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from auditor.text import ModelText, exact, inert_json, plain, runner_data, runner_property, uri
from tests.runner_commands import commands, control_bytes, obeyed

# Any string a protobuf can carry into Python, lone surrogates included, often with the dangerous pieces.
HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(["##", "#", "[", "]", "::", "\x1b[31m", "\n", "\r", "\u202e", "\u200b", "\ud800", "\\", '"']),
        st.text(st.characters(codec=None), max_size=4),
    ),
    max_size=12,
).map("".join)


def test_model_text_cannot_be_printed_by_accident() -> None:
    name = ModelText("conv1")
    with pytest.raises(TypeError):
        str(name)
    with pytest.raises(TypeError):
        f"{name}"
    with pytest.raises(TypeError):
        "{:>10}".format(name)  # noqa: UP032 - the other way of formatting


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("/layer1/conv/Conv", "/layer1/conv/Conv"),
        ("Größe 大きさ", "Größe 大きさ"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\r\tc", "a\\x0ab\\x0d\\x09c"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2028b", "a\\u2028b"),
        ("a\ud800b", "a\\ud800b"),
        ("a\U000e0041b", "a\\U000e0041b"),
        ("x##[error]y", "x##\\x5berror]y"),
        ("###[", "###\\x5b"),
    ],
)
def test_names_stay_readable_and_what_a_terminal_acts_on_becomes_visible(raw: str, shown: str) -> None:
    assert plain(ModelText(raw)) == shown


@given(HOSTILE, st.one_of(st.none(), st.integers(0, 30)))
def test_no_text_of_a_model_can_reach_a_terminal_or_the_runner(raw: str, limit: int | None) -> None:
    shown = plain(ModelText(raw), limit)
    assert not control_bytes(shown)
    assert "\n" not in shown
    assert not commands(f"node {shown}")
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"}
    assert limit is None or len(shown) <= limit


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_text_that_fits_is_not_cut(raw: str) -> None:
    assert plain(raw, len(plain(raw, None))) == plain(raw, None)


def test_a_name_over_the_limit_says_that_it_was_cut() -> None:
    assert plain("a" * 50, 10) == "aaaaaaa..."
    assert len(plain("\n" * 10_000_000)) == 1000


@given(HOSTILE)
@example("##[")
@example("\\##[")
@example("####[[")
def test_json_keeps_the_exact_name_in_bytes_that_nothing_acts_on(raw: str) -> None:
    # A pair of surrogates that is no character cannot be written in JSON; nothing reads bytes of a file as one.
    assume(raw == raw.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass"))
    document = inert_json(json.dumps({raw: [exact(ModelText(raw))]}, ensure_ascii=True, indent=1))
    assert json.loads(document) == {raw: [raw]}
    assert document.isascii()
    assert not commands(document)
    assert not control_bytes(document)


@given(HOSTILE)
def test_what_goes_into_a_runner_command_stays_in_its_place(raw: str) -> None:
    line = f"::error title={runner_property(raw)},file=x::{runner_data(raw)}"
    (command,) = obeyed(line)
    assert command.properties == {"title": plain(raw), "file": "x"}
    assert command.data == plain(raw)
    assert "##[" not in line


@given(HOSTILE)
def test_a_path_as_a_uri_is_ascii_and_leads_back_to_the_path(raw: str) -> None:
    address = uri(f"models/{raw}")
    assert address.isascii()
    assert address.startswith("models/")
    assert not set(address) & set(' "<>\\^`{|}:?#[]@')
    path = unquote(address, errors="surrogatepass")
    assert path == f"models/{raw}"
