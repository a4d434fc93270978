// Package ocpprpc lets an independent OCPP library, ocpp-rpc for Node.js in strict mode, be the CSMS above the local
// controller and a station below it. It needs node, npm, and the library: npm install in this folder gets it.
package ocpprpc
