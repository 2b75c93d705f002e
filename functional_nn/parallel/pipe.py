"""Messages between two processes of one machine: small ones pass a socket, arrays lie in memory that both map."""

from __future__ import annotations

import os
import pickle
import socket
import struct
from array import array
from time import perf_counter
from typing import Any

from functional_nn.parallel.flat import Arrays, layout_of
from functional_nn.parallel.packing import Memory, Packed, packed, unpacked

__all__ = ["ClosedError", "Failure", "Pipe"]

HEADER = struct.Struct("<?Q")  # whether the message is a failure, and its length


class ClosedError(ConnectionError):
    """The other process has ended."""


class Failure(Exception):
    """The other process has failed; `cause` is what it says of that."""

    def __init__(self, cause: Any) -> None:
        super().__init__(cause)
        self.cause = cause


class Pipe:
    """One end of a connection. Both processes must send and receive in the same order."""

    def __init__(self, end: socket.socket, spin_seconds: float = 0.0) -> None:
        """Wait for a message by asking again and again for `spin_seconds`, which keeps a core awake, then asleep."""
        self.end, self.spin_seconds = end, spin_seconds
        self._out: dict[int, Memory] = {}
        self._in: dict[int, Memory] = {}
        self._turns: dict[int, int] = {}  # which of its two rooms a channel used last

    def fileno(self) -> int:
        """Return the socket's descriptor, to wait for."""
        return self.end.fileno()

    def send(self, value: Any, *, pack: Packed | None = None) -> None:
        """Send a value, or what is packed already. Raises `ClosedError` where the other process has ended."""
        head, layout, memory, _ = packed(value) if pack is None else pack
        try:
            self._post(pickle.dumps((head, layout)), memory)
        finally:
            if pack is None and memory is not None:
                memory.close()

    def receive(self) -> Any:
        """Return the value that the other process sends. Raises `ClosedError` where it has ended."""
        message, descriptors = self._taken()
        head, layout = pickle.loads(message)
        return unpacked(head, layout, descriptors)

    def send_arrays(self, arrays: Arrays, channel: int) -> None:
        """Send arrays, or none. Each channel keeps its memory, which has room for two messages of one layout."""
        if not arrays:
            self._post(b"", None)
            return
        layout = layout_of(arrays)
        known = channel in self._out and self._out[channel].layout == layout
        if not known:
            self._out[channel] = Memory(layout, copies=2)
        memory = self._out[channel]
        turn = self._turns[channel] = 1 - self._turns.get(channel, 0)
        for target, source in zip(memory.copies[turn], arrays, strict=True):
            target[...] = source
        if known:
            self._post(bytes((channel, turn)), None)
            return
        try:
            self._post(pickle.dumps((channel, turn, layout)), memory)
        finally:
            memory.close()

    def receive_arrays(self) -> Arrays:
        """Return the arrays that the other process sends; they stand until the second next ones of their channel."""
        message, descriptors = self._taken()
        if not message:
            return []
        if len(message) == 2:
            channel, turn = message
        else:
            channel, turn, layout = pickle.loads(message)
            self._in[channel] = Memory(layout, descriptors[0], copies=2)
            self._in[channel].close()
        return self._in[channel].copies[turn]

    def skip(self) -> None:
        """Receive a message and forget it."""
        _, descriptors = self._taken()
        for descriptor in descriptors:
            os.close(descriptor)

    def send_failure(self, cause: Any) -> None:
        """Let the other process raise `Failure` wherever it waits for a message."""
        self._post(pickle.dumps(cause), None, failed=True)

    def close(self) -> None:
        """End the connection."""
        self.end.close()

    def _post(self, message: bytes, memory: Memory | None, *, failed: bool = False) -> None:
        whole = HEADER.pack(failed, len(message)) + message
        try:
            sent = 0
            if memory is not None:
                sent = socket.send_fds(self.end, [whole], [memory.descriptor])
            self.end.sendall(memoryview(whole)[sent:])
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ClosedError("the other process has ended") from error

    def _taken(self) -> tuple[bytes, list[int]]:
        first, descriptors = self._first()
        failed, length = HEADER.unpack(first)
        message = self._exactly(length)
        if failed:
            raise Failure(pickle.loads(message))
        return message, descriptors

    def _first(self) -> tuple[bytes, list[int]]:
        """Return the header of the next message and the descriptors that come along."""
        until = perf_counter() + self.spin_seconds if self.spin_seconds else 0.0
        flags = socket.MSG_DONTWAIT if self.spin_seconds else 0
        while True:
            try:
                # not by socket.recv_fds, which ignores its flags (CPython's issue 107898) and would sleep
                first, ancillary, _, _ = self.end.recvmsg(HEADER.size, socket.CMSG_LEN(array("i").itemsize), flags)
            except BlockingIOError:
                first, ancillary = None, []
            except ConnectionResetError:
                first = b""
            if first is None:  # nothing yet
                if perf_counter() > until:
                    flags = 0
                continue
            if not first:
                raise ClosedError("the other process has ended")
            descriptors = [number for _, _, held in ancillary for number in array("i", held)]
            return first + self._exactly(HEADER.size - len(first)), descriptors

    def _exactly(self, length: int) -> bytes:
        parts = []
        while length:
            try:
                part = self.end.recv(min(length, 1 << 20))
            except ConnectionResetError:
                part = b""
            if not part:
                raise ClosedError("the other process has ended")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)
