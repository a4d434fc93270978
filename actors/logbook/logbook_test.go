package logbook

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/logring"
	"github.com/voltyard/voltyard/actors/kit/sessiontrace"
	"github.com/voltyard/voltyard/actors/kit/transfer"
	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	v201 "github.com/voltyard/voltyard/protocols/ocpp/v201"
	"github.com/voltyard/voltyard/storage/bolt"
	"github.com/voltyard/voltyard/test/virtual"
)

const secret = "tr0ub4dor & 3?"

type records []bolt.KV

func (r records) Scan(string, []byte) ([]bolt.KV, error) { return r, nil }

// unpack reads a packed log into names and texts.
func unpack(t *testing.T, b []byte) map[string]string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		text, err2 := io.ReadAll(r)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		out[h.Name] = string(text)
	}
}

// The lines of the time that is asked for are packed, the others not, and no secret in any form.
func TestDiagnosticsHoldTheTimeAndNoSecret(t *testing.T) {
	virtual.Test(t, func(t *testing.T) {
		ring := logring.New(1 << 20)
		log := zerolog.New(ring)
		began := time.Now()
		var sessions records
		for hour := range 10 {
			log.Info().Int("hour", hour).Str("url", "wss://user:"+url.QueryEscape(secret)+"@csms.example/ocpp").Str("why", "refused "+secret).
				Str("auth", "Basic "+base64.StdEncoding.EncodeToString([]byte("LC:"+secret))).Str("raw", base64.StdEncoding.EncodeToString([]byte(secret))).
				Str("password", "another1").Msg("-----BEGIN EC PRIVATE KEY-----\nAAAAsecretkey\n-----END EC PRIVATE KEY-----")
			b, err := json.Marshal(sessiontrace.Summary{ID: "s", Begin: time.Now(), End: time.Now().Add(time.Minute)})
			if err != nil {
				t.Fatal(err)
			}
			sessions = append(sessions, bolt.KV{Key: []byte{byte(hour)}, Value: b})
			time.Sleep(time.Hour)
		}
		env := kit.NewEnv(zerolog.Nop())
		cfg := Config{Version: "1.2.3", Ring: ring, Site: []byte("csms: {url: \"wss://me:hunter22@csms.example\"}\n"), Secrets: []string{secret}, Records: sessions}
		var b bytes.Buffer
		if err := diagnostics(&b, env, cfg, role.Upload{Oldest: began.Add(3 * time.Hour), Latest: began.Add(6 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		files := unpack(t, b.Bytes())
		if n := strings.Count(files["log.txt"], "\n"); n != 3 || !strings.Contains(files["log.txt"], `"hour":3`) || !strings.Contains(files["log.txt"], `"hour":5`) {
			t.Errorf("log: %s", files["log.txt"])
		}
		if len(files) != 4+3 || !strings.Contains(files["version.txt"], "1.2.3") || files["sessions/03.json"] == "" || !strings.Contains(files["metrics.txt"], "go_threads") {
			t.Errorf("packed: %v", files)
		}
		for name, text := range files {
			for _, word := range []string{secret, "tr0ub4dor", base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte("LC:" + secret)),
				"another1", "AAAAsecretkey", "hunter22"} {
				if strings.Contains(text, word) {
					t.Errorf("%s holds %q:\n%s", name, word, text)
				}
			}
		}
		env.System.Shutdown()
	})
}

func TestTheSecurityLogIsText(t *testing.T) {
	var b bytes.Buffer
	at := time.Date(2024, 3, 1, 10, 0, 0, 0, time.UTC)
	if err := security(&b, Config{Secrets: []string{secret}}, role.Upload{Records: []role.SecurityRecord{{At: at, Type: "StartupOfTheDevice"}, {At: at.Add(time.Hour), Type: "X", Info: "of " + secret}}}); err != nil {
		t.Fatal(err)
	}
	if want := "2024-03-01T10:00:00.000Z StartupOfTheDevice \"\"\n2024-03-01T11:00:00.000Z X \"of ***\"\n"; b.String() != want {
		t.Errorf("%s", b.String())
	}
}

func TestHowAnUploadEnds(t *testing.T) {
	for want, errs := range map[v201.UploadLogStatusEnum][]error{
		v201.UploadLogStatusUploaded:              {nil},
		v201.UploadLogStatusPermissionDenied:      {&transfer.Status{Code: 401}, &transfer.Status{Code: 403}},
		v201.UploadLogStatusNotSupportedOperation: {&transfer.Status{Code: 405}, &transfer.Status{Code: 501}, &transfer.Final{Err: errors.New("ftp")}},
		v201.UploadLogStatusBadMessage:            {&transfer.Status{Code: 400}, &transfer.Status{Code: 413}},
		v201.UploadLogStatusUploadFailure:         {&transfer.Status{Code: 404}, &transfer.Status{Code: 503}, io.EOF},
	} {
		for _, err := range errs {
			if got := statusOf(err); got != want {
				t.Errorf("%v: %s, want %s", err, got, want)
			}
		}
	}
}

// What is named a secret is hidden whole, with its blanks, and nothing beside it that can be told apart.
func TestNamedSecretsAreHiddenWhole(t *testing.T) {
	for text, want := range map[string]string{
		`{"password":"two words","a":1}`:                        `{"password":***,"a":1}`,
		`{"Password" : "quo\"te d","a":"b"}`:                    `{"Password" : ***,"a":"b"}`,
		`{"token":null,"a":1}`:                                  `{"token":***,"a":1}`,
		`{"secret":12345}`:                                      `{"secret":***}`,
		`{"token":{"id":"x","secret":"a b"}}`:                   `{"token":{"id":"x","secret":***}}`,
		`{"message":"the password: two words, and more","a":1}`: `{"message":"the password: ***","a":1}`,
		`{"message":"{\"password\":\"two words\"}","a":1}`:      `{"message":"{\"password\":***","a":1}`,
		"password: two words\nurl: x\n":                         "password: ***\nurl: x\n",
		"password: 'it''s two words'\nurl: x\n":                 "password: ***\nurl: x\n",
		"{password: two words, 3, url: x}\n":                    "{password: ***\n",
		"password='two\nwords":                                  "password=***\nwords",
		"password_file: /etc/x\n":                               "password_file: /etc/x\n",
		"passphrase = a b":                                      "passphrase = ***",
		"password:":                                             "password:",
		"wss://u:p@ss@host/":                                    "wss://***@host/",
	} {
		if got := string(newCleaner(nil).text([]byte(text))); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

// A secret never passes, whatever stands around it.
func FuzzClean(f *testing.F) {
	f.Add("a", "b", "correct-horse")
	f.Add("wss://u:", "@host/", "p@ss/word?#")
	f.Add(`{"password":"`, `"}`, `quo"te\d`)
	f.Add("-----BEGIN PRIVATE KEY-----", "", "token=abc")
	f.Fuzz(func(t *testing.T, before, after, word string) {
		if len(word) < shortest || strings.Contains(hidden, word) || strings.Contains(word, hidden) {
			t.Skip()
		}
		quoted, _ := json.Marshal(before + word + after)
		for _, text := range []string{before + word + after, string(quoted), "wss://" + url.UserPassword("u", word).String() + "@h/", base64.StdEncoding.EncodeToString([]byte(word))} {
			got := string(newCleaner([]string{word}).text([]byte(text)))
			if strings.Contains(got, word) && !strings.Contains(strings.ReplaceAll(text, word, ""), word) {
				t.Errorf("%q of %q shows %q", got, text, word)
			}
		}
	})
}
