package v2gtls

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/voltyard/voltyard/protocols/iso15118/pki"
	"github.com/voltyard/voltyard/protocols/iso15118/pki/testpki"
	"github.com/voltyard/voltyard/test/virtual"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The clock of synctest begins here, so the sets of certificates do too.
var bubble = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

var (
	first  = sync.OnceValues(func() (*testpki.Set, error) { return testpki.New(pki.ISO2, bubble) })
	second = sync.OnceValues(func() (*testpki.Set, error) { return testpki.New(pki.ISO2, bubble) })
)

func sets(t testing.TB) (a, b *testpki.Set) {
	t.Helper()
	a, err := first()
	if err != nil {
		t.Fatal(err)
	}
	if b, err = second(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func id(t testing.TB, s *testpki.Set) Identity {
	t.Helper()
	e := s.Get(pki.SECC)
	ocsp, err := e.OCSP(bubble, false)
	if err != nil {
		t.Fatal(err)
	}
	return Identity{Chain: e.Chain(), Key: e.Key, Root: e.Root().Cert, OCSP: ocsp}
}

func server(t testing.TB, cfg Config, from ...*testpki.Set) *Server {
	t.Helper()
	for _, s := range from {
		cfg.Identities = append(cfg.Identities, id(t, s))
	}
	s, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type outcome struct {
	conn *tls.Conn
	info Info
	err  error
}

// serve runs a handshake of the server and returns where its outcome comes.
func serve(s *Server, c net.Conn) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		conn, info, err := s.Handshake(context.Background(), c)
		out <- outcome{conn, info, err}
	}()
	return out
}

func codeOf(t *testing.T, err error) Code {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	if advice[e.Code] == "" {
		t.Errorf("no advice for %s", e.Code)
	}
	return e.Code
}

func TestHandshake(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, _ := sets(t)
		var log bytes.Buffer
		s := server(t, Config{KeyLog: &log}, a)
		if w := s.Warnings(); len(w) != 0 {
			t.Error(w)
		}
		ev, se := net.Pipe()
		done := serve(s, se)
		c, err := (&Client{Trust: a.Trust(), RequireOCSP: true}).Handshake(t.Context(), ev)
		got := <-done
		if err != nil || got.err != nil {
			t.Fatal(err, got.err)
		}
		st := c.ConnectionState()
		if st.Version != tls.VersionTLS12 || st.CipherSuite != tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 {
			t.Errorf("version %#x, suite %s", st.Version, tls.CipherSuiteName(st.CipherSuite))
		}
		if !got.info.Stapled || !got.info.Status || got.info.Chosen || got.info.Resumed || got.info.Root != "V2G root CA" {
			t.Errorf("%+v", got.info)
		}
		if !strings.HasPrefix(log.String(), "CLIENT_RANDOM ") {
			t.Errorf("key log %q", log.String())
		}
		// The connection outlives the deadline of the handshake, in both directions.
		time.Sleep(time.Minute)
		go func() { _, _ = c.Write([]byte("request")) }()
		b := make([]byte, 7)
		if _, err := io.ReadFull(got.conn, b); err != nil || string(b) != "request" {
			t.Fatalf("%q, %v", b, err)
		}
		_ = ev.Close()
		_ = se.Close()
	})
}

func TestResumption(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, b := sets(t)
		s := server(t, Config{}, a)
		v := &Client{Trust: a.Trust(), RequireOCSP: true, Sessions: tls.NewLRUClientSessionCache(1)}
		for i, resumed := range []bool{false, true, true} {
			ev, se := net.Pipe()
			done := serve(s, se)
			_, err := v.Handshake(t.Context(), ev)
			got := <-done
			if err != nil || got.err != nil || got.info.Resumed != resumed {
				t.Errorf("handshake %d: %v, %v, %+v", i, err, got.err, got.info)
			}
			_ = ev.Close()
			_ = se.Close()
		}
		v.Trust = b.Trust() // a resumed session is judged too
		ev, se := net.Pipe()
		done := serve(s, se)
		if _, err := v.Handshake(t.Context(), ev); codeOf(t, err) != CodePeer {
			t.Error(err)
		}
		<-done
	})
}

