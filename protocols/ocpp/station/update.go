package station

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Updates says how a station takes new firmware.
type Updates struct {
	// Roots are the manufacturer's: a signing certificate has to chain to one of them. Roots that the CSMS installs do not count
	// here, or whoever holds the CSMS could sign firmware.
	Roots []*x509.Certificate
	// Idle has the image downloaded only while there is no transaction.
	Idle bool
}

type (
	// ClaimUpdate asks whether the station may begin an update; UpdateClaimed must follow. Image is the same for the same image.
	// It replaces what this station has claimed before.
	ClaimUpdate struct {
		Request int
		Image   string
	}
	// FetchImage asks to download an image; ImageFetched must follow. What is there of it already need not be loaded again.
	FetchImage struct {
		Request int
		Image   string
		URL     string // may hold a password
		Retries int    // after the first try
		Every   time.Duration
	}
	// InstallImage asks to install the downloaded image, if it still has this digest; ImageInstalled must follow.
	InstallImage struct {
		Request int
		SHA256  [sha256.Size]byte
	}
	// ActivateImage asks to run what was installed from now on, which may end this process. UpdateEnded must follow, from the new
	// process too, which asks again.
	ActivateImage struct{ Request int }
	// CancelUpdate gives an update up; what was downloaded is not needed any more.
	CancelUpdate struct{ Request int }

	// UpdateClaimed answers ClaimUpdate. Refused says why not.
	UpdateClaimed struct {
		Request int
		Refused string
	}
	// ImageFetching says that the download pauses until its next try, or goes on.
	ImageFetching struct {
		Request int
		Paused  bool
	}
	// ImageFetched answers FetchImage after the last try.
	ImageFetched struct {
		Request int
		SHA256  [sha256.Size]byte // of the whole image
		Err     error
	}
	// ImageInstalled answers InstallImage. Bad tells that the image was found wrong, rather than that installing it failed.
	ImageInstalled struct {
		Request int
		Bad     bool
		Err     error
	}
	// UpdateEnded answers ActivateImage: the new firmware has proven itself, or the old one runs again.
	UpdateEnded struct {
		Request int
		Err     error
	}
	// Forgotten says that whoever carries out updates, publishing and uploads has begun anew and knows nothing: what is under way is
	// asked for again.
	Forgotten struct{}
	// Restarting says that all stations of this process wait to be restarted (or not any more): no EVSE takes a new session.
	Restarting struct{ On bool }
)

func (ClaimUpdate) effect()   {}
func (FetchImage) effect()    {}
func (InstallImage) effect()  {}
func (ActivateImage) effect() {}
func (CancelUpdate) effect()  {}

func (UpdateClaimed) event()  {}
func (ImageFetching) event()  {}
func (ImageFetched) event()   {}
func (ImageInstalled) event() {}
func (UpdateEnded) event()    {}
func (Forgotten) event()      {}
func (Restarting) event()     {}

const (
	keyUpdate = "firmware"
	// claimTime is how long the answer to a request may wait for the claim.
	claimTime = 10 * time.Second
	// rebootNotice is how long the CSMS has to hear that the station restarts.
	rebootNotice = 2 * time.Second
)

// forgotten asks again for what is under way.
func (s *Station) forgotten() {
	if u := &s.upd; u.Step != stepWaiting {
		u.asked = false
	}
	s.pub.asked = false
	if u := s.logs.upload; u != nil {
		s.emit(*u)
	}
}

// step is how far an update is.
type step string

const (
	stepNone     step = ""
	stepWaiting  step = "waiting"  // to download
	stepFetching step = "fetching" // downloads
	stepReady    step = "ready"    // verified, waits to be installed
	stepInstall  step = "installing"
	stepPlaced   step = "placed" // installed, waits to be activated
	stepReboot   step = "rebooting"
)

