from collections.abc import Callable

Found = Callable[..., dict[str, str]]

TRUNK = '[sip.trunks.east]\nhost = "127.0.0.1"\nnumbers = ["+442079460000"]'


def test_two_services_cannot_share_a_key(found: Found) -> None:
    services = {name: f'name = "x"\nkey = "{key}"' for name, key in (("a", "k"), ("b", "other"), ("c", "k"))}
    faults = found("", services)
    assert list(faults) == ["services.c.key"]
    assert faults["services.c.key"].startswith("service a has the same key")


def test_services_without_a_key_share_nothing(found: Found) -> None:
    assert found("", {"a": 'name = "x"', "b": 'name = "x"'}) == {}


def test_calls_to_a_number_meet_one_policy(found: Found) -> None:
    services = {
        "a": 'name = "x"\nassets = ["+442079460000"]\n[numbers."+442079460000"]',
        "b": 'name = "x"\nassets = ["442079460000"]\n[numbers."442079460000"]',
    }
    services = {
        name: toml.replace("assets = [", "[assets.").replace('"]\n', '"]\nshared = true\n', 1)
        for name, toml in services.items()
    }
    what = "calls to 442079460000 already meet services.a.numbers.+442079460000"
    assert found(TRUNK, services) == {"services.b.numbers.442079460000": what}


def test_services_share_a_number_when_all_of_them_say_so(found: Found) -> None:
    services = {"a": 'name = "x"\nassets = ["+442079460000"]', "b": 'name = "x"\nassets = ["+442079460000"]'}
    assert list(found(TRUNK, services)) == ["services.b.assets[0]"]
    shared = 'name = "x"\n[assets."+442079460000"]\nshared = true'
    assert found(TRUNK, {"a": shared, "b": shared}) == {}


def test_the_whole_is_checked_at_once(found: Found) -> None:
    faults = found('[http]\nlisten = "x"', {"a": 'name = ""', "b": 'name = "x"\nassets = ["1"]'})
    assert list(faults) == ["http.listen", "services.a.name", "services.b.assets[0]"]


def test_links_need_a_url_to_begin_with(found: Found) -> None:
    linked = 'name = "x"\n[links.offer]\nother = "https://example.org/offer"'
    assert found("", {"a": linked}) == {
        "services.a.links": "lead nowhere yet: set links in [http] to a URL of yours"
    }
    assert found('[http]\nlinks = "https://s.example.org"', {"a": linked}) == {}
    assert list(found('[http]\nlinks = "https://s.example.org/x"', {})) == ["http.links"]
    assert list(found('[http]\nlinks = "s.example.org"', {})) == ["http.links"]


def test_proxies_that_are_trusted_are_addresses(found: Found) -> None:
    assert found('[http]\ntrusted_proxies = ["10.0.0.0/8", "2001:db8::1"]', {}) == {}
    assert list(found('[http]\ntrusted_proxies = ["::1", "balancer"]', {})) == ["http.trusted_proxies[1]"]


def test_a_link_is_named_and_leads_somewhere(found: Found) -> None:
    http = '[http]\nlinks = "https://s.example.org"'
    bad = 'name = "x"\n[links.my-offer]\nother = "example.org"\nexpires = 0\n[links.none]\nother = ""'
    assert list(found(http, {"a": bad})) == [
        "services.a.links.my-offer",
        "services.a.links.my-offer.other",
        "services.a.links.my-offer.expires",
        "services.a.links.none.other",
    ]


def test_a_short_secret_is_none(found: Found) -> None:
    assert list(found('secret = "hello"', {})) == ["secret"]
    assert found(f'secret = "{"x" * 32}"', {}) == {}
    assert list(found("", {"a": 'name = "x"\nsecrets.partner = ""'})) == ["services.a.secrets.partner"]
