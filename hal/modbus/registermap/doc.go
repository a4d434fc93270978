// Package registermap reads meters that are described by a file: which register holds which value, and how. A new meter is a
// YAML file. Those of common meters are built in; a site may bring its own.
//
//	title: Eastron SDM630
//	function: 4              # 3 holding registers, 4 input registers
//	type: float32            # of the registers that say nothing else
//	word_order: big          # big: the high word first; little: the low word first
//	values:
//	  current_l1: {at: 0x06}                     # A
//	  power: {at: 0x34}                          # W, positive is import
//	  import: {at: 0x48, scale: 1000}            # Wh; this meter counts in kWh
//
// Values: current_l1 to current_l3 in A, voltage_l1 to voltage_l3 phase to neutral in V, power_l1 to power_l3 and power in W,
// import and export in Wh. Types: u16, s16, u32, s32, u64, s64, float32, float64. Currents and either power or the powers
// of the phases are needed, the rest is welcome. A current takes its sign from the power of its phase, since most meters
// give currents without one.
package registermap
