package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runEXI runs a subcommand of exi on the given standard input.
func runEXI(t *testing.T, stdin string, args ...string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	c := exiCommand()
	c.SetArgs(args)
	c.SetIn(strings.NewReader(stdin))
	c.SetOut(&b)
	c.SetErr(&b)
	err = c.Execute()
	return b.String(), err
}

func TestEXICheckStatus(t *testing.T) {
	golden := filepath.Join("..", "..", "protocols", "iso15118", "vectorcheck", "testdata", "golden.jsonl.gz")
	out, err := runEXI(t, "", "check", golden)
	if err != nil || !strings.HasSuffix(out, " passed, 0 failed\n") {
		t.Errorf("%q, %v", out, err)
	}
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	row := `{"protocol":"iso2","message":"SessionSetupReq","hex":"809802004080c1014181c211d01804080c1014ff"}` + "\n"
	if err := os.WriteFile(bad, []byte(row), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = runEXI(t, "", "check", bad)
	if err == nil || !strings.HasSuffix(out, "0 passed, 1 failed\n") || !strings.Contains(out, "SessionSetupReq") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestEXIDecodeFromStandardInput(t *testing.T) {
	out, err := runEXI(t, "01 FE 80 01 00 00 00 04\n80:40:00:40\n", "decode", "--format", "json", "-")
	if err != nil || !strings.Contains(out, "OK_SuccessfulNegotiation") {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := runEXI(t, "", "decode", "no digits"); err == nil {
		t.Error("nonsense was taken for hexadecimal digits")
	}
}
