"""The page: what became of a pile, as one static HTML file.

It opens without a server and asks the network for nothing. Its bytes are a function of the workspace: no
clock, no path of this machine. Text that comes from elsewhere, such as a file's name, is escaped by the
template; pictures are small WebPs in data URIs, of what is shown alone.
"""

from anidata.registry import face

__getattr__ = face(__name__, {"write": "page", "Config": "choice"})
