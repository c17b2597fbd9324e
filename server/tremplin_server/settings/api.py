"""The API of the settings: what the page of settings shows and changes, for programs."""

from __future__ import annotations

from typing import Any, cast

from flask import current_app
from flask.views import MethodView

from tremplin_server import rest
from tremplin_server.settings import service
from tremplin_server.settings.overlay import EXTENSION, Overlay
from tremplin_server.settings.schemas import SettingBody, SettingChanges, body_of

blp = rest.blueprint("setting", "/setting")


@blp.route("")
class Settings(MethodView):
    """The settings of the site."""

    @blp.response(200, SettingBody(many=True))
    def get(self) -> list[dict[str, object]]:
        """List the settings: values, bounds, and where each value comes from."""
        return _listed()

    @blp.arguments(SettingChanges)
    @blp.response(200, SettingBody(many=True))
    def patch(self, changes: dict[str, Any]) -> list[dict[str, object]]:
        """Change settings by name; those that are left out stay."""
        with rest.writing() as work:
            service.change(work, changes, _overlay().fixed)
        _overlay().forget()
        return _listed()


def _listed() -> list[dict[str, object]]:
    overlay = _overlay()
    with rest.reading() as work:
        return [body_of(one) for one in service.settings(work, overlay.fixed, overlay.origins)]


def _overlay() -> Overlay:
    return cast(Overlay, current_app.extensions[EXTENSION])
