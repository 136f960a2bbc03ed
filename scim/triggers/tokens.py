"""The timer that compares the secret store with the directories' rows."""

from azure.functions import Blueprint, TimerRequest

from scim.composition import application

blueprint = Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="30 * * * * *")
async def watch_tokens(timer: TimerRequest) -> None:
    """Find tokens that operators set, disabled or deleted, and what crashes left."""
    await application().token_watcher.watch()
