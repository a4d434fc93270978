"""A station: station.py URL IDENTITY 201|16. It boots and charges until a line comes on its standard input; it draws what the
profiles that it holds allow, prints {"limit": A} on each change, and connects again after a pause when it is cut off."""
import asyncio
import sys

import ocpp.v16.call as call16
import ocpp.v16.call_result as result16
import ocpp.v201.call as call
import ocpp.v201.call_result as result
import websockets
from common import now, say
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v201 import ChargePoint

URL, IDENTITY, VERSION = sys.argv[1:4]
MAX = 16.0
TOKEN = {"id_token": "A1", "type": "ISO14443"}
profiles = {}  # (purpose, stack level) -> (id, A)
seq = 0


def limit():
    """The lowest of the purposes, of each the highest level. Times do not matter here: the controller renews what ends."""
    best = {}
    for (purpose, level), (_, amps) in profiles.items():
        if purpose not in best or level > best[purpose][0]:
            best[purpose] = (level, amps)
    return min([MAX] + [a for _, a in best.values()])


def install(p, schedule):
    profiles[(p["charging_profile_purpose"], p["stack_level"])] = (p.get("id", p.get("charging_profile_id")), schedule["charging_schedule_period"][0]["limit"])
    say(limit=limit(), purpose=p["charging_profile_purpose"], level=p["stack_level"], until=p.get("valid_to"))


def remove(which):
    for key in [k for k, (i, _) in profiles.items() if which in (None, i)]:
        del profiles[key]
    say(limit=limit())


class Station201(ChargePoint):
    @on("SetChargingProfile")
    async def on_set(self, charging_profile, **_):
        install(charging_profile, charging_profile["charging_schedule"][0])
        return result.SetChargingProfile(status="Accepted")

    @on("ClearChargingProfile")
    async def on_clear(self, charging_profile_id=None, **_):
        remove(charging_profile_id)
        return result.ClearChargingProfile(status="Accepted")

    @on("GetVariables")
    async def on_get(self, get_variable_data, **_):
        known = {("SmartChargingCtrlr", "ProfileStackLevel"): "8"}
        values = [(d, known.get((d["component"]["name"], d["variable"]["name"]))) for d in get_variable_data]
        return result.GetVariables(get_variable_result=[
            {**d, "attribute_status": "Accepted", "attribute_value": v} if v else {**d, "attribute_status": "UnknownVariable"} for d, v in values])

    @on("SetVariables")
    async def on_variables(self, set_variable_data, **_):
        return result.SetVariables(set_variable_result=[
            {"component": d["component"], "variable": d["variable"], "attribute_status": "UnknownVariable"} for d in set_variable_data])

    @on("TriggerMessage")
    async def on_trigger(self, **_):
        return result.TriggerMessage(status="NotImplemented")

    @on("GetTransactionStatus")
    async def on_status(self, **_):
        return result.GetTransactionStatus(messages_in_queue=False)

    @on("GetChargingProfiles")
    async def on_profiles(self, **_):
        return result.GetChargingProfiles(status="NoProfiles")

    async def boot(self):
        await self.call(call.BootNotification(charging_station={"model": "py", "vendor_name": "interop"}, reason="PowerUp"), suppress=False)
        await self.call(call.StatusNotification(timestamp=now(), connector_status="Occupied", evse_id=1, connector_id=1), suppress=False)

    async def event(self, kind, why, state, stopped=None):
        global seq
        info = {"transaction_id": "TX-PY", "charging_state": state}
        if stopped:
            info["stopped_reason"] = stopped
        await self.call(call.TransactionEvent(
            event_type=kind, timestamp=now(), trigger_reason=why, seq_no=seq, transaction_info=info, evse={"id": 1, "connector_id": 1},
            id_token=TOKEN if kind == "Started" else None,
            meter_value=[{"timestamp": now(), "sampled_value": [{"value": 1000.0 + seq}] + [
                {"value": limit(), "measurand": "Current.Import", "phase": p} for p in ("L1", "L2", "L3")]}]), suppress=False)
        say(sent=kind, seq=seq)
        seq += 1

    async def begin(self):
        await self.call(call.Authorize(id_token=TOKEN), suppress=False)
        await self.event("Started", "Authorized", "Charging")

    async def sample(self):
        await self.event("Updated", "MeterValuePeriodic", "Charging")

    async def end(self):
        await self.event("Ended", "StopAuthorized", "EVConnected", "Local")


