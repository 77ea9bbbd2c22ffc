"""The page of an audit: the pictures that two splits share, pair by pair, aligned, with what differs.

It opens without a server and asks the network for nothing. Text that comes from elsewhere is escaped by the
template; pictures are small WebPs in data URIs.
"""

from anidata.registry import face

__getattr__ = face(__name__, {"write": "page", "check": "page"})
