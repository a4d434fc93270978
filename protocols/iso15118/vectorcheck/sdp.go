package vectorcheck

import (
	"fmt"

	"github.com/voltyard/voltyard/protocols/v2gtp"
)

// checkSDP parses the payload of a discovery message and writes it again.
func checkSDP(message string, payload []byte) error {
	var out []byte
	switch message {
	case "SDPReq":
		r, err := v2gtp.ParseRequest(append(v2gtp.AppendHeader(nil, v2gtp.SDPRequest, len(payload)), payload...))
		if err != nil {
			return err
		}
		out = v2gtp.AppendRequest(nil, r)
	case "SDPRes":
		r, err := v2gtp.ParseResponse(append(v2gtp.AppendHeader(nil, v2gtp.SDPResponse, len(payload)), payload...))
		if err != nil {
			return err
		}
		out = v2gtp.AppendResponse(nil, r)
	default:
		return fmt.Errorf("unknown discovery message %q", message)
	}
	return same(out[v2gtp.HeaderLen:], payload)
}
