//go:build !race

package smart

const raceEnabled = false