// update is the firmware update under way, and what was said of the last one. It is saved whole.
type update struct {
	Step        step
	Request     int
	URL         string
	Image       string
	Retrieve    time.Time
	Install     time.Time
	Certificate string
	Signature   string
	Retries     int
	Every       time.Duration
	Digest      []byte
	Told        v201.FirmwareStatusEnum // last, "" for never

	at     time.Time // next look at it
	reboot time.Time // when the restart begins that the CSMS was told of
	asked  bool      // the effect of the step was emitted in this process
	claim  *update   // waits for UpdateClaimed
	answer string    // id of the request of the claim
	by     time.Time // of the claim
	others bool      // all stations of this process wait
}

// restoreFirmware puts back what was saved about updates and publishing.
func (s *Station) restoreFirmware(saved map[string][]byte) error {
	if err := s.restorePublish(saved); err != nil {
		return err
	}
	b, ok := saved[keyUpdate]
	if !ok {
		return nil
	}
	err := json.Unmarshal(b, &s.upd)
	if err == nil && (s.upd.Step == stepInstall || s.upd.Step == stepReady) && len(s.upd.Digest) != sha256.Size {
		err = fmt.Errorf("no digest of the image")
	}
	if err != nil {
		return fmt.Errorf("stored record %q: %w", keyUpdate, err)
	}
	return nil
}

// retryEvery is the pause between tries where a request leaves it to the station.
const retryEvery = 10 * time.Second

// bounded reads retries and their interval of a request. A server is not asked again within a second.
func bounded(retries, interval *int) (int, time.Duration) {
	n, every := 0, retryEvery
	if retries != nil {
		n = min(max(*retries, 0), 100)
	}
	if interval != nil {
		every = time.Duration(min(max(*interval, 1), 86400)) * time.Second
	}
	return n, every
}

func updateFirmware(s *Station, q *v201.UpdateFirmwareRequest) (rpc.Message, error) {
	refuse := func(st v201.UpdateFirmwareStatusEnum, code string) (rpc.Message, error) {
		return &v201.UpdateFirmwareResponse{Status: st, StatusInfo: info(code)}, nil
	}
	if s.cfg.Updates == nil {
		return nil, &rpc.Error{Code: rpc.NotSupported, What: "this station's firmware is managed locally"}
	}
	f := q.Firmware
	if f.SigningCertificate == "" || f.Signature == "" { // L01.FR.11
		return refuse(v201.UpdateFirmwareStatusRejected, "MissingParam")
	}
	if _, err := s.signedBy(f.SigningCertificate); err != nil { // L01.FR.21, L01.FR.22
		s.note(true, "the firmware's signing certificate is refused: %v", err)
		text := err.Error()
		s.then(func() { s.securityEvent("InvalidFirmwareSigningCertificate", text) }) // L01.FR.02
		return refuse(v201.UpdateFirmwareStatusInvalidCertificate, "InvalidCertificate")
	}
	switch {
	case s.upd.claim != nil, s.upd.Step == stepInstall, s.upd.Step == stepPlaced, s.upd.Step == stepReboot: // L01.FR.27
		return refuse(v201.UpdateFirmwareStatusRejected, "FwUpdateInProgress")
	}
	n := &update{Step: stepWaiting, Request: q.RequestId, URL: f.Location, Retrieve: f.RetrieveDateTime, Install: f.InstallDateTime,
		Certificate: f.SigningCertificate, Signature: f.Signature}
	n.Retries, n.Every = bounded(q.Retries, q.RetryInterval)
	sum := sha256.Sum256([]byte(f.Location + "\n" + f.Signature))
	n.Image = hex.EncodeToString(sum[:])
	s.upd.claim, s.upd.answer, s.upd.by = n, s.incoming, s.now.Add(claimTime)
	s.emit(ClaimUpdate{n.Request, n.Image})
	return nil, nil
}

