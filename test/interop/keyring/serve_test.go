package keyring

import (
	"crypto"
	"crypto/elliptic"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/voltyard/voltyard/actors/kit/v2gtls"
	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/storage/keyring"
	"github.com/voltyard/voltyard/storage/keyring/keyringtest"
)

// prove runs the conformance suite on a device, then makes an EVSE's key in it and serves vehicles with that key.
func prove(t *testing.T, open func(t *testing.T) keyring.Ring) {
	t.Run("conformance", func(t *testing.T) { keyringtest.Conformance(t, open) })
	t.Run("session", func(t *testing.T) {
		ring := open(t)
		defer func() {
			if err := ring.Close(); err != nil {
				t.Error(err)
			}
		}()
		key, err := ring.Generate("secc", elliptic.P256())
		if err != nil {
			t.Fatal(err)
		}
		serve(t, key)
	})
}

// serve makes a certificate for the key and lets vehicles connect, several at once.
func serve(t *testing.T, key crypto.Signer) {
	t.Helper()
	set, err := testpki.New(pki.ISO2, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	secc, err := set.IssueFor(pki.CPOSub2, key.Public(), testpki.Subject{Name: "secc", CommonName: testpki.SECCID, Profile: pki.ProfileOf(pki.SECC)})
	if err != nil {
		t.Fatal(err)
	}
	ocsp, err := secc.OCSP(time.Now().Add(-time.Minute), false)
	if err != nil {
		t.Fatal(err)
	}
	server, err := v2gtls.NewServer(v2gtls.Config{Identities: []v2gtls.Identity{{Chain: secc.Chain(), Key: key, Root: secc.Root().Cert, OCSP: ocsp}}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				conn, _, err := server.Handshake(t.Context(), c)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			conn, err := (&v2gtls.Client{Trust: set.Trust(), RequireOCSP: true}).Handshake(t.Context(), c)
			if err != nil {
				t.Error(err)
				return
			}
			echo(t, conn)
			_ = conn.Close()
		})
	}
	all.Wait()
}

func echo(t *testing.T, c *tls.Conn) {
	const said = "a message of a vehicle"
	b := make([]byte, len(said))
	if _, err := c.Write([]byte(said)); err != nil {
		t.Error(err)
		return
	}
	if _, err := io.ReadFull(c, b); err != nil || string(b) != said {
		t.Errorf("%q, %v", b, err)
	}
}
