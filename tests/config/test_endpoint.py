import pytest

from gateway.config.endpoint import allowed, host_port, is_host, network, port_range, transport_host_port


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("localhost:2775", ("localhost", 2775)),
        ("[::1]:8080", ("::1", 8080)),
        ("[::]:65535", ("::", 65535)),
    ],
)
def test_an_endpoint_is_read(written: str, expected: tuple[str, int]) -> None:
    assert host_port(written) == expected
    assert transport_host_port(f"udp:{written}") == ("udp", *expected)


@pytest.mark.parametrize(
    "written",
    ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:65536", "::1:8080", "[::1]", "a b:1", "300.1.1.1:1"],
)
def test_what_is_no_endpoint_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="write "):
        host_port(written)
    with pytest.raises(ValueError, match="write "):
        transport_host_port(f"udp:{written}")


def test_other_transports_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match='"wss" is not available'):
        transport_host_port("wss:0.0.0.0:5060")
    with pytest.raises(ValueError, match="names no transport"):
        transport_host_port("0.0.0.0:5060")


def test_hosts() -> None:
    for host in ("127.0.0.1", "::1", "smsc.example.org", "smsc_1", "carrier-a"):
        assert is_host(host), host
    for host in ("", "256.0.0.1", "-a", "a:1", "http://a", "a..b", "a b"):
        assert not is_host(host), host


def test_a_range_of_ports_holds_both_ends() -> None:
    assert port_range("20000-20099") == range(20000, 20100)


@pytest.mark.parametrize(
    "written", ["", "20000", "20099-20000", "20000-20000", "80-90", "65000-70000", "a-b"]
)
def test_what_is_no_range_of_ports_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"range of ports|must rise"):
        port_range(written)


def test_networks() -> None:
    assert str(network("192.0.2.0/24")) == "192.0.2.0/24"
    assert str(network("192.0.2.7")) == "192.0.2.7/32"
    assert str(network("2001:db8::/32")) == "2001:db8::/32"
    with pytest.raises(ValueError, match=r'write "192\.0\.2\.0/24"$'):
        network("192.0.2.7/24")
    for written in ("", "192.0.2.0/33", "example.org", "192.0.2"):
        with pytest.raises(ValueError, match="is no network"):
            network(written)


def test_an_address_is_allowed_by_the_network_that_holds_it() -> None:
    networks = [network("192.0.2.0/24"), network("::1")]
    assert allowed("192.0.2.9", networks)
    assert allowed("::1", networks)
    assert allowed("::ffff:192.0.2.9", networks)
    assert not allowed("192.0.3.9", networks)
    assert not allowed("2001:db8::1", networks)
    assert not allowed("192.0.2.9", [])
