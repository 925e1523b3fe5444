"""Code packages as bytes that depend on the files alone: not on order, owner, time, or the machine's zlib."""

import io
import struct
import tarfile
import zlib

# RFC 1952: magic, deflate, no flags, no time, no extra flags, unknown operating system.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# RFC 1951, 3.2.4: a stored block holds at most this many bytes.
_STORED_LIMIT = 65535


def repack(blob: bytes) -> bytes:
    """A gzipped tar with the same regular files: sorted, without owners and times.

    It is stored, not compressed: zlib and zlib-ng compress to different bytes, and the package's hash is committed.
    """
    files = dict(_files(blob))
    packed = io.BytesIO()
    # ustar carries no floating-point times or other extras that depend on the Python version.
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(files[name]), 0o644, 0
            archive.addfile(member, io.BytesIO(files[name]))
    return gzip_stored(packed.getvalue())


def _files(blob: bytes) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        return [(member.name, reader.read()) for member in archive if (reader := archive.extractfile(member))]


def gzip_stored(content: bytes) -> bytes:
    """`content` as a gzip file of stored blocks, the same bytes with any zlib."""
    blocks = [content[at : at + _STORED_LIMIT] for at in range(0, len(content), _STORED_LIMIT)] or [b""]
    parts = [_GZIP_HEADER]
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    parts.append(struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF))
    return b"".join(parts)
