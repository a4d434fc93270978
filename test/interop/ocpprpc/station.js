// A station on ocpp-rpc in strict mode: node station.js URL IDENTITY PASSWORD. It boots, runs one transaction, and prints one
// JSON object a line; {"done":true} at the end.
const { RPCClient } = require('ocpp-rpc');
const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');
const [endpoint, identity, password] = process.argv.slice(2);
const client = new RPCClient({ endpoint, identity, password, protocols: ['ocpp2.0.1'], strictMode: true, reconnect: false });
client.on('strictValidationFailure', (e) => say({ fault: String(e.error), action: e.method }));
client.on('badMessage', (e) => say({ fault: `bad message ${e.buffer}` }));
client.handle(({ method, params }) => {
  say({ got: method });
  if (method === 'GetVariables') {
    return { getVariableResult: params.getVariableData.map((d) => ({ ...d, attributeStatus: 'Accepted', attributeValue: '9' })) };
  }
  return { status: 'Accepted' };
});
const event = (eventType, seqNo, triggerReason, chargingState) => client.call('TransactionEvent', {
  eventType, seqNo, triggerReason, timestamp: new Date().toISOString(), evse: { id: 1, connectorId: 1 },
  transactionInfo: { transactionId: 'TX-1', chargingState },
  meterValue: [{ timestamp: new Date().toISOString(), sampledValue: [{ value: 1000 + seqNo }, { value: 10, measurand: 'Current.Import', phase: 'L1' }] }] });
(async () => {
  await client.connect();
  await client.call('BootNotification', { reason: 'PowerUp', chargingStation: { model: 'js', vendorName: 'interop' } });
  await client.call('StatusNotification', { timestamp: new Date().toISOString(), connectorStatus: 'Occupied', evseId: 1, connectorId: 1 });
  await client.call('Authorize', { idToken: { idToken: 'A1', type: 'ISO14443' } });
  await event('Started', 0, 'Authorized', 'EVConnected');
  await event('Updated', 1, 'ChargingStateChanged', 'Charging');
  await new Promise((r) => setTimeout(r, 1000));
  await event('Ended', 2, 'StopAuthorized', 'EVConnected');
  await client.close();
  say({ done: true });
})().catch((e) => { say({ fault: String(e) }); process.exit(1); });