func TestVehicleRefusesForeignEVSE(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, b := sets(t)
		s := server(t, Config{}, a)
		bare := id(t, a)
		bare.OCSP = nil
		noStaple := server(t, Config{Identities: []Identity{bare}})
		for name, c := range map[string]struct {
			s *Server
			v *Client
		}{
			"other root": {s, &Client{Trust: b.Trust()}},
			"no staple":  {noStaple, &Client{Trust: a.Trust(), RequireOCSP: true}},
		} {
			ev, se := net.Pipe()
			done := serve(c.s, se)
			if _, err := c.v.Handshake(t.Context(), ev); codeOf(t, err) != CodePeer {
				t.Errorf("%s: %v", name, err)
			}
			if got := <-done; codeOf(t, got.err) != CodeCertificate {
				t.Errorf("%s: %v", name, got.err)
			}
		}
		if w := noStaple.Warnings(); len(w) != 1 {
			t.Error(w)
		}
	})
}

// A staple that is out of date is worse than none.
func TestStaleStapleIsLeftOut(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, _ := sets(t)
		s := server(t, Config{}, a)
		time.Sleep(8 * 24 * time.Hour)
		ev, se := net.Pipe()
		done := serve(s, se)
		c, err := (&Client{Trust: a.Trust()}).Handshake(t.Context(), ev)
		if got := <-done; err != nil || got.err != nil || got.info.Stapled || c.ConnectionState().OCSPResponse != nil {
			t.Errorf("%v, %v, %+v", err, got.err, got.info)
		}
		again, err := NewServer(s.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if w := again.Warnings(); len(w) != 1 || !strings.Contains(w[0], "fetch a new one") {
			t.Error(w)
		}
		_ = ev.Close()
		_ = se.Close()
	})
}

// extension is one of a ClientHello.
func extension(kind int, data []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(kind))
	return append(binary.BigEndian.AppendUint16(b, uint16(len(data))), data...)
}

func vector16(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

// clientHello is one by hand, because crypto/tls cannot send trusted_ca_keys.
func clientHello(version int, suites []byte, ext ...[]byte) []byte {
	b := append([]byte{byte(version >> 8), byte(version)}, make([]byte, 32)...)
	b = append(b, 0)
	b = append(b, vector16(suites)...)
	b = append(b, 1, 0)
	ext = append([][]byte{
		extension(10, vector16([]byte{0, 23})), // secp256r1
		extension(13, vector16([]byte{4, 3})),  // ecdsa_secp256r1_sha256
		extension(11, []byte{1, 0}),            // uncompressed
	}, ext...)
	b = append(b, vector16(bytes.Join(ext, nil))...)
	msg := append([]byte{messageClientHello, 0, byte(len(b) >> 8), byte(len(b))}, b...)
	return append(append([]byte{recordHandshake, 3, 1}, byte(len(msg)>>8), byte(len(msg))), msg...)
}

var ourSuite = []byte{0xc0, 0x23}

// trusted is the extension trusted_ca_keys with these authorities.
func trusted(list ...[]byte) []byte {
	return extension(extTrustedCAKeys, vector16(bytes.Join(list, nil)))
}

func certSHA1(c *x509.Certificate) []byte {
	h := sha1.Sum(c.Raw)
	return append([]byte{authorityCertSHA1}, h[:]...)
}

func keySHA1(c *x509.Certificate) []byte {
	h := pki.KeyID(c)
	return append([]byte{authorityKeySHA1}, h[:]...)
}

func caName(c *x509.Certificate) []byte {
	return append([]byte{authorityName}, vector16(c.RawSubject)...)
}

// sentChain reads the server's first flight, which is not encrypted, and returns its certificates.
func sentChain(t *testing.T, c net.Conn) []*x509.Certificate {
	t.Helper()
	var flight []byte
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, binary.BigEndian.Uint16(head[3:]))
		if _, err := io.ReadFull(c, body); err != nil {
			t.Fatal(err)
		}
		if head[0] != recordHandshake {
			t.Fatalf("record %d: % x", head[0], body)
		}
		flight = append(flight, body...)
		for rest := flight; len(rest) >= 4; {
			n := int(rest[1])<<16 | int(rest[2])<<8 | int(rest[3])
			if len(rest) < 4+n {
				break
			}
			if rest[0] == 11 { // Certificate
				r := &reader{rest[4 : 4+n], true}
				var out []*x509.Certificate
				for l := r.vector(3); l.ok && len(l.b) > 0; {
					cert, err := x509.ParseCertificate(l.vector(3).b)
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, cert)
				}
				return out
			}
			rest = rest[4+n:]
		}
	}
}

