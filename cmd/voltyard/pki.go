package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltyard/voltyard/actors/kit/password"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
)

func pkiCommand() *cobra.Command {
	c := &cobra.Command{Use: "pki", Short: "Certificates for tests, and hashes of passwords"}
	var controller string
	var stations []string
	create := &cobra.Command{
		Use:   "init DIR",
		Short: "Make a complete test PKI: ISO 15118-2, ISO 15118-20 and OCPP",
		Long: "Make every certificate that a test needs, with private keys, chains and OCSP responses, in a new or empty folder:\n" +
			"V2G, mobility operator and manufacturer roots with their sub-CAs, the charge point's, the contract's, the vehicle's and the\n" +
			"provisioning service's certificates, and those of CSMS, controller and stations. A README there says what is what.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := pkiInit(args[0], time.Now(), controller, stations)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%d files in %s; read %s\n", n, args[0], filepath.Join(args[0], "README.md"))
			return nil
		},
	}
	create.Flags().StringVar(&controller, "controller", "voltyard", "identity of the controller towards the CSMS")
	create.Flags().StringSliceVar(&stations, "station", []string{"CS001"}, "identity of a station; may be repeated")
	hash := &cobra.Command{
		Use:   "password",
		Short: "Read a station's password from standard input and print its salted hash, for password_file",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			line, err := bufio.NewReader(io.LimitReader(c.InOrStdin(), 1024)).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("pki password: %w", err)
			}
			h, err := password.Hash(strings.TrimRight(line, "\r\n"))
			if err != nil {
				return fmt.Errorf("pki password: %w", err)
			}
			fmt.Fprintln(c.OutOrStdout(), h)
			return nil
		},
	}
	c.AddCommand(create, hash)
	return c
}

// stationName is what an identity may look like: it becomes part of a file's name (and OCPP allows no more).
var stationName = regexp.MustCompile(`^[A-Za-z0-9*_=:+|@.-]{1,48}$`)

// pkiInit writes the PKI beside its place and moves it there whole, so that a failure leaves nothing half.
func pkiInit(dir string, now time.Time, controller string, stations []string) (int, error) {
	for _, id := range append([]string{controller}, stations...) {
		if !stationName.MatchString(id) {
			return 0, fmt.Errorf("pki init: %q is no identity, which is 1 to 48 letters, digits or *_=:+|@.-", id)
		}
	}
	switch entries, err := os.ReadDir(dir); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return 0, fmt.Errorf("pki init: %w", err)
	case len(entries) > 0:
		return 0, fmt.Errorf("pki init: %s is not empty; nothing was changed: name a new folder, or remove this one first", dir)
	}
	files, err := testpki.Files(now, controller, stations)
	if err != nil {
		return 0, fmt.Errorf("pki init: %w", err)
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return 0, fmt.Errorf("pki init: %w", err)
	}
	temp, err := os.MkdirTemp(parent, ".pki-")
	if err != nil {
		return 0, fmt.Errorf("pki init: %w", err)
	}
	defer os.RemoveAll(temp)
	for _, f := range files {
		path := filepath.Join(temp, filepath.FromSlash(f.Path))
		mode := os.FileMode(0o644)
		if f.Secret {
			mode = 0o600
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return 0, fmt.Errorf("pki init: %w", err)
		}
		if err := os.WriteFile(path, f.Data, mode); err != nil {
			return 0, fmt.Errorf("pki init: %w", err)
		}
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return 0, fmt.Errorf("pki init: %w", err)
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) { // the empty folder; one with files stays
		return 0, fmt.Errorf("pki init: %w", err)
	}
	if err := os.Rename(temp, dir); err != nil {
		return 0, fmt.Errorf("pki init: move the finished folder to its place: %w", err)
	}
	return len(files), nil
}
