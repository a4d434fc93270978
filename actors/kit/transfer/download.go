package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Get downloads a file to path, with retries after pauses of every. What an earlier try or an earlier Get of the same path has
// left there (path.part) is not loaded again, if the server vouches that the file is still the same. A file that is at path
// already is kept.
func Get(ctx context.Context, c Config, from, path string, retries int, every time.Duration) error {
	c = c.complete()
	u, err := check(from)
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	client, closeIdle := c.client()
	defer closeIdle()
	err = c.try(ctx, retries, every, func(ctx context.Context) error { return c.get(ctx, client, u.String(), path) })
	if err != nil {
		return fmt.Errorf("download %s: %w", u.Redacted(), err)
	}
	return nil
}

// Discard removes what Get has left of a file.
func Discard(path string) {
	for _, p := range []string{path, path + ".part", path + ".tag"} {
		_ = os.Remove(p)
	}
}

// get is one try.
func (c Config) get(ctx context.Context, client *http.Client, from, path string) error {
	part, tagFile := path+".part", path+".tag"
	ctx, moved, stop := c.watch(ctx)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return &Final{err}
	}
	req.Header.Set("Accept-Encoding", "identity")
	var have int64
	if info, err := os.Stat(part); err == nil {
		if tag, err := os.ReadFile(tagFile); err == nil && info.Size() > 0 && len(tag) > 0 && len(tag) < 1024 {
			have = info.Size()
			req.Header.Set("Range", "bytes="+strconv.FormatInt(have, 10)+"-")
			req.Header.Set("If-Range", string(tag))
		}
	}
	res, err := client.Do(req)
	if err != nil {
		return because(ctx, plain(err))
	}
	defer func() { _ = res.Body.Close() }()
	switch res.StatusCode {
	case http.StatusOK:
		have = 0
	case http.StatusPartialContent:
		if start, ok := rangeStart(res.Header.Get("Content-Range")); !ok || start != have || have == 0 {
			Discard(path)
			return fmt.Errorf("the server sends another part than it was asked for: %.64q", res.Header.Get("Content-Range"))
		}
	default:
		if res.StatusCode == http.StatusRequestedRangeNotSatisfiable {
			Discard(path)
		}
		return &Status{res.StatusCode, "the server answers " + strconv.Itoa(res.StatusCode) + " " + http.StatusText(res.StatusCode)}
	}
	if res.ContentLength > c.Max-have {
		return &Final{fmt.Errorf("the file has %d bytes, at most %d are taken", have+res.ContentLength, c.Max)}
	}
	flags := os.O_CREATE | os.O_WRONLY
	if have == 0 {
		flags |= os.O_TRUNC
		if err := writeTag(tagFile, validator(res.Header)); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(part, flags, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(f, &moving{io.LimitReader(res.Body, c.Max-have+1), moved})
	switch {
	case err != nil:
		return because(ctx, err)
	case have+n > c.Max:
		_ = f.Close()
		Discard(path)
		return &Final{fmt.Errorf("the file has more than the %d bytes that are taken", c.Max)}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	_ = os.Remove(tagFile)
	return os.Rename(part, path)
}

// because prefers the reason for which a context ended.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// validator is what tells one version of a file from another: a strong entity tag, else the date (RFC 9110, 13.1.5).
func validator(h http.Header) string {
	if tag := h.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return h.Get("Last-Modified")
}

func writeTag(path, tag string) error {
	if tag == "" || len(tag) >= 1024 {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	return os.WriteFile(path, []byte(tag), 0o600)
}

// rangeStart reads where a part begins, from Content-Range (RFC 9110, 14.4): bytes first-last/size.
func rangeStart(text string) (int64, bool) {
	r, ok := strings.CutPrefix(text, "bytes ")
	if !ok {
		return 0, false
	}
	span, size, ok := strings.Cut(r, "/")
	a, b, ok2 := strings.Cut(span, "-")
	first, err1 := strconv.ParseUint(a, 10, 62)
	last, err2 := strconv.ParseUint(b, 10, 62)
	if !ok || !ok2 || err1 != nil || err2 != nil || last < first {
		return 0, false
	}
	if size != "*" {
		if n, err := strconv.ParseUint(size, 10, 62); err != nil || last >= n {
			return 0, false
		}
	}
	return int64(first), true
}

// moving reports that something is read.
type moving struct {
	io.Reader
	moved func(n int)
}

func (m *moving) Read(b []byte) (int, error) {
	n, err := m.Reader.Read(b)
	if n > 0 {
		m.moved(n)
	}
	return n, err
}
