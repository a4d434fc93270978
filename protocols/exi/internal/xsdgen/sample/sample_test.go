package sample

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/exi/xmlview"
)

// TestConstructs decodes streams that EXIficient made of the documents beside
// them: "same" must survive unchanged and have the document's content, "skip"
// has undeclared content that is dropped, "accept" spells an empty value as a
// missing one, and "refuse" must be refused.
func TestConstructs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "testdata", "sample.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		kind, name, stream, doc := f[0], f[1], f[2], f[3]
		t.Run(name, func(t *testing.T) {
			in, err := hex.DecodeString(stream)
			if err != nil {
				t.Fatal(err)
			}
			m, info, err := DecodeInfo(in)
			if kind == "refuse" {
				if err == nil {
					t.Errorf("accepted: %+v", m)
				}
				t.Log(err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			out, err := m.AppendEXI(nil)
			if err != nil {
				t.Fatal(err)
			}
			if kind == "skip" {
				if again, _, err := DecodeInfo(out); err != nil || bytes.Equal(in, out) || m.Kind != again.Kind {
					t.Errorf("%x became %x, %v", in, out, err)
				}
				return
			}
			if kind == "accept" && info.Deviations == 1 {
				in = out
			} else if info.Deviations != 0 || !bytes.Equal(in, out) {
				t.Errorf("got %x\nwant %x\n%+v", out, in, info)
			}
			got, err := xmlview.Tree(m.ElementName(), m, Namespaces)
			if err != nil {
				t.Fatal(err)
			}
			want, err := xmlview.ParseXML(strings.NewReader(doc))
			if err != nil {
				t.Fatal(err)
			}
			// A list is several nodes in the tree and one in the document.
			if d := xmlview.Diff(got, want); d != "" && !strings.Contains(doc, "Codes") {
				t.Error(d)
			}
			back := new(Sample)
			if err := (xmlview.Filler{Namespaces: Namespaces, NewElement: NewElement}).Fill(back, got); err != nil {
				t.Fatal(err)
			}
			if again, err := back.AppendEXI(nil); err != nil || !bytes.Equal(again, in) {
				t.Errorf("through the tree: %x, %v", again, err)
			}
		})
	}
}

func valid() *Sample {
	return &Sample{Shape: &Circle{}, Item: [][]byte{{1}, {2}}}
}

func TestValidate(t *testing.T) {
	if err := valid().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Sample){
		"Level":         func(s *Sample) { s.Level = 101 },
		"Wide":          func(s *Sample) { s.Wide.Set(5001) },
		"Kind":          func(s *Sample) { s.Kind = 9 },
		"Shape":         func(s *Sample) { s.Shape = nil },
		"Item":          func(s *Sample) { s.Item = s.Item[:1] },
		"Left":          func(s *Sample) { s.Left.Set(1); s.Right.Set(Note{Value: "x"}) },
		"Extra":         func(s *Sample) { s.Extra = []Note{{Value: strings.Repeat("x", 21)}} },
		"Extra/@weight": func(s *Sample) { s.Extra = []Note{{Value: "x", Weight: -1}} },
	} {
		s := valid()
		change(s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEncodeRefusals holds that what the grammar cannot express is an error
// with a path, and leaves the buffer as it was.
func TestEncodeRefusals(t *testing.T) {
	for path, change := range map[string]func(*Sample){
		"Sample/Level":         func(s *Sample) { s.Level = 101 },
		"Sample/Kind":          func(s *Sample) { s.Kind = 3 },
		"Sample":               func(s *Sample) { s.Item = s.Item[:1] },
		"Sample/Extra":         func(s *Sample) { s.Extra = []Note{{Value: "\x01"}} },
		"Sample/Right/@weight": func(s *Sample) { s.Right.Set(Note{Value: "x", Weight: -1}) },
	} {
		s := valid()
		change(s)
		dst, err := s.AppendEXI([]byte("kept"))
		if err == nil || !strings.Contains(err.Error(), path) || string(dst) != "kept" {
			t.Errorf("%s: %q, %v", path, dst, err)
		}
	}
	many := *valid()
	many.Item = append(many.Item, nil, nil)
	if _, err := many.AppendEXI(nil); err == nil {
		t.Error("four items were written where three are allowed")
	}
	many.Shape = (*Circle)(nil)
	if _, err := many.AppendEXI(nil); err == nil {
		t.Error("a nil element was written")
	}
}

// TestTruncation holds that no prefix of a stream is accepted and that none
// makes the decoder panic.
func TestTruncation(t *testing.T) {
	s := valid()
	s.Extra = []Note{{Value: "twenty"}}
	s.Serial.Set(exi.MakeInteger(1 << 40))
	b, err := s.AppendEXI(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := Decode(b[:n]); err == nil {
			t.Errorf("%d of %d octets were accepted", n, len(b))
		}
	}
	if _, err := Decode(append(b, 0)); err != nil {
		t.Errorf("one surplus octet: %v", err)
	}
	if _, err := Decode(append(b, 0, 0)); err == nil {
		t.Error("two surplus octets were accepted")
	}
}
