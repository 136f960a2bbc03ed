"""Queue and timer triggers: the relay after a message, the sweep of what a crash left, retention."""

from azure.functions import Blueprint, QueueMessage, TimerRequest

from scim.composition import application

blueprint = Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name="relay-requests", connection="DataStorage")
async def relay_directory(message: QueueMessage) -> None:
    """Move one directory's outbox into its feed."""
    await application().background.take_message(message.get_body())


@blueprint.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
async def sweep(timer: TimerRequest) -> None:
    """Finish what a crash or a lost message left, in every directory."""
    await application().sweep()


@blueprint.timer_trigger(arg_name="timer", schedule="0 17 3 * * *")
async def retention(timer: TimerRequest) -> None:
    """Delete feed rows, log entries and claims of requests that are older than their retention."""
    await application().background.forget_what_is_old()
    await application().forget_old_claims()
