# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of the report: everything is there, nothing gets out of its place, and no secret gets in."""

from __future__ import annotations

import copy
import html.parser
import json
import re
import typing as t

import pytest

from ansible_collections.dfr.continuity.plugins.module_utils._drill.report import html_page, markdown, message
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.contents import page_of
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.redaction import REMOVED, without_secrets
from ansible_collections.dfr.continuity.plugins.module_utils._drill.report.report_folder import (
    ReportFiles,
    render_files,
)

from .runs import NAMES, Document, check, example, phase, report

#: Elements that have no end tag.
_VOID = {"meta", "br", "link", "img", "input", "hr"}


class Element(t.NamedTuple):
    tag: str
    attributes: dict[str, str]


class Parsed(html.parser.HTMLParser):
    """The elements of a page, its text without markup, and whether every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.text = ""
        self._open: list[str] = []
        self.misplaced: list[str] = []
        self.feed(text)
        self.close()
        self.misplaced += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))
        if tag == "br":
            self.text += "\n"
        elif tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.misplaced.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [one for one in self.elements if one.tag == tag and wanted.items() <= one.attributes.items()]


def _report(name: str) -> Document:
    return report(example(name), *map(example, NAMES[: NAMES.index(name)]))


def _html(made: Document) -> str:
    return html_page.render(page_of(made))


def _texts(value: t.Any) -> t.Iterator[str]:
    """Every text in a document, names of keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


# -- everything is there


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_well_formed_and_needs_nothing(name):
    text = _html(_report(name))
    page = Parsed(text)
    assert page.misplaced == []
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & {
        one.tag for one in page.elements
    }
    for one in page.elements:
        assert not [attribute for attribute in one.attributes if attribute.startswith("on") or attribute == "src"]
        if "href" in one.attributes:
            assert one.attributes["href"].startswith("#")
    assert "url(" not in text.replace("url(#hatch)", "")
    assert "@import" not in text
    assert "default-src 'none'" in page.all("meta", http_equiv="Content-Security-Policy")[0].attributes["content"]


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere_and_ids_are_unique(name):
    page = Parsed(_html(_report(name)))
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    named = [word for one in page.elements for word in one.attributes.get("aria-labelledby", "").split()]
    targets = {one.attributes["href"][1:] for one in page.all("a")} | set(named)
    assert targets <= set(ids)
    assert len(page.all("a")) == len(page.all("section")) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_everything_in_the_document_is_on_both_pages(name):
    made = _report(name)
    run = made["run"]
    said = {
        "html": Parsed(_html(made)).text,
        "markdown": _plain(markdown.render(page_of(made))),
    }
    wanted = [run["id"], run["scenario"], run["started_by"], run["approved_by"], run["plan"]["sha256"]]
    wanted += [
        *_texts(run["backup"]),
        *_texts(run["cleanup"]["left"]),
        *_texts(run["checks"]),
        *_texts(run["isolation"]),
    ]
    wanted += [one["title"] for one in run["phases"]]
    wanted += [text for one in run["phases"] for text in (*_texts(one["details"]), *_texts(_reasons(one)))]
    wanted += [one["name"] for one in run["data_sets"]] + [one["part"] for one in run["data_sets"]]
    wanted += [text for one in run["traffic"] for text in _texts(one)]
    wanted += [one[key] for one in made["findings"] for key in ("id", "title", "detail", "remedy", "owner", "due")]
    wanted += [one["id"] for one in made["comparison"]["runs"]] + [made["plan"]["statement"], *made["plan"]["changes"]]
    wanted += [one["title"] for one in made["comparison"]["regressions"]]
    for page, text in said.items():
        missing = [one for one in wanted if _shown(one) not in text]
        assert missing == [], page


def _reasons(phase: Document) -> list[str]:
    return [attempt[key] for attempt in phase["attempts"] for key in ("reason", "next_step")]


def _shown(text: str) -> str:
    """A text as the pages write it: moments are written for people."""
    moment = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z", text)
    return moment[2] if moment else text


