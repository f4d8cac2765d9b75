"""Clients of the networks. Import-light: a network's libraries come in with its first client."""

from __future__ import annotations

from collections.abc import Mapping

from chains.base import NetworkSpec
from chains.ethereum import ETHEREUM, SEPOLIA
from chains.polygon import AMOY, POLYGON
from chains.tron import NILE, SHASTA, TRON
from watcher.domain.money import Network

NETWORKS: Mapping[Network, NetworkSpec] = {
    spec.name: spec for spec in (ETHEREUM, SEPOLIA, POLYGON, AMOY, TRON, NILE, SHASTA)
}
