// Package exitool is what the subcommands of "voltyard exi" do, on readers and
// writers. Only the command line calls it.
package exitool

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/exi/xmlview"
	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
	"github.com/voltyard/voltyard/protocols/iso15118/vectorcheck"
	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// Protocols lists the short names of the schema sets.
func Protocols() []string {
	var out []string
	for _, s := range schemasets.All {
		out = append(out, s.Name)
	}
	return out
}

func set(name string) (*schemasets.Set, error) {
	s := schemasets.ByName(name)
	if s == nil {
		return nil, fmt.Errorf("no protocol %q; there are %s", name, strings.Join(Protocols(), ", "))
	}
	return s, nil
}

// DecodeOptions controls Decode.
type DecodeOptions struct {
	Protocol string // short name of a schema set; empty to recognise it
	Format   string // "xml" or "json"
	Fragment bool
}

// Decode writes a message, with or without V2GTP header, as XML or JSON to out.
// What is unusual about the stream goes to notes.
func Decode(out, notes io.Writer, b []byte, o DecodeOptions) error {
	if o.Format != "xml" && o.Format != "json" {
		return fmt.Errorf("no format %q; there are xml and json", o.Format)
	}
	payload := uint16(0)
	if t, body, err := v2gtp.Parse(b); err == nil {
		if line, ok := discovery(t, b); ok {
			_, err := fmt.Fprintln(out, line)
			return err
		}
		payload, b = uint16(t), body
	}
	n, err := decodeTree(notes, b, payload, o)
	if err != nil {
		return err
	}
	if o.Format == "json" {
		_, err = out.Write(n.JSON())
	} else {
		_, err = out.Write(n.XML())
	}
	return err
}

func decodeTree(notes io.Writer, b []byte, payload uint16, o DecodeOptions) (*xmlview.Node, error) {
	if o.Fragment {
		return fragmentTree(notes, b, o.Protocol)
	}
	d := schemasets.Detected{}
	var err error
	if o.Protocol == "" {
		if d, err = schemasets.Detect(payload, b); err != nil {
			return nil, err
		}
		fmt.Fprintf(notes, "protocol: %s\n", d.Set.Name)
		if payload == 0 {
			for _, s := range d.Others {
				fmt.Fprintf(notes, "note: %s fits as well; name it with --protocol\n", s.Name)
			}
		}
	} else {
		if d.Set, err = set(o.Protocol); err != nil {
			return nil, err
		}
		if d.Set.Decode == nil {
			return nil, fmt.Errorf("%s has fragments only; use --fragment", d.Set.Name)
		}
		if d.Message, d.Info, err = d.Set.Decode(b); err != nil {
			return nil, err
		}
	}
	note(notes, d.Info)
	if err := d.Message.Validate(); err != nil {
		fmt.Fprintf(notes, "note: not valid: %v\n", err)
	}
	return d.Set.Tree(d.Message.ElementName(), d.Message)
}

func fragmentTree(notes io.Writer, b []byte, protocol string) (*xmlview.Node, error) {
	var s *schemasets.Set
	var f schemasets.Fragment
	var err error
	if protocol == "" {
		if s, f, err = schemasets.DetectFragment(b); err != nil {
			return nil, err
		}
		fmt.Fprintf(notes, "protocol: %s\n", s.Name)
	} else {
		if s, err = set(strings.TrimSuffix(protocol, "-fragment")); err != nil {
			return nil, err
		}
		if f, err = s.DecodeFragment(b); err != nil {
			return nil, err
		}
	}
	return s.Tree(f.Name, f.Value)
}

func note(w io.Writer, info exi.Info) {
	if info.Deviations > 0 {
		fmt.Fprintf(w, "note: %d undeclared items skipped\n", info.Deviations)
	}
	if info.Hits > 0 {
		fmt.Fprintf(w, "note: %d string table hits, which the profile does not use\n", info.Hits)
	}
	if info.TrailingBytes > 0 {
		fmt.Fprintf(w, "note: %d surplus byte at the end\n", info.TrailingBytes)
	}
}