def _plain(text: str) -> str:
    """Markdown without its escapes."""
    text = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), text)
    text = re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text)
    return text.replace("<br>", "\n").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@pytest.mark.parametrize("name", NAMES)
def test_the_timeline_draws_every_attempt_to_scale(name):
    made = _report(name)
    run = made["run"]
    page = Parsed(_html(made))
    drawn = [one.attributes["data-phase"] for one in page.all("g")]
    assert drawn == [one["name"] for one in run["phases"]]
    bars = [one for one in page.all("rect") if one.attributes.get("class", "").startswith("bar ")]
    attempts = [attempt for one in run["phases"] for attempt in one["attempts"]]
    assert [one.attributes["class"] for one in bars] == [f"bar {attempt['status']}" for attempt in attempts]
    starts = [float(one.attributes["x"].rstrip("%")) for one in bars]
    widths = [float(one.attributes["width"].rstrip("%")) for one in bars]
    assert starts == sorted(starts)
    assert all(start >= 0 and start + width <= 100.001 for start, width in zip(starts, widths, strict=True))
    flags = {one.attributes["class"].split()[1] for one in page.all("line") if "flag" in one.attributes["class"]}
    assert flags == {"interruption", "limit"} | ({"recovered"} if made["recovered"] else set())


def test_the_restore_takes_its_share_of_the_timeline():
    page = Parsed(_html(_report("passed")))
    bars = [one.attributes for one in page.all("rect") if one.attributes.get("class") == "bar done"]
    whole = 22 * 60 + 37  # from the start to the end of the run
    widths = [float(one["width"].rstrip("%")) for one in bars]
    assert max(widths) == pytest.approx(100 * 571 / whole, abs=0.05)


@pytest.mark.parametrize(("target", "beyond"), [(14400, True), (1500, False)])
def test_a_limit_far_away_is_shown_at_the_edge(target, beyond):
    run = example("passed")
    run["objectives"]["rto"]["target_seconds"] = target
    (line,) = [one for one in Parsed(_html(report(run))).all("line") if "limit" in one.attributes["class"]]
    assert ("beyond" in line.attributes["class"]) is beyond
    assert line.attributes["x1"] == "100.000%"


@pytest.mark.parametrize("name", NAMES)
def test_tables_can_be_heard_and_read_on_a_phone(name):
    page = Parsed(_html(_report(name)))
    assert page.all("html", lang="en")
    assert page.all("meta", name="viewport")
    assert len(page.all("table")) == len(page.all("caption"))
    assert all("scope" in one.attributes and "role" in one.attributes for one in page.all("th"))
    assert all(one.attributes["data-label"] or one.attributes.get("class") for one in page.all("td"))
    assert page.all("svg", role="img")
    assert len(page.all("h1")) == len(page.all("main")) == 1


def test_a_report_of_next_to_nothing():
    run = {key: example("passed")[key] for key in ("schema", "id", "mode", "site", "started")}
    run.update(state="running", phases=[], backup={}, cleanup={}, objectives={})
    for state in ("running", "failed", "aborted", "passed"):
        made = report({**run, "state": state})
        page = Parsed(_html(made))
        assert page.misplaced == []
        assert "No phase was begun." in page.text
        assert "not recorded" in page.text
        assert made["result"] == {"running": "unfinished", "passed": "failed"}.get(state, state)
        assert "No backup was chosen" in markdown.render(page_of(made))


def test_a_phase_that_is_still_running():
    run = example("passed")
    run.update(state="running", finished=None)
    run["phases"] = run["phases"][:5]
    phase(run, "restore_database").update(status="running")
    phase(run, "restore_database")["attempts"][0].update(finished=None, status="running")
    page = Parsed(_html(report(run)))
    assert [one for one in page.all("rect") if one.attributes.get("class") == "bar running"]
    assert "Not finished" in page.text