func TestChainIsChosenByTheVehiclesRoots(t *testing.T) {
	a, b := sets(t)
	rootA, rootB := a.Get(pki.V2GRoot).Cert, b.Get(pki.V2GRoot).Cert
	for name, c := range map[string]struct {
		ext    []byte
		want   *testpki.Set
		chosen bool
	}{
		"asks for nothing":         {nil, a, false},
		"certificate hash, second": {trusted(certSHA1(rootB)), b, true},
		"certificate hash, first":  {trusted(certSHA1(rootA)), a, true},
		"key hash":                 {trusted(keySHA1(rootB)), b, true},
		"first that is known":      {trusted([]byte{authorityPreAgreed}, certSHA1(a.Get(pki.MORoot).Cert), certSHA1(rootB), certSHA1(rootA)), b, true},
		"unknown roots":            {trusted(certSHA1(a.Get(pki.MORoot).Cert)), a, false},
		"empty list":               {trusted(), a, false},
		"unknown way of naming":    {trusted([]byte{9, 1, 2, 3}), a, false},
		"names":                    {trusted(caName(rootB)), a, true}, // both roots have the same name
		"certificate_authorities":  {extension(extAuthorities, vector16(vector16(rootA.RawSubject))), a, true},
		"cut off":                  {extension(extTrustedCAKeys, []byte{0, 21, authorityCertSHA1, 1, 2}), a, false},
	} {
		t.Run(name, func(t *testing.T) {
			virtual.Test(t, func(t *testing.T) {
				s := server(t, Config{}, a, b)
				ev, se := net.Pipe()
				done := serve(s, se)
				go func() { _, _ = ev.Write(clientHello(0x0303, ourSuite, c.ext)) }()
				got := sentChain(t, ev)
				_ = ev.Close()
				out := <-done
				if len(got) != 3 || !got[0].Equal(c.want.Get(pki.SECC).Cert) || out.info.Chosen != c.chosen {
					t.Errorf("sent %q, chosen %t", got[0].Subject, out.info.Chosen)
				}
			})
		})
	}
}

