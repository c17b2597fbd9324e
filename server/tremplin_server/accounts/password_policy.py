"""Which passwords the site takes from an account: the policy, and none that it had lately."""

from __future__ import annotations

from sqlalchemy import delete, select

from tremplin_server.accounts import passwords
from tremplin_server.accounts.access_models import OldPassword
from tremplin_server.accounts.models import User
from tremplin_server.db import Work
from tremplin_server.errors import Invalid


def take(work: Work, user: User, password: str) -> None:
    """Make `password` that of `user`, who may be new; Invalid (`password`) if it is refused."""
    personal = (user.username, user.email_address, user.private_display_name)
    wrong = passwords.problems(work.config, password, (word or "" for word in personal))
    if not wrong and user.id is not None and _had(work, user, password):
        wrong = ["This is one of your last passwords. Choose another."]
    if wrong:
        raise Invalid({"password": wrong})
    if user.id is not None:
        _remember(work, user)
    user.password_hash = passwords.hashed(password)


def _had(work: Work, user: User, password: str) -> bool:
    """Return whether it is the password that the user has, or had lately."""
    if not work.config.password_history:
        return False
    return any(passwords.matches(old, password) for old in [user.password_hash, *_old(work, user)])


def _old(work: Work, user: User) -> list[str]:
    """Return the hashes of the passwords before this one that are not taken again."""
    found = select(OldPassword.password_hash).where(OldPassword.user_id == user.id)
    newest = found.order_by(OldPassword.id.desc()).limit(work.config.password_history - 1)
    return list(work.session.scalars(newest))


def _remember(work: Work, user: User) -> None:
    """Keep the hash of the password that goes, and forget those that count no more."""
    keep = max(work.config.password_history - 1, 0)
    if keep:
        now, gone = work.now(), user.password_hash
        work.session.add(OldPassword(user_id=user.id, password_hash=gone, replaced_at=now))
        work.session.flush()
    mine = select(OldPassword.id).where(OldPassword.user_id == user.id)
    kept = list(work.session.scalars(mine.order_by(OldPassword.id.desc()).limit(keep)))
    work.session.execute(
        delete(OldPassword).where(OldPassword.user_id == user.id, OldPassword.id.not_in(kept))
    )
