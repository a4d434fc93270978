package csms

import (
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// decide fills the response to a station of OCPP 2.0.1; what needs nothing keeps the empty response.
func (c *CSMS) decide(k *conn, now time.Time, q, res rpc.Message) rpc.Message {
	switch q := q.(type) {
	case *v201.BootNotificationRequest:
		return &v201.BootNotificationResponse{CurrentTime: now, Interval: c.cfg.Heartbeat, Status: v201.RegistrationStatusAccepted}
	case *v201.HeartbeatRequest:
		return &v201.HeartbeatResponse{CurrentTime: now}
	case *v201.AuthorizeRequest:
		r := &v201.AuthorizeResponse{IdTokenInfo: judge(q.IdToken)}
		if q.Certificate != "" || q.Iso15118CertificateHashData != nil {
			r.CertificateStatus = v201.AuthorizeCertificateStatusAccepted
			if r.IdTokenInfo.Status != v201.AuthorizationStatusAccepted { // C07.FR.13
				r.CertificateStatus = v201.AuthorizeCertificateStatusContractCancelled
			}
		}
		return r
	case *v201.TransactionEventRequest:
		r := &v201.TransactionEventResponse{}
		if q.IdToken != nil {
			i := judge(*q.IdToken)
			r.IdTokenInfo = &i
		}
		return r
	case *v201.DataTransferRequest:
		return &v201.DataTransferResponse{Status: v201.DataTransferStatusUnknownVendorId}
	case *v201.SignCertificateRequest:
		return c.issue(k, now, q)
	case *v201.GetCertificateStatusRequest:
		return &v201.GetCertificateStatusResponse{Status: v201.GetCertificateStatusFailed}
	case *v201.Get15118EVCertificateRequest:
		return &v201.Get15118EVCertificateResponse{Status: v201.Iso15118EVCertificateStatusFailed, ExiResponse: ""}
	case *v201.NotifyEVChargingNeedsRequest:
		return &v201.NotifyEVChargingNeedsResponse{Status: v201.NotifyEVChargingNeedsStatusRejected}
	case *v201.NotifyEVChargingScheduleRequest:
		return &v201.NotifyEVChargingScheduleResponse{Status: v201.GenericStatusAccepted}
	}
	return res
}

func judge(t v201.IdToken) v201.IdTokenInfo {
	if strings.HasPrefix(strings.ToUpper(t.IdToken), "BAD") {
		return v201.IdTokenInfo{Status: v201.AuthorizationStatusInvalid}
	}
	return v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}
}

// decide16 is the same for OCPP 1.6, where the cloud makes the ids of transactions.
func (c *CSMS) decide16(now time.Time, q, res rpc.Message) rpc.Message {
	info := func(tag string) v16.IdTagInfo {
		if strings.HasPrefix(strings.ToUpper(tag), "BAD") {
			return v16.IdTagInfo{Status: v16.IdTagInfoStatusInvalid}
		}
		return v16.IdTagInfo{Status: v16.IdTagInfoStatusAccepted}
	}
	switch q := q.(type) {
	case *v16.BootNotificationRequest:
		return &v16.BootNotificationResponse{CurrentTime: now, Interval: c.cfg.Heartbeat, Status: v16.BootNotificationResponseStatusAccepted}
	case *v16.HeartbeatRequest:
		return &v16.HeartbeatResponse{CurrentTime: now}
	case *v16.AuthorizeRequest:
		return &v16.AuthorizeResponse{IdTagInfo: info(q.IdTag)}
	case *v16.StartTransactionRequest:
		c.tx16++
		return &v16.StartTransactionResponse{IdTagInfo: info(q.IdTag), TransactionId: c.tx16}
	case *v16.DataTransferRequest:
		return &v16.DataTransferResponse{Status: v16.DataTransferResponseStatusUnknownVendorId}
	}
	return res
}
