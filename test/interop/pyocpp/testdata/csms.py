"""A CSMS: csms.py PORT. It accepts everything, asks each station of OCPP 2.0.1 a list of questions once it is told "ask" on
its standard input, and prints what it gets as {"got": action, "station": id, "payload": {...}}."""
import asyncio
import sys

import ocpp.v16.call as call16
import ocpp.v16.call_result as result16
import ocpp.v201.call as call
import ocpp.v201.call_result as result
import websockets
from common import now, say
from ocpp.exceptions import NotImplementedError as NotThere, NotSupportedError as NotSupported
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v201 import ChargePoint


def heard(action, answer):
    """A handler that prints the request. The library finds it by its name."""

    async def handler(self, **payload):
        say(got=action, station=self.id, payload=payload)
        return answer(payload)

    handler.__name__ = f"on_{action}"
    return on(action)(handler)


def station_class(base, handlers):
    return type("Station", (base,), {f"on_{a}": heard(a, f) for a, f in handlers.items()})


accepted = {"status": "Accepted"}
Station201 = station_class(ChargePoint, {
    "BootNotification": lambda p: result.BootNotification(current_time=now(), interval=60, status="Accepted"),
    "Heartbeat": lambda p: result.Heartbeat(current_time=now()),
    "StatusNotification": lambda p: result.StatusNotification(),
    "Authorize": lambda p: result.Authorize(id_token_info=accepted),
    "TransactionEvent": lambda p: result.TransactionEvent(**({"id_token_info": accepted} if "id_token" in p else {})),
    "MeterValues": lambda p: result.MeterValues(),
    "NotifyReport": lambda p: result.NotifyReport(),
    "NotifyEvent": lambda p: result.NotifyEvent(),
    "NotifyMonitoringReport": lambda p: result.NotifyMonitoringReport(),
    "NotifyChargingLimit": lambda p: result.NotifyChargingLimit(),
    "ClearedChargingLimit": lambda p: result.ClearedChargingLimit(),
    "ReportChargingProfiles": lambda p: result.ReportChargingProfiles(),
    "SecurityEventNotification": lambda p: result.SecurityEventNotification(),
    "NotifyDisplayMessages": lambda p: result.NotifyDisplayMessages(),
    "NotifyCustomerInformation": lambda p: result.NotifyCustomerInformation(),
    "LogStatusNotification": lambda p: result.LogStatusNotification(),
    "FirmwareStatusNotification": lambda p: result.FirmwareStatusNotification(),
    "SignCertificate": lambda p: result.SignCertificate(status="Accepted"),
    "ReservationStatusUpdate": lambda p: result.ReservationStatusUpdate(),
})
Station16 = station_class(ChargePoint16, {
    "BootNotification": lambda p: result16.BootNotification(current_time=now(), interval=60, status="Accepted"),
    "Heartbeat": lambda p: result16.Heartbeat(current_time=now()),
    "StatusNotification": lambda p: result16.StatusNotification(),
    "Authorize": lambda p: result16.Authorize(id_tag_info=accepted),
    "StartTransaction": lambda p: result16.StartTransaction(transaction_id=4711, id_tag_info=accepted),
    "StopTransaction": lambda p: result16.StopTransaction(),
    "MeterValues": lambda p: result16.MeterValues(),
})

soon = "2030-01-01T00:00:00Z"
token = {"id_token": "A1", "type": "ISO14443"}
profile = {"id": 5, "stack_level": 0, "charging_profile_purpose": "TxDefaultProfile", "charging_profile_kind": "Absolute",
           "charging_schedule": [{"id": 1, "start_schedule": "2026-01-01T00:00:00Z", "charging_rate_unit": "A",
                                  "charging_schedule_period": [{"start_period": 0, "limit": 8.0}]}]}
available = [{"component": {"name": "ChargingStation"}, "variable": {"name": "Available"}}]
QUESTIONS = [
    call.GetVariables(get_variable_data=[{"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}]),
    call.SetVariables(set_variable_data=[{"attribute_value": "900", "component": {"name": "AlignedDataCtrlr"}, "variable": {"name": "Interval"}}]),
    call.GetBaseReport(request_id=1, report_base="FullInventory"),
    call.GetReport(request_id=2, component_variable=available),
    call.SetMonitoringBase(monitoring_base="All"),
    call.GetMonitoringReport(request_id=3),
    call.SetChargingProfile(evse_id=1, charging_profile=profile),
    call.GetChargingProfiles(request_id=4, charging_profile={"charging_profile_purpose": "TxDefaultProfile"}),
    call.GetCompositeSchedule(duration=600, evse_id=1),
    call.GetCompositeSchedule(duration=600, evse_id=0, charging_rate_unit="W"),
    call.ClearChargingProfile(charging_profile_id=5),
    call.SendLocalList(version_number=1, update_type="Full", local_authorization_list=[{"id_token": token, "id_token_info": accepted}]),
    call.GetLocalListVersion(),
    call.ClearCache(),
    call.GetTransactionStatus(),
    call.TriggerMessage(requested_message="Heartbeat"),
    call.TriggerMessage(requested_message="StatusNotification", evse={"id": 1, "connector_id": 1}),
    call.ReserveNow(id=1, expiry_date_time=soon, id_token=token, evse_id=1),
    call.CancelReservation(reservation_id=1),
    call.ChangeAvailability(operational_status="Operative"),
    call.UnlockConnector(evse_id=1, connector_id=1),
    call.RequestStopTransaction(transaction_id="none"),
    call.GetInstalledCertificateIds(),
    call.CustomerInformation(request_id=5, report=True, clear=False, id_token=token),
    call.GetLog(log={"remote_location": "https://127.0.0.1:1/"}, log_type="SecurityLog", request_id=6),
    call.DataTransfer(vendor_id="x"),
]


async def ask(station):
    for question in QUESTIONS:
        name = type(question).__name__
        try:
            answer = await station.call(question, suppress=False)
            say(answer=name, station=station.id, payload=vars(answer) if answer else None)
        except (NotThere, NotSupported):
            say(refused=name, station=station.id)
        except Exception as e:  # everything else is a fault of ours
            say(fault=f"{station.id}: {name}: {e!r}")
    say(done=station.id)


here = {}


async def connected(ws):
    identity = ws.request.path.rsplit("/", 1)[-1]
    say(connected=identity, protocol=ws.subprotocol)
    station = (Station16 if ws.subprotocol == "ocpp1.6" else Station201)(identity, ws)
    here[identity] = station
    try:
        await station.start()
    except websockets.ConnectionClosed:
        say(closed=identity)
    finally:
        here.pop(identity, None)


async def main():
    loop = asyncio.get_running_loop()
    questions = []
    async with websockets.serve(connected, "127.0.0.1", int(sys.argv[1]), subprotocols=["ocpp2.0.1", "ocpp1.6"]):
        say(listening=sys.argv[1])
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            if line.strip() == "ask":
                for station in list(here.values()):
                    if isinstance(station, Station201):
                        questions.append(loop.create_task(ask(station)))
            elif line.strip() == "limit16":
                r = await here["CS-16"].call(call16.SetChargingProfile(connector_id=0, cs_charging_profiles={
                    "charging_profile_id": 9, "stack_level": 0, "charging_profile_purpose": "ChargePointMaxProfile", "charging_profile_kind": "Absolute",
                    "charging_schedule": {"charging_rate_unit": "A", "charging_schedule_period": [{"start_period": 0, "limit": 7.0}]}}))
                say(answer="SetChargingProfile16", station="CS-16", payload=vars(r))
        await asyncio.sleep(3600)


asyncio.run(main())
