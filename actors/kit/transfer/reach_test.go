package transfer

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func TestWhichAddressesAreHere(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true, "0.0.0.0": true, "::": true, "::ffff:0.0.0.0": true,
		"169.254.169.254": true, "fe80::1": true, "fe80::1%eth0": true, "::ffff:169.254.1.1": true, "224.0.0.251": true, "ff02::1": true, "255.255.255.255": true,
		"192.0.2.7": true, "::ffff:192.0.2.7": true, "2001:db8::7": true,
		"192.0.2.8": false, "10.0.0.1": false, "203.0.113.5": false, "2001:db8::8": false, "fd00::1": false,
	} {
		if got := here(netip.MustParseAddr(addr), own); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	found := false
	for _, a := range interfaces() {
		found = found || a.IsLoopback()
	}
	if !found {
		t.Errorf("the loopback address is not among this machine's: %v", interfaces())
	}
}

// A URL that leads to this machine is not asked: by address, by name, by redirection, or by a name that is resolved anew.
func TestThisMachineIsNotAsked(t *testing.T) {
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); _, _ = w.Write([]byte("secret")) }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	connect := func(c Config, url string) { // and to a dialer of the configuration
		t.Helper()
		for _, dial := range []func(context.Context, string, string) (net.Conn, error){nil, (&net.Dialer{}).DialContext} {
			c.Dial = dial
			err := Get(context.Background(), c, url, filepath.Join(t.TempDir(), "image"), 3, 0)
			var final *Final
			if !errors.Is(err, ErrHere) || !errors.As(err, &final) {
				t.Errorf("download %s: %v", url, err)
			}
			if err := Send(context.Background(), c, file, url, "log", 3, 0); !errors.Is(err, ErrHere) {
				t.Errorf("upload %s: %v", url, err)
			}
		}
	}
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"} {
		connect(Config{}, "http://"+host+":"+port+"/")
	}
	if asked.Load() != 0 {
		t.Errorf("asked %d times", asked.Load())
	}

	// A server elsewhere, as far as this process can see, that redirects here: only the first address is let through.
	front := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:"+port+"/", http.StatusFound))
	defer front.Close()
	c := Config{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "files.example") {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, front.Listener.Addr().String())
			return elsewhere{conn}, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	if err := Get(context.Background(), c, "http://files.example/", filepath.Join(t.TempDir(), "image"), 0, 0); !errors.Is(err, ErrHere) || asked.Load() != 0 {
		t.Errorf("redirected: %v, asked %d times", err, asked.Load())
	}
	c.Local = true
	if err := Get(context.Background(), c, "http://files.example/", filepath.Join(t.TempDir(), "image"), 0, 0); err != nil || asked.Load() != 1 {
		t.Errorf("allowed: %v, asked %d times", err, asked.Load())
	}
}

// elsewhere is a connection whose other end says that it is another machine.
type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(203, 0, 113, 5), Port: 80} }

// A proxy of the system's configuration may be on this machine.
func TestAProxyMayBeHere(t *testing.T) {
	p := &proxies{all: map[string]bool{"127.0.0.1:3128": true}}
	var asked string
	c := Config{Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
		asked = addr
		return nil, errors.New("dialled")
	}}
	if _, err := c.dial(p)(context.Background(), "tcp", "127.0.0.1:3128"); asked == "" || errors.Is(err, ErrHere) {
		t.Error(err)
	}
	if _, err := (Config{}).dial(p)(context.Background(), "tcp", "127.0.0.1:3129"); !errors.Is(err, ErrHere) {
		t.Error(err)
	}
}
