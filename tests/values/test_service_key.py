import pytest

from gateway.values.service_key import digest, digest_of, hashed, is_hashed


@pytest.mark.parametrize("key", ["one", "é", "3q2-7wXJ"])
def test_a_hash_has_the_digest_of_its_key(key: str) -> None:
    assert is_hashed(hashed(key)) and not is_hashed(key)
    assert digest(hashed(key)) == digest(key) == digest_of(key)


def test_a_client_that_shows_the_hash_shows_another_key() -> None:
    assert digest_of(hashed("one")) != digest(hashed("one"))
