package hal

// Screen is everything that a display shows a driver at once.
type Screen struct {
	Messages []ScreenText // in turn, the first one first
	Cost     *ScreenCost  // of the charging that runs, or ran last; nil when it is not known
}

// ScreenText is a message for drivers.
type ScreenText struct {
	Text     string
	Language string // RFC 5646, "" when it was not told
}

// ScreenCost is what charging costs.
type ScreenCost struct {
	Total    float64
	Currency string // ISO 4217
	Final    bool   // it has ended; else so far
}

// Display is where the drivers at an outlet read.
type Display interface {
	// Show replaces what is shown. It must not block longer than a bus transaction.
	Show(Screen) error
	Close() error
}
