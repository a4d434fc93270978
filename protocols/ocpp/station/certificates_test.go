package station

import (
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// The last root for the CSMS's certificate stays while connections are verified with it (M04.FR.03).
func TestTheLastRootStays(t *testing.T) {
	one, two := certificateOf(t, "one", nil, nil, t0.Add(-time.Hour)), certificateOf(t, "two", nil, nil, t0.Add(-time.Hour))
	for profile, want := range map[int]string{1: "Accepted", 2: "Failed"} {
		w := newWorld(t, func(c *Config) {
			c.Certificates, c.Network = true, &Network{URL: "wss://one/", Security: profile}
			if profile == 1 {
				c.Network.URL = "ws://one/"
			}
		})
		w.do(Connected{})
		var ids []v201.CertificateHashData
		for _, c := range []*testCA{one, two} {
			w.ask(&v201.InstallCertificateRequest{CertificateType: v201.InstallCertificateUseCSMSRootCertificate, Certificate: c.pem()})
			h, _ := hashOf(c.cert, c.cert)
			ids = append(ids, h)
		}
		if got := w.ask(&v201.DeleteCertificateRequest{CertificateHashData: ids[0]}); !strings.Contains(got, "Accepted") {
			t.Errorf("profile %d, the first: %s", profile, got)
		}
		if got := w.ask(&v201.DeleteCertificateRequest{CertificateHashData: ids[1]}); !strings.Contains(got, want) {
			t.Errorf("profile %d, the last: %s", profile, got)
		}
	}
}

// A log of a time of which there is nothing is not offered (N01.FR.05).
func TestLogsThatAreNotThere(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Logs = true })
	w.do(Connected{})
	for _, x := range []struct {
		kind        v201.LogEnum
		from, until time.Duration
		want        string
	}{
		{v201.LogDiagnosticsLog, -time.Hour, 0, "Accepted"}, {v201.LogDiagnosticsLog, time.Hour, 2 * time.Hour, "Rejected"}, {v201.LogDiagnosticsLog, -time.Hour, -2 * time.Hour, "Rejected"},
		{v201.LogSecurityLog, -time.Hour, time.Hour, "Accepted"}, {v201.LogSecurityLog, -2 * time.Hour, -time.Hour, "Rejected"},
	} {
		got := w.ask(&v201.GetLogRequest{LogType: x.kind, RequestId: 1, Log: v201.LogParameters{RemoteLocation: "https://logs.example/", OldestTimestamp: w.now.Add(x.from), LatestTimestamp: w.now.Add(x.until)}})
		if !strings.Contains(got, x.want) {
			t.Errorf("%s from %v to %v: %s", x.kind, x.from, x.until, got)
		}
	}
}