func TestFailuresHaveCodes(t *testing.T) {
	a, _ := sets(t)
	for name, c := range map[string]struct {
		send  []byte
		close bool
		want  Code
	}{
		"silence":               {nil, false, CodeTimeout},
		"gone at once":          {nil, true, CodeClosed},
		"plain V2GTP":           {[]byte{0x01, 0xfe, 0x80, 0x01, 0, 0, 0, 4, 0x80, 0, 0, 0}, false, CodeNotTLS},
		"half a hello":          {clientHello(0x0303, ourSuite)[:40], false, CodeTimeout},
		"gone after half":       {clientHello(0x0303, ourSuite)[:40], true, CodeClosed},
		"TLS 1.1":               {clientHello(0x0302, ourSuite), false, CodeVersion},
		"TLS 1.3 alone":         {clientHello(0x0303, []byte{0x13, 1}, extension(43, []byte{2, 3, 4})), false, CodeVersion},
		"another suite":         {clientHello(0x0303, []byte{0xc0, 0x2b}), false, CodeSuite},
		"another group":         {otherGroup(), false, CodeGroup},
		"garbage in the record": {append([]byte{recordHandshake, 3, 3, 0, 8}, "garbage!"...), false, CodeBroken},
		"alert unknown_ca":      {[]byte{21, 3, 3, 0, 2, 2, 48}, false, CodeUnknownCA},
		"alert bad_certificate": {[]byte{21, 3, 3, 0, 2, 2, 42}, false, CodeCertificate},
		"alert status":          {[]byte{21, 3, 3, 0, 2, 2, 113}, false, CodeCertificate},
		"alert user_canceled":   {[]byte{21, 3, 3, 0, 2, 2, 80}, false, CodeAlert},
	} {
		t.Run(name, func(t *testing.T) {
			virtual.Test(t, func(t *testing.T) {
				s := server(t, Config{}, a)
				ev, se := net.Pipe()
				done := serve(s, se)
				go func() { _, _ = io.Copy(io.Discard, ev) }()
				if c.send != nil {
					_, _ = ev.Write(c.send)
				}
				if c.close {
					_ = ev.Close()
				}
				begun := time.Now()
				got := <-done
				if code := codeOf(t, got.err); code != c.want {
					t.Errorf("%s, want %s: %v", code, c.want, got.err)
				}
				if took := time.Since(begun); c.want == CodeTimeout && took != 10*time.Second || took > 10*time.Second {
					t.Errorf("took %v", took)
				}
				if len(s.gate.slots) != 0 || len(s.gate.waiting) != 0 {
					t.Error("a slot was not given back")
				}
				_ = ev.Close()
			})
		})
	}
}

func otherGroup() []byte {
	return bytes.Replace(clientHello(0x0303, ourSuite), []byte{0, 10, 0, 4, 0, 2, 0, 23}, []byte{0, 10, 0, 4, 0, 2, 0, 24}, 1)
}

func TestStop(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, _ := sets(t)
		s := server(t, Config{}, a)
		_, se := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, _, err := s.Handshake(ctx, se); codeOf(t, err) != CodeStopped {
			t.Error(err)
		}
	})
}

// With one slot, vehicles that fall silent in the middle keep nobody from charging.
func TestSilentVehiclesHoldNoSlot(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, _ := sets(t)
		s := server(t, Config{Queue: NewQueue(1, 0)}, a)
		var silent []<-chan outcome
		for i := range 20 {
			ev, se := net.Pipe()
			silent = append(silent, serve(s, se))
			if i%3 == 0 {
				continue
			}
			go func() { _, _ = ev.Write(clientHello(0x0303, ourSuite)) }()
			if i%3 == 1 { // the others do not even read the answer
				go func() { _, _ = io.Copy(io.Discard, ev) }()
			}
		}
		time.Sleep(time.Second)
		begun := time.Now()
		ev, se := net.Pipe()
		done := serve(s, se)
		_, err := (&Client{Trust: a.Trust()}).Handshake(t.Context(), ev)
		if got := <-done; err != nil || got.err != nil {
			t.Fatal(err, got.err)
		}
		if time.Since(begun) != 0 {
			t.Errorf("it had to wait for %v", time.Since(begun))
		}
		for _, c := range silent {
			if got := <-c; codeOf(t, got.err) != CodeTimeout {
				t.Error(got.err)
			}
		}
		_ = ev.Close()
		_ = se.Close()
	})
}

// slow is a private key behind a slow device. It counts how many sign at the same time.
type slow struct {
	crypto.Signer
	mu        sync.Mutex
	now, most int
}

func (s *slow) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return s.Signer.Sign(rand, digest, opts)
}

