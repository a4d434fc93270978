package capture

import (
	"bytes"
	"encoding/hex"
	"strings"
)

// KeyLog holds TLS secrets by label and client random.
type KeyLog struct{ secrets map[string][]byte }

// NewKeyLog returns an empty key log.
func NewKeyLog() *KeyLog { return &KeyLog{map[string][]byte{}} }

// keyLabels are the labels of the NSS key log format that matter here.
var keyLabels = []string{
	"CLIENT_RANDOM",
	"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET",
	"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0",
}

// Add takes in the lines of text that are secrets and ignores all others, so
// that any datagram may be offered.
func (k *KeyLog) Add(text []byte) {
	if !bytes.Contains(text, []byte("CLIENT_")) && !bytes.Contains(text, []byte("SERVER_")) {
		return
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.Trim(line, "\x00\r\n"))
		for i := 0; i+2 < len(fields); i++ {
			for _, label := range keyLabels {
				if !strings.HasSuffix(fields[i], label) {
					continue
				}
				random, err1 := hex.DecodeString(fields[i+1])
				secret, err2 := hex.DecodeString(strings.TrimRight(fields[i+2], "\x00"))
				if err1 == nil && err2 == nil && len(random) == 32 {
					k.secrets[label+string(random)] = secret
				}
			}
		}
	}
}

func (k *KeyLog) secret(label string, random []byte) []byte { return k.secrets[label+string(random)] }
