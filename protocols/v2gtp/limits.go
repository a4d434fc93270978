package v2gtp

import "fmt"

// MaxEXI is the longest EXI payload that is accepted, in octets. The longest messages, certificate installations with
// several chains, stay well under it.
const MaxEXI = 64 << 10

// maxWireless is the longest wireless discovery payload that is accepted, in octets.
const maxWireless = 512

// Limits returns the shortest and the longest payload of the type, in octets, and whether the type is known.
func (t PayloadType) Limits() (shortest, longest uint32, known bool) {
	switch t {
	case EXI, Common, AC, DC, ACDP, WPT, ScheduleRenegotiation, MeteringConfirmation, ACDPSystemStatus, ParkingStatus:
		return 2, MaxEXI, true
	case SDPRequest:
		return requestLen, requestLen, true
	case SDPResponse:
		return responseLen, responseLen, true
	case SDPWirelessRequest:
		return requestLen, maxWireless, true
	case SDPWirelessResponse:
		return responseLen, maxWireless, true
	}
	return 0, 0, false
}

// Check returns an error when the type is unknown or the length is outside its limits, so that a reader can refuse a
// message before it reserves memory for it.
func (h Header) Check() error {
	lo, hi, known := h.Type.Limits()
	switch {
	case !known:
		return fmt.Errorf("V2GTP payload type %#04x is unknown", uint16(h.Type))
	case h.Length < lo || h.Length > hi:
		return fmt.Errorf("V2GTP payload of %d octets; type %#04x has %d to %d", h.Length, uint16(h.Type), lo, hi)
	}
	return nil
}