// claimed answers the request, when what it begins is stored.
func (s *Station) claimed(ev UpdateClaimed) {
	n, id := s.upd.claim, s.upd.answer
	if n == nil || n.Request != ev.Request {
		return
	}
	s.upd.claim, s.upd.by = nil, time.Time{}
	if ev.Refused != "" {
		s.note(false, "the firmware update of request %d is refused: %s", ev.Request, ev.Refused)
		s.answer(id, &v201.UpdateFirmwareResponse{Status: v201.UpdateFirmwareStatusRejected, StatusInfo: info("FwUpdateInProgress")})
		return
	}
	res := &v201.UpdateFirmwareResponse{Status: v201.UpdateFirmwareStatusAccepted}
	if s.upd.Step != stepNone { // L01.FR.24
		res.Status = v201.UpdateFirmwareStatusAcceptedCanceled
		if s.upd.Request != n.Request {
			s.emit(CancelUpdate{s.upd.Request})
		}
	}
	n.others = s.upd.others
	s.upd = *n
	s.upd.asked = true // nothing begins before the answer
	s.save(keyUpdate, &s.upd)
	s.saves.answers = append(s.saves.answers, held{id, func() {
		s.answer(id, res)
		s.upd.asked = false
	}})
}

// goTo takes the next step.
func (s *Station) goTo(st step) {
	s.upd.Step, s.upd.asked, s.upd.at = st, false, time.Time{}
	s.save(keyUpdate, &s.upd)
}

// tellUpdate sends a status; it reaches the CSMS even if that is away now (L01.FR.01, L01.FR.10).
func (s *Station) tellUpdate(st v201.FirmwareStatusEnum) {
	s.upd.Told = st
	q := &v201.FirmwareStatusNotificationRequest{Status: st, RequestId: new(s.upd.Request)}
	payload := q.AppendJSON(nil)
	s.stepQueue(txqueue.Put{Kind: txqueue.Start, Action: q.ActionName(), Payload: payload, Offline: payload})
	s.save(keyUpdate, &s.upd)
}

// updateStatus is what a trigger is answered with (L01.FR.25, L01.FR.26).
func (s *Station) updateStatus() *v201.FirmwareStatusNotificationRequest {
	switch s.upd.Told {
	case "", v201.FirmwareStatusInstalled:
		return &v201.FirmwareStatusNotificationRequest{Status: v201.FirmwareStatusIdle}
	}
	return &v201.FirmwareStatusNotificationRequest{Status: s.upd.Told, RequestId: new(s.upd.Request)}
}

// Busy tells whether a vehicle charges or is about to: the station cannot be restarted.
func (s *Station) Busy() bool {
	for _, e := range s.evses {
		if e.busy() {
			return true
		}
	}
	return false
}

func (e *evse) busy() bool { return e.tx != nil || e.auth && e.plugged }

// once emits the effect of a step, once in the life of a process.
func (s *Station) once(e Effect) {
	if !s.upd.asked {
		s.upd.asked = true
		s.emit(e)
	}
}

// updateDue does what can be done of an update now. It is looked at after every event.
func (s *Station) updateDue() {
	if s.cfg.Updates == nil {
		return
	}
	u := &s.upd
	if u.claim != nil && !s.now.Before(u.by) {
		s.claimed(UpdateClaimed{Request: u.claim.Request, Refused: "nobody carries it out"})
	}
	u.at = time.Time{}
	busy, pending := s.Busy(), false
	switch u.Step {
	case stepWaiting:
		due := !s.now.Before(u.Retrieve)
		pending = due && busy && s.cfg.Updates.Idle
		switch {
		case u.asked: // the answer is not out yet
		case due && !pending:
			s.tellUpdate(v201.FirmwareStatusDownloading)
			s.goTo(stepFetching)
		default: // L01.FR.13
			if u.Told != v201.FirmwareStatusDownloadScheduled {
				s.tellUpdate(v201.FirmwareStatusDownloadScheduled)
			}
			if !due {
				u.at = u.Retrieve
			}
		}
	case stepReady:
		due := !s.now.Before(u.Install)
		pending = due && busy // L01.FR.06
		if due && !busy {     // L01.FR.05
			s.tellUpdate(v201.FirmwareStatusInstalling)
			s.goTo(stepInstall)
			break
		}
		if u.Told != v201.FirmwareStatusInstallScheduled { // L01.FR.16, L01.FR.34
			s.tellUpdate(v201.FirmwareStatusInstallScheduled)
		}
		if !due {
			u.at = u.Install
		}
	case stepPlaced: // L01.FR.33
		if pending = true; !busy {
			s.tellUpdate(v201.FirmwareStatusInstallRebooting) // L01.FR.32 a
			s.goTo(stepReboot)
		}
	}
	switch u.Step {
	case stepFetching:
		s.once(FetchImage{Request: u.Request, Image: u.Image, URL: u.URL, Retries: u.Retries, Every: u.Every})
	case stepInstall:
		pending = true
		if !busy {
			s.once(InstallImage{u.Request, [sha256.Size]byte(u.Digest)})
		}
	case stepReboot:
		pending = true
		switch {
		case u.reboot.IsZero():
			u.reboot = s.now.Add(rebootNotice)
		case !s.now.Before(u.reboot):
			s.once(ActivateImage{u.Request})
		}
		if !u.asked {
			u.at = u.reboot
		}
	}
	s.holdEVSEs(u.Step == stepReboot || (pending || u.others) && !s.model.flag("ChargingStation", "AllowNewSessionsPendingFirmwareUpdate"))
}

