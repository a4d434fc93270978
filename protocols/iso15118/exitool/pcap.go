package exitool

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/voltyard/voltyard/protocols/capture"
	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/exi/xmlview"
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/schemasets"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// Pcap lists the V2G messages of a capture, one a line, with format "xml" or
// "json" also their content. The last line has the counts.
func Pcap(out io.Writer, in, keylog io.Reader, format string) error {
	if format != "" && format != "xml" && format != "json" {
		return fmt.Errorf("no format %q; there are xml and json", format)
	}
	messages, notes, err := capture.Messages(in, keylog)
	if err != nil {
		return err
	}
	bad := 0
	for _, m := range messages {
		name, tree, err := describe(m)
		if err != nil {
			bad++
		}
		mark := ' '
		if m.Encrypted {
			mark = 'T'
		}
		fmt.Fprintf(out, "%6d %s %c %s > %s %04x %s\n", m.Frame, m.Time.Format("15:04:05.000000"), mark, m.Src, m.Dst, uint16(m.Type), name)
		if tree == nil {
			continue
		}
		switch format {
		case "xml":
			_, err = out.Write(tree.XML())
		case "json":
			_, err = out.Write(tree.JSON())
		default:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	for _, n := range notes {
		fmt.Fprintf(out, "note: %s > %s: %s\n", n.Src, n.Dst, n.Text)
	}
	fmt.Fprintf(out, "%d messages, %d not decoded\n", len(messages), bad)
	return nil
}

// describe names a message and returns its content.
func describe(m capture.Message) (string, *xmlview.Node, error) {
	whole := append(v2gtp.AppendHeader(nil, m.Type, len(m.Payload)), m.Payload...)
	if line, ok := discovery(m.Type, whole); ok {
		return line, nil, nil
	}
	d, err := schemasets.Detect(uint16(m.Type), m.Payload)
	if err != nil {
		if d, err = schemasets.Detect(0, m.Payload); err != nil {
			return fmt.Sprintf("? %v: %x", strings.ReplaceAll(err.Error(), "\n", ": "), m.Payload[:min(32, len(m.Payload))]), nil, err
		}
	}
	name := d.Set.Name + " " + messageName(d.Message)
	if out, err := d.Message.AppendEXI(nil); err == nil && !bytes.Equal(out, m.Payload) {
		name += " (not canonical)"
	}
	tree, err := d.Set.Tree(d.Message.ElementName(), d.Message)
	return name, tree, err
}

// messageName returns the name of the message inside a V2G_Message, or of the
// document element.
func messageName(m schemasets.Message) string {
	var body exi.Element
	switch m := m.(type) {
	case *din.V2GMessage:
		body = m.Body.BodyElement
	case *v2.V2GMessage:
		body = m.Body.BodyElement
	default:
		body = m
	}
	if body == nil {
		return "empty body"
	}
	return body.ElementName().Local
}
