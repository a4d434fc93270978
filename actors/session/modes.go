package session

import (
	"github.com/voltyard/voltyard/hal"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// moduleMode is what the machine's word means to the hardware.
func moduleMode(m secc.DCMode) hal.ModuleMode {
	switch m {
	case secc.DCCableCheck:
		return hal.ModuleCableCheck
	case secc.DCPreCharge:
		return hal.ModulePreCharge
	case secc.DCCharge:
		return hal.ModuleCharge
	}
	return hal.ModuleOff
}
