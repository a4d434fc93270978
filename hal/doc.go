// Package hal is the border between the controller and the hardware of its own EVSEs.
//
// It holds interfaces and plain types only. Drivers live beneath it (hal/sim, hal/linux, hal/modbus) and pass one
// conformance suite, hal/haltest. An actor holds a driver; nothing else may. Every output needs renewal: a board that is
// not set again within its watchdog interval opens its contactor by itself, so that no fault of the process above it can
// keep a vehicle energised.
package hal
