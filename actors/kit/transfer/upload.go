package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// Send uploads the file at path under a name, with retries after pauses of every. It is put; a server that puts nothing has it
// posted as a form (OCPP 2.0.1 part 2, N01.FR.18, N01.FR.19). A URL that ends in a slash is a folder. The error is a *Status when
// the server refuses.
func Send(ctx context.Context, c Config, file, to, name string, retries int, every time.Duration) error {
	c = c.complete()
	u, err := check(to)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	client, closeIdle := c.client()
	defer closeIdle()
	err = c.try(ctx, retries, every, func(ctx context.Context) error {
		err := c.put(ctx, client, u, file, name)
		var st *Status
		if errors.As(err, &st) && (st.Code == http.StatusMethodNotAllowed || st.Code == http.StatusNotImplemented || st.Code == http.StatusNotFound) {
			if posted := c.post(ctx, client, u, file, name); posted == nil || st.Code != http.StatusNotFound {
				return posted
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("upload to %s: %w", u.Redacted(), err)
	}
	return nil
}

func (c Config) put(ctx context.Context, client *http.Client, u *url.URL, file, name string) error {
	to := *u
	if strings.HasSuffix(to.Path, "/") {
		to.Path, to.RawPath = path.Join(to.Path, name), ""
	}
	f, err := os.Open(file)
	if err != nil {
		return &Final{err}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return &Final{err}
	}
	ctx, moved, stop := c.watch(ctx)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to.String(), &moving{f, moved})
	if err != nil {
		return &Final{err}
	}
	req.ContentLength = info.Size()
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Content-Disposition", "attachment; filename="+strconv.Quote(name))
	return finish(ctx, client, req)
}

func (c Config) post(ctx context.Context, client *http.Client, u *url.URL, file, name string) error {
	f, err := os.Open(file)
	if err != nil {
		return &Final{err}
	}
	defer func() { _ = f.Close() }()
	ctx, moved, stop := c.watch(ctx)
	defer stop()
	r, w := io.Pipe()
	defer func() { _ = r.Close() }()
	form := multipart.NewWriter(w)
	go func() {
		part, err := form.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/octet-stream"},
			"Content-Disposition": {`form-data; name="uploadfile"; filename=` + strconv.Quote(name)}})
		if err == nil {
			_, err = io.Copy(part, &moving{f, moved})
		}
		if err == nil {
			err = form.Close()
		}
		_ = w.CloseWithError(err)
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), r)
	if err != nil {
		return &Final{err}
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	return finish(ctx, client, req)
}

// finish sends a request whose answer has nothing to read.
func finish(ctx context.Context, client *http.Client, req *http.Request) error {
	res, err := client.Do(req)
	if err != nil {
		return because(ctx, plain(err))
	}
	_ = res.Body.Close()
	if res.StatusCode/100 != 2 {
		return &Status{res.StatusCode, "the server answers " + strconv.Itoa(res.StatusCode) + " " + http.StatusText(res.StatusCode)}
	}
	return nil
}
