"""SRTP and SRTCP (RFC 3711, RFC 7714) by libsrtp: packets in the clear to packets on the wire, and back."""

from typing import Final

import pylibsrtp

from gateway.protocol.rtp.packet import RtpError

_PROFILES: Final = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}
_LIMIT_OCTETS: Final = 1400  # the library's own buffer has 1500, of which 148 may be a trailer


class Protector:
    """What we send, under one master key."""

    def __init__(self, suite: str, key: bytes) -> None:
        """`suite` is one of RFC 4568's names, `key` the master key and salt."""
        self._session = _session(suite, key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)

    def rtp(self, packet: bytes) -> bytes:
        return self._session.protect(packet)

    def rtcp(self, packet: bytes) -> bytes:
        return self._session.protect_rtcp(packet)


class Unprotector:
    """What the peer sends, under one master key.  Forged and repeated packets raise RtpError."""

    def __init__(self, suite: str, key: bytes) -> None:
        self._session = _session(suite, key, pylibsrtp.Policy.SSRC_ANY_INBOUND)

    def rtp(self, packet: bytes) -> bytes:
        return self._open(packet, rtcp=False)

    def rtcp(self, packet: bytes) -> bytes:
        return self._open(packet, rtcp=True)

    def _open(self, packet: bytes, *, rtcp: bool) -> bytes:
        if len(packet) > _LIMIT_OCTETS:
            raise RtpError(f"{len(packet)} octets are no telephone's packet")
        try:
            return self._session.unprotect_rtcp(packet) if rtcp else self._session.unprotect(packet)
        except pylibsrtp.Error as error:
            raise RtpError(f"SRTP: {error}") from error


def _session(suite: str, key: bytes, direction: int) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=key, ssrc_type=direction, srtp_profile=_PROFILES[suite])
    return pylibsrtp.Session(policy)
