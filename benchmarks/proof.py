"""How much proving a block costs beyond what nobody can save.

    python -m benchmarks.proof [--realdata DIR]

For each recorded Ethereum block of 125 to 210 transactions, in milliseconds of CPU time:

decode  `msgspec.json.decode` of both answers, untyped
keccak  hashing the block's content once: each encoded transaction, each receipt, the header; no
        nodes of tries, which nobody can leave out either
ours    `read_block` of the same bytes: decode, prove, find the transfers of two tokens
ratio   ours / (decode + keccak), at most 3 in the median of the blocks

The three take turns, so that a busy machine slows them alike; medians, of the ratio too.

Then, for those of the blocks whose traces were recorded, `read_block` without and with them, and
how many times the time that is.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from Crypto.Hash import keccak

from chains.evm.blocks import Listing, read_block
from chains.evm.encoding import encode_receipt, encode_transaction, transaction_type
from chains.evm.header import encode_header
from chains.evm.messages import decode_block, decode_receipts
from chains.evm.traces import CALL_TRACER, Traces
from watcher.domain.money import Address, Method, Network

ROUNDS = 40
MOST_TIMES = 3.0
SIZES = range(125, 211)
USDT = Address("0xdac17f958d2ee523a2206206994597c13d831ec7")
USDC = Address("0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
LISTING = Listing(
    Network("ethereum"),
    Method("ethereum:eth"),
    {USDT: Method("ethereum:usdt"), USDC: Method("ethereum:usdc")},
)


def main() -> int:
    """Print one line per block; 1 where the bound is broken."""
    beside = Path(__file__).parent.parent.parent / "shared" / "realdata"
    parser = argparse.ArgumentParser()
    parser.add_argument("--realdata", type=Path, default=os.environ.get("REALDATA", beside))
    folder = Path(parser.parse_args().realdata)
    print("   block  txs  logs   bytes  decode  keccak    ours  ratio")
    ratios = []
    for number, block_json, receipts_json in recorded(folder):
        line, ratio = measure(block_json, receipts_json)
        print(f"{number:>8}  {line}")
        ratios.append(ratio)
    print("   block  traces bytes  without    with  ratio")
    for number, block_json, receipts_json in recorded(folder):
        path = folder / "ethereum" / f"mainnet-{number}.calltraces.json"
        if path.exists():
            print(f"{number:>8}  {measure_traces(block_json, receipts_json, path)}")
    median = statistics.median(ratios)
    print(f"median ratio {median:.2f}, at most {MOST_TIMES:g}")
    return 0 if median <= MOST_TIMES else 1


def recorded(folder: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, block and receipts of every recorded block of the right size."""
    for path in sorted(folder.glob("ethereum/mainnet-*.receipts.json")):
        block_json = path.with_name(path.name.replace("receipts", "block")).read_bytes()
        block = decode_block(block_json)
        if len(block.transactions) in SIZES:
            yield int(block.number, 16), block_json, path.read_bytes()


def measure(
    block_json: bytes, receipts_json: bytes, listing: Listing = LISTING
) -> tuple[str, float]:
    """Times and ratio of one block, as a line; the ratio."""
    contents = list(hashed_contents(block_json, receipts_json))
    works: list[Callable[[], object]] = [
        lambda: (msgspec.json.decode(block_json), msgspec.json.decode(receipts_json)),
        lambda: [keccak.new(digest_bits=256, data=content).digest() for content in contents],
        lambda: read_block(block_json, receipts_json, listing),
    ]
    rounds = [[seconds(work) for work in works] for _ in range(ROUNDS)]
    decode, bare, ours = (statistics.median(column) * 1000 for column in zip(*rounds, strict=True))
    ratio = statistics.median(all_ours / (plain + hashing) for plain, hashing, all_ours in rounds)
    receipts = decode_receipts(receipts_json)
    logs = sum(len(receipt.logs) for receipt in receipts)
    size = len(block_json) + len(receipts_json)
    sizes = f"{len(receipts):>3}  {logs:>4}  {size:>6}"
    return f"{sizes}  {decode:6.2f}  {bare:6.2f}  {ours:6.2f}  {ratio:5.2f}", ratio


def measure_traces(block_json: bytes, receipts_json: bytes, path: Path) -> str:
    """CPU time of one block without and with its traces, as a line."""
    frames = msgspec.json.decode(path.read_bytes())
    content = msgspec.json.encode([{"result": frame} for frame in frames])
    traces = Traces(CALL_TRACER, content)
    works: list[Callable[[], object]] = [
        lambda: read_block(block_json, receipts_json, LISTING),
        lambda: read_block(block_json, receipts_json, LISTING, traces),
    ]
    rounds = [[seconds(work) for work in works] for _ in range(ROUNDS)]
    without, traced = (statistics.median(column) * 1000 for column in zip(*rounds, strict=True))
    ratio = statistics.median(more / less for less, more in rounds)
    return f"{len(content):>12}  {without:7.2f}  {traced:6.2f}  {ratio:5.2f}"


def hashed_contents(block_json: bytes, receipts_json: bytes) -> Iterator[bytes]:
    """What the block's hash commits to, each part once."""
    block = decode_block(block_json)
    for tx, receipt in zip(block.transactions, decode_receipts(receipts_json), strict=True):
        yield encode_transaction(tx)
        yield encode_receipt(receipt, transaction_type(tx))
    yield encode_header(block)


def seconds(work: Callable[[], object]) -> float:
    """CPU time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
