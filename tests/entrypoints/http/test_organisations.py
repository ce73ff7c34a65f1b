"""The organisation of a workspace is on its campaign pages, receipts and exports."""

from __future__ import annotations

import csv
import io
import re
from zipfile import ZipFile

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from adapters.ids import uuid7
from domain.members import MemberRole
from tests.adapters.documents.sheets import pdf_text
from tests.browser import checked
from tests.client import Client, LiveService
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_workspace_settings import ORGANISATION
from tests.members import joined_member


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def path(workspace: str) -> str:
    return f"/api/workspaces/{workspace}"


@pytest.fixture
def owner(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER)


def test_a_campaign_page_says_who_receives_the_money(live: LiveService, owner: Client, workspace: str, path: str):
    ticket = joined_member(live, workspace, MemberRole.CASEWORKER).open_ticket()
    url = ticket.publish()
    with live.client() as visitor:
        assert "Who receives the money" not in visitor.get(url).text
        owner.patch(path, json={"organisation": ORGANISATION | {"legalName": "Shelter <b>& Co"}})
        page = visitor.get(url).text
        for words in (
            "Who receives the money",
            "Shelter &lt;b&gt;&amp; Co",
            "50667 Köln",
            "VR 12345",
            '<a href="https://shelter.example/privacy" rel="noopener noreferrer">',
        ):
            assert words in page
        # The page of another workspace names nobody.
        assert "Who receives the money" not in visitor.get(visitor.open_ticket().publish()).text


def test_a_receipt_and_the_export_have_the_number_and_the_organisation(
    live: LiveService, owner: Client, workspace: str, path: str
):
    ticket = joined_member(live, workspace, MemberRole.CASEWORKER).open_ticket()
    ticket.publish()
    before = donate_in_sandbox(live, ticket)
    order = {"docType": "RECEIPT", "format": "pdf"}

    def receipt_of(donation: str) -> str:
        answer = ticket.post("/generate-doc", order | {"donationId": donation})
        assert answer.status_code in (200, 201), answer.text
        return pdf_text(ticket.http.get(answer.json()["filePath"]).content)

    assert "Receipt number" not in receipt_of(before)
    owner.patch(path, json={"organisation": ORGANISATION})
    number = re.search(r"Receipt number\s+(\d{4}-00001)", receipt_of(before))
    assert number
    assert f"{number[1][:4]}-00002" in receipt_of(donate_in_sandbox(live, ticket))
    assert number[1] in receipt_of(before)
    rows = owner.get("/api/exports/donations?format=json").json()
    of_gift = next(row for row in rows if row["donationId"] == before)
    assert (of_gift["receiptNumber"], of_gift["organisation"]) == (number[1], ORGANISATION["legalName"])


def test_every_export_names_the_organisation(live: LiveService, owner: Client, workspace: str, path: str):
    ticket = joined_member(live, workspace, MemberRole.CASEWORKER).open_ticket()
    ticket.publish()
    donate_in_sandbox(live, ticket)
    legal_name, file_names = "Shelter, at the river: Köln e.V.", []
    before = owner.get("/api/exports/donations?format=movements")
    assert before.headers["content-disposition"] == 'attachment; filename="movements.csv"'
    assert [row["organisation"] for row in csv.DictReader(before.text.splitlines())] == [""]
    assert "organisation:" not in owner.get("/api/exports/donations?format=journal").text
    owner.patch(path, json={"organisation": {"legalName": legal_name}})
    movements = owner.get("/api/exports/donations?format=movements")
    assert [row["organisation"] for row in csv.DictReader(movements.text.splitlines())] == [legal_name]
    journal = owner.get("/api/exports/donations?format=journal")
    assert ", organisation:Shelter at the river: Köln e.V.\n" in journal.text
    for kind in ("figures", "figures/campaigns"):
        assert owner.get(f"/api/{kind}").json()["organisation"] == legal_name
        file_names.append(owner.get(f"/api/{kind}?format=csv").headers["content-disposition"])
    file_names.append(owner.get(f"{path}/audit-log/export").headers["content-disposition"])
    for disposition in (*file_names, movements.headers["content-disposition"], journal.headers["content-disposition"]):
        assert "; filename*=UTF-8''Shelter%2C%20at%20the%20river%20K%C3%B6ln%20e.V%20" in disposition


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (640, 160), (0, 90, 80, 255)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_logo_is_encoded_anew_and_shown_beside_the_name(live: LiveService, owner: Client, workspace: str, path: str):
    ticket = joined_member(live, workspace, MemberRole.CASEWORKER).open_ticket()
    url = ticket.publish()
    problem(owner.get(f"{path}/logo"), 404, "not-found")
    chosen = owner.put(f"{path}/logo", files={"file": ("logo.png", png())})
    assert (chosen.status_code, chosen.json()["hasLogo"]) == (200, True), chosen.text
    stored = owner.get(f"{path}/logo")
    assert stored.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(stored.content)).size == (640, 160)
    with live.client() as visitor:
        # Without a name there is nobody whose logo it is.
        problem(visitor.get(f"{url}/logo"), 404, "not-found")
        owner.patch(path, json={"organisation": ORGANISATION})
        shown = re.search(r'src="(/d/[^"]+/logo[?]v=[0-9a-f]{16})"', visitor.get(url).text)
        assert shown
        assert visitor.get(shown[1]).content == stored.content
        receipt = ticket.post("/generate-doc", {"docType": "RECEIPT", "donationId": donate_in_sandbox(live, ticket)})
        word = ticket.http.get(receipt.json()["filePath"]).content
        with ZipFile(io.BytesIO(word)) as parts:
            assert stored.content in [parts.read(name) for name in parts.namelist() if name.endswith((".jpg", ".jpeg"))]
        assert owner.delete(f"{path}/logo").status_code == 204
        problem(visitor.get(shown[1]), 404, "not-found")
        assert "/logo?" not in visitor.get(url).text
    assert live.service.database.rows("SELECT FROM workspace_logos WHERE workspace = %s", (workspace,)) == []


def test_a_logo_is_a_picture(owner: Client, path: str):
    for name, content in (("logo.pdf", b"%PDF-1.4 %%EOF"), ("logo.svg", b"<svg/>")):
        problem(owner.put(f"{path}/logo", files={"file": (name, content)}), 415, "unsupported-media-type")
    assert owner.get(path).json()["hasLogo"] is False


@pytest.mark.browser
def test_a_browser_shows_who_receives_the_money(
    browser: Browser, live: LiveService, owner: Client, workspace: str, path: str
):
    owner.patch(path, json={"organisation": ORGANISATION})
    assert owner.put(f"{path}/logo", files={"file": ("logo.png", png())}).status_code == 200
    url = joined_member(live, workspace, MemberRole.CASEWORKER).open_ticket().publish()
    with checked(browser, live.base_url) as tab:
        page = tab.open(url)
        expect(page.get_by_role("region", name="Who receives the money")).to_contain_text("VR 12345")
        tab.check("campaign-organisation")
