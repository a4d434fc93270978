// Package tlsbench measures the TLS between vehicles and EVSEs: how many handshakes a second, what each costs, and whether those
// who charge notice when many vehicles connect at once.
//
// Three processes share the machine. The server under test is the product's TLS and its SECC machine, one goroutine a vehicle.
// The charging vehicles send ChargingStatusReq in their cadence and measure from the last byte of a request to the last byte of
// its response. The arriving vehicles, whose processors are not in the charge point in reality, run at a low priority. They
// connect at once, again and again; only requests that were sent while handshakes were under way count for loop_p99_ms.
package tlsbench
