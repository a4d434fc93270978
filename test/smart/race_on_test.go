//go:build race

package smart

const raceEnabled = true
