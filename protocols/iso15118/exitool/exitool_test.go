package exitool

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

const sessionSetup = "809802004080c1014181c211d01804080c10141800"

func decode(t *testing.T, stream string, o DecodeOptions) (out, notes string) {
	t.Helper()
	b, err := hex.DecodeString(stream)
	if err != nil {
		t.Fatal(err)
	}
	var w, n bytes.Buffer
	if err := Decode(&w, &n, b, o); err != nil {
		t.Fatal(err)
	}
	return w.String(), n.String()
}

func TestDecodeRecognises(t *testing.T) {
	for stream, want := range map[string]string{
		sessionSetup:                           "protocol: iso2",
		"01fe800100000015" + sessionSetup:      "protocol: iso2",
		"80400040":                             "protocol: sap",
		"809a02202c9fff3e37b3d3d0b800":         "protocol: din",
		"8094041ea65fc99ba76c4d8d7bfe1b606228": "protocol: iso20-common",
	} {
		if _, notes := decode(t, stream, DecodeOptions{Format: "xml"}); !strings.Contains(notes, want) {
			t.Errorf("%s: %q", stream, notes)
		}
	}
	if out, _ := decode(t, "01fe9000000000021000", DecodeOptions{Format: "xml"}); out != "SDPReq security=0x10 transport=0x00\n" {
		t.Errorf("%q", out)
	}
	if _, notes := decode(t, "809a02202c9fff3e37b3d3d0b800", DecodeOptions{Protocol: "din", Format: "xml"}); !strings.Contains(notes, "surplus byte") {
		t.Errorf("%q", notes)
	}
}

// TestThereAndBack encodes what Decode shows, in both formats.
func TestThereAndBack(t *testing.T) {
	for _, format := range []string{"xml", "json"} {
		shown, _ := decode(t, sessionSetup, DecodeOptions{Protocol: "iso2", Format: format})
		var out bytes.Buffer
		if err := Encode(&out, strings.NewReader(shown), EncodeOptions{Protocol: "iso2"}); err != nil {
			t.Fatalf("%v\n%s", err, shown)
		}
		if strings.TrimSpace(out.String()) != sessionSetup {
			t.Errorf("%s came back as %s through\n%s", sessionSetup, out.String(), shown)
		}
	}
	fragment := "8004420020406080a0c0e10121416181a1c1e207a0"
	shown, notes := decode(t, fragment, DecodeOptions{Format: "xml", Fragment: true})
	if !strings.Contains(notes, "iso2") {
		t.Error(notes)
	}
	var out bytes.Buffer
	if err := Encode(&out, strings.NewReader(shown), EncodeOptions{Fragment: true}); err != nil || strings.TrimSpace(out.String()) != fragment {
		t.Errorf("%s, %v", out.String(), err)
	}
}

func TestRefusals(t *testing.T) {
	var w bytes.Buffer
	if err := Decode(&w, &w, []byte{0x80, 0xff, 0xff}, DecodeOptions{Format: "xml"}); err == nil {
		t.Error("nonsense was decoded")
	}
	if err := Decode(&w, &w, nil, DecodeOptions{Format: "yaml"}); err == nil {
		t.Error("a format that does not exist was accepted")
	}
	for _, doc := range []string{"", "<a/>", `{"V2G_Message":{"Wrong":1}}`, "{", `<V2G_Message xmlns="urn:iso:15118:2:2013:MsgDef"><Header/></V2G_Message>`} {
		if err := Encode(&w, strings.NewReader(doc), EncodeOptions{Protocol: "iso2"}); err == nil {
			t.Errorf("%q was encoded", doc)
		}
	}
}
