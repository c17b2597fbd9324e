"""The site's identity, where the features that sign orders look for it."""

from __future__ import annotations

from tremplin_server.identity import SiteIdentity, site_identity, site_key

__all__ = ["SiteIdentity", "site_identity", "site_key"]
