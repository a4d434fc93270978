package din

import (
	"github.com/voltyard/voltyard/protocols/iso15118/din"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
)

// waitPaymentSelection is the state in which the vehicle chooses the one service and the one payment option there is.
type waitPaymentSelection struct{}

func (waitPaymentSelection) accepts(req din.BodyElement) bool {
	_, ok := req.(*din.ServicePaymentSelectionReq)
	return ok
}

func (waitPaymentSelection) handle(m *Machine, req din.BodyElement) (din.BodyElement, state) {
	r := req.(*din.ServicePaymentSelectionReq)
	if r.SelectedPaymentOption != din.PaymentOptionExternalPayment {
		return m.fail(req, din.ResponseCodeFailedPaymentSelectionInvalid, secc.ClassParameter, "payment by contract is not offered")
	}
	charge := false
	for _, s := range r.SelectedServiceList.SelectedService {
		if s.ServiceID != secc.ServiceCharge {
			return m.fail(req, din.ResponseCodeFailedServiceSelectionInvalid, secc.ClassParameter, "a service that is not offered was selected")
		}
		charge = true
	}
	if !charge {
		return m.fail(req, din.ResponseCodeFailedServiceSelectionInvalid, secc.ClassParameter, "no charge service was selected")
	}
	return &din.ServicePaymentSelectionRes{ResponseCode: din.ResponseCodeOK}, waitAuthentication{}
}
