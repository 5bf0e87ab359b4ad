"""The programs that earlier versions of faction brought to boards: they kept no record there of what they wrote."""

from __future__ import annotations

# The first 16 hexadecimal digits of the SHA-256 of each. A file with one of them is ours, and nobody has changed it.
EARLIER = frozenset(
    """
    00a767815351e7a2 061b76b01344af0d 0b4edf89194e8dce 0ce9880fbbcc323f 15537fff833d50e9 1f7e05254419a0c8 1fdf57b009e58fd8
    216df1eb55e0d236 221ea02379c23af1 24ff6bc59c010ec6 2af6a43c8399c3c9 304728142fc6091a 31132a05165b5438 33686d0de4cdf0f0
    35d0997ffc25ee35 448cae67032e9ae3 4604584a036ec054 47cc6455267dc0fa 4a6ce105caf59374 50ebbe9c5fea2755 56cc9f3aec7283e3
    58f5601c7c0795e1 65067bc9e81962b8 67f3acf6e636d7a6 73ce22d93bfe75f1 7869d5f491518ce6 78ee2dc2de0b7622 7980730a063c7692
    8514e0011a2a699c 95d1e5d9736c8cbe 98786fe9f8259b92 996016b5bb78aa25 ae30cb5895c2b54f b0658145a2889470 b384e0f3524538be
    b45db4173f7785fc bbc89cf269123383 c5a61fb21b88b1b1 cbff8d7faf520747 ce22065d266ea47b d2ad07be4f20b962 d52221b8998dfcb7
    d614e286b1087cda daef24ecb0a6bc6e dd021b20c05c5ad8 e0309d381977a495 e1f1743c9e41a5c6 e6bf51735be57db8 e8196bf75022af2c
    ea4763338dff4a3f ecafc6cfe5603723 ecb114eeab29b9e0 f44bab36da6afb66 fb5f4c90f7979224 ff0c8890da5c559b ff8d3a52e5d94a2d
    """.split()
)
