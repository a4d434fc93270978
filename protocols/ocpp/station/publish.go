package station

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

type (
	// Publish asks a local controller to download a file and to offer it to stations. Published must follow, last with a status
	// that ends it. It comes again after a restart.
	Publish struct {
		Request int
		URL     string // may hold a password
		MD5     string // of the whole file, 32 hexadecimal digits in lower case
		Retries int    // after the first try
		Every   time.Duration
	}
	// Unpublish asks to withdraw a file; Unpublished must follow.
	Unpublish struct {
		Token uint64
		MD5   string
	}

	// Published says how far a Publish is. Locations are the file's URIs, with the status Published.
	Published struct {
		Request   int
		Status    v201.PublishFirmwareStatusEnum
		Locations []string
	}
	// Unpublished answers Unpublish.
	Unpublished struct {
		Token  uint64
		Status v201.UnpublishFirmwareStatusEnum
	}
)

func (Publish) effect()   {}
func (Unpublish) effect() {}

func (Published) event()   {}
func (Unpublished) event() {}

const keyPublish = "publish"

// publishing is the file being published, and what was said of the last one. It is saved whole.
type publishing struct {
	Open bool // it has not ended
	Job  Publish
	Told v201.PublishFirmwareStatusEnum
	At   []string // its URIs, once published

	asked bool // in this process
	token uint64
	asks  map[uint64]ask // Unpublish that are not answered
}

type ask struct {
	id string
	by time.Time
}

func (s *Station) restorePublish(saved map[string][]byte) error {
	if b, ok := saved[keyPublish]; ok {
		if err := json.Unmarshal(b, &s.pub); err != nil {
			return fmt.Errorf("stored record %q: %w", keyPublish, err)
		}
	}
	return nil
}

func noPublishing() error {
	return &rpc.Error{Code: rpc.NotSupported, What: "this station publishes no firmware"}
}

// md5Hex reads a checksum.
func md5Hex(text string) (string, bool) {
	b, err := hex.DecodeString(text)
	return strings.ToLower(text), err == nil && len(b) == 16
}

func publishFirmware(s *Station, q *v201.PublishFirmwareRequest) (rpc.Message, error) {
	if !s.cfg.Publishes {
		return nil, noPublishing()
	}
	refuse := func(code string) (rpc.Message, error) {
		return &v201.PublishFirmwareResponse{Status: v201.GenericStatusRejected, StatusInfo: info(code)}, nil
	}
	sum, ok := md5Hex(q.Checksum)
	switch {
	case !ok:
		return refuse("InvalidValue")
	case s.pub.Open:
		return refuse("FwUpdateInProgress")
	}
	job := Publish{Request: q.RequestId, URL: q.Location, MD5: sum}
	job.Retries, job.Every = bounded(q.Retries, q.RetryInterval)
	s.pub.Open, s.pub.Job, s.pub.Told, s.pub.At, s.pub.asked = true, job, "", nil, true
	s.save(keyPublish, &s.pub)
	s.then(func() { s.pub.asked = false })
	return &v201.PublishFirmwareResponse{Status: v201.GenericStatusAccepted}, nil
}

// publishDue begins what is to be published, again after a restart.
func (s *Station) publishDue() {
	if s.pub.Open && !s.pub.asked && s.cfg.Publishes {
		s.pub.asked = true
		s.emit(s.pub.Job)
	}
	for token, a := range s.pub.asks {
		if !s.now.Before(a.by) {
			delete(s.pub.asks, token)
			s.reject(a.id, rpc.InternalError, "the publisher does not answer")
		}
	}
}

func (p *publishing) due() (at time.Time) {
	for _, a := range p.asks {
		if at.IsZero() || a.by.Before(at) {
			at = a.by
		}
	}
	return at
}

// published tells the CSMS of a new status (L03.FR.01, FR.04, FR.06 to FR.09).
func (s *Station) published(ev Published) {
	if !s.pub.Open || s.pub.Job.Request != ev.Request || s.pub.Told == ev.Status {
		return
	}
	s.pub.Told, s.pub.At = ev.Status, ev.Locations
	switch ev.Status {
	case v201.PublishFirmwareStatusPublished, v201.PublishFirmwareStatusDownloadFailed, v201.PublishFirmwareStatusInvalidChecksum, v201.PublishFirmwareStatusPublishFailed:
		s.pub.Open = false
	}
	s.save(keyPublish, &s.pub)
	q := &v201.PublishFirmwareStatusNotificationRequest{Status: ev.Status, Location: ev.Locations, RequestId: new(ev.Request)}
	payload := q.AppendJSON(nil)
	s.stepQueue(txqueue.Put{Kind: txqueue.Start, Action: q.ActionName(), Payload: payload, Offline: payload})
}

// publishStatus is what a trigger is answered with (L03.FR.10, L03.FR.11).
func (s *Station) publishStatus() *v201.PublishFirmwareStatusNotificationRequest {
	switch s.pub.Told {
	case "", v201.PublishFirmwareStatusPublished:
		return &v201.PublishFirmwareStatusNotificationRequest{Status: v201.PublishFirmwareStatusIdle}
	}
	return &v201.PublishFirmwareStatusNotificationRequest{Status: s.pub.Told, RequestId: new(s.pub.Job.Request)}
}

func unpublishFirmware(s *Station, q *v201.UnpublishFirmwareRequest) (rpc.Message, error) {
	if !s.cfg.Publishes {
		return nil, noPublishing()
	}
	sum, ok := md5Hex(q.Checksum)
	if !ok {
		return &v201.UnpublishFirmwareResponse{Status: v201.UnpublishFirmwareStatusNoFirmware}, nil // L04.FR.03
	}
	if s.pub.Open && s.pub.Job.MD5 == sum {
		return &v201.UnpublishFirmwareResponse{Status: v201.UnpublishFirmwareStatusDownloadOngoing}, nil
	}
	if s.pub.asks == nil {
		s.pub.asks = map[uint64]ask{}
	}
	s.pub.token++
	s.pub.asks[s.pub.token] = ask{s.incoming, s.now.Add(claimTime)}
	s.emit(Unpublish{s.pub.token, sum})
	return nil, nil
}

func (s *Station) unpublished(ev Unpublished) {
	a, ok := s.pub.asks[ev.Token]
	if !ok {
		return
	}
	delete(s.pub.asks, ev.Token)
	s.answer(a.id, &v201.UnpublishFirmwareResponse{Status: ev.Status})
}