// holdEVSEs takes the EVSEs that are not in use out of service, or gives all back (L01.FR.07).
func (s *Station) holdEVSEs(on bool) {
	for _, e := range s.evses {
		if hold := on && (e.held || !e.busy()); hold != e.held {
			was := e.serves()
			e.held = hold
			s.served(e, was)
		}
	}
}

// imageFetching tells that the download pauses, or goes on (L01.FR.14).
func (s *Station) imageFetching(ev ImageFetching) {
	st := v201.FirmwareStatusDownloading
	if ev.Paused {
		st = v201.FirmwareStatusDownloadPaused
	}
	if s.upd.Step == stepFetching && s.upd.Request == ev.Request && s.upd.Told != st {
		s.tellUpdate(st)
	}
}

func (s *Station) imageFetched(ev ImageFetched) {
	if s.upd.Step != stepFetching || s.upd.Request != ev.Request {
		return
	}
	if ev.Err != nil { // L01.FR.30
		s.endUpdate(v201.FirmwareStatusDownloadFailed, ev.Err)
		return
	}
	s.tellUpdate(v201.FirmwareStatusDownloaded)
	if err := s.genuine(&s.upd, ev.SHA256); err != nil { // L01.FR.04, L01.FR.12
		text := err.Error()
		s.endUpdate(v201.FirmwareStatusInvalidSignature, err)
		s.securityEvent("InvalidFirmwareSignature", text) // L01.FR.03
		return
	}
	s.tellUpdate(v201.FirmwareStatusSignatureVerified)
	s.upd.Digest = ev.SHA256[:]
	s.goTo(stepReady)
}

func (s *Station) imageInstalled(ev ImageInstalled) {
	if s.upd.Step != stepInstall || s.upd.Request != ev.Request {
		return
	}
	switch {
	case ev.Err != nil && ev.Bad: // L01.FR.29
		s.endUpdate(v201.FirmwareStatusInstallVerificationFailed, ev.Err)
	case ev.Err != nil:
		s.endUpdate(v201.FirmwareStatusInstallationFailed, ev.Err)
	default:
		s.goTo(stepPlaced)
	}
}

// updateEnded is the end of an update in the new firmware, or in the old one again.
func (s *Station) updateEnded(ev UpdateEnded) {
	if s.upd.Step != stepReboot || s.upd.Request != ev.Request {
		return
	}
	if ev.Err != nil {
		s.endUpdate(v201.FirmwareStatusInstallationFailed, ev.Err)
		return
	}
	s.goTo(stepNone)
	s.tellUpdate(v201.FirmwareStatusInstalled)         // L01.FR.28
	s.securityEvent("FirmwareUpdated", s.cfg.Firmware) // L01.FR.31
}

func (s *Station) endUpdate(st v201.FirmwareStatusEnum, err error) {
	s.note(true, "firmware update of request %d: %s: %v", s.upd.Request, st, err)
	s.emit(CancelUpdate{s.upd.Request})
	s.goTo(stepNone)
	s.tellUpdate(st)
}
