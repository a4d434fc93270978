package bolt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestApplyIsAllOrNothingAndScanIsOrdered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.db")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Apply([]Op{{"a", []byte("k2"), []byte("2")}, {"a", []byte("k1"), []byte("1")}, {"a", []byte("x"), []byte("9")}}); err != nil {
		t.Fatal(err)
	}
	if err := d.Apply([]Op{{"a", []byte("k3"), []byte("3")}, {"a", nil, []byte("an empty key is refused")}}); err == nil {
		t.Fatal("an empty key was taken")
	}
	got, err := d.Scan("a", []byte("k"))
	if err != nil || len(got) != 2 || string(got[0].Key) != "k1" || string(got[1].Value) != "2" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := d.Apply([]Op{{"a", []byte("k1"), nil}}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second opener got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Verify(path); err != nil {
		t.Error(err)
	}
	d, err = Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got, _ := d.Scan("a", nil); len(got) != 2 {
		t.Errorf("after opening again: %q", got)
	}
}

func TestDamagedFileIsFoundAndSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.db")
	if err := Verify(path); err != nil {
		t.Fatalf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if Verify(path) == nil {
		t.Fatal("rubbish passed as a database")
	}
	to, err := SetAside(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(to); err != nil {
		t.Error(err)
	}
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
}