func TestSlotsBoundComputing(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, _ := sets(t)
		i := id(t, a)
		key := &slow{Signer: i.Key}
		i.Key = key
		s := server(t, Config{Identities: []Identity{i}, Queue: NewQueue(2, 0)})
		var all sync.WaitGroup
		for range 30 {
			ev, se := net.Pipe()
			done := serve(s, se)
			all.Go(func() {
				_, err := (&Client{Trust: a.Trust()}).Handshake(t.Context(), ev)
				if got := <-done; err != nil || got.err != nil {
					t.Error(err, got.err)
				}
				_ = ev.Close()
				_ = se.Close()
			})
		}
		all.Wait()
		if key.most != 2 {
			t.Errorf("%d computed at the same time, want 2", key.most)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, _ := sets(t)
		s := server(t, Config{Queue: NewQueue(0, 3)}, a)
		var waiting []<-chan outcome
		for range 3 {
			_, se := net.Pipe()
			waiting = append(waiting, serve(s, se))
		}
		synctest.Wait()
		_, se := net.Pipe()
		if got := <-serve(s, se); codeOf(t, got.err) != CodeBusy {
			t.Error(got.err)
		}
		for _, c := range waiting {
			<-c
		}
	})
}

type brokenKey struct{ *ecdsa.PrivateKey }

func (brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("device unplugged")
}

func TestKeyThatDoesNotSign(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, _ := sets(t)
		i := id(t, a)
		i.Key = brokenKey{a.Get(pki.SECC).Key}
		s := server(t, Config{Identities: []Identity{i}})
		ev, se := net.Pipe()
		done := serve(s, se)
		_, err := (&Client{Trust: a.Trust()}).Handshake(t.Context(), ev)
		if codeOf(t, err) != CodeAlert {
			t.Error(err)
		}
		if got := <-done; codeOf(t, got.err) != CodeKey {
			t.Error(got.err)
		}
	})
}

func TestIdentitiesAreChecked(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, b := sets(t)
		good := id(t, a)
		revoked, err := a.Get(pki.SECC).OCSP(bubble, true)
		if err != nil {
			t.Fatal(err)
		}
		p521, err := testpki.New(pki.ISO20, bubble)
		if err != nil {
			t.Fatal(err)
		}
		large := p521.Get(pki.SECC)
		for name, list := range map[string][]Identity{
			"none":             nil,
			"empty":            {{}},
			"no key":           {{Chain: good.Chain}},
			"foreign key":      {{Chain: good.Chain, Key: b.Get(pki.SECC).Key}},
			"garbage":          {{Chain: [][]byte{{1}}, Key: good.Key}},
			"P-521":            {{Chain: large.Chain(), Key: large.Key}},
			"revoked":          {{Chain: good.Chain, Key: good.Key, OCSP: revoked}},
			"foreign staple":   {{Chain: good.Chain, Key: good.Key, OCSP: id(t, b).OCSP}},
			"issuer not known": {{Chain: good.Chain[:1], Key: good.Key, OCSP: good.OCSP}},
		} {
			if _, err := NewServer(Config{Identities: list}); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		// A new certificate serves the next handshake, without a new server.
		s := server(t, Config{}, a)
		if err := s.SetIdentities([]Identity{id(t, b)}); err != nil {
			t.Fatal(err)
		}
		if err := s.SetIdentities([]Identity{{}}); err == nil {
			t.Error("an empty identity was taken")
		}
		ev, se := net.Pipe()
		done := serve(s, se)
		_, err = (&Client{Trust: b.Trust()}).Handshake(t.Context(), ev)
		if got := <-done; err != nil || got.err != nil {
			t.Error(err, got.err)
		}
		_ = ev.Close()
		_ = se.Close()
	})
}

// What the identities come from may change while the server runs.
func TestRenewal(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, b := sets(t)
		fresh := []Identity{id(t, b)}
		var said []error
		s := server(t, Config{Renew: func(set func([]Identity) error) { said = append(said, set(fresh)) }}, a)
		for _, trusted := range []*testpki.Set{b, b} {
			ev, se := net.Pipe()
			done := serve(s, se)
			_, err := (&Client{Trust: trusted.Trust()}).Handshake(t.Context(), ev)
			if got := <-done; err != nil || got.err != nil {
				t.Error(err, got.err)
			}
			_ = ev.Close()
			_ = se.Close()
			fresh = nil // cannot serve, so the last good ones stay
		}
		if len(said) != 2 || said[0] != nil || said[1] == nil {
			t.Errorf("said %v", said)
		}
	})
}

