// Package vectorcheck compares the codecs with files of known EXI streams: each
// row is decoded, encoded again and compared byte by byte, and its content is
// compared with the row's XML. The command line and the tests call it.
package vectorcheck

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"strings"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/exi/xmlview"
	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
)

// Row is one line of a vector file. Unknown fields are ignored.
type Row struct {
	Protocol    string `json:"protocol"`
	Message     string `json:"message"`
	Hex         string `json:"hex"`
	Fragment    bool   `json:"fragment"`
	FragmentHex string `json:"fragment_hex"`
	XML         string `json:"xml"`
	SHA256      string `json:"sha256"`
	WhyBad      string `json:"why_bad"`
	Check       struct {
		Canonical string `json:"exificient_canonical_hex"`
	} `json:"check"`

	// Fields of recordings of signed messages.
	Namespace string `json:"namespace"`
	Root      string `json:"root"`
	Kind      string `json:"kind"`
}

// Failure tells which row failed and how.
type Failure struct {
	Line     int
	Protocol string
	Message  string
	Reason   string
}

// String returns one line of text.
func (f Failure) String() string {
	return fmt.Sprintf("line %d: %s %s: %s", f.Line, f.Protocol, f.Message, f.Reason)
}

// File checks all rows of a vector file, plain or compressed with gzip, one JSON
// object a line. It calls report for each failure and returns the counts.
func File(r io.Reader, report func(Failure)) (passed, failed int, err error) {
	br := bufio.NewReader(r)
	if magic, _ := br.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return 0, 0, err
		}
		br = bufio.NewReader(z)
	}
	for line := 1; ; line++ {
		text, readErr := br.ReadBytes('\n')
		if text = bytes.TrimSpace(text); len(text) > 0 {
			var row Row
			if err := json.Unmarshal(text, &row); err != nil {
				return passed, failed, fmt.Errorf("line %d: %w", line, err)
			}
			row.normalise()
			if err := row.check(); err != nil {
				failed++
				report(Failure{line, row.Protocol, row.Message, err.Error()})
			} else {
				passed++
			}
		}
		if readErr == io.EOF {
			return passed, failed, nil
		}
		if readErr != nil {
			return passed, failed, readErr
		}
	}
}

// normalise brings the forms of different recorders to one.
func (r *Row) normalise() {
	switch r.Namespace {
	case "Namespace.ISO_V2_MSG_DEF":
		r.Protocol = "iso2"
	case "Namespace.XML_DSIG":
		r.Protocol = "xmldsig"
	case "Namespace.ISO_V20_COMMON_MSG":
		r.Protocol = "iso20-common"
	}
	if r.Message == "" {
		r.Message = r.Root
	}
	if r.Kind == "fragment" {
		r.Fragment = true
	}
	if p, ok := strings.CutSuffix(r.Protocol, "-fragment"); ok {
		r.Protocol, r.Fragment = p, true
	}
}

// check returns what is wrong with the row, or nil.
func (r *Row) check() error {
	in, err := hex.DecodeString(r.Hex)
	if err != nil {
		return err
	}
	if r.Protocol == "sdp" {
		return checkSDP(r.Message, in)
	}
	set := schemasets.ByName(r.Protocol)
	if set == nil {
		return fmt.Errorf("unknown protocol %q", r.Protocol)
	}
	if r.WhyBad != "" {
		return r.checkBad(set, in)
	}
	if r.Fragment {
		return r.checkFragment(set, in, r.XML)
	}
	if err := r.checkDocument(set, in); err != nil {
		return err
	}
	if r.FragmentHex == "" {
		return nil
	}
	frag, err := hex.DecodeString(r.FragmentHex)
	if err != nil {
		return err
	}
	if err := r.checkFragment(set, frag, ""); err != nil {
		return fmt.Errorf("fragment form: %w", err)
	}
	return nil
}

func (r *Row) checkDocument(set *schemasets.Set, in []byte) error {
	if set.Decode == nil {
		return fmt.Errorf("%s has no documents", set.Name)
	}
	m, _, err := set.Decode(in)
	if err != nil {
		return err
	}
	out, err := m.AppendEXI(nil)
	if err != nil {
		return err
	}
	want := in
	if r.Check.Canonical != "" {
		if want, err = hex.DecodeString(r.Check.Canonical); err != nil {
			return err
		}
	}
	if err := same(out, want); err != nil {
		return err
	}
	return r.compareXML(set, m.ElementName(), m, r.XML)
}

func (r *Row) checkFragment(set *schemasets.Set, in []byte, text string) error {
	f, err := set.DecodeFragment(in)
	if err != nil {
		return err
	}
	out, err := f.AppendEXI(nil)
	if err != nil {
		return err
	}
	if err := same(out, in); err != nil {
		return err
	}
	if r.SHA256 != "" {
		if sum := sha256.Sum256(out); hex.EncodeToString(sum[:]) != r.SHA256 {
			return fmt.Errorf("digest %x, not %s", sum, r.SHA256)
		}
	}
	return r.compareXML(set, f.Name, f.Value, text)
}

func (r *Row) compareXML(set *schemasets.Set, name exi.QName, v exi.Value, text string) error {
	if text == "" {
		return nil
	}
	want, err := xmlview.ParseXML(strings.NewReader(text))
	if err != nil {
		return err
	}
	got, err := set.Tree(name, v)
	if err != nil {
		return err
	}
	if d := xmlview.Diff(got, want); d != "" {
		return fmt.Errorf("content: %s", d)
	}
	return nil
}

// checkBad passes when a defective stream is refused or does not survive.
func (r *Row) checkBad(set *schemasets.Set, in []byte) error {
	out, err := again(set, in, r.Fragment)
	if err == nil && bytes.Equal(out, in) {
		return fmt.Errorf("accepted although defective: %s", r.WhyBad)
	}
	return nil
}

// again decodes a stream and encodes the outcome.
func again(set *schemasets.Set, in []byte, fragment bool) ([]byte, error) {
	if fragment {
		f, err := set.DecodeFragment(in)
		if err != nil {
			return nil, err
		}
		return f.AppendEXI(nil)
	}
	m, _, err := set.Decode(in)
	if err != nil {
		return nil, err
	}
	return m.AppendEXI(nil)
}

// same compares streams and names the first bit that differs.
func same(got, want []byte) error {
	for i := range min(len(got), len(want)) {
		if x := got[i] ^ want[i]; x != 0 {
			return fmt.Errorf("first difference at bit %d: got %x, want %x", i*8+bits.LeadingZeros8(x), got, want)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("first difference at bit %d: got %d bytes, want %d", min(len(got), len(want))*8, len(got), len(want))
	}
	return nil
}
