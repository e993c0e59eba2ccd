"""What faults that were requested do to a device's connection over MQTT, as effects. Pure."""

from azext_iotjobs.localhub.mqtt import topics
from azext_iotjobs.localhub.mqtt.effects import Close, Effect, Received, Send
from azext_iotjobs.localhub.mqtt.replies import refused
from azext_iotjobs.localhub.mqtt.session import Session
from azext_iotjobs.localhub.rules.fault import NOT_AUTHORISED, REASON, InjectedFault, Kind, Operation

OPERATIONS = {
    topics.Telemetry: Operation.TELEMETRY,
    topics.TwinGet: Operation.TWIN,
    topics.ReportedPatch: Operation.TWIN,
}


def not_let_in(session: Session, fault: InjectedFault) -> list[Effect]:
    """The end of a connection at its CONNECT."""
    if fault.kind is Kind.DROP:
        return [_dropped()]
    if fault.code == NOT_AUTHORISED:
        return session.refuse(REASON)
    return session.defer(REASON, is_client_error=False)


def not_processed(session: Session, received: Received, fault: InjectedFault) -> list[Effect]:
    """What becomes of a message that is not processed: the connection ends, or a twin request has no good response."""
    if fault.kind is Kind.DROP:
        return [_dropped()]
    response = refused(received, fault.refusal()) if fault.kind is Kind.STATUS else None
    is_expected = response is not None and session.qos_of(response.topic) is not None
    return [*([Send(response)] if response is not None and is_expected else []), *session.acknowledge(received.publish)]


def _dropped() -> Close:
    return Close(REASON, is_client_error=False)
