package firmware

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// Hook is the installer: a program with arguments, to which a verb and the path of the image are added. No shell is between.
//
//	install   check the image and put it in its place, so that activate can take it; exit code 2: the image is wrong
//	activate  have the next start of the service run the new firmware
//	confirm   the new firmware is good: keep it
//	rollback  have the next start of the service run the old firmware again
//
// Each has to end with 0 when it is done, and may be called again after a power cut.
type Hook struct {
	Command []string
	Time    time.Duration // for each call; 0 for 5 minutes
}

// badImage is the exit code of an installer that found the image wrong.
const badImage = 2

// errBad is the installer's verdict about an image.
var errBad = errors.New("the installer finds the image wrong")

func (h Hook) run(log zerolog.Logger, verb, path string) error {
	limit := h.Time
	if limit <= 0 {
		limit = hookTime
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	args := append(append([]string(nil), h.Command[1:]...), verb, path)
	c := exec.CommandContext(ctx, h.Command[0], args...)
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) } // with its children
	c.WaitDelay = 5 * time.Second
	said := &tail{most: 64 << 10}
	c.Stdout, c.Stderr = said, said
	log.Info().Str("verb", verb).Str("image", path).Msg("the installer is called")
	err := c.Run()
	for line := range bytes.Lines(said.kept) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			log.Info().Str("verb", verb).Msg("installer: " + string(line))
		}
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s %s: not done within %v", h.Command[0], verb, limit)
	case verb == "install" && errors.As(err, &exit) && exit.ExitCode() == badImage:
		return fmt.Errorf("%s %s: %w", h.Command[0], verb, errBad)
	}
	return fmt.Errorf("%s %s: %w", h.Command[0], verb, err)
}

// tail keeps the end of what is written.
type tail struct {
	most int
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - t.most; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}
