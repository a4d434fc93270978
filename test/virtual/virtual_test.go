package virtual

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// Many timers of one bubble fire at once: with -race and two processors, this ended the process within a tenth of a second.
func TestTimersThatFireAtOnce(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Run("bubbles", func(t *testing.T) {
		for range 2 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for range 20 {
					Test(t, func(*testing.T) { timers() })
				}
			})
		}
	})
	if now := runtime.GOMAXPROCS(0); now != before {
		t.Errorf("%d processors are left of %d", now, before)
	}
}

func timers() {
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for j := range 20 {
				timer := time.NewTimer(time.Duration(j%3) * time.Millisecond)
				select {
				case <-timer.C:
				case <-time.After(time.Millisecond):
				}
				fired := make(chan struct{})
				time.AfterFunc(time.Duration(i%2)*time.Millisecond, func() { close(fired) })
				<-fired
			}
		})
	}
	wg.Wait()
}