# -- hostile texts

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "]]></style><script>alert(1)</script><!--",
    "&lt;script&gt;&#60;",
    "javascript:alert(1) [x](javascript:alert(1)) ![x](http://203.0.113.9/a.png) https://203.0.113.9/ a@b.example",
    "a | b | c\n| --- |\n# heading\n- item\n```\n> quote\n1. one\n<details>",
    "\u202egnp.exe\u2066 \x00 \x1b[31m \ud800 \ufeff",
    "`code` *bold* _it_ ~~no~~ $x$ \\",
]
#: Chosen from a list, or of a form that is checked.
_FORMS = {
    "schema",
    "id",
    "mode",
    "state",
    "status",
    "started",
    "finished",
    "interruption",
    "recovery_point",
    "at",
    "kind",
    "source",
    "sha256",
    "severity",
}


def _hostile(value: t.Any, text: str, name: str = "") -> t.Any:
    """A document with a hostile text in every place that can hold any, names of free keys included."""
    if isinstance(value, str):
        return value if name in _FORMS else text
    if isinstance(value, list):
        return [_hostile(item, text, name) for item in value]
    if isinstance(value, dict):
        free = name in ("evidence", "details", "document")
        return {
            f"{text} {key}" if free else key: _hostile(item, text, "" if free else key) for key, item in value.items()
        }
    return value


def _phases_named_apart(run: Document) -> Document:
    for number, one in enumerate(run["phases"]):
        one["name"] += f" {number}"
    return run


@pytest.mark.parametrize("name", ["passed", "failed"])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_stays_a_text_in_html(name, text):
    wrong = _phases_named_apart(_hostile(example(name), text))
    before = Parsed(_html(report(example(name))))
    made = report(wrong, {**copy.deepcopy(wrong), "id": "20200101T000000Z-00000000"})
    page = Parsed(_html(made))
    assert page.misplaced == []
    assert {one.tag for one in page.elements} <= {one.tag for one in before.elements} | {"ul", "li"}
    assert {key for one in page.elements for key in one.attributes} <= {
        key for one in before.elements for key in one.attributes
    }
    assert all(one.attributes["href"].startswith("#") for one in page.all("a"))
    raw = _html(made)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]", raw)
    raw.encode()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_stays_a_text_in_markdown(text):
    wrong = _phases_named_apart(_hostile(example("failed"), text))
    plan = wrong["plan"].pop("document")
    clean, page = markdown.render(page_of(report(example("failed")))), markdown.render(page_of(report(wrong)))
    clean = clean[: clean.index("### The plan this run followed")]
    assert not re.search(r"<(?!br>)", page)
    assert not re.search(r"(?<!\\)[`\[\]]|://|@", page)
    assert [line.count(" | ") for line in page.splitlines() if line.startswith("| ---")] == [
        line.count(" | ") for line in clean.splitlines() if line.startswith("| ---")
    ]
    columns = 0
    for line in page.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line))
        if line.startswith("| ---"):
            columns = cells
        elif line.startswith("| ") and columns:
            assert cells == columns, line
        elif not line:
            columns = 0
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert len(headings) == page.count("\n## ") + page.count("\n### ") + 1
    fenced = markdown.render(page_of(report({**wrong, "plan": {**wrong["plan"], "document": plan}})))
    fence = re.search(r"^(`{3,})$", fenced, re.MULTILINE)
    assert fence is not None
    assert fenced.count(f"\n{fence[1]}\n") == 2


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_forges_no_mail_header(text):
    wrong = _hostile(example("failed"), text + "\r\nBcc: everybody@example.com\r\n\r\n")
    made = report(_phases_named_apart(wrong))
    subject = message.subject(made)
    assert subject == " ".join(subject.split())
    body = message.body(made, ReportFiles("/reports/x", True, {}))
    assert "\r" not in body
    body.encode()


def test_json_says_what_the_document_says():
    run = _hostile(example("failed"), HOSTILE[0])
    run["site"] = "\ud800 <b>"
    files = render_files(report(_phases_named_apart(run)))
    assert json.loads(files["report.json"])["run"]["scenario"] == HOSTILE[0]
    assert json.loads(files["report.json"])["site"] == "\ud800 <b>"


