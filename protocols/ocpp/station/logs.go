package station

import (
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// Upload asks to collect a log and to send it to URL. Uploaded must follow, once, also when it was cancelled.
type Upload struct {
	Request        int
	Security       bool             // the security log, else diagnostics
	Oldest, Latest time.Time        // zero for no bound
	Records        []SecurityRecord // of the security log
	URL, Name      string           // the URL may hold a password
	Retries        int              // after the first try
	Every          time.Duration
}

// CancelUpload asks to give an Upload up.
type CancelUpload struct{ Request int }

func (Upload) effect()       {}
func (CancelUpload) effect() {}

// Uploaded is how an Upload ended, after its retries: Uploaded, UploadFailure, BadMessage, PermissionDenied or
// NotSupportedOperation.
type Uploaded struct {
	Request int
	Status  v201.UploadLogStatusEnum
}

func (Uploaded) event() {}

// logs is the upload under way, 0 or one.
type logs struct {
	request *int
	upload  *Upload // was asked for
}

func getLog(s *Station, q *v201.GetLogRequest) (rpc.Message, error) {
	if !s.cfg.Logs { // N01.FR.05
		return &v201.GetLogResponse{Status: v201.LogStatusRejected, StatusInfo: info("NoLog")}, nil
	}
	u := Upload{Request: q.RequestId, Security: q.LogType == v201.LogSecurityLog, Oldest: q.Log.OldestTimestamp, Latest: q.Log.LatestTimestamp, URL: q.Log.RemoteLocation,
		Name: "diagnostics-" + s.now.UTC().Format("20060102T150405Z") + ".tar.gz"}
	none := u.Oldest.After(s.now) || !u.Latest.IsZero() && u.Latest.Before(u.Oldest)
	if u.Security {
		u.Records = s.SecurityLog(u.Oldest, u.Latest)
		none = len(u.Records) == 0
		u.Name = "security-" + s.now.UTC().Format("20060102T150405Z") + ".log"
	}
	if none { // N01.FR.05
		return &v201.GetLogResponse{Status: v201.LogStatusRejected, StatusInfo: info("NoLog")}, nil
	}
	u.Retries, u.Every = bounded(q.Retries, q.RetryInterval)
	res := &v201.GetLogResponse{Status: v201.LogStatusAccepted, Filename: u.Name}
	old := s.logs.request
	if old != nil { // N01.FR.12
		res.Status = v201.LogStatusAcceptedCanceled
		s.emit(CancelUpload{*old})
	}
	s.logs.request, s.logs.upload = &u.Request, nil
	s.then(func() {
		if old != nil { // N01.FR.20
			s.call(&v201.LogStatusNotificationRequest{Status: v201.UploadLogStatusAcceptedCanceled, RequestId: old}, nil)
		}
		s.call(s.logs.status(), nil) // N01.FR.08
		s.logs.upload = &u
		s.emit(u)
	})
	return res, nil
}

// status is what a LogStatusNotification says now; without an upload it has no request (N01.FR.13).
func (l *logs) status() *v201.LogStatusNotificationRequest {
	if l.request == nil {
		return &v201.LogStatusNotificationRequest{Status: v201.UploadLogStatusIdle}
	}
	return &v201.LogStatusNotificationRequest{Status: v201.UploadLogStatusUploading, RequestId: l.request}
}

// uploaded tells the CSMS how it ended (N01.FR.09, N01.FR.10); the end of a cancelled upload is of no interest.
func (s *Station) uploaded(ev Uploaded) {
	if s.logs.request == nil || *s.logs.request != ev.Request {
		return
	}
	s.logs.request, s.logs.upload = nil, nil
	s.call(&v201.LogStatusNotificationRequest{Status: ev.Status, RequestId: &ev.Request}, nil)
}