// Servers with a common queue share its slots.
func TestServersShareAQueue(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		a, b := sets(t)
		q := NewQueue(0, 2)
		one, two := server(t, Config{Queue: q}, a), server(t, Config{Queue: q}, b)
		var waiting []<-chan outcome
		for _, s := range []*Server{one, two} {
			_, se := net.Pipe()
			waiting = append(waiting, serve(s, se))
		}
		synctest.Wait()
		_, se := net.Pipe()
		if got := <-serve(two, se); codeOf(t, got.err) != CodeBusy {
			t.Error(got.err)
		}
		for _, c := range waiting {
			<-c
		}
	})
}

func TestGapsAreSaid(t *testing.T) {
	if g := Gaps(); len(g) == 0 || !strings.Contains(g[0], "status_request_v2") {
		t.Error(g)
	}
}

// FuzzParseHello parses what a vehicle may send first; it must not panic, and keep no more than it may.
func FuzzParseHello(f *testing.F) {
	a, _ := sets(f)
	root := a.Get(pki.V2GRoot).Cert
	f.Add(clientHello(0x0303, ourSuite, trusted(certSHA1(root), keySHA1(root), caName(root)), extension(extStatusRequest, nil), extension(extStatusRequestV2, nil)))
	f.Add(clientHello(0x0303, ourSuite, extension(extAuthorities, vector16(vector16(root.RawSubject)))))
	f.Add([]byte{22, 3, 1, 0, 1, 1, 22, 3, 1, 0, 4, 0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := ParseHello(b)
		if !ok && (h.Trusted != nil || h.Status || h.StatusV2) {
			t.Error("something of a hello that is none")
		}
		if len(h.Trusted) > maxAuthorities {
			t.Errorf("%d authorities", len(h.Trusted))
		}
		for _, a := range h.Trusted {
			_ = a.names(root)
		}
	})
}

// A hello that is spread over many records is read like one in a single record.
func TestHelloInManyRecords(t *testing.T) {
	a, _ := sets(t)
	whole := clientHello(0x0303, ourSuite, trusted(certSHA1(a.Get(pki.V2GRoot).Cert)), extension(extStatusRequest, nil))
	want, ok := ParseHello(whole)
	if !ok || len(want.Trusted) != 1 || !want.Status || want.StatusV2 {
		t.Fatalf("%+v, %t", want, ok)
	}
	for size := 1; size < 60; size += 7 {
		var b []byte
		for msg := whole[5:]; len(msg) > 0; {
			n := min(size, len(msg))
			b = append(append(b, recordHandshake, 3, 1, 0, byte(n)), msg[:n]...)
			msg = msg[n:]
		}
		got, ok := ParseHello(b)
		if !ok || len(got.Trusted) != 1 || !bytes.Equal(got.Trusted[0].id, want.Trusted[0].id) {
			t.Errorf("records of %d: %+v, %t", size, got, ok)
		}
		for cut := range b {
			if _, ok := ParseHello(b[:cut]); ok {
				t.Fatalf("records of %d, cut at %d: taken for whole", size, cut)
			}
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	set, err := testpki.New(pki.ISO2, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	e := set.Get(pki.SECC)
	s, err := NewServer(Config{Identities: []Identity{{Chain: e.Chain(), Key: e.Key}}})
	if err != nil {
		b.Fatal(err)
	}
	v := &Client{Trust: set.Trust()}
	for b.Loop() {
		ev, se := net.Pipe()
		done := serve(s, se)
		if _, err := v.Handshake(b.Context(), ev); err != nil {
			b.Fatal(err)
		}
		<-done
		_ = ev.Close()
		_ = se.Close()
	}
}