// EncodeOptions controls Encode.
type EncodeOptions struct {
	Protocol string
	Fragment bool
	V2GTP    bool // put a header in front
}

// Encode reads a message as XML or JSON and writes its EXI form in hexadecimal.
func Encode(out io.Writer, in io.Reader, o EncodeOptions) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var n *xmlview.Node
	if t := bytes.TrimSpace(text); len(t) > 0 && t[0] == '{' {
		n, err = xmlview.ParseJSON(bytes.NewReader(t))
	} else {
		n, err = xmlview.ParseXML(bytes.NewReader(text))
	}
	if err != nil {
		return err
	}
	s, err := encodeSet(n, o)
	if err != nil {
		return err
	}
	b, err := encodeTree(s, n, o.Fragment)
	if err != nil {
		return err
	}
	if o.V2GTP {
		if s.PayloadType == 0 || o.Fragment {
			return fmt.Errorf("%s does not travel under a V2GTP header of its own", s.Name)
		}
		b = append(v2gtp.AppendHeader(nil, v2gtp.PayloadType(s.PayloadType), len(b)), b...)
	}
	_, err = fmt.Fprintln(out, hex.EncodeToString(b))
	return err
}

// encodeSet finds the schema set by name or by the root's namespace.
func encodeSet(n *xmlview.Node, o EncodeOptions) (*schemasets.Set, error) {
	if o.Protocol != "" {
		return set(o.Protocol)
	}
	for _, s := range schemasets.All {
		if _, ok := s.Schema.Globals[n.Name]; !ok {
			continue
		}
		if o.Fragment {
			if _, ok := s.NewFragment(n.Name.Local); ok {
				return s, nil
			}
		} else if s.New != nil && s.New(n.Name.Local) != nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("cannot tell the protocol of %s; name it with --protocol", n.Name)
}

func encodeTree(s *schemasets.Set, n *xmlview.Node, fragment bool) ([]byte, error) {
	if fragment {
		f, ok := s.NewFragment(n.Name.Local)
		if !ok {
			return nil, fmt.Errorf("%s has no fragment form of %s", s.Name, n.Name.Local)
		}
		if err := fill(s, f.Name, f.Value, n); err != nil {
			return nil, err
		}
		return f.AppendEXI(nil)
	}
	if s.New == nil {
		return nil, fmt.Errorf("%s has fragments only; use --fragment", s.Name)
	}
	m := s.New(n.Name.Local)
	if m == nil {
		return nil, fmt.Errorf("%s has no document %s", s.Name, n.Name.Local)
	}
	if err := fill(s, m.ElementName(), m, n); err != nil {
		return nil, err
	}
	return m.AppendEXI(nil)
}

// fill stores a tree in a message and refuses a tree that lacks what the
// message requires.
func fill(s *schemasets.Set, name exi.QName, v exi.Value, n *xmlview.Node) error {
	if err := s.Fill(v, n); err != nil {
		return err
	}
	full, err := s.Tree(name, v)
	if err != nil {
		return err
	}
	if absent := n.Absent(full); absent != "" {
		return fmt.Errorf("%s is missing", absent)
	}
	return nil
}

// Check runs a vector file and writes its failures.
func Check(out io.Writer, in io.Reader, name string) (passed, failed int, err error) {
	return vectorcheck.File(in, func(f vectorcheck.Failure) { fmt.Fprintf(out, "%s: %s\n", name, f) })
}

// discovery describes a discovery message in one line.
func discovery(t v2gtp.PayloadType, b []byte) (string, bool) {
	switch t {
	case v2gtp.SDPRequest:
		if r, err := v2gtp.ParseRequest(b); err == nil {
			return fmt.Sprintf("SDPReq security=%#02x transport=%#02x", r.Security, r.Transport), true
		}
	case v2gtp.SDPResponse:
		if r, err := v2gtp.ParseResponse(b); err == nil {
			return fmt.Sprintf("SDPRes secc=%s security=%#02x transport=%#02x", r.Addr, r.Security, r.Transport), true
		}
	}
	return "", false
}