class Station16(ChargePoint16):
    tx = None

    @on("SetChargingProfile")
    async def on_set(self, cs_charging_profiles, **_):
        install(cs_charging_profiles, cs_charging_profiles["charging_schedule"])
        return result16.SetChargingProfile(status="Accepted")

    @on("ClearChargingProfile")
    async def on_clear(self, id=None, **_):
        remove(id)
        return result16.ClearChargingProfile(status="Accepted")

    @on("GetConfiguration")
    async def on_get(self, key=None, **_):
        known = {"ChargeProfileMaxStackLevel": "8"}
        return result16.GetConfiguration(configuration_key=[{"key": k, "readonly": True, "value": known[k]} for k in key or [] if k in known],
                                         unknown_key=[k for k in key or [] if k not in known])

    @on("ChangeConfiguration")
    async def on_change(self, **_):
        return result16.ChangeConfiguration(status="NotSupported")

    @on("TriggerMessage")
    async def on_trigger(self, **_):
        return result16.TriggerMessage(status="NotImplemented")

    async def boot(self):
        await self.call(call16.BootNotification(charge_point_model="py", charge_point_vendor="interop"), suppress=False)
        await self.call(call16.StatusNotification(connector_id=1, error_code="NoError", status="Charging"), suppress=False)

    async def begin(self):
        await self.call(call16.Authorize(id_tag="A1"), suppress=False)
        r = await self.call(call16.StartTransaction(connector_id=1, id_tag="A1", meter_start=0, timestamp=now()), suppress=False)
        Station16.tx = r.transaction_id
        say(sent="Started", tx=r.transaction_id)

    async def sample(self):
        await self.call(call16.MeterValues(connector_id=1, transaction_id=Station16.tx, meter_value=[{"timestamp": now(), "sampled_value": [
            {"value": str(limit()), "measurand": "Current.Import", "phase": p, "unit": "A"} for p in ("L1", "L2", "L3")]}]), suppress=False)
        say(sent="Updated")

    async def end(self):
        await self.call(call16.StopTransaction(meter_stop=900, timestamp=now(), transaction_id=Station16.tx), suppress=False)
        say(sent="Ended", tx=Station16.tx)


async def life(stop):
    while True:
        try:
            async with websockets.connect(f"{URL}/{IDENTITY}", subprotocols=["ocpp1.6" if VERSION == "16" else "ocpp2.0.1"]) as ws:
                say(connected=ws.subprotocol)
                station = (Station16 if VERSION == "16" else Station201)(IDENTITY, ws, response_timeout=10)
                reader = asyncio.create_task(station.start())
                talk = asyncio.create_task(charge(station, stop))
                done, _ = await asyncio.wait([reader, talk], return_when=asyncio.FIRST_COMPLETED)
                if talk in done and talk.exception() is None:
                    reader.cancel()
                    say(done=True)
                    return
                for task in (reader, talk):
                    task.cancel()
                if (e := talk.exception() if talk in done else None) and not isinstance(e, websockets.ConnectionClosed):
                    say(fault=repr(e))
                say(cut=str(ws.close_code))
        except (OSError, websockets.WebSocketException):
            pass
        await asyncio.sleep(0.5)


begun = False


async def charge(station, stop):
    global begun
    await station.boot()
    if not begun:
        await station.begin()
        begun = True
    while not stop.is_set():
        await station.sample()
        await asyncio.sleep(0.2)
    await station.end()


async def main():
    stop = asyncio.Event()
    task = asyncio.create_task(life(stop))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    stop.set()
    await task


asyncio.run(main())
