package sim

import "github.com/voltyard/voltyard/hal"

// display is the outlet as hal.Display.
type display Outlet

func (d *display) Show(s hal.Screen) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.screen = s
	return nil
}

func (d *display) Close() error { return nil }

// Screen is what a driver reads at the outlet now.
func (o *Outlet) Screen() hal.Screen {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.screen
}
