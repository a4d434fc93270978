package firmware

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/rs/zerolog"
)

// phase is where an update is between two processes.
type phase string

const (
	phaseNone  phase = ""
	phaseTrial phase = "trial" // activated, not proven
	phaseGood  phase = "good"  // proven
	phaseAway  phase = "away"  // to be taken back
	phaseBack  phase = "back"  // the old firmware runs again
)

// state is what one process leaves to the next one, beside the images.
type state struct {
	Phase  phase
	Image  string         // file name in the folder
	SHA256 string         // of it, hexadecimal
	Orders map[string]int // request by station
	Starts int            // since the activation
	From   string         // version that was replaced
	To     string         // version that was proven
	Why    string         // of the way back
}

// imageRule is how images are named in the folder.
var imageRule = regexp.MustCompile(`^image-[0-9a-f]{1,32}$`)

const stateFile = "update.json"

// load reads the state. One that cannot be read is none: an update that nobody knows of must not stop the controller.
func load(dir string) (state, error) {
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return state{}, nil
	}
	var s state
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err == nil && s.Image != "" && !imageRule.MatchString(s.Image) {
		err = fmt.Errorf("%q is no image", s.Image)
	}
	if err != nil {
		return state{}, fmt.Errorf("read the state of the firmware update: %w", err)
	}
	return s, nil
}

// save writes the state so that a power cut leaves the old one or the new one.
func (s *state) save(dir string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, stateFile+".new")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the state of the firmware update: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(temp, filepath.Join(dir, stateFile))
	}
	if err != nil {
		return fmt.Errorf("write the state of the firmware update: %w", err)
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// ErrRolledBack ends a process whose firmware was taken back: the service manager starts the old one.
var ErrRolledBack = errors.New("this firmware was not proven within the allowed number of starts; the installer has brought the old one back, which the next start runs")

// Begin counts the start of a process whose firmware is on trial, and takes it back when it has started too often without being
// proven. It is called before anything else that could end the process. An error other than ErrRolledBack is for the log.
func Begin(dir string, hook Hook, most int, log zerolog.Logger) error {
	s, err := load(dir)
	if err != nil || s.Phase != phaseTrial && s.Phase != phaseAway {
		return err
	}
	if s.Phase == phaseTrial {
		if s.Starts++; s.Starts <= most {
			log.Warn().Int("start", s.Starts).Int("of", most).Str("from", s.From).Msg("this firmware is on trial")
			return s.save(dir)
		}
		s.Phase, s.Why = phaseAway, fmt.Sprintf("it has started %d times without being proven", most)
		if err := s.save(dir); err != nil {
			return err
		}
	}
	failed := hook.run(log, "rollback", filepath.Join(dir, s.Image))
	s.Phase = phaseBack
	if failed != nil {
		s.Why += "; and the old firmware cannot be brought back: " + failed.Error()
	}
	if err := s.save(dir); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("the old firmware cannot be brought back; this one goes on: %w", failed)
	}
	return ErrRolledBack
}

// hookTime is how long a hook may take when the configuration says nothing.
const hookTime = 5 * time.Minute
