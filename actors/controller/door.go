package controller

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/voltyard/voltyard/actors/kit"
	"github.com/voltyard/voltyard/actors/kit/password"
	"github.com/voltyard/voltyard/actors/kit/ws"
)

// Profile is a security profile of OCPP (2.0.1 part 2, A00).
type Profile int

// Security profiles. Zero is treated like the first.
const (
	ProfileBasic       Profile = 1 // password, no TLS
	ProfileTLS         Profile = 2 // TLS, password
	ProfileCertificate Profile = 3 // TLS, certificate of the station
)

// door checks who a station is, in the goroutine of its connection: comparing a password takes long. What it knows does not
// change.
type door struct {
	log     zerolog.Logger
	refused *prometheus.CounterVec
	stored  map[string]string // passwords or their hashes, by identity
	proof   *password.Verifier
	few     zerolog.Logger // anybody can make handshakes fail, as often as he likes
}

func newDoor(env *kit.Env, cfg Config) *door {
	d := &door{log: env.Log.With().Str("actor", "controller").Logger(), refused: env.Metrics.BadInput, stored: map[string]string{}, proof: password.NewVerifier()}
	d.few = d.log.Sample(&zerolog.BurstSampler{Burst: 5, Period: time.Minute})
	for _, s := range cfg.Stations {
		if s.Password != "" {
			d.stored[s.ID] = s.Password
		}
	}
	return d
}

// failed notes a connection that ended before it said who it was (A00.FR.408).
func (d *door) failed(why string) {
	d.refused.WithLabelValues("station", "tls").Inc()
	d.few.Warn().Str("why", why).Msg("a station's connection failed; look at its TLS version, suites and certificate, and at the roots in client_ca_file")
}

// check returns 0, or the status with which a visitor is refused.
func (d *door) check(ctx context.Context, p Profile, v ws.Visitor) int {
	if p == ProfileCertificate {
		// The listener has verified the chain (A00.FR.404, 407); the certificate has to be the station's own (A00.FR.405, 427).
		if v.TLS == nil || len(v.TLS.VerifiedChains) == 0 || v.TLS.PeerCertificates[0].Subject.CommonName != v.Identity {
			d.refused.WithLabelValues("station", "certificate").Inc()
			d.log.Warn().Str("station", v.Identity).Str("from", v.Remote).Msg("the certificate is not that of the station (InvalidChargingStationCertificate); its common name has to be the identity")
			return http.StatusForbidden
		}
		return 0
	}
	stored, known := d.stored[v.Identity]
	if v.HasAuth && v.User != v.Identity || // A00.FR.204
		known && (!v.HasAuth || !d.proof.Right(ctx, v.Identity, stored, v.Pass)) {
		d.refused.WithLabelValues("station", "unauthorized").Inc()
		d.log.Warn().Str("station", v.Identity).Str("from", v.Remote).Msg("the password is not that of the station")
		return http.StatusUnauthorized
	}
	return 0
}
