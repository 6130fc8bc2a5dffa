"""Which cookies of a server are kept."""

from http.cookiejar import CookieJar

import httpx2
import pytest

from slipstream.links.cookies import Sendable


@pytest.mark.parametrize(
    ("told", "kept"), [("a=b", ["a"]), ("a=é", []), ("é=a", []), ("a=b; Domain=elsewhere.example", [])]
)
def test_what_can_be_sent_back_is_kept(told: str, kept: list[str]) -> None:
    """And what the standard policy takes: no cookies for others."""
    jar = CookieJar(Sendable())
    request = httpx2.Request("GET", "http://here.example/")
    response = httpx2.Response(200, headers=[(b"set-cookie", told.encode())], request=request)

    httpx2.Cookies(jar).extract_cookies(response)

    assert [cookie.name for cookie in jar] == kept
