package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/storage/bolt"
)

// verifyCommand reads a whole database. It is a process of its own because the memory map of a damaged file can kill its
// reader.
func verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "verify-database FILE",
		Short:  "Read a whole database and report the first damage",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(_ *cobra.Command, args []string) error { return bolt.Verify(args[0]) },
	}
}

// verifyTime is how long the verification of a database may take.
const verifyTime = 2 * time.Minute

// openStore opens the database in a data directory. A damaged one is set aside and a new one begun; that is an alarm, but no
// reason to leave vehicles without energy. damaged says where the old one is, "" when there was no damage.
func openStore(ctx context.Context, dir string, log zerolog.Logger) (db *bolt.DB, damaged string, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, "", fmt.Errorf("data directory: %w", err)
	}
	path := filepath.Join(dir, "voltyard.db")
	switch err := verifyApart(ctx, path); {
	case errors.Is(err, bolt.ErrInUse): // opening says so
	case err != nil:
		if damaged, err = setAside(path, err, log); err != nil {
			return nil, "", err
		}
	}
	db, err = bolt.Open(path)
	return db, damaged, err
}

// verifyApart verifies a file in a child process.
func verifyApart(ctx context.Context, path string) error {
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || (err == nil && info.Size() == 0) {
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		return nil // this process cannot be started again; opening will tell
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "verify-database", path)
	out, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(string(out), bolt.ErrInUse.Error()) {
		return bolt.ErrInUse
	}
	if err != nil {
		return fmt.Errorf("%w: %.200s", err, out)
	}
	return nil
}

func setAside(path string, why error, log zerolog.Logger) (string, error) {
	to, err := bolt.SetAside(path, time.Now())
	if err != nil {
		return "", err
	}
	log.Error().Err(why).Str("kept", to).Msg("ALARM: the database is damaged; it is set aside and a new one is begun")
	return to, nil
}
