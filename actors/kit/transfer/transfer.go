// Package transfer moves files over HTTP and HTTPS for actors: downloads that go on where they broke off, and uploads. What it
// reads and keeps is bounded, and no error shows the password of a URL.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Config says how to connect, and how much time and room a transfer has.
type Config struct {
	Roots *Roots                                                            // of servers; nil for those of the system
	Dial  func(ctx context.Context, network, addr string) (net.Conn, error) // nil for the system's
	Max   int64                                                             // bytes of a file; 0 for 512 MiB
	Idle  time.Duration                                                     // how long nothing may come or go; 0 for a minute
	Total time.Duration                                                     // of all tries and pauses; 0 for a day
	// Least is the fewest bytes that have to come or go in each Window of a try; 0 for 60 kB, in 0 for a minute: 8 kbit/s. A try that
	// trickles fails, and what a download has got is not loaded again by the next one.
	Least  int64
	Window time.Duration
	// Local allows URLs that lead to this machine itself or to a link of its own. URLs come from a CSMS: without this it could make
	// this process read from and write to its own API.
	Local bool
	// Paused is told when a try has failed and another one follows after a pause, and when that one begins. It may be nil.
	Paused func(paused bool, why error)
}

func (c Config) complete() Config {
	if c.Max <= 0 {
		c.Max = 512 << 20
	}
	if c.Idle <= 0 {
		c.Idle = time.Minute
	}
	if c.Total <= 0 {
		c.Total = 24 * time.Hour
	}
	if c.Least <= 0 {
		c.Least = 60_000
	}
	if c.Window <= 0 {
		c.Window = time.Minute
	}
	if c.Paused == nil {
		c.Paused = func(bool, error) {}
	}
	return c
}

// Final is an error that another try would meet again.
type Final struct{ Err error }

func (f *Final) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Final) Unwrap() error { return f.Err }

// Status is an answer other than success.
type Status struct {
	Code int // of HTTP
	What string
}

func (s *Status) Error() string { return s.What }

// check reads a URL of a file. Only HTTP and HTTPS are supported.
func check(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, &Final{errors.New("the URL cannot be read")} // the parser's own words could show a password
	}
	switch {
	case u.Scheme == "ftp" || u.Scheme == "ftps" || u.Scheme == "sftp":
		return nil, &Final{fmt.Errorf("%s: %s is not supported; offer the file by https", u.Redacted(), u.Scheme)}
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, &Final{fmt.Errorf("%s: want http:// or https:// and a host", u.Redacted())}
	}
	return u, nil
}

// client makes a client for one transfer; close it with closeIdle.
func (c Config) client() (_ *http.Client, closeIdle func()) {
	p := &proxies{}
	t := &http.Transport{TLSClientConfig: c.Roots.config(), DialContext: c.dial(p), DisableCompression: true, TLSHandshakeTimeout: 30 * time.Second,
		ResponseHeaderTimeout: c.Idle, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true, ForceAttemptHTTP2: true, Proxy: p.of}
	return &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= 5:
			return errors.New("more than 5 redirections")
		case via[len(via)-1].URL.Scheme == "https" && r.URL.Scheme != "https":
			return errors.New("redirected from https to " + r.URL.Scheme)
		}
		return nil
	}}, t.CloseIdleConnections
}

// plain takes the URL out of the client's error: what leads to it is in ours already, and there without its password.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// try runs f again until it succeeds, fails for good, or has failed retries times more.
func (c Config) try(ctx context.Context, retries int, every time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.Total)
	defer cancel()
	for n := 0; ; n++ {
		err := f(ctx)
		var final *Final
		if err == nil || errors.As(err, &final) || n >= retries || ctx.Err() != nil {
			return err
		}
		c.Paused(true, err)
		t := time.NewTimer(every)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
		c.Paused(false, nil)
	}
}

// watch ends a try in which nothing moves, or too little. Its moved is to be called with how many bytes did.
func (c Config) watch(ctx context.Context) (_ context.Context, moved func(n int), stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	idle := time.AfterFunc(c.Idle, func() { cancel(fmt.Errorf("nothing came for %v", c.Idle)) })
	var mu sync.Mutex
	var sum int64
	var began time.Time
	return ctx, func(n int) {
			idle.Reset(c.Idle)
			mu.Lock()
			defer mu.Unlock()
			if began.IsZero() { // connecting and the server's thinking do not count
				began = time.Now()
			}
			if sum += int64(n); time.Since(began) < c.Window {
				return
			}
			if sum < c.Least {
				cancel(fmt.Errorf("only %d bytes came in %v, %d are the least", sum, c.Window, c.Least))
			}
			sum, began = 0, time.Now()
		}, func() {
			idle.Stop()
			cancel(nil)
		}
}

// proxies are those that a transfer goes through, by the system's configuration.
type proxies struct {
	mu  sync.Mutex
	all map[string]bool // host:port
}

// of is the proxy of a request.
func (p *proxies) of(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if u != nil {
		port := u.Port()
		if port == "" {
			port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
		}
		if port == "" {
			port = "80"
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.all == nil {
			p.all = map[string]bool{}
		}
		p.all[net.JoinHostPort(u.Hostname(), port)] = true
	}
	return u, err
}

func (p *proxies) has(addr string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[addr]
}
