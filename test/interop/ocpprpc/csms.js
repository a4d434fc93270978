// A CSMS on ocpp-rpc in strict mode: every frame of a station is checked against the schemas by an independent library.
// It prints one JSON object a line: {"listening":port}, {"station":id}, {"got":action}, {"answer":action} or {"fault":text}.
const { RPCServer } = require('ocpp-rpc');
const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');

const server = new RPCServer({ protocols: ['ocpp2.0.1'], strictMode: true, callTimeoutMs: 10000 });
server.auth((accept) => accept({}, 'ocpp2.0.1'));

const requests = [
  ['GetVariables', { getVariableData: [{ component: { name: 'OCPPCommCtrlr' }, variable: { name: 'HeartbeatInterval' } }, { component: { name: 'Nope' }, variable: { name: 'Nope' } }] }],
  ['SetVariables', { setVariableData: [{ component: { name: 'AlignedDataCtrlr' }, variable: { name: 'Interval' }, attributeValue: '900' }] }],
  ['GetBaseReport', { requestId: 1, reportBase: 'FullInventory' }],
  ['GetReport', { requestId: 2, componentCriteria: ['Available'] }],
  ['SetChargingProfile', { evseId: 1, chargingProfile: { id: 5, stackLevel: 0, chargingProfilePurpose: 'TxDefaultProfile', chargingProfileKind: 'Absolute',
    chargingSchedule: [{ id: 1, startSchedule: new Date().toISOString(), chargingRateUnit: 'A', chargingSchedulePeriod: [{ startPeriod: 0, limit: 10 }] }] } }],
  ['GetChargingProfiles', { requestId: 3, chargingProfile: { chargingProfilePurpose: 'TxDefaultProfile' } }],
  ['GetCompositeSchedule', { duration: 600, evseId: 1 }],
  ['GetCompositeSchedule', { duration: 600, evseId: 0, chargingRateUnit: 'W' }],
  ['ClearChargingProfile', { chargingProfileId: 5 }],
  ['SendLocalList', { versionNumber: 1, updateType: 'Full', localAuthorizationList: [{ idToken: { idToken: 'A1', type: 'ISO14443' }, idTokenInfo: { status: 'Accepted' } }] }],
  ['GetLocalListVersion', {}],
  ['ClearCache', {}],
  ['GetTransactionStatus', {}],
  ['TriggerMessage', { requestedMessage: 'Heartbeat' }],
  ['TriggerMessage', { requestedMessage: 'StatusNotification', evse: { id: 1, connectorId: 1 } }],
  ['TriggerMessage', { requestedMessage: 'MeterValues', evse: { id: 1 } }],
  ['DataTransfer', { vendorId: 'x' }],
  ['ReserveNow', { id: 1, expiryDateTime: new Date(Date.now() + 60000).toISOString(), idToken: { idToken: 'A1', type: 'ISO14443' }, evseId: 1 }],
  ['CancelReservation', { reservationId: 1 }],
  ['UnlockConnector', { evseId: 7, connectorId: 1 }],
  ['ChangeAvailability', { operationalStatus: 'Operative' }],
  ['CostUpdated', { totalCost: 1.5, transactionId: 'x' }],
  ['RequestStopTransaction', { transactionId: 'none' }],
  ['GetLog', { requestId: 4, logType: 'SecurityLog', log: { remoteLocation: 'https://127.0.0.1/' } }],
  ['GetDisplayMessages', { requestId: 5 }],
  ['GetInstalledCertificateIds', {}],
  ['SetNetworkProfile', { configurationSlot: 1, connectionData: { ocppVersion: 'OCPP20', ocppTransport: 'JSON', ocppCsmsUrl: 'wss://x', messageTimeout: 30, securityProfile: 1, ocppInterface: 'Wired0' } }],
];

server.on('client', (client) => {
  say({ station: client.identity });
  client.on('strictValidationFailure', (e) => say({ fault: `${client.identity}: ${e.error}`, action: e.method, payload: e.params || e.result }));
  client.on('badMessage', (e) => say({ fault: `${client.identity}: bad message ${e.buffer}: ${e.error}` }));
  client.handle(({ method }) => {
    say({ got: method, station: client.identity });
    switch (method) {
      case 'BootNotification': return { currentTime: new Date().toISOString(), interval: 300, status: 'Accepted' };
      case 'Heartbeat': return { currentTime: new Date().toISOString() };
      case 'Authorize': return { idTokenInfo: { status: 'Accepted' } };
      default: return {};
    }
  });
  setTimeout(async () => {
    for (const [method, params] of requests) {
      try {
        await client.call(method, params);
        say({ answer: method, station: client.identity });
      } catch (e) {
        const known = ['NotSupported', 'NotImplemented'].includes(e.rpcErrorCode);
        say({ [known ? 'refused' : 'fault']: `${client.identity}: ${method}: ${e.rpcErrorCode || e.name}: ${e.message}` });
      }
    }
    say({ done: client.identity });
  }, 1500);
});
server.listen(0, '127.0.0.1').then((s) => say({ listening: s.address().port }));
