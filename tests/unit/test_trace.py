"""Lines as strace writes them → which of the calls would leave this machine."""

from __future__ import annotations

import pytest

from tests.trace import read

STAYS = """\
12 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3
12 connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
12 connect(3, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), \
inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0
12 connect(4, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such)
13 sendto(3, "x", 1, MSG_NOSIGNAL, NULL, 0) = 1
13 sendto(5, [{nlmsg_len=20}], 20, 0, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 20
13 bind(3, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("0.0.0.0")}, 16) = 0
13 <... connect resumed>)            = 0
14 +++ exited with 0 +++
"""
LEAVES = (
    '1 connect(3, {sa_family=AF_INET, sin_port=htons(8), sin_addr=inet_addr("192.0.2.1")}, 16) = 0',
    '1 connect(3, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("192.0.2.1")}, 16'
    " <unfinished ...>",
    '1 sendto(3, "x", 1, 0, {sa_family=AF_INET6, sin6_port=htons(9), sin6_flowinfo=htonl(0), '
    'inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 1',
    "1 sendmsg(3, {msg_name={sa_family=AF_INET, sin_port=htons(53), "
    'sin_addr=inet_addr("192.0.2.1")}, msg_namelen=16, msg_iov=[{iov_base="x"}]}, 0) = 1',
    "1 connect(3, {sa_family=AF_VSOCK, svm_cid=VMADDR_CID_HOST, svm_port=0x400}, 16) = 0",
)


def test_calls_inside_this_machine_are_counted_and_stay() -> None:
    calls, leaving = read(STAYS.splitlines())
    assert leaving == []
    assert calls == {"socket": 1, "connect": 3, "sendto": 2, "bind": 1}


@pytest.mark.parametrize("line", LEAVES)
def test_a_call_that_would_leave_is_found(line: str) -> None:
    assert read([line])[1] == [line]