def test_a_long_text_is_cut_on_the_pages_and_whole_in_the_data():
    run = example("passed")
    run["checks"][0]["evidence"] = {"answer": "x" * 100_000}
    files = render_files(report(run))
    assert len(files["report.html"]) < 120_000
    assert b"x" * 100_000 in files["report.json"]
    assert b"report.json has all 100008 characters" in files["report.html"]


# -- secrets

SECRET = "tr0ub4dor&3"
HIDING = [
    lambda run: check(run, "login")["evidence"].update(password=SECRET),
    lambda run: check(run, "login")["evidence"].update(headers={"Authorization": f"Basic {SECRET}9="}),
    lambda run: check(run, "login")["evidence"].update(apiKey=SECRET),
    lambda run: check(run, "login")["evidence"].update({"X-Api-Key": SECRET, "Set-Cookie": SECRET}),
    lambda run: check(run, "login").update(actual=f"https://admin:{SECRET}@odoo.example.com/ refused"),
    lambda run: check(run, "login").update(reason=f"GET / with Authorization: Bearer abc.{SECRET[:8]}9xyz"),
    lambda run: phase(run, "declare")["details"].update(n8n_encryption_key=SECRET),
    lambda run: phase(run, "declare")["attempts"][0].update(
        reason=f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----"
    ),
    lambda run: run["plan"]["document"].update(n8n={"secret": [SECRET], "tsig-key": SECRET}),
    lambda run: run["traffic"][0].update(session_token=SECRET),
]


@pytest.mark.parametrize("hide", HIDING)
def test_what_looks_like_a_secret_is_in_no_file(hide):
    run = example("passed")
    hide(run)
    assert SECRET[:8] in json.dumps(run)
    for name, content in render_files(report(run)).items():
        assert SECRET[:8].encode() not in content, name


def test_a_known_secret_is_left_out_wherever_it_is():
    run = _phases_named_apart(_hostile(example("failed"), f"before {SECRET} after"))
    made = report(run, {**copy.deepcopy(run), "id": "20200101T000000Z-00000000"}, secrets=[SECRET, "abc"])
    files = render_files(made)
    told = message.subject(made) + message.body(made, ReportFiles("/reports/x", True, {}))
    for content in (*files.values(), told.encode()):
        assert b"tr0ub4dor" not in content
    assert REMOVED.encode() in files["report.html"]


@pytest.mark.parametrize(
    "value",
    [
        {"tokens": 3, "password_changed": "2026-01-01", "secret": True, "token": "", "keyboard": "de"},
        {"credential": "drill-probe", "key_file": "/etc/tsig.key", "monkey": "x"},
        "Basic authentication failed for https://odoo.example.com/web/login, bearer certificates",
        ["user@example.com", "s3://bucket/prefix", "x25519:abcdef"],
    ],
)
def test_what_is_no_secret_stays(value):
    assert without_secrets(value) == value


def test_leaving_out_is_done_once():
    once = without_secrets({"password": SECRET, "url": f"https://a:{SECRET}@b/"})
    assert without_secrets(once) == once


# -- the e-mail


def test_the_mail_tells_what_matters():
    made = _report("failed")
    files = ReportFiles("/reports/x", True, {"report.html": "ab" * 32, "SHA256SUMS": "cd" * 32})
    assert message.subject(made) == "Disaster-recovery drill shop FAILED: 5 findings of high severity"
    body = message.body(made, files)
    for wanted in (
        "Recovery time (RTO): not recovered, target 4 h 00 min: missed",
        "Recovery point (RPO): 56 min 34 s, target 15 min 00 s: missed",
        "Reason: 2 mandatory checks did not pass, and both objectives were missed.",
        "[high] The mandatory check n8n/credential failed",
        "Remedy: Set N8N_ENCRYPTION_KEY from the backup's escrow",
        "approved by: bob@example.com",
        f"{'ab' * 32}  report.html",
        "The report: /reports/x",
    ):
        assert wanted in body
    assert "SHA256SUMS" not in body
    assert message.subject(_report("passed")) == "Disaster-recovery drill shop passed"
